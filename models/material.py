"""What a training reads: labelled claims in the order of filing, their feature rows, and the windows that time cuts them into.

The classifier, its challengers and the search for settings are all grown on the same material, so that what differs between
them is how they learn and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from models.calibration_maps import KINDS, SHIFTING
from models.experts import label_likelihood
from models.inputs import Described, Inputs
from models.settings import TrainingSettings
from models.splits import ENTITIES, Split, Window, rolling_origin, split_at, time_split


@dataclass(frozen=True)
class Material:
    """Labelled claims, ready to be learned from.

    Parameters
    ----------
    rows
        Claims with their label, ``known_at``, ``source`` and ``weight``, in the order of filing.
    features
        Their feature rows, index ``claim_id``.
    labels, weights
        Class and weight of each row, shape (rows,).
    even
        Weights for growing, capped by the settings: which claims were examined depends on what the features show, so weights of
        1/propensity would correct little there and multiply the noise of few audited claims.
    likelihood
        P(label of the row | truth), shape (rows, 3): who labels may err.
    inputs
        The columns.
    stopping
        Growing against stopping window.
    judge
        Mask of the latest window, which judges.
    folds
        Rolling origin, the latest window last; no fold shares a component with what it is grown on.
    kinds
        Calibration maps that may be chosen. Growing counts labels alike, so where weights differ raw scores speak of the labelled
        claims, not of all: a shift is due.
    """

    rows: pd.DataFrame
    features: pd.DataFrame
    labels: np.ndarray
    weights: np.ndarray
    even: np.ndarray
    likelihood: np.ndarray
    inputs: Inputs
    stopping: Split
    judge: np.ndarray
    folds: tuple[Split, ...]
    kinds: tuple[str, ...]


def prepare(
    matrix: pd.DataFrame,
    claims: pd.DataFrame,
    known: pd.DataFrame,
    described: Iterable[Described],
    settings: TrainingSettings,
    confusions: Mapping[str, np.ndarray] | None = None,
) -> Material:
    """Lay out what is known; parameters as in :func:`models.training.train`.

    Raises
    ------
    ValueError
        If no labelled claim has a positive weight.
    """
    used = known[known["weight"] > 0]
    rows = claims[["claim_id", "filed_at", *(c for c in ENTITIES if c in claims)]].merge(used, on="claim_id", validate="one_to_one")
    rows = rows.sort_values(["filed_at", "claim_id"], ignore_index=True)
    if rows.empty:
        raise ValueError("train: expected labelled claims with a positive weight, found none; review or audit some claims first")
    labels, weights = rows["label"].to_numpy(), rows["weight"].to_numpy(dtype=np.float64)
    features = matrix.loc[rows["claim_id"]]
    stopping, judge = _windows(rows, labels, settings)
    even = np.minimum(weights, settings.fit_cap)
    return Material(
        rows,
        features,
        labels,
        weights,
        even,
        label_likelihood(labels, rows["source"].to_numpy(), confusions or {}),
        Inputs.of(features, described),
        stopping,
        judge,
        tuple(rolling_origin(rows, labels, _cuts(rows, judge, settings), hub_cap=settings.hub_cap)),
        KINDS if np.array_equal(even, weights) and not confusions else SHIFTING,
    )


def _cuts(rows: pd.DataFrame, judge: np.ndarray, settings: TrainingSettings) -> list[pd.Timestamp]:
    """Return where the folds begin: of equal size between the first share of the claims and the latest window, which is the last."""
    last = int(len(rows) - judge.sum())
    edges = np.linspace(int(settings.first_share * len(rows)), last, settings.folds + 1).astype(int)
    return [rows["filed_at"].iloc[edge] for edge in edges]


def _windows(rows: pd.DataFrame, labels: np.ndarray, settings: TrainingSettings) -> tuple[Split, np.ndarray]:
    """Cut the latest window off, then split the rest; growing rows share no component with either later window."""
    judge = time_split(rows, labels, settings.judge_share, columns=()).valid
    filed = rows["filed_at"]
    cut = time_split(rows, labels, settings.stop_share + settings.judge_share, columns=()).cut
    # Against everything from the cut on, so that the growing window is clean of the judging window as well.
    whole = split_at(rows, labels, cut, gap=pd.Timedelta(days=settings.gap_days), hub_cap=settings.hub_cap)
    stop = whole.valid & ~judge
    return replace(whole, valid=stop, valid_window=Window.of(filed, labels, stop)), judge
