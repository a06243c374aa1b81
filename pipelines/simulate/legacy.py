"""What happened to claims before Touchstone: the legacy process, whose late and partial labels are all there is to learn from.

A crude, noisy rule score sent some claims to an external desk (propensity 1: the policy chose them), a few large ones on to
investigation; a uniformly random audit examined others with a logged propensity. Everything else was paid without a look and
has no label. Denials were appealed or cured by evidence; a little paid abuse was revealed much later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.simulate.drafts import ABUSIVE, UNSUBSTANTIATED, VALID
from pipelines.simulate.frames import NEVER, Bools, Floats, Ints
from pipelines.simulate.market import DAY, Horizon, Market

SOURCES = ("automatic", "desk", "investigation", "audit", "evidence", "appeal", "revealed")
AUTOMATIC, DESK, INVESTIGATION, AUDIT, EVIDENCE, APPEAL, REVEALED = range(7)
OUTCOMES = ("paid", "denied_unsubstantiated", "denied_abusive")

_MISTAKES = np.array(
    [  # what a desk expert of average skill finds; rows truth, columns label
        [0.925, 0.060, 0.015],
        [0.120, 0.850, 0.030],
        [0.130, 0.100, 0.770],
    ]
)
_CARE = {DESK: 1.0, AUDIT: 0.5, INVESTIGATION: 1.0 / 3.0}
_INVESTIGATED_FROM = 310_000


@dataclass(frozen=True)
class Evidence:
    """What the legacy rules looked at, per claim in the order of filing."""

    amount: Ints
    lag: Ints
    account_age: Ints
    earlier_claims: Ints
    receipt: Bools
    dated: Bools


def resolve(
    drafts: pd.DataFrame, evidence: Evidence, world: pd.DataFrame, horizon: Horizon, market: Market, rng: np.random.Generator
) -> pd.DataFrame:
    """Return the resolutions of all claims filed before the live time, as far as they were known at the horizon's end.

    Parameters
    ----------
    drafts
        Claims in the order of filing: ``truth, filed, denial`` (``denial``: a ring's claim that was denied at that time).
    world
        Potential behaviour in the same order.

    Returns
    -------
    DataFrame
        Columns ``claim`` (position), ``source, outcome, label`` (numbers; label ``NEVER`` = nobody examined), ``propensity``,
        ``paid`` (cents), ``resolved``, ``known`` (microseconds); ordered by ``known``.
    """
    claim = np.flatnonzero(drafts["filed"].to_numpy() < horizon.live_from)
    drafts, world = drafts.iloc[claim], world.iloc[claim]
    evidence = Evidence(*(getattr(evidence, name)[claim] for name in Evidence.__dataclass_fields__))
    source, propensity = _examined(drafts, evidence, market, rng)
    label = _found(drafts["truth"].to_numpy(), world["difficulty"].to_numpy(), source, rng)
    denial = drafts["denial"].to_numpy()
    burnt = denial != NEVER
    label[burnt] = ABUSIVE
    first = pd.DataFrame({"claim": claim, "source": source, "label": label, "propensity": propensity})
    first["outcome"] = np.where(label == NEVER, 0, label)
    filed = drafts["filed"].to_numpy()
    first["resolved"] = filed + _durations(source, rng)
    first["known"] = first["resolved"] + (rng.random(len(first)) * 2 * DAY).astype(np.int64)
    first["resolved"], first["known"] = (np.where(burnt, denial, first[name]) for name in ("resolved", "known"))
    first["paid"] = np.where(first["outcome"] == 0, evidence.amount, 0)
    rows = pd.concat([first, _later(first, drafts, world, evidence.amount, rng)], ignore_index=True)
    return rows[rows["known"] < horizon.end].sort_values(["known", "claim"], kind="stable", ignore_index=True)


def _examined(drafts: pd.DataFrame, evidence: Evidence, market: Market, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Return who examined each claim and the probability with which it was chosen to be examined."""
    count = len(drafts)
    score = (
        0.6 * (evidence.amount > 100_000)
        + 0.5 * (evidence.lag < 7 * DAY)
        + 0.6 * ~evidence.receipt
        + 0.4 * ~evidence.dated
        + 0.7 * ((evidence.amount >= 85_000) & (evidence.amount < 100_000))
        + 0.5 * (evidence.account_age < 120 * DAY)
        + 0.6 * (evidence.earlier_claims > 0)
        + rng.normal(0.0, 0.9, count)
    )
    threshold = np.quantile(score, 1.0 - market.desk_share) if count else 0.0
    desk = (score > threshold) | (drafts["denial"].to_numpy() != NEVER)
    deep = desk & (evidence.amount > _INVESTIGATED_FROM) & (rng.random(count) < 0.6)
    audit = ~desk & (rng.random(count) < market.audit_propensity)
    source = np.where(deep, INVESTIGATION, np.where(desk, DESK, np.where(audit, AUDIT, AUTOMATIC)))
    return source, np.where(desk, 1.0, market.audit_propensity)


def _found(truth: Ints, difficulty: Floats, source: Ints, rng: np.random.Generator) -> Ints:
    """Return the label found, ``NEVER`` where nobody looked; harder claims are mistaken more often."""
    care = np.array([_CARE.get(number, 0.0) for number in range(len(SOURCES))])[source]
    mean = np.array([difficulty[truth == y].mean() if (truth == y).any() else 1.0 for y in range(3)])
    wrong = (1.0 - _MISTAKES[truth, truth]) * care * difficulty / mean[truth]
    other = np.array([[1, 2], [0, 2], [0, 1]])[truth]
    first = _MISTAKES[truth, other[:, 0]] / np.maximum(1e-12, 1.0 - _MISTAKES[truth, truth])
    mistaken = np.where(rng.random(len(truth)) < first, other[:, 0], other[:, 1])
    label = np.where(rng.random(len(truth)) < wrong, mistaken, truth)
    return np.where(source == AUTOMATIC, NEVER, label)


def _durations(source: Ints, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw microseconds to a resolution: automatic 0.2–2 days, desk and audit 2–10, investigation 14–45."""
    least = np.array([0.2, 2.0, 14.0, 2.0])[source]
    most = np.array([2.0, 10.0, 45.0, 10.0])[source]
    return np.asarray((least + rng.random(len(source)) * (most - least)) * DAY).astype(np.int64)


def _later(first: pd.DataFrame, drafts: pd.DataFrame, world: pd.DataFrame, amount: Ints, rng: np.random.Generator) -> pd.DataFrame:
    """Return second rows: cured denials, appeals won, abuse revealed.

    A claim that is cured or wins its appeal keeps the label "unsubstantiated" if that is what it was when filed: the proof came later.
    """
    truth = drafts["truth"].to_numpy()
    outcome, source = first["outcome"].to_numpy(), first["source"].to_numpy()
    free = drafts["denial"].to_numpy() == NEVER
    cured = (outcome == 1) & world["cures"].to_numpy() & free
    won = (outcome > 0) & ~cured & world["appeals_if_denied"].to_numpy() & world["appeal_wins"].to_numpy() & free
    revealed = (source == AUTOMATIC) & world["revealed_if_paid"].to_numpy()
    parts = []
    for where, by, label, days in (
        (cured, EVIDENCE, np.where(truth == UNSUBSTANTIATED, UNSUBSTANTIATED, VALID), world["cure_days"].to_numpy()),
        (won, APPEAL, np.where(truth == UNSUBSTANTIATED, UNSUBSTANTIATED, VALID), world["appeal_days"].to_numpy() + 5.0),
        (revealed, REVEALED, np.full(len(truth), ABUSIVE), world["revealed_days"].to_numpy()),
    ):
        rows = first[where].copy()
        rows["source"], rows["label"], rows["outcome"] = by, label[where], 0
        rows["paid"] = amount[where]
        rows["resolved"] = rows["known"] + (days[where] * DAY).astype(np.int64)
        rows["known"] = rows["resolved"] + (rng.random(len(rows)) * 2 * DAY).astype(np.int64)
        if by == REVEALED:
            rows["propensity"] = 1.0
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)
