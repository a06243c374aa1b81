"""How good probabilities are: ranking, sharpness, calibration, and how sure we can be of each figure.

Every metric takes weights (how many claims a labelled row stands for), ignores rows of weight 0, and is NaN where the data
cannot answer: a ranking needs both classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

from data_contracts import LABELS

_TINY = 1e-12


def auc(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, label: str = "abusive") -> float:
    """Return the weighted area under the ROC curve of one class against the rest.

    Parameters
    ----------
    labels, scores, weights
        Class, score of the class, weight; each of shape (rows,).
    label
        The class.
    """
    used = np.asarray(weights) > 0
    hit = np.asarray(labels)[used] == label
    if not hit.any() or hit.all():
        return float("nan")
    return float(roc_auc_score(hit, np.asarray(scores)[used], sample_weight=np.asarray(weights)[used]))


def average_precision(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, label: str = "abusive") -> float:
    """Return the weighted average precision of one class against the rest (a step function, no interpolation)."""
    used = np.asarray(weights) > 0
    hit = np.asarray(labels)[used] == label
    if not hit.any():
        return float("nan")
    return float(average_precision_score(hit, np.asarray(scores)[used], sample_weight=np.asarray(weights)[used]))


def log_loss(labels: np.ndarray, proba: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted mean of −log p(true class); a probability of 0 counts as 1e-12.

    Examples
    --------
    >>> round(log_loss(np.array(["valid"]), np.array([[0.5, 0.25, 0.25]]), np.array([1.0])), 4)
    0.6931
    """
    used = np.asarray(weights) > 0
    if not used.any():
        return float("nan")
    place = np.array([LABELS.index(str(label)) for label in np.asarray(labels)[used]], dtype=np.intp)
    picked = np.clip(proba[used][np.arange(len(place)), place], _TINY, 1.0)
    return float(np.average(-np.log(picked), weights=np.asarray(weights)[used]))


def reliability(labels: np.ndarray, proba: np.ndarray, weights: np.ndarray, label: str, bins: int = 10, smallest: int = 20) -> pd.DataFrame:
    """Compare predicted and observed shares of a class in bins of equal mass.

    Parameters
    ----------
    labels, proba, weights
        Classes, probabilities of shape (rows, 3), weights.
    label
        The class.
    bins
        Bins at most.
    smallest
        Rows a bin holds on average at least: few rows make few bins, or the noise of a bin would pass for miscalibration.

    Returns
    -------
    DataFrame
        Per bin in rising order ``predicted``, ``observed`` (weighted means), ``weight`` (its sum) and ``rows``.
        Equal predictions are never split, so there may be fewer bins than asked for.
    """
    used = np.asarray(weights) > 0
    score, weight = proba[used, LABELS.index(label)], np.asarray(weights, dtype=np.float64)[used]
    hit = (np.asarray(labels)[used] == label).astype(np.float64)
    if not len(score):
        return pd.DataFrame({"predicted": [], "observed": [], "weight": [], "rows": np.array([], dtype=np.int64)}, dtype="float64")
    _, place = np.unique(score, return_inverse=True)
    mass = np.bincount(place, weights=weight)
    count = max(1, min(bins, len(score) // smallest))
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    bin_of = np.minimum((middle * count).astype(np.intp), count - 1)[place]
    total = np.bincount(bin_of, weights=weight, minlength=count)
    rows = np.bincount(bin_of, minlength=count)
    full = rows > 0
    return pd.DataFrame(
        {
            "predicted": np.bincount(bin_of, weights=weight * score, minlength=count)[full] / total[full],
            "observed": np.bincount(bin_of, weights=weight * hit, minlength=count)[full] / total[full],
            "weight": total[full],
            "rows": rows[full],
        }
    )


def classwise_ece(labels: np.ndarray, proba: np.ndarray, weights: np.ndarray, bins: int = 10, smallest: int = 20) -> float:
    """Return the classwise expected calibration error with bins of equal mass.

    Parameters
    ----------
    labels, proba, weights, bins, smallest
        As in :func:`reliability`.

    Notes
    -----
    ECE = (1/K) Σ_k Σ_b (w_kb / w) · |observed_kb − predicted_kb| over the K = 3 classes and the bins b of class k; w_kb is the
    weight in the bin. This is the classwise ECE of Kull et al. with bins of equal mass instead of equal width, because most
    probabilities of abuse are small and would all share one bin. A class that is neither predicted nor observed adds 0.

    References
    ----------
    Kull et al., Beyond temperature scaling, NeurIPS 2019. Nixon et al., Measuring calibration in deep learning, 2019 (equal mass).

    Examples
    --------
    >>> labels = np.array(["valid", "abusive"] * 50)
    >>> classwise_ece(labels, np.tile([0.5, 0.0, 0.5], (100, 1)), np.ones(100))
    0.0
    """
    if not (np.asarray(weights) > 0).any():
        return float("nan")
    gaps = []
    for label in LABELS:
        table = reliability(labels, proba, weights, label, bins, smallest)
        gaps.append(np.average(np.abs(table["observed"] - table["predicted"]), weights=table["weight"]))
    return float(np.mean(gaps))


def summary(labels: np.ndarray, proba: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """Return all metrics of one set of probabilities: log-loss, ECE, and AUC and AP of each class."""
    found = {"log_loss": log_loss(labels, proba, weights), "ece": classwise_ece(labels, proba, weights)}
    for place, label in enumerate(LABELS):
        found[f"auc_{label}"] = auc(labels, proba[:, place], weights, label)
        found[f"ap_{label}"] = average_precision(labels, proba[:, place], weights, label)
    return found


@dataclass(frozen=True)
class Interval:
    """An estimate with its percentile interval; ``draws`` counts the resamples in which the metric was defined."""

    estimate: float
    low: float
    high: float
    draws: int


def cluster_bootstrap(
    metric: Callable[[np.ndarray], float],
    groups: np.ndarray,
    rng: np.random.Generator,
    draws: int = 200,
    confidence: float = 0.95,
) -> Interval:
    """Return the bootstrap interval of one metric; parameters as in :func:`cluster_bootstraps`, ``metric`` NaN where undefined.

    Examples
    --------
    >>> values = np.array([0.0, 0.0, 1.0, 1.0])
    >>> found = cluster_bootstrap(lambda rows: float(values[rows].mean()), np.array(["a", "a", "b", "b"]), np.random.default_rng(0))
    >>> found.estimate, found.low, found.high
    (0.5, 0.0, 1.0)
    """
    return cluster_bootstraps(lambda rows: {"metric": metric(rows)}, groups, rng, draws, confidence)["metric"]


def cluster_bootstraps(
    metrics: Callable[[np.ndarray], Mapping[str, float]],
    groups: np.ndarray,
    rng: np.random.Generator,
    draws: int = 200,
    confidence: float = 0.95,
) -> dict[str, Interval]:
    """Return the bootstrap intervals of several metrics of the same resamples when rows of a group are not independent.

    Parameters
    ----------
    metrics
        Row positions, shape (k,) with repetitions, → values by name, always the same names; NaN where undefined.
    groups
        Group (customer, component, week) of each row, shape (rows,). Whole groups are drawn with replacement.
    rng
        Source of randomness.
    draws
        Resamples.
    confidence
        Of the intervals, in (0, 1).

    Notes
    -----
    Percentile intervals of the cluster bootstrap (Davison & Hinkley 1997, section 3.8). Claims of one customer or ring succeed or
    fail together; drawing rows one by one would make intervals too narrow. Because the metrics share their resamples, a difference
    between two of them can be one of the metrics.
    """
    _, place = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(place, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(place))[:-1]) if len(place) else []
    estimates = metrics(np.arange(len(place)))
    values: dict[str, list[float]] = {name: [] for name in estimates}
    for _ in range(draws if members else 0):
        drawn = rng.integers(0, len(members), len(members))
        for name, value in metrics(np.concatenate([members[k] for k in drawn])).items():
            if not np.isnan(value):
                values[name].append(value)
    return {name: _percentiles(float(estimate), values[name], confidence) for name, estimate in estimates.items()}


def _percentiles(estimate: float, values: list[float], confidence: float) -> Interval:
    if not values:
        return Interval(estimate, float("nan"), float("nan"), 0)
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(estimate, float(low), float(high), len(values))
