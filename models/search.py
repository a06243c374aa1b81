"""Choosing how to grow, and growing several: for files of claims that nobody has tuned anything for.

Hyperparameters are chosen by cross-validation inside the rows given, and nowhere else; the caller never passes a row it
wants to be judged on. The chosen setting is grown again on all rows with several seeds, and the probabilities averaged:
on a few thousand positives the seed alone moves the area under the curve by some thousandths.

References
----------
Breiman, Bagging predictors, Machine Learning 24, 1996.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from models import metrics
from models.classifier import ABUSIVE, Classifier, Hyperparameters, fit
from models.inputs import Inputs

CANDIDATES: tuple[Hyperparameters, ...] = tuple(
    Hyperparameters(
        learning_rate=0.03,
        num_leaves=2**depth,
        max_depth=depth,
        min_data_in_leaf=leaf,
        feature_fraction=share,
        lambda_l2=10.0,
        max_bin=63,
        max_rounds=1000,
        patience=60,
    )
    for depth, leaf, share in ((2, 50, 0.2), (2, 50, 0.4), (3, 200, 0.2), (4, 200, 0.3))
)
"""Small trees, well regularised: what suits ten to twenty thousand claims and some dozens of columns."""


@dataclass(frozen=True)
class Tried:
    """One candidate's result.

    Parameters
    ----------
    hyperparameters
        The candidate.
    auc
        Mean area under the curve of *abusive* over the folds left out.
    rounds
        Mean number of trees at which growth stopped.
    """

    hyperparameters: Hyperparameters
    auc: float
    rounds: int


@dataclass(frozen=True)
class Bag:
    """Classifiers of the same columns and setting, one per seed.

    Parameters
    ----------
    members
        The classifiers.
    """

    members: tuple[Classifier, ...]

    def proba(self, matrix: pd.DataFrame, num_threads: int = 1) -> np.ndarray:
        """Return the members' mean probabilities, shape (rows, 3) in the order of ``LABELS``."""
        return np.asarray(np.mean([np.exp(member.raw(matrix, num_threads)) for member in self.members], axis=0))


def search(
    matrix: pd.DataFrame,
    labels: np.ndarray,
    weights: np.ndarray,
    candidates: Sequence[Hyperparameters] = CANDIDATES,
    folds: int = 4,
    seed: int = 0,
    num_threads: int = 1,
) -> tuple[Tried, ...]:
    """Try every candidate by stratified cross-validation.

    Parameters
    ----------
    matrix, labels, weights
        The rows to learn from; shapes (rows, features), (rows,), (rows,).
    candidates
        What to try.
    folds
        Parts of the rows, each left out once.
    seed
        Of the folds and the boosters.
    num_threads
        Threads for the boosters; the results do not depend on it.

    Returns
    -------
    tuple of Tried
        The best first; ties go to the candidate named first.

    Raises
    ------
    ValueError
        If some class is rarer than there are folds.
    """
    names, numbers = np.unique(labels.astype("str"), return_counts=True)
    if numbers.min() < folds:
        raise ValueError(f"labels: expected at least {folds} rows of each class, found {numbers.min()} of {str(names[numbers.argmin()])!r}")
    inputs = Inputs.of(matrix)
    parts = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(np.zeros(len(labels)), labels))
    tried = []
    for candidate in candidates:
        scores, rounds = [], []
        for _, out in parts:
            left_out = np.zeros(len(labels), dtype=bool)
            left_out[out] = True
            grown = fit(matrix, labels, weights, ~left_out, left_out, inputs, candidate, seed, num_threads)
            scores.append(metrics.auc(labels[out], grown.raw(matrix.iloc[out], num_threads)[:, ABUSIVE], weights[out]))
            rounds.append(grown.abusive.rounds)
        tried.append(Tried(candidate, float(np.mean(scores)), round(float(np.mean(rounds)))))
    return tuple(sorted(tried, key=lambda t: -t.auc))


def grow(
    matrix: pd.DataFrame,
    labels: np.ndarray,
    weights: np.ndarray,
    tried: Tried,
    seeds: Sequence[int] = tuple(range(5)),
    num_threads: int = 1,
) -> Bag:
    """Grow a setting on all rows, once per seed, to the number of trees at which cross-validation stopped."""
    inputs = Inputs.of(matrix)
    every, none = np.ones(len(labels), dtype=bool), np.zeros(len(labels), dtype=bool)
    setting = replace(tried.hyperparameters, unstopped_rounds=max(1, tried.rounds))
    return Bag(tuple(fit(matrix, labels, weights, every, none, inputs, setting, seed, num_threads) for seed in seeds))
