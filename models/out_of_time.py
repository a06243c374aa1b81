"""Scores that a claim's own label had no part in: fold after fold, each by a model grown on what came before.

Calibration maps are fitted on such scores, and settings and challengers are judged on them. One loop serves all three, so that
they are compared on the same claims, scored under the same conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_contracts import LABELS
from models.calibration import choose
from models.calibration_maps import Calibration
from models.material import Material
from models.splits import Split

Scorer = Callable[[pd.DataFrame], np.ndarray]
"""Feature rows → log-probabilities, shape (rows, 3) in the order of ``LABELS``."""

Grow = Callable[[np.ndarray], Scorer]
"""Mask of the training rows → the model grown on them."""


def scored_folds(folds: Iterable[Split], features: pd.DataFrame, grow: Grow) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Grow and score one fold at a time, so that a search can stop early.

    Parameters
    ----------
    folds
        Splits in the order of time, from :func:`models.splits.rolling_origin`.
    features
        Feature rows, in the order of the masks.
    grow
        Grows a model on the rows of a mask.

    Yields
    ------
    tuple
        Number of the fold, mask of its rows, their scores, shape (rows of the fold, 3). A fold without rows on either side is left out.
    """
    for number, split in enumerate(folds):
        if split.valid.any() and split.train.any():
            yield number, split.valid, grow(split.train)(features[split.valid])


def out_of_time_scores(folds: Iterable[Split], features: pd.DataFrame, grow: Grow) -> tuple[np.ndarray, np.ndarray]:
    """Score every claim of every fold by the model of its fold.

    Returns
    -------
    tuple
        Scores, shape (rows, 3), NaN outside the folds; and the fold of each row, shape (rows,), -1 outside.
    """
    scores, place = np.full((len(features), len(LABELS)), np.nan), np.full(len(features), -1)
    for number, rows, found in scored_folds(folds, features, grow):
        scores[rows], place[rows] = found, number
    return scores, place


@dataclass(frozen=True)
class OutOfTime:
    """What a learner shows on claims it never saw.

    Parameters
    ----------
    scores
        Log-probabilities, shape (rows, 3), NaN before the first fold.
    fold
        Fold of each row, -1 before the first.
    calibration
        The map that did best on later folds, as fitted on everything before the last one.
    losses
        Log-loss of every candidate map.
    proba
        The scores under that map.
    """

    scores: np.ndarray
    fold: np.ndarray
    calibration: Calibration
    losses: Mapping[str, float]
    proba: np.ndarray


def calibrate_out_of_time(material: Material, grow: Grow) -> OutOfTime:
    """Score the folds of some material, and choose a calibration map on them."""
    scores, fold = out_of_time_scores(material.folds, material.features, grow)
    calibration, losses = choose(scores, material.labels, material.weights, fold, material.kinds, material.likelihood)
    proba = np.full_like(scores, np.nan)
    proba[fold >= 0] = calibration.proba(scores[fold >= 0])
    return OutOfTime(scores, fold, calibration, losses, proba)
