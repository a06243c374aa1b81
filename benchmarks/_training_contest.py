"""One contestant of the training benchmark, in a process of its own: ``python -m benchmarks._training_contest NAME THREADS FOLDER``.

It loads the data that the benchmark wrote, trains, scores the held-out rows and prints one line of JSON. All contestants
grow the same number of rounds with the same number of leaves, learning rate and bins. A round is three trees for
scikit-learn and XGBoost, one for each class, and two for our nested pair of boosters.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits
from xgboost import XGBClassifier

from data_contracts import LABELS
from models.classifier import Hyperparameters, fit
from models.inputs import Inputs

ROUNDS, LEAVES, LEARNING_RATE, BINS = 30, 31, 0.1, 255

Predict = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]


def ours(matrix: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], threads: int) -> Predict:
    """Train our classifier: the nested pair of LightGBM boosters."""
    columns = [f"feature_{place}" for place in range(matrix.shape[1])]
    frame = pd.DataFrame(matrix, columns=columns, copy=False)
    every, none = np.ones(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)
    setting = Hyperparameters(
        LEARNING_RATE, LEAVES, feature_fraction=1.0, bagging_fraction=1.0, lambda_l2=0.0, max_bin=BINS, unstopped_rounds=ROUNDS
    )
    names = np.array(LABELS)[labels]
    grown = fit(frame, names, np.ones(len(frame)), every, none, Inputs.of(frame), setting, num_threads=threads)
    return lambda later: np.exp(grown.raw(pd.DataFrame(later, columns=columns, copy=False), threads))


def hist_gradient_boosting(matrix: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], threads: int) -> Predict:
    """Train scikit-learn's classifier."""
    model = HistGradientBoostingClassifier(
        learning_rate=LEARNING_RATE, max_iter=ROUNDS, max_leaf_nodes=LEAVES, max_bins=BINS, early_stopping=False, random_state=0
    )
    with threadpool_limits(threads, "openmp"):
        model.fit(matrix, labels)
    return lambda later: np.asarray(model.predict_proba(later))


def xgboost(matrix: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], threads: int) -> Predict:
    """Train XGBoost with histograms, growing the best leaf first as the others do."""
    model = XGBClassifier(
        n_estimators=ROUNDS,
        max_leaves=LEAVES,
        max_depth=0,
        grow_policy="lossguide",
        learning_rate=LEARNING_RATE,
        max_bin=BINS,
        tree_method="hist",
        n_jobs=threads,
        random_state=0,
    )
    model.fit(matrix, labels)
    return lambda later: np.asarray(model.predict_proba(later))


TREES = {"ours": 2 * ROUNDS, "hist_gradient_boosting": 3 * ROUNDS, "xgboost": 3 * ROUNDS}
"""Trees that each contestant grows."""

CONTESTANTS = {"ours": ours, "hist_gradient_boosting": hist_gradient_boosting, "xgboost": xgboost}
"""Who takes part; none keeps anything between runs."""


def synthetic(rows: int, features: int, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Make claims-like data: skewed, partly missing columns of which a sixth matter; three classes of about 70, 23 and 7 percent.

    Returns
    -------
    tuple
        (rows, features) float64, and (rows,) classes in the order of ``LABELS``. The same seed gives the same rows; what
        matters does not depend on it.
    """
    rng, effects = np.random.default_rng(seed), np.random.default_rng(0)
    matrix = rng.standard_normal((rows, features))
    weights = effects.normal(0, 0.5, (features // 6, 2))
    margins = matrix[:, : len(weights)] @ weights + 0.6 * np.stack([matrix[:, 0] * matrix[:, 1], np.abs(matrix[:, 2])], axis=1)
    utility = np.column_stack([np.zeros(rows), margins + np.array([-1.6, -3.2])]) + rng.gumbel(size=(rows, 3))
    np.exp(matrix[:, ::3], out=matrix[:, ::3])
    matrix[:, 1::4][rng.random(matrix[:, 1::4].shape, dtype=np.float32) < 0.2] = np.nan
    return matrix, utility.argmax(axis=1)


def run(name: str, threads: int, folder: Path) -> dict[str, Any]:
    """Train one contestant on the data in a folder; return seconds by the clock and of all cores, trees, and the AUC on held-out rows."""
    matrix, labels = np.load(folder / "matrix.npy"), np.load(folder / "labels.npy")
    later, truth = np.load(folder / "later_matrix.npy"), np.load(folder / "later_labels.npy")
    began, worked = time.perf_counter(), time.process_time()
    predict = CONTESTANTS[name](matrix, labels, threads)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - worked
    proba = predict(later)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "trees": TREES[name],
        "auc": {label: float(roc_auc_score(truth == place, proba[:, place])) for place, label in enumerate(LABELS)},
    }


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
