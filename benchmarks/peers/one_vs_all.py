"""Learning to defer by one-vs-all: for every expert a classifier of their own, whether they will be right on a case.

Verma & Nalisnick, *Calibrated learning to defer with one-vs-all classifiers*, ICML 2022; for several experts Verma, Barrejón &
Nalisnick, AISTATS 2023. Under capacities as in the benchmark of OpenL2D: the cases of highest score go, one after the other, to whoever is
likeliest to be right among those with room.
"""

from __future__ import annotations

import lightgbm as lgb
import numpy as np

_GRID = [(leaves, least) for leaves in (3, 6) for least in (10, 30)]


def rightness(inputs: np.ndarray, expert: np.ndarray, right: np.ndarray, asked: np.ndarray, experts: int) -> np.ndarray:
    """Learn from answers, and predict P(right) of every expert on other cases, shape (cases, experts)."""
    return np.column_stack([_predicted(inputs[expert == who], right[expert == who], asked) for who in range(experts)])


def _predicted(inputs: np.ndarray, right: np.ndarray, asked: np.ndarray) -> np.ndarray:
    cut = len(inputs) * 3 // 4
    if len(np.unique(right[:cut])) < 2 or len(np.unique(right[cut:])) < 2:  # nothing to tell apart
        return np.full(len(asked), right.mean() if len(right) else 0.5)
    best = min((_grown(inputs, right, cut, *grid) for grid in _GRID), key=lambda m: m.best_score["valid_0"]["binary_logloss"])
    predicted: np.ndarray = best.predict(asked)
    return predicted


def _grown(inputs: np.ndarray, right: np.ndarray, cut: int, leaves: int, least: int) -> lgb.Booster:
    settings = {
        "objective": "binary",
        "num_leaves": leaves,
        "min_data_in_leaf": least,
        "learning_rate": 0.05,
        "num_threads": 1,
        "verbose": -1,
    }
    grow = lgb.Dataset(inputs[:cut], right[:cut], free_raw_data=False)
    stop = grow.create_valid(inputs[cut:], right[cut:])
    return lgb.train(settings, grow, 200, valid_sets=[stop], callbacks=[lgb.early_stopping(20, verbose=False)])


def assign(score: np.ndarray, right: np.ndarray, capacity: np.ndarray) -> np.ndarray:
    """Send the cases of highest score to the likeliest expert with room; -1 where nobody is left.

    >>> assign(np.array([0.2, 0.9]), np.array([[0.9, 0.1], [0.8, 0.7]]), np.array([1, 1])).tolist()
    [1, 0]
    """
    left, expert = np.array(capacity), np.full(len(score), -1)
    for case in np.argsort(-score, kind="stable")[: left.sum()]:
        open_ = np.where(left > 0, right[case], -np.inf)
        expert[case] = open_.argmax()
        left[expert[case]] -= 1
    return expert
