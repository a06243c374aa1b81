"""Train on an ingested file and say how well it ranks later and held-out claims.

Two questions, two trainings: *how well would it have done on later time* (train on the first three quarters by time of
filing, judge the last quarter), and *how does it compare on somebody else's split* (train on every row but the listed
ones, judge those). Settings are chosen by cross-validation inside the training rows of each, in the same run.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_contracts import ContractError, Label
from features.matrix import build_matrix
from models import metrics
from models.classifier import ABUSIVE
from models.labels import as_known
from models.search import Tried, grow, search
from pipelines.ingest import Ingested, plain_text
from pipelines.source import read_file


@dataclass(frozen=True)
class Judged:
    """One training and its judgement.

    Parameters
    ----------
    auc, ap
        Area under the ROC curve and average precision of *abusive* on the rows judged.
    ece
        Classwise expected calibration error on them.
    trained_on, judged_on
        Labelled rows.
    tried
        Every setting tried inside the training rows, the chosen one first.
    """

    auc: float
    ap: float
    ece: float
    trained_on: int
    judged_on: int
    tried: tuple[Tried, ...]


@dataclass(frozen=True)
class TrainedIngested:
    """What training on a file shows.

    Parameters
    ----------
    time_split
        Judged on the last quarter by time.
    holdout
        Judged on the listed claims, if a list was given.
    """

    time_split: Judged
    holdout: Judged | None

    def summary(self) -> dict[str, Any]:
        """Return the figures by the names that the command writes."""
        found: dict[str, Any] = {"auc_time_split": self.time_split.auc, "ap_time_split": self.time_split.ap}
        if self.holdout is not None:
            found |= {"auc_holdout": self.holdout.auc, "ap_holdout": self.holdout.ap}
        return found


@dataclass(frozen=True)
class LabelledRows:
    """The rows that can train or judge, in the order of their claim numbers: the file's own order has no say.

    Parameters
    ----------
    matrix
        Features, index ``claim_id``.
    labels, weights
        Class and weight of each row, shape (rows,).
    filed_at
        When each claim was filed.
    """

    matrix: pd.DataFrame
    labels: np.ndarray
    weights: np.ndarray
    filed_at: pd.Series


def train_ingested(
    ingested: Ingested, holdout_ids: Path | None = None, share: float = 0.75, seed: int = 0, num_threads: int = 1
) -> TrainedIngested:
    """Train and judge on an ingested file.

    Parameters
    ----------
    ingested
        From :func:`pipelines.ingest.ingest`.
    holdout_ids
        A CSV or Parquet file whose first column lists the file's own claim numbers to be held out and judged.
    share
        Part of the labelled claims, by time, that trains for the time split; claims of one instant stay together.
    seed
        Of folds and boosters.
    num_threads
        Threads for the boosters; the results do not depend on it.

    Raises
    ------
    ContractError
        If there are too few labels of either class, or no listed claim is in the file.
    """
    rows = labelled_rows(ingested)
    time_split = judge(rows.matrix, rows.labels, rows.weights, time_mask(rows.filed_at, share), seed, num_threads)
    if holdout_ids is None:
        return TrainedIngested(time_split, None)
    held = np.asarray(rows.matrix.index.isin(listed(ingested, holdout_ids)))
    if not held.any():
        raise ContractError(f"{holdout_ids}: expected claim numbers of the ingested file in its first column, found none of them")
    return TrainedIngested(time_split, judge(rows.matrix, rows.labels, rows.weights, ~held, seed, num_threads))


def judge(matrix: pd.DataFrame, labels: np.ndarray, weights: np.ndarray, train: np.ndarray, seed: int = 0, num_threads: int = 1) -> Judged:
    """Choose a setting inside the training rows, grow it on all of them and judge the rest.

    Parameters
    ----------
    matrix, labels, weights
        Rows with a label; shapes (rows, features), (rows,), (rows,).
    train
        Boolean mask of the training rows, shape (rows,); every other row is judged.
    seed
        Of folds and boosters.
    num_threads
        Threads for the boosters.
    """
    for part, where in (("training", train), ("judged", ~train)):
        abusive = int((labels[where] == Label.ABUSIVE.value).sum())
        if min(abusive, int(where.sum()) - abusive) < 10:
            raise ContractError(f"{part} rows: expected at least 10 labelled abusive and 10 others, found {abusive} of {int(where.sum())}")
    tried = search(matrix[train], labels[train], weights[train], seed=seed, num_threads=num_threads)
    bag = grow(matrix[train], labels[train], weights[train], tried[0], range(seed, seed + 5), num_threads)
    proba = bag.proba(matrix[~train], num_threads)
    truth, weight = labels[~train], weights[~train]
    return Judged(
        metrics.auc(truth, proba[:, ABUSIVE], weight),
        metrics.average_precision(truth, proba[:, ABUSIVE], weight),
        metrics.classwise_ece(truth, proba, weight),
        int(train.sum()),
        int((~train).sum()),
        tried,
    )


def time_mask(filed_at: pd.Series, share: float) -> np.ndarray:
    """Return the rows filed before the instant by which ``share`` of them were filed, shape (rows,); ties stay together.

    >>> time_mask(pd.Series([3, 1, 2, 2]), 0.75).tolist()
    [False, True, True, True]
    """
    cut = filed_at.sort_values().iloc[min(int(len(filed_at) * share), len(filed_at) - 1)]
    return np.asarray(filed_at < cut)


def manifest(trained: TrainedIngested) -> dict[str, Any]:
    """Return everything that was tried and measured, for the run's manifest."""
    return asdict(trained)


def labelled_rows(ingested: Ingested) -> LabelledRows:
    """Return the feature rows, labels and weights of an ingested file's labelled claims; ``ContractError`` without any."""
    tables = ingested.lake.tables()
    claims = tables["claims"].sort_values("claim_id", ignore_index=True)
    if not len(tables["resolutions"]):
        raise ContractError(f"{ingested.mapping.name}: expected labelled claims to train on, found none")
    after = tables["resolutions"]["known_at"].max() + pd.Timedelta(microseconds=1)
    known = as_known(tables["resolutions"], claims, after)
    rows = claims.merge(known[["claim_id"]], on="claim_id", validate="one_to_one")
    matrix = build_matrix({"claims": claims}, rows, extras={name: rule.type for name, rule in ingested.mapping.extras.items()})
    return LabelledRows(matrix, known["label"].to_numpy(dtype=object), known["weight"].to_numpy(dtype=np.float64), rows["filed_at"])


def listed(ingested: Ingested, path: Path) -> Collection[str]:
    """Return the claim ids that a file lists in its first column by the source's own numbers."""
    rule = ingested.mapping.fields["claim_id"]
    numbers = plain_text(read_file(path).frame.iloc[:, 0]).dropna()
    return set(numbers.map(rule.template.format if rule.template else str))
