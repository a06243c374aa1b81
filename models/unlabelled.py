"""How well do we decide, before any label is there? Performance expected from calibrated probabilities, and checked by the audit.

One function measures both. Given classes as certainties (an examined claim is what was found) and weights of 1/propensity, it
measures what the audit saw. Given calibrated probabilities and weights of one, every sum over classes becomes its expectation:
confidence-based performance estimation. The estimate is right as far as calibration is, and nothing in it can notice that the
*meaning* of a feature has changed; so the examined claims are asked, as soon as experts have answered, whether the estimate lies in
their interval, and whether what they show could have come about by chance if the probabilities were right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data_contracts import LABELS, Action, Route
from data_contracts.resolutions import Source
from models.classifier import ABUSIVE
from models.costs import AUTOMATIC, cost_matrix
from models.evaluation import PROBABILITIES
from models.metrics import Interval, cluster_bootstrap
from models.policy import Policy
from models.review import TIERS

MEASURES = ("share_abusive", "auc", "precision", "recall", "cost_cents")
"""Share of abusive claims; AUC of abusive against the rest; precision and recall of the claims that are stopped (sent to an expert, or
denied as abusive); cost of the automatic action per claim, in cents."""

_NEEDS_ABUSE = ("auc", "precision", "recall")
_FEWEST_ABUSIVE = 10
"""With less abuse among the claims drawn at random, an interval of a ranking or a share of the abuse would promise too much."""
_AUDITED = "audited"
_SOURCE = {_AUDITED: Source.AUDIT.value, Action.DESK.value: Source.DESK.value, Action.INVESTIGATE.value: Source.INVESTIGATION.value}


def expected_auc(score: np.ndarray, chance: np.ndarray, weights: np.ndarray) -> float:
    """Return the AUC to be expected of a ranking if each row is positive with a stated chance.

    Parameters
    ----------
    score, chance, weights
        What ranks, P(positive) in [0, 1], how many claims a row stands for; each of shape (rows,).

    Notes
    -----
    Σ over pairs i ≠ j of P(i positive)·P(j negative)·[i ranked above j, ties half], over the same sum without the bracket: the ratio of the
    expectations of the two sides of the Mann–Whitney statistic. With chances of 0 and 1 it is the weighted AUC itself.

    Examples
    --------
    >>> expected_auc(np.array([0.1, 0.4, 0.9]), np.array([0.0, 1.0, 1.0]), np.ones(3))
    1.0
    >>> round(expected_auc(np.array([0.2, 0.8]), np.array([0.2, 0.8]), np.ones(2)), 4)  # .8·.8 against .2·.2
    0.9412
    """
    _, place = np.unique(score, return_inverse=True)
    positive, negative = weights * chance, weights * (1.0 - chance)
    above, beside = np.bincount(place, weights=positive), np.bincount(place, weights=negative)
    below = np.cumsum(beside) - beside
    itself = float(np.sum(positive * negative))
    pairs = float(positive.sum() * negative.sum()) - itself
    won = float(np.sum(above * (below + beside / 2.0))) - itself / 2.0
    return won / pairs if pairs > 1e-12 else float("nan")


@dataclass(frozen=True)
class Judged:
    """Claims with the chances of their classes: of estimated ones by the model, of examined ones by what was found.

    Parameters
    ----------
    chances
        P(class), shape (claims, 3) in the order of ``LABELS``.
    score
        P(abusive) on which the claims were ranked, shape (claims,).
    stopped
        Whether sent to an expert or denied as abusive, boolean, shape (claims,).
    costs
        Cost of the automatic action under each class, cents, shape (claims, 3).
    weights
        How many claims each stands for, shape (claims,).
    """

    chances: np.ndarray
    score: np.ndarray
    stopped: np.ndarray
    costs: np.ndarray
    weights: np.ndarray

    def of(self, rows: np.ndarray) -> Judged:
        """Return some of the claims, by mask or by positions."""
        return Judged(self.chances[rows], self.score[rows], self.stopped[rows], self.costs[rows], self.weights[rows])


def performance(judged: Judged) -> dict[str, float]:
    """Return every measure of :data:`MEASURES`; NaN where the claims cannot answer."""
    abusive, total = judged.weights * judged.chances[:, ABUSIVE], float(judged.weights.sum())
    caught, held = float(abusive[judged.stopped].sum()), float(judged.weights[judged.stopped].sum())
    values = (
        _over(float(abusive.sum()), total),
        expected_auc(judged.score, judged.chances[:, ABUSIVE], judged.weights),
        _over(caught, held),
        _over(caught, float(abusive.sum())),
        _over(float(np.sum(judged.weights[:, None] * judged.chances * judged.costs)), total),
    )
    return dict(zip(MEASURES, values, strict=True))


def _over(part: float, whole: float) -> float:
    return part / whole if whole > 0 else float("nan")


def estimated(policy: Policy, decisions: pd.DataFrame, amount_cents: np.ndarray, insured: np.ndarray) -> Judged:
    """Return decided claims as their probabilities let expect them.

    Parameters
    ----------
    policy
        Prices.
    decisions
        Rows of the decisions contract.
    amount_cents, insured
        As in :func:`models.costs.cost_matrix`, in the order of ``decisions``.
    """
    table = cost_matrix(policy, amount_cents, insured)
    taken = pd.Index(AUTOMATIC).get_indexer(decisions["automatic_action"].to_numpy())
    proba = decisions[PROBABILITIES].to_numpy(dtype=np.float64)
    # A claim that the audit drew stands for claims that nobody stopped.
    sent = decisions["action"].isin(TIERS) & (decisions["route"] != Route.AUDIT.value)
    stopped = (sent | (decisions["automatic_action"] == Action.DENY_ABUSIVE.value)).to_numpy()
    return Judged(proba, proba[:, ABUSIVE], stopped, table[np.arange(len(table)), taken], np.ones(len(table)))


@dataclass(frozen=True)
class AuditCheck:
    """Whether what was estimated agrees with what the examined claims show.

    Parameters
    ----------
    claims, examined
        Decided claims that both speak of; those among them that were examined.
    estimate
        By measure, from the probabilities, as experts would state the classes.
    found
        By measure, from the examined claims, with its 95 % interval; without one where the audit drew too little abuse to tell.
    chance
        By measure, two-sided probability of so odd a finding if the probabilities were right.
    contradicted
        Measures whose chance is below the level of the whole check.
    """

    claims: int
    examined: int
    estimate: dict[str, float]
    found: dict[str, Interval]
    chance: dict[str, float]
    contradicted: tuple[str, ...]

    def inside(self, measure: str) -> bool | None:
        """Tell whether the estimate of a measure lies in the interval of the examined claims; ``None`` where there is no interval."""
        interval = self.found[measure]
        return None if np.isnan(interval.low) else bool(interval.low <= self.estimate[measure] <= interval.high)


def check_by_audit(
    policy: Policy,
    decisions: pd.DataFrame,
    labels: pd.Series,
    confusions: Mapping[str, np.ndarray],
    amount_cents: np.ndarray,
    insured: np.ndarray,
    groups: np.ndarray,
    rng: np.random.Generator,
    draws: int = 2000,
    level: float = 0.01,
    fewest: int = 20,
) -> AuditCheck | None:
    """Compare the estimate with the examined claims.

    Parameters
    ----------
    policy
        Prices.
    decisions
        Rows of the decisions contract, old enough that experts have answered.
    labels
        Label by ``claim_id``: of claims whose examination the policy chose, and only of these.
    confusions
        P(label | truth) by source (:func:`models.policy.label_confusions`): the estimate is of what experts would *say*.
    amount_cents, insured
        As in :func:`models.costs.cost_matrix`, in the order of ``decisions``.
    groups
        Which claims belong together (customers), for the intervals.
    rng, draws
        Of the bootstrap and of the classes drawn for ``chance``.
    level
        Chance that the whole check contradicts right probabilities, shared out equally over the measures (Bonferroni).
    fewest
        With fewer examined claims among those drawn at random there is no check.

    Returns
    -------
    AuditCheck or None
        ``None`` if too few claims were examined.

    Notes
    -----
    Claims reviewed for certain (propensity 1) are a stratum by tier, all others are the stratum of the audit. Within a stratum an examined
    claim weighs 1/propensity, scaled to the number of claims decided in it (Hájek 1971): answers still missing are taken as missing at
    random. A stratum without answers is left out on both sides. ``chance`` draws the examined claims' classes from their stated
    probabilities again and again: right for however few claims, where an interval by bootstrap needs many.
    """
    found = decisions["claim_id"].map(labels)
    certain = (decisions["propensity"] >= 1.0).to_numpy()
    stratum = np.where(certain, decisions["action"].to_numpy(dtype=object), _AUDITED)
    weights = examined_weights(stratum, decisions["propensity"].to_numpy(dtype=np.float64), found.notna().to_numpy())
    examined, drawn = weights > 0, (weights > 0) & (stratum == _AUDITED)
    if int(drawn.sum()) < fewest:
        return None
    used = np.isin(stratum.astype(str), np.unique(stratum[examined].astype(str)))
    whole = estimated(policy, decisions, amount_cents, insured)
    stated = replace(whole, chances=_as_stated(whole.chances, stratum, confusions))
    classes = pd.Index(LABELS).get_indexer(found.to_numpy(dtype=object)[examined])
    asked = replace(stated, weights=weights).of(examined)
    seen, estimate = _known(asked, classes), performance(stated.of(used))
    abuse = int((found[drawn] == LABELS[ABUSIVE]).sum())
    intervals = {name: _interval(seen, name, groups[examined], rng, abuse) for name in MEASURES}
    chance = _chances(asked, performance(seen), rng, draws)
    contradicted = tuple(name for name in MEASURES if chance[name] < level / len(MEASURES))
    return AuditCheck(int(used.sum()), int(examined.sum()), estimate, intervals, chance, contradicted)


def examined_weights(stratum: np.ndarray, propensity: np.ndarray, examined: np.ndarray) -> np.ndarray:
    """Return how many claims each examined claim stands for, 0 for the others, shape (claims,).

    >>> examined_weights(np.array(["a", "a", "a", "b"]), np.array([0.5, 0.5, 0.5, 1.0]), np.array([True, False, False, True])).tolist()
    [3.0, 0.0, 0.0, 1.0]
    """
    weights = np.where(examined, 1.0 / propensity, 0.0)
    for name in np.unique(stratum.astype(str)):
        rows = stratum == name
        total = weights[rows].sum()
        if total > 0:
            weights[rows] *= rows.sum() / total
    return weights


def _as_stated(proba: np.ndarray, stratum: np.ndarray, confusions: Mapping[str, np.ndarray]) -> np.ndarray:
    stated = proba.copy()
    for name, source in _SOURCE.items():
        rows = stratum == name
        stated[rows] = proba[rows] @ confusions.get(source, np.eye(len(LABELS)))
    return stated


def _known(judged: Judged, classes: np.ndarray) -> Judged:
    return replace(judged, chances=np.eye(len(LABELS))[classes])


def _interval(seen: Judged, measure: str, groups: np.ndarray, rng: np.random.Generator, abuse: int) -> Interval:
    if measure in _NEEDS_ABUSE and abuse < _FEWEST_ABUSIVE:
        return Interval(performance(seen)[measure], float("nan"), float("nan"), 0)
    return cluster_bootstrap(lambda rows: performance(seen.of(rows))[measure], groups, rng)


def _chances(asked: Judged, seen: dict[str, float], rng: np.random.Generator, draws: int) -> dict[str, float]:
    """Draw classes from the stated probabilities; return how often each measure is as far out as what was seen, two-sided."""
    steps = asked.chances.cumsum(axis=1)[:, :-1]
    drawn = [performance(_known(asked, (rng.random((len(steps), 1)) > steps).sum(axis=1))) for _ in range(draws)]
    chances = {}
    for name in MEASURES:
        values = np.array([measures[name] for measures in drawn])
        values = values[~np.isnan(values)]
        if np.isnan(seen[name]) or not len(values):
            chances[name] = 1.0
            continue
        below, above = (1 + (values <= seen[name]).sum()) / (1 + len(values)), (1 + (values >= seen[name]).sum()) / (1 + len(values))
        chances[name] = float(min(1.0, 2 * min(below, above)))
    return chances
