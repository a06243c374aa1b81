"""Choosing on the validation folds, scoring on the test folds: the same few steps for either row of the table.

The space of settings is declared here, and what is tried is drawn from it by a seed, so that anyone draws the same. A setting's
figure is its mean average precision over the four validation folds. The best one is then grown once per seed on each test
fold and the probabilities averaged. That is the only time a test fold is scored. Our features and the space itself were
settled by hand beforehand, on the same validation folds.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks._handbook_protocol import Fold, Score, judged
from models.classifier import ABUSIVE, Hyperparameters
from models.search import Tried as Setting
from models.search import grow

SPACE: dict[str, tuple[Any, ...]] = {
    "max_depth": (3, 4, 5),
    "min_sum_hessian_in_leaf": (0.5, 1.0, 2.0),
    "feature_fraction": (0.3, 0.5, 1.0),
    "bagging_fraction": (0.8, 1.0),
    "lambda_l2": (0.1, 1.0, 5.0),
    "learning_rate": (0.03, 0.05),
    "unstopped_rounds": (150, 250),
    "boost_from_average": (False, True),
}
"""Values tried of each hyperparameter; leaves are as many as the depth allows."""

FIXED: dict[str, Any] = {"min_data_in_leaf": 5, "max_bin": 4095}
"""Fine bins, because a threshold on the amount decides, and leaves that may be small, because frauds are few."""

DRAWN = 8
"""Settings drawn from the space."""

SEARCH_SEEDS, BAG_SEEDS = (0,), tuple(range(5))
"""Boosters grown for each setting while choosing; those averaged in the end."""


METRICS = ("auc", "ap", "cp100")
"""What is measured of every fold."""


@dataclass(frozen=True)
class Measured:
    """A setting on some folds.

    Parameters
    ----------
    setting
        How it grows.
    bag
        Score of the averaged probabilities, by fold.
    alone
        Score of each seed's own probabilities, by seed, then by fold.
    """

    setting: Hyperparameters
    bag: tuple[Score, ...]
    alone: tuple[tuple[Score, ...], ...]

    @property
    def ap(self) -> float:
        """What settings are chosen by: mean average precision over the folds."""
        return self.mean("ap")

    def mean(self, metric: str) -> float:
        """Return the mean of a metric over the folds."""
        return float(np.mean(self._by_fold(metric)))

    def standard_error(self, metric: str) -> float:
        """Return the standard error of that mean, as if folds were independent draws."""
        found = self._by_fold(metric)
        return float(np.std(found, ddof=1) / np.sqrt(len(found)))

    def deviation_of_seeds(self, metric: str) -> float:
        """Return how far the mean over the folds of one booster alone scatters from seed to seed (standard deviation)."""
        means = [float(np.mean([getattr(score, metric) for score in folds])) for folds in self.alone]
        return float(np.std(means, ddof=1)) if len(means) > 1 else float("nan")

    def _by_fold(self, metric: str) -> list[float]:
        return [float(getattr(score, metric)) for score in self.bag]

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain JSON values."""
        return {
            "setting": {name: getattr(self.setting, name) for name in (*SPACE, *FIXED)},
            "folds": [asdict(score) for score in self.bag],
            "mean": {name: self.mean(name) for name in METRICS},
            "standard_error": {name: self.standard_error(name) for name in METRICS},
            "one_seed": {name: float(np.mean([getattr(s, name) for folds in self.alone for s in folds])) for name in METRICS},
        }


def drawn(count: int = DRAWN, seed: int = 0) -> tuple[Hyperparameters, ...]:
    """Draw settings from the space, each at most once.

    >>> len(set(drawn(5))), drawn(5) == drawn(5)
    (5, True)
    """
    every = list(itertools.product(*SPACE.values()))
    places = np.random.default_rng(seed).choice(len(every), count, replace=False)
    return tuple(_setting(dict(zip(SPACE, every[place], strict=True))) for place in places)


def _setting(values: dict[str, Any]) -> Hyperparameters:
    return Hyperparameters(**FIXED, **values, num_leaves=2 ** values["max_depth"])


def measure(
    matrix: pd.DataFrame,
    log: pd.DataFrame,
    folds: Sequence[Fold],
    setting: Hyperparameters,
    seeds: Sequence[int],
    labels: npt.NDArray[np.bool_] | None = None,
) -> Measured:
    """Grow one booster per seed on the training rows of each fold and score the judging rows.

    Parameters
    ----------
    matrix
        Feature rows; the index is the position in the log.
    log
        The log.
    folds
        Where to train and to judge.
    setting, seeds
        How to grow, how often.
    labels
        What to learn instead of the truth, by position in the log; judging is always by the truth.
    """
    taught = np.where(log["fraud"].to_numpy(dtype=bool) if labels is None else labels, "abusive", "valid")
    bag, alone = [], []
    for fold in folds:
        train, judge = matrix.loc[fold.train], matrix.loc[fold.judge]
        grown = grow(train, taught[fold.train], np.ones(len(train)), Setting(setting, np.nan, setting.unstopped_rounds), seeds)
        members = [np.exp(member.raw(judge)[:, ABUSIVE]) for member in grown.members]
        bag.append(judged(log, fold.judge, np.mean(members, axis=0)))
        alone.append([judged(log, fold.judge, member) for member in members])
    return Measured(setting, tuple(bag), tuple(zip(*alone, strict=True)))


def chosen(tried: Sequence[Measured]) -> Measured:
    """Return the setting with the best mean average precision; of equals the one drawn first."""
    return max(tried, key=lambda measured: measured.ap)
