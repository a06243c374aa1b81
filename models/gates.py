"""The gates between a challenger and the throne: what each measures, its limit, and a sentence that says what was found.

Every gate can refuse on its own, and none can make up for another. Limits are declared in :class:`Gates` and nowhere else, except
the bound on accusing, which is the policy's (:class:`models.policy.Harm`). Tightening any limit never admits what was refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_contracts import LABELS, Action
from models.classifier import ABUSIVE
from models.metrics import Interval
from models.policy import Harm
from models.risk import Guarantee, p_value

_BISECTIONS = 40


@dataclass(frozen=True)
class Gates:
    """The limits.

    Parameters
    ----------
    fewest
        Labelled claims below which no interval can be trusted and nobody is promoted.
    money_confidence
        Of the interval of the saving, whose lower end must lie above zero.
    ece, ece_margin, ece_confidence
        The classwise calibration error beyond chance may be at most the larger of ``ece`` and the champion's plus ``ece_margin``; refused
        where the interval of that confidence lies above it.
    slower, free_ms
        Predicting and explaining one claim may take at most the larger of ``slower`` times the champion's median and ``free_ms``.
    larger, free_bytes
        A bundle may be at most the larger of ``larger`` times the champion's size and ``free_bytes``.
    gap, gap_margin, gap_confidence
        Between the slices of an attribute the share of valid claims that are not paid automatically may differ by at most the larger of
        ``gap`` and the champion's gap plus ``gap_margin``; refused where the interval of that confidence lies above it.
    slice_fewest
        Valid labelled claims below which a slice is reported, not judged.
    latency_rows, parity_rows
        Claims that are timed, and claims whose feature rows are computed anew.
    """

    fewest: int = 100
    money_confidence: float = 0.90
    ece: float = 0.03
    ece_margin: float = 0.02
    ece_confidence: float = 0.90
    slower: float = 2.0
    free_ms: float = 10.0
    larger: float = 2.0
    free_bytes: int = 5_000_000
    gap: float = 0.25
    gap_margin: float = 0.05
    gap_confidence: float = 0.95
    slice_fewest: int = 30
    latency_rows: int = 25
    parity_rows: int = 25


@dataclass(frozen=True)
class Gate:
    """What one gate said: ``value`` against ``limit`` (NaN where there is none), and why in a sentence with the numbers."""

    name: str
    passed: bool
    value: float
    limit: float
    why: str


@dataclass(frozen=True)
class Parity:
    """Whether the running code feeds a bundle what it learned from.

    Parameters
    ----------
    same_catalog, same_contracts
        Whether the bundle's hashes are those of the running code.
    unknown
        Columns the bundle reads and the catalogue does not make.
    rows
        Feature rows computed anew.
    differing
        Columns in which a recomputed value differs from the kept one in any bit.
    """

    same_catalog: bool
    same_contracts: bool
    unknown: tuple[str, ...]
    rows: int
    differing: tuple[str, ...]


@dataclass(frozen=True)
class Fitness:
    """What it takes to run the bundles: milliseconds per claim (median), bytes, and the challenger's parity."""

    champion_ms: float
    challenger_ms: float
    champion_bytes: int
    challenger_bytes: int
    parity: Parity


def money(saving: Interval, claims: int, gates: Gates) -> Gate:
    """Return whether later claims would have cost less, beyond chance.

    Parameters
    ----------
    saving
        Cents per claim that the challenger saves.
    claims
        Labelled claims behind it.
    gates
        The limits.
    """
    if claims < gates.fewest:
        why = f"only {claims} labelled claims are later than both models, at least {gates.fewest} are needed"
        return Gate("money", False, saving.estimate, 0.0, why)
    found = (
        f"the challenger saves {dollars(saving.estimate)} a claim "
        f"({gates.money_confidence:.0%} interval {dollars(saving.low)} to {dollars(saving.high)}, {claims:,} labelled claims)"
    )
    passed = saving.low > 0
    return Gate("money", passed, saving.low, 0.0, found if passed else f"{found}: the interval does not lie above zero")


def accused(action: np.ndarray) -> np.ndarray:
    """Return which claims an automatic action calls abusive, boolean."""
    return np.asarray(action == Action.DENY_ABUSIVE.value)


def accusation_bound(accused: np.ndarray, labels: np.ndarray, stands_for: np.ndarray, confidence: float) -> tuple[float, float]:
    """Return the share of non-abusive claims that are accused, and its upper confidence bound.

    Parameters
    ----------
    accused
        Whether each labelled claim is called abusive, shape (n,).
    labels, stands_for
        Class, and how many claims it was drawn for (1/propensity, uncapped), > 0, shape (n,).
    confidence
        With which the bound holds.

    Returns
    -------
    tuple of float
        Measured share (NaN without a non-abusive claim) and bound (1 where nothing can be said).

    Examples
    --------
    >>> share, bound = accusation_bound(np.zeros(400, bool), np.full(400, "valid"), np.ones(400), 0.95)
    >>> share, 0.005 < bound < 0.02
    (0.0, True)
    """
    return share_bound(accused, stands_for, labels != LABELS[ABUSIVE], confidence)


def share_bound(happened: np.ndarray, stands_for: np.ndarray, among: np.ndarray, confidence: float) -> tuple[float, float]:
    """Return the share of some of the labelled claims to which something happens, and its upper confidence bound.

    Parameters
    ----------
    happened, among
        To which labelled claims it happens, and which of them are asked about, boolean, shape (n,).
    stands_for, confidence
        As in :func:`accusation_bound`, which is the share of accused among those that are not abusive.

    Notes
    -----
    A share b or more is refuted as :func:`models.risk.certify` does it, by a bet against "w·1[among]·(1[happened] − b) has a mean of
    0 or more"; the bound is the least b refuted. The bet's p-value falls with b, so bisection finds it.
    """
    asked = stands_for * among
    if not asked.sum() > 0:
        return float("nan"), 1.0
    largest, low, high = float(stands_for.max()), 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        refuted = p_value(asked * (happened - middle), -middle * largest, (1 - middle) * largest) <= 1 - confidence
        low, high = (low, middle) if refuted else (middle, high)
    return float(asked[happened].sum() / asked.sum()), high


def accusations(
    labels: np.ndarray,
    stands_for: np.ndarray,
    champion: np.ndarray,
    challenger: np.ndarray,
    guarantee: Guarantee | None,
    harm: Harm,
) -> Gate:
    """Return whether the challenger keeps the bound on calling claims abusive that are not.

    Parameters
    ----------
    labels, stands_for
        Of all later claims, shape (claims,); ``stands_for`` 0 where nobody examined.
    champion, challenger
        Which of them each model accuses automatically, boolean, shape (claims,).
    guarantee
        The challenger's, if its bundle carries one.
    harm
        Bound and confidence.

    Notes
    -----
    There are two ways through. The labels *show* the bound: the upper confidence bound is at most the limit. Or, as few labels can
    never show so small a share, the measured share is within the limit and more is not risked than today: either the challenger carries
    a guarantee that is at least as strict, or it wrongs no larger share of the labelled claims than the champion and accuses no
    larger share of *all* later claims, which needs no label. So with few labels the burden is the challenger's.
    """
    known = stands_for > 0
    share, bound = accusation_bound(challenger[known], labels[known], stands_for[known], harm.confidence)
    before, _ = accusation_bound(champion[known], labels[known], stands_for[known], harm.confidence)
    now, then = (float(one.sum()) / max(len(one), 1) for one in (challenger, champion))
    limit = harm.accused_share
    found = (
        f"{share:.2%} of the claims that are not abusive are called abusive automatically (champion {before:.2%}), "
        f"at most {bound:.2%} with {harm.confidence:.0%} confidence; {now:.2%} of all claims are so called "
        f"(champion {then:.2%})"
    )
    if bound <= limit:
        return Gate("wrongful accusations", True, bound, limit, f"{found}: the labels show the limit of {limit:.2%}")
    if share <= limit and guarantee is not None and guarantee.bound <= limit and guarantee.confidence >= harm.confidence:
        why = f"{found}: too few labels to show the limit of {limit:.2%}, which the bundle's own guarantee states"
        return Gate("wrongful accusations", True, bound, limit, why)
    if share <= limit and share <= before and now <= then:
        why = f"{found}: too few labels to show the limit of {limit:.2%}, but the challenger accuses no more than the champion"
        return Gate("wrongful accusations", True, bound, limit, why)
    return Gate("wrongful accusations", False, bound, limit, f"{found}: the limit of {limit:.2%} is not shown")


def latency(fitness: Fitness, gates: Gates) -> Gate:
    """Return whether predicting and explaining one claim stays quick; both were timed in the same run, in turns."""
    limit = max(gates.free_ms, gates.slower * fitness.champion_ms)
    ratio = fitness.challenger_ms / fitness.champion_ms if fitness.champion_ms else float("nan")
    why = f"{fitness.challenger_ms:.2f} ms a claim, {ratio:.2f} times the champion's {fitness.champion_ms:.2f} ms; at most {limit:.2f} ms"
    return Gate("latency", fitness.challenger_ms <= limit, fitness.challenger_ms, limit, why)


def size(fitness: Fitness, gates: Gates) -> Gate:
    """Return whether the bundle stays small."""
    limit = max(gates.free_bytes, gates.larger * fitness.champion_bytes)
    why = f"{fitness.challenger_bytes:,} bytes, champion {fitness.champion_bytes:,}; at most {limit:,.0f}"
    return Gate("size", fitness.challenger_bytes <= limit, float(fitness.challenger_bytes), limit, why)


def parity(found: Parity) -> Gate:
    """Return whether the running code makes the very features that the challenger reads; the value counts what is wrong."""
    wrong = [
        *([] if found.same_catalog else ["the feature catalogue is not the one it was trained on"]),
        *([] if found.same_contracts else ["the data contracts are not those it was trained on"]),
        *([f"the catalogue does not make {', '.join(found.unknown)}"] if found.unknown else []),
        *([f"computed anew, {', '.join(found.differing)} differ from the kept matrix"] if found.differing else []),
        *([] if found.rows else ["no feature row could be computed anew"]),
    ]
    why = (
        "; ".join(wrong)
        or f"catalogue and contracts are those of the training, {found.rows} feature rows computed anew are equal to the bit"
    )
    return Gate("feature parity", not wrong, float(len(wrong)), 0.0, why)


def dollars(cents: float) -> str:
    """Write an amount with its cents, for what a single claim costs.

    >>> dollars(-296.4)
    '-$2.96'
    """
    return f"{'-' if cents < 0 else ''}${abs(cents) / 100:,.2f}"
