"""Has the world moved? How far a feature or a score has drifted, against what it ordinarily moves in that time.

A feature is compared between a *reference* window and the *current* one by the population stability index over quantile bins of
the reference, missing values in a bin of their own. Two things make an index large without anything having happened: few
claims, and growth that is natural (an account grows older, "claims ever before" only rises, a seller's history fills up).
So the index is judged against the same feature's own past: pairs of windows of the same lengths, the same time apart, that lie
wholly in quiet time. Their mean index, in units of what sampling alone would give, is the feature's *ordinary* movement; only what
goes significantly beyond it, by more than a minimal effect, is drift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

Level = Literal["quiet", "moderate", "large"]

_FEWEST = 5.0
_PRIOR_FREEDOM = 4.0
"""What all features say about one of them counts as much as so many degrees of freedom of its own."""


@dataclass(frozen=True)
class DriftSettings:
    """When a difference is called drift.

    Parameters
    ----------
    bins
        Quantile bins of the reference at most; missing values have one more.
    false_discovery
        Bound on the expected share of false alarms among the features named (Benjamini–Hochberg).
    moderate, large
        Least index beyond the ordinary that counts, and that counts as large: .1 and .25 by long custom in credit scoring.
    """

    bins: int = 10
    false_discovery: float = 0.01
    moderate: float = 0.10
    large: float = 0.25

    def __post_init__(self) -> None:
        if self.bins < 2 or not 0 < self.false_discovery < 1 or not 0 <= self.moderate <= self.large:
            raise ValueError(f"drift: expected bins ≥ 2, false_discovery in (0, 1) and 0 ≤ moderate ≤ large, found {self}")


def cut_points(reference: np.ndarray, bins: int = 10) -> np.ndarray:
    """Return the upper edges of quantile bins; a value belongs to the first bin whose edge is not below it.

    Ties never split: a feature that is 0 for most claims gets fewer bins than asked for. The last edge is the largest value of the
    reference, so that what no claim of the reference reached falls in a bin of its own.

    >>> cut_points(np.array([0.0] * 80 + [1.0] * 15 + [7.0] * 5)).tolist()
    [0.0, 1.0, 7.0]
    >>> cut_points(np.full(9, np.nan)).tolist()
    []
    """
    known = reference[~np.isnan(reference)]
    if not len(known):
        return np.empty(0)
    return np.unique(np.quantile(known, np.arange(1, bins + 1) / bins, method="inverted_cdf"))


def binned(values: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Count values by bin, then those beyond the last edge, then missing ones: int64, shape (len(cuts) + 2,).

    >>> binned(np.array([0.0, 0.5, 1.0, 9.0, np.nan]), np.array([0.0, 1.0])).tolist()
    [1, 2, 1, 1]
    """
    missing = np.isnan(values)
    place = np.searchsorted(cuts, values[~missing], side="left")
    return np.append(np.bincount(place, minlength=len(cuts) + 1), missing.sum()).astype(np.int64)


def stability_index(reference: np.ndarray, current: np.ndarray) -> float:
    """Return the population stability index of two tables of counts.

    Parameters
    ----------
    reference, current
        Counts by bin, shape (bins,). A bin that is empty in both is ignored.

    Returns
    -------
    float
        Σ (q − p)·ln(q / p) ≥ 0, with half a claim added to every bin so that an empty one keeps it finite.

    Notes
    -----
    The sum of both Kullback–Leibler divergences (Jeffreys 1946). Where both samples come from one distribution over b bins,
    PSI / (1/n + 1/m) is asymptotically χ² with b − 1 degrees of freedom (Yurdakul & Naranjo 2020).

    Examples
    --------
    >>> stability_index(np.array([50, 50]), np.array([500, 500]))
    0.0
    >>> round(stability_index(np.array([500_000, 500_000]), np.array([200_000, 800_000])), 4)  # (.3)·ln(1.6) + (−.3)·ln(.4)
    0.4159
    """
    used = (reference + current) > 0
    if used.sum() < 2:
        return 0.0
    p, q = ((counts[used] + 0.5) / (counts[used].sum() + 0.5 * used.sum()) for counts in (reference, current))
    return float(np.sum((q - p) * np.log(q / p)))


def kolmogorov_smirnov(reference: np.ndarray, current: np.ndarray) -> float:
    """Return the largest distance between two empirical distribution functions, missing values left out; NaN if a side is empty.

    >>> kolmogorov_smirnov(np.array([1.0, 2.0, np.nan]), np.array([2.0, 3.0]))
    0.5
    """
    first, second = (np.sort(values[~np.isnan(values)]) for values in (reference, current))
    if not len(first) or not len(second):
        return float("nan")
    at = np.concatenate([first, second])
    distance = np.searchsorted(first, at, side="right") / len(first) - np.searchsorted(second, at, side="right") / len(second)
    return float(np.abs(distance).max())


@dataclass(frozen=True)
class Movement:
    """How far one feature moved between two windows.

    Parameters
    ----------
    index
        Population stability index.
    chance
        What sampling alone would give on average: (b − 1)·(1/n + 1/m).
    freedom
        Degrees of freedom, b − 1.
    """

    index: float
    chance: float
    freedom: int

    @property
    def ratio(self) -> float:
        """The index in units of chance; 1 on average where both windows come from one distribution, 0 where nothing varies."""
        return self.index / self.chance if self.freedom else 0.0


def movement(reference: np.ndarray, current: np.ndarray, bins: int = 10) -> Movement:
    """Measure how far a feature moved from one window to another.

    Parameters
    ----------
    reference, current
        Values, shapes (n,) and (m,), NaN where missing; both at least one long.
    bins
        Quantile bins of the reference at most.

    Notes
    -----
    Bins in which, taking both windows together, the smaller one expects fewer than five claims are joined with their neighbour: the
    null distribution of the index does not hold for them.
    """
    cuts = cut_points(reference, bins)
    counts = np.stack([binned(reference, cuts), binned(current, cuts)])
    merged = _joined(counts)
    used = int((merged.sum(axis=0) > 0).sum())
    chance = (used - 1) * (1.0 / len(reference) + 1.0 / len(current))
    return Movement(stability_index(*merged) if used > 1 else 0.0, chance, max(used - 1, 0))


def _joined(counts: np.ndarray) -> np.ndarray:
    """Join bins that expect too few claims with the next one, the last with the one before; shape (2, fewer bins).

    Missing values, the last bin, are joined only after all others have been.
    """
    totals = counts.sum(axis=1)
    expected = counts.sum(axis=0) / totals.sum() * totals.min()
    known = _gathered(counts[:, :-1], expected[:-1])
    return _gathered(np.column_stack([known, counts[:, -1]]), np.append(known.sum(axis=0) / totals.sum() * totals.min(), expected[-1]))


def _gathered(counts: np.ndarray, expected: np.ndarray) -> np.ndarray:
    closed = np.zeros(len(expected), dtype=np.intp)
    group, holds = 0, 0.0
    for place, size in enumerate(expected):
        closed[place] = group
        holds += size
        if holds >= _FEWEST:
            group, holds = group + 1, 0.0
    # What is left over at the end belongs to the last group that is large enough.
    closed = np.minimum(closed, max(group - 1, 0))
    return np.stack([np.bincount(closed, weights=row, minlength=int(closed.max()) + 1) for row in counts]).astype(np.int64)


def adjusted(p_values: np.ndarray) -> np.ndarray:
    """Return Benjamini–Hochberg adjusted p-values, shape as given; those at most q are the discoveries at false-discovery rate q.

    References
    ----------
    Benjamini & Hochberg, Controlling the false discovery rate, JRSS B 1995.

    Examples
    --------
    >>> adjusted(np.array([0.01, 0.04, 0.03, 0.8])).round(3).tolist()
    [0.04, 0.053, 0.053, 0.8]
    """
    values: np.ndarray = np.asarray(p_values, dtype=np.float64)
    if len(values):
        from scipy import stats  # loaded where it is used: it takes a second, and the endpoint has no need of it to start

        values = np.asarray(stats.false_discovery_control(values), dtype=np.float64)
    return values


def drift(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    quiet: Sequence[tuple[pd.DataFrame, pd.DataFrame]],
    settings: DriftSettings | None = None,
) -> pd.DataFrame:
    """Judge every column against its own ordinary movement.

    Parameters
    ----------
    reference, current
        Feature rows (and scores) of the two windows; numbers, NaN where missing. Columns of ``reference`` are judged; one that ``current``
        lacks counts as missing throughout.
    quiet
        Pairs (reference, current) of windows in quiet time, as long and as far apart as the two under test; at least one.
    settings
        When a difference is called drift.

    Returns
    -------
    DataFrame
        One row per column, the most drifted first: ``feature``, ``psi``, ``ordinary`` (mean index expected if nothing happened), ``excess``
        (the index beyond that, ≥ 0), ``ks``, ``missing_before``, ``missing_now`` (shares), ``p`` and ``p_adjusted``, and ``level``:
        ``quiet``, ``moderate`` or ``large``.

    Raises
    ------
    ValueError
        If a window is empty or there is no quiet pair.

    Notes
    -----
    For feature j let φ_j ≥ 1 be the mean over the quiet pairs of index / chance, the overdispersion that clusters of claims and natural
    growth cause, drawn towards the median over all features as if that were worth four degrees of freedom: a recall may not have
    happened in any quiet pair. Under the null, index / (chance·φ_j) is taken as F with b − 1 and the pairs' degrees of freedom plus
    four: a quasi-likelihood test with a moderated dispersion, asymptotically exact without growth. Growth that continues as before
    enters φ_j and stays quiet, at the price of power for features that grow.

    References
    ----------
    McCullagh & Nelder, Generalized linear models, 1989, section 9.2. Smyth, Linear models and empirical Bayes methods, 2004 (moderation).
    """
    settings = settings or DriftSettings()
    if not quiet or reference.empty or current.empty or any(a.empty or b.empty for a, b in quiet):
        raise ValueError(
            f"drift: expected claims in both windows and at least one quiet pair, found {len(reference)}, {len(current)} and {len(quiet)}"
        )
    past = {str(name): _past(str(name), quiet, settings.bins) for name in reference.columns}
    usual = float(np.median([p.overdispersion for p in past.values() if p.freedom] or [1.0]))
    rows = [_judged(name, reference, current, ordinary.moderated(usual), settings) for name, ordinary in past.items()]
    table = pd.DataFrame(rows)
    table["p_adjusted"] = adjusted(table["p"].to_numpy())
    found = table["p_adjusted"] <= settings.false_discovery
    sizes = [found & (table["excess"] >= settings.large), found & (table["excess"] >= settings.moderate)]
    table["level"] = np.select(sizes, ["large", "moderate"], "quiet")
    order = ["feature", "psi", "ordinary", "excess", "ks", "missing_before", "missing_now", "p", "p_adjusted", "level"]
    ranked = table.assign(rank=table["level"].map({"large": 0, "moderate": 1, "quiet": 2}))
    return ranked.sort_values(["rank", "excess", "feature"], ascending=[True, False, True], ignore_index=True)[order]


@dataclass(frozen=True)
class _Ordinary:
    """How much more than by chance a feature moves in quiet time, and with how many degrees of freedom that is known."""

    overdispersion: float
    freedom: float

    def moderated(self, usual: float) -> _Ordinary:
        freedom = self.freedom + _PRIOR_FREEDOM
        return _Ordinary(max(1.0, (self.freedom * self.overdispersion + _PRIOR_FREEDOM * usual) / freedom), freedom)


def _past(name: str, quiet: Sequence[tuple[pd.DataFrame, pd.DataFrame]], bins: int) -> _Ordinary:
    moves = [movement(_values(a, name), _values(b, name), bins) for a, b in quiet]
    varied = [m for m in moves if m.freedom]
    return _Ordinary(float(np.mean([m.ratio for m in varied])), sum(m.freedom for m in varied)) if varied else _Ordinary(1.0, 0.0)


def _judged(name: str, reference: pd.DataFrame, current: pd.DataFrame, ordinary: _Ordinary, settings: DriftSettings) -> dict[str, object]:
    from scipy import stats

    before, now = _values(reference, name), _values(current, name)
    moved = movement(before, now, settings.bins)
    expected = moved.chance * ordinary.overdispersion
    return {
        "feature": name,
        "psi": moved.index,
        "ordinary": expected,
        "excess": max(0.0, moved.index - expected),
        "ks": kolmogorov_smirnov(before, now),
        "missing_before": float(np.isnan(before).mean()),
        "missing_now": float(np.isnan(now).mean()),
        "p": float(stats.f.sf(moved.ratio / ordinary.overdispersion, moved.freedom, ordinary.freedom)) if moved.freedom else 1.0,
    }


def _values(frame: pd.DataFrame, name: str) -> np.ndarray:
    if name not in frame:
        return np.full(len(frame), np.nan)
    values: np.ndarray = frame[name].to_numpy(dtype=np.float64)
    return values
