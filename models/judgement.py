"""How decisions did on claims whose class is known: money, what was caught, who was wronged, and whether probabilities held.

Every figure is a weighted mean over labelled claims, each standing for as many as its weight says, and comes with the interval of a
block bootstrap, because claims of one ring or one week are not independent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_contracts import Action, Label
from models.classifier import ABUSIVE
from models.consequences import Consequences, consequences
from models.costs import AUTOMATIC
from models.evaluation import PROBABILITIES
from models.experts import stated_probabilities
from models.metrics import Interval, auc, average_precision, classwise_ece, cluster_bootstraps, log_loss
from models.policy import Policy

DENIED = [AUTOMATIC.index(Action.DENY_UNSUBSTANTIATED.value), AUTOMATIC.index(Action.DENY_ABUSIVE.value)]
ACCUSED = AUTOMATIC.index(Action.DENY_ABUSIVE.value)

MEASURES: Mapping[str, str] = {
    "cost_cents": "lost per claim, model and experts",
    "automatic_cents": "lost per claim, model alone",
    "pay_cents": "lost per claim, everything paid",
    "perfect_cents": "lost per claim, class known",
    "recall_at_capacity": "abusive claims that an expert saw or that were denied as abusive, of all abusive",
    "reviewed_abusive": "abusive claims that an expert saw, of all abusive",
    "stopped_cents_share": "abusive dollars denied, of all abusive dollars",
    "precision_investigations": "abusive claims among those investigated",
    "precision_reviews": "abusive or unsubstantiated claims among those sent to an expert",
    "wrongful_denials": "valid claims denied for any reason, of all valid",
    "wrongful_accusations": "valid claims denied as abusive, of all valid",
    "wrongful_share_of_accusations": "valid claims among those denied as abusive",
    "ece": "expected calibration error, classwise",
    "log_loss": "log-loss",
    "auc_abusive": "area under the ROC curve, abusive against the rest",
    "ap_abusive": "average precision, abusive",
}
"""Every measure with its meaning, in the order of tables."""


@dataclass(frozen=True)
class Judged:
    """Decided claims whose class is known; every array is by claim.

    Parameters
    ----------
    classes, weights
        Class, and how many claims it speaks for.
    amount_cents
        Amounts claimed.
    action
        What was done.
    stated
        Probabilities of what the class was read from: of the label that its source would state, or of the truth; shape (claims, 3).
    after
        What the decisions come down to.
    """

    classes: np.ndarray
    weights: np.ndarray
    amount_cents: np.ndarray
    action: np.ndarray
    stated: np.ndarray
    after: Consequences


def judged(
    policy: Policy,
    decisions: pd.DataFrame,
    classes: np.ndarray,
    weights: np.ndarray,
    amount_cents: np.ndarray,
    insured: np.ndarray,
    sources: np.ndarray | None = None,
    confusions: Mapping[str, np.ndarray] | None = None,
) -> Judged:
    """Bring decisions together with the classes of their claims, row by row.

    Parameters
    ----------
    policy, decisions, classes, amount_cents, insured
        As in :func:`models.consequences.consequences`.
    weights
        How many claims each row speaks for, shape (claims,), > 0.
    sources, confusions
        Where each class was read from and how that source errs, as in :func:`models.experts.stated_probabilities`; left out where
        classes are the truth.
    """
    proba = decisions[PROBABILITIES].to_numpy(dtype=np.float64)
    stated = proba if sources is None else stated_probabilities(proba, sources, confusions or {})
    found = consequences(policy, decisions, classes, amount_cents, insured)
    return Judged(classes, weights, amount_cents.astype(np.float64), decisions["action"].to_numpy(), stated, found)


def measures(found: Judged, rows: np.ndarray) -> dict[str, float]:
    """Return every measure over some rows, shape (k,), repetitions count; NaN where there is nothing to measure."""
    weight, classes, action, after = found.weights[rows], found.classes[rows], found.action[rows], found.after
    abusive, valid = classes == Label.ABUSIVE.value, classes == Label.VALID.value
    final, money = after.final[rows], weight * found.amount_cents[rows]
    reviewed = (action == Action.DESK.value) | (action == Action.INVESTIGATE.value)
    denied, accused = final[:, DENIED].sum(axis=1), final[:, ACCUSED]
    stated = found.stated[rows]
    return {
        **{
            name: _ratio(weight * getattr(after, name)[rows], weight)
            for name in ("cost_cents", "automatic_cents", "pay_cents", "perfect_cents")
        },
        "recall_at_capacity": _ratio(weight * np.where(reviewed, 1.0, accused), weight, abusive),
        "reviewed_abusive": _ratio(weight * reviewed, weight, abusive),
        "stopped_cents_share": _ratio(money * denied, money, abusive),
        "precision_investigations": _ratio(weight * abusive, weight, action == Action.INVESTIGATE.value),
        "precision_reviews": _ratio(weight * ~valid, weight, reviewed),
        "wrongful_denials": _ratio(weight * denied, weight, valid),
        "wrongful_accusations": _ratio(weight * accused, weight, valid),
        "wrongful_share_of_accusations": _ratio(weight * accused * valid, weight * accused),
        "ece": classwise_ece(classes, stated, weight),
        "log_loss": log_loss(classes, stated, weight),
        "auc_abusive": auc(classes, stated[:, ABUSIVE], weight),
        "ap_abusive": average_precision(classes, stated[:, ABUSIVE], weight),
    }


def with_intervals(
    candidates: Mapping[str, Judged],
    first: str,
    blocks: np.ndarray,
    rng: np.random.Generator,
    draws: int = 200,
    rows: np.ndarray | None = None,
) -> dict[str, dict[str, Interval]]:
    """Return every measure of every candidate with its block-bootstrap interval (95 %).

    Parameters
    ----------
    candidates
        Ways of deciding the same claims, by name, all in the same order.
    first
        The candidate that the others are compared with: each gets ``saved_cents``, what ``first`` loses less per claim than it does.
    blocks
        Block of each claim, shape (claims,).
    rng, draws
        Of the bootstrap. All candidates share the resamples, so differences are paired.
    rows
        Positions of the claims that count; all where left out.
    """
    chosen = np.arange(len(blocks)) if rows is None else rows

    def everything(drawn: np.ndarray) -> dict[str, float]:
        found = {name: measures(candidate, chosen[drawn]) for name, candidate in candidates.items()}
        for values in found.values():
            values["saved_cents"] = values["cost_cents"] - found[first]["cost_cents"]
        return {f"{name}\n{measure}": value for name, values in found.items() for measure, value in values.items()}

    intervals = cluster_bootstraps(everything, blocks[chosen], rng, draws)
    grouped: dict[str, dict[str, Interval]] = {name: {} for name in candidates}
    for key, interval in intervals.items():
        name, measure = key.split("\n")
        grouped[name][measure] = interval
    return grouped


def _ratio(top: np.ndarray, bottom: np.ndarray, where: np.ndarray | None = None) -> float:
    if where is not None:
        top, bottom = top[where], bottom[where]
    total = float(bottom.sum())
    return float(top.sum()) / total if total > 0 else float("nan")
