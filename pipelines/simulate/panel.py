"""A panel of simulated experts whose errors depend on the case: the generator of OpenL2D, extended to three classes.

Each expert looks at a few features of a case, each with a weight of their own, and leans towards the model's probability as far as it is
shown. How often each expert errs on average is set first; which cases they err on follows from what they look at.

References
----------
Alves et al., *A benchmarking framework and dataset for learning to defer in human–AI decision-making* (OpenL2D).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_contracts import LABELS
from models.opinions import softmax
from pipelines.firm import DESK_ERRORS

AWAY_FROM_VALID = len(LABELS) - 1
"""Directions in which an expert may lean: towards unsubstantiated and towards abusive, both against valid."""


@dataclass(frozen=True)
class Manner:
    """How the experts of a panel come to differ.

    Parameters
    ----------
    features_share
        Share of the features that an expert looks at (probability of the spike-and-slab draw).
    score_weight, score_spread
        Mean and standard deviation of the weight of the model's probability, against features of weight about 1.
    firmness, firmness_spread
        Mean and standard deviation of the factor α that turns a lean into log-odds: the larger, the surer *which* cases go wrong.
    hardness
        Log-odds by which errors are more frequent than an average desk expert's: the cases of a panel are those that are hard to decide.
    skill_spread
        Standard deviation of an expert's log-odds against errors, relative to the average expert.
    """

    features_share: float = 0.3
    score_weight: float = 2.0
    score_spread: float = 0.5
    firmness: float = 15.0
    firmness_spread: float = 3.5
    hardness: float = 0.35
    skill_spread: float = 0.8


@dataclass(frozen=True, eq=False)
class Panel:
    """Experts, ready to answer.

    Parameters
    ----------
    features
        Weights of the features, shape (experts, 2, features).
    score
        Weights of the model's probability, shape (experts, 2); with the features' they make a vector of length 1.
    firmness
        α of each expert, shape (experts,).
    offsets
        Log-odds of each answer under each truth where nothing leans, shape (experts, 3, 3).
    confusions
        P(answer | truth) of each expert over the cases they were fitted to, the score shown, shape (experts, 3, 3).
    """

    features: np.ndarray
    score: np.ndarray
    firmness: np.ndarray
    offsets: np.ndarray
    confusions: np.ndarray


def hire_panel(
    experts: int,
    features: np.ndarray,
    shown: np.ndarray,
    truth: np.ndarray,
    rng: np.random.Generator,
    manner: Manner = Manner(),
) -> Panel:
    """Draw experts, and solve for the offsets that give each the average errors drawn for them.

    Parameters
    ----------
    experts
        How many.
    features
        Of the cases that experts see, ranks in [−½, ½], shape (cases, features).
    shown
        Ranks in [−½, ½] of the model's probabilities of unsubstantiated and abusive among these cases, shape (cases, 2).
    truth
        Class of each case as a place in ``LABELS``, shape (cases,).
    rng, manner
        Chance, and how experts differ.

    Notes
    -----
    With s_k = (w_k·x + w_M·M_k) / √(w_k·w_k + w_M²) for k ≠ valid and s_valid = 0: log-odds of answer k under truth y are
    b_yk + α·s_k. For two classes these are OpenL2D's P(wrong | y=0) = σ(b₀ + α·s) and P(wrong | y=1) = σ(b₁ − α·s).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, m, y = rng.random((600, 8)) - 0.5, rng.random((600, 2)) - 0.5, rng.integers(0, 3, 600)
    >>> panel = hire_panel(2, x, m, y, rng)
    >>> chances = answer_probabilities(panel, x, m, y)
    >>> bool(np.allclose(chances[y == 2].mean(axis=0), panel.confusions[:, 2]))
    True
    """
    count = features.shape[1]
    looked = rng.random((experts, AWAY_FROM_VALID, count)) < manner.features_share
    weights = np.where(looked, rng.normal(0, 1, looked.shape), 0.0)
    score = rng.normal(manner.score_weight, manner.score_spread, (experts, AWAY_FROM_VALID))
    length = np.sqrt((weights**2).sum(axis=2) + score**2)
    firmness = np.maximum(0.0, rng.normal(manner.firmness, manner.firmness_spread, experts))
    targets = _targets(experts, manner, rng)
    draft = Panel(weights / length[:, :, None], score / length, firmness, np.zeros_like(targets), targets)
    leans = _leans(draft, features, shown)
    offsets = np.stack([_offsets(leans[truth == y], targets[:, y]) for y in range(len(LABELS))], axis=1)
    return Panel(draft.features, draft.score, draft.firmness, offsets, targets)


def answer_probabilities(panel: Panel, features: np.ndarray, shown: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return P(answer) of every expert on every case, shape (cases, experts, 3).

    Parameters
    ----------
    panel
        The experts.
    features, shown, truth
        As in :func:`hire_panel`; zeros in ``shown`` where the model's probability is hidden.
    """
    return softmax(_leans(panel, features, shown) + panel.offsets[:, truth].transpose(1, 0, 2))


def ranks(values: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return where values stand among others, column by column, in [−½, ½]; 0 for missing ones.

    Parameters
    ----------
    values
        Shape (rows, columns).
    among
        Shape (others, columns): ties stand in their middle.

    Examples
    --------
    >>> ranks(np.array([[1.0], [5.0], [np.nan]]), np.array([[1.0], [2.0], [5.0], [5.0]])).ravel().tolist()
    [-0.375, 0.25, 0.0]
    """
    found = np.zeros(values.shape)
    for column in range(values.shape[1]):
        others = np.sort(among[~np.isnan(among[:, column]), column])
        if len(others):
            middle = np.searchsorted(others, values[:, column], "left") + np.searchsorted(others, values[:, column], "right")
            found[:, column] = middle / (2 * len(others)) - 0.5
    return np.where(np.isnan(values), 0.0, found)


def _targets(experts: int, manner: Manner, rng: np.random.Generator) -> np.ndarray:
    """Draw average confusions: a skill of the expert's own, and half as much again for each class."""
    average = np.array(DESK_ERRORS)
    skill = rng.normal(0, manner.skill_spread, (experts, 1, 1)) + rng.normal(0, manner.skill_spread / 2, (experts, len(LABELS), 1))
    odds = average * np.exp(manner.hardness - skill)
    np.einsum("eyy->ey", odds)[:] = np.diag(average)
    targets: np.ndarray = odds / odds.sum(axis=2, keepdims=True)
    return targets


def _leans(panel: Panel, features: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Return α·s of each class, shape (cases, experts, 3), 0 for valid."""
    seen = np.einsum("nf,ekf->nek", features, panel.features) + shown[:, None, :] * panel.score
    leans: np.ndarray = np.concatenate([np.zeros((*seen.shape[:2], 1)), seen * panel.firmness[:, None]], axis=2)
    return leans


def _offsets(leans: np.ndarray, target: np.ndarray, rounds: int = 500) -> np.ndarray:
    """Solve for log-odds, shape (experts, 3), under which mean probabilities are the target's (iterative scaling, which is monotone)."""
    offsets: np.ndarray = np.log(target)
    for _ in range(rounds if len(leans) else 0):
        step = np.log(target) - np.log(softmax(leans + offsets).mean(axis=0))
        offsets = offsets + step
        if np.abs(step).max() < 1e-9:
            break
    return offsets
