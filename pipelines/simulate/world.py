"""How the parties of a claim would behave, drawn once per claim so that every replay meets the same world.

Meaning of the columns of ``world``
-----------------------------------
``difficulty`` (0–1) is what every expert finds hard about the claim. ``seller_response`` is what the seller says to a claim
presented to them (``pays``, ``evidence_refutes``, ``rejects``, ``silent``) after ``seller_response_days``; ``insurer_response``
(``pays``, ``rejects``, ``none``) after ``insurer_days``. ``cures``: asked for proof of loss, the claimant sends proof that
satisfies after ``cure_days``; most valid claims do, 35 % of truly unsubstantiated ones do (the harm was real, the proof was missing:
from then on the amount is payable although the claim *as filed* was unsubstantiated), and a few abusers forge it.
``appeals_if_denied`` after ``appeal_days``, ``appeal_wins``. ``revealed_if_paid``: abuse that was paid comes to light after
``revealed_days``. ``proof_days``: the seller proves insurance after so many days, missing if never. ``reimburses``: a seller who
owes pays back after ``reimburse_days``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_contracts import LABELS
from pipelines.simulate.drafts import ABUSIVE, COLLUSION, PADDING, UNSUBSTANTIATED
from pipelines.simulate.frames import NEVER, Bools, Floats, Ints, words
from pipelines.simulate.market import Market
from pipelines.simulate.people import Sellers

SELLER_RESPONSES = ("pays", "evidence_refutes", "rejects", "silent")
INSURER_RESPONSES = ("pays", "rejects", "none")
_RESPONSE = np.array(
    [  # pays, refutes, rejects (the rest is silent)
        [0.50, 0.02, 0.08],  # valid
        [0.25, 0.12, 0.30],  # unsubstantiated
        [0.20, 0.33, 0.22],  # abusive
        [0.12, 0.06, 0.52],  # any claim against a rogue seller
        [0.85, 0.00, 0.02],  # a seller in league with the claimant
    ]
)


def draw_world(drafts: pd.DataFrame, sellers: Sellers, seller: Ints, market: Market, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the potential behaviour of every counterparty.

    Parameters
    ----------
    drafts
        With columns ``truth, scheme, filed``.
    seller
        Shape (n,): the seller of each claim.

    Returns
    -------
    DataFrame
        One row per claim in the same order, the columns described above (without ``claim_id``); days are float64.
    """
    count = len(drafts)
    truth, scheme, filed = (drafts[name].to_numpy() for name in ("truth", "scheme", "filed"))
    insured = insured_at(sellers, seller, filed)
    claims_insured = (sellers.insured_at[seller] != NEVER) & (sellers.insured_at[seller] < filed)
    proof = np.where(rng.random(count) < 0.93, 0.2 + 6.3 * rng.beta(1.5, 2.5, count), 7.5 + 13 * rng.random(count))
    proves = (insured & (rng.random(count) < 0.96)) | (claims_insured & sellers.forged[seller] & (rng.random(count) < 0.6))
    insurer = rng.random(count) < np.array([0.87, 0.35, 0.35])[truth]
    return pd.DataFrame(
        {
            "truth": words(LABELS, truth),
            "difficulty": _difficulty(truth, scheme, rng),
            "seller_response": words(SELLER_RESPONSES, _response(truth, scheme == COLLUSION, sellers.rogue[seller], rng)),
            "seller_response_days": _days(count, 1.5, 2.5, 28.0, rng),
            "insurer_response": words(INSURER_RESPONSES, np.where(insured, np.where(insurer, 0, 1), 2)),
            "insurer_days": 4.0 + _days(count, 2.0, 6.0, 40.0, rng),
            "cures": rng.random(count) < np.where(truth == ABUSIVE, 0.10, np.where(truth == UNSUBSTANTIATED, 0.35, 0.85)),
            "cure_days": 1.0 + _days(count, 1.5, 6.0, 45.0, rng),
            "appeals_if_denied": rng.random(count) < np.array([0.75, 0.35, 0.20])[truth],
            "appeal_days": 1.0 + _days(count, 1.5, 6.0, 28.0, rng),
            "appeal_wins": rng.random(count) < np.array([0.85, 0.25, 0.10])[truth],
            "revealed_if_paid": (truth == ABUSIVE) & (rng.random(count) < market.revealed_share),
            "revealed_days": 45.0 + 180.0 * rng.random(count),
            "proof_days": np.where(proves, proof, np.nan),
            "reimburses": rng.random(count) < np.where(sellers.rogue[seller], 0.30, np.where(insured, 0.92, 0.72)),
            "reimburse_days": 3.0 + _days(count, 2.0, 9.0, 80.0, rng),
        }
    )


def insured_at(sellers: Sellers, seller: Ints, at: Ints) -> Bools:
    """Return whether each seller's insurance is genuine and in force at that time, shape (n,)."""
    since, until = sellers.insured_at[seller], sellers.lapsed_at[seller]
    in_force = (since != NEVER) & (since < at) & ((until == NEVER) | (until > at))
    return np.asarray(in_force & ~sellers.forged[seller])


def _response(truth: Ints, colluding: Bools, rogue: Bools, rng: np.random.Generator) -> Ints:
    row = np.where(colluding, 4, np.where(rogue, 3, truth))
    return np.asarray((rng.random(len(truth))[:, None] > np.cumsum(_RESPONSE, axis=1)[row]).sum(axis=1))


def _difficulty(truth: Ints, scheme: Ints, rng: np.random.Generator) -> Floats:
    """Draw what experts find hard: padding most, organised abuse less; means .40 valid, .50 unproven, .60 padded, .43 invented."""
    padded = scheme == PADDING
    a = np.where(truth == ABUSIVE, np.where(padded, 3.0, 2.2), np.where(truth == UNSUBSTANTIATED, 2.5, 2.0))
    b = np.where(truth == ABUSIVE, np.where(padded, 2.0, 2.9), np.where(truth == UNSUBSTANTIATED, 2.5, 3.0))
    return rng.beta(a, b)


def _days(count: int, shape: float, scale: float, most: float, rng: np.random.Generator) -> Floats:
    return np.minimum(rng.gamma(shape, scale, count), most)
