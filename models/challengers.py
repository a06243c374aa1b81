"""Learners that somebody would ask for, grown on the same windows and calibrated the same way as the classifier.

Each finds its number of trees on the stopping window, is grown again fold by fold, and gets the calibration map that does best on
later folds: what remains different is the learner. None is ever saved or served. They know nothing of declared directions.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from data_contracts import LABELS
from models.baselines import Predictor
from models.calibration import fit as fit_calibration
from models.material import Material
from models.metrics import log_loss
from models.out_of_time import Scorer, calibrate_out_of_time

ABSENT = "not installed"
"""Said in the table of a challenger whose library is missing; ``pip install touchstone[challengers]`` brings them."""

MOST_ROUNDS = 120
"""More trees than this are not tried."""

Proba = Callable[[np.ndarray], np.ndarray]
"""Encoded rows → probabilities of the classes that training held, in the order of their numbers."""

Learner = Callable[[np.ndarray, np.ndarray, np.ndarray, tuple[int, ...], int, int, int], Proba]
"""(encoded rows, class numbers, weights, categorical columns, rounds, seed, threads) → :data:`Proba`."""


@dataclass(frozen=True)
class Challenger:
    """A learner, grown.

    Parameters
    ----------
    predict
        Calibrated, grown on all rows.
    proba
        Probabilities of the rows, shape (rows, 3), each by a model grown on earlier claims only; NaN before the first fold.
    rounds
        Trees, as the stopping window asked for.
    """

    predict: Predictor
    proba: np.ndarray
    rounds: int


def absent(name: str) -> bool:
    """Tell whether the library of a challenger is missing.

    Raises
    ------
    ValueError
        If there is no such challenger.
    """
    if name not in LEARNERS:
        raise ValueError(f"challenger: expected one of {', '.join(LEARNERS)}, found {name!r}")
    return importlib.util.find_spec(LEARNERS[name][0]) is None


def train_challenger(name: str, material: Material, seed: int = 0, num_threads: int = 1) -> Challenger:
    """Grow a challenger on the material of a training.

    Parameters
    ----------
    name
        One of :data:`LEARNERS`.
    material
        Rows and windows.
    seed, num_threads
        Of the learner.

    Raises
    ------
    ValueError
        If there is no such challenger, or its library is missing.
    """
    if absent(name):
        raise ValueError(f"challenger {name}: expected the package {LEARNERS[name][0]}, found none; install touchstone[challengers]")
    learn, encoded = LEARNERS[name][1], material.inputs.encode(material.features)
    place = np.array([LABELS.index(str(label)) for label in material.labels])

    def grow(rows: np.ndarray, rounds: int) -> Predictor:
        present, numbers = np.unique(place[rows], return_inverse=True)
        shape = material.inputs.categorical, rounds, seed, num_threads
        # One class needs no learner, and most learners refuse it.
        found = learn(encoded[rows], numbers, material.even[rows], *shape) if len(present) > 1 else lambda new: np.ones((len(new), 1))

        def predict(new: pd.DataFrame) -> np.ndarray:
            proba = np.zeros((len(new), len(LABELS)))
            if len(new):
                proba[:, present] = found(material.inputs.encode(new))
            return proba

        return predict

    rounds = _stopped(material, grow)
    found = calibrate_out_of_time(material, lambda rows: _logarithm(grow(rows, rounds)))
    scored = found.fold >= 0
    final = _logarithm(grow(np.ones(len(place), dtype=bool), rounds))
    calibration = fit_calibration(
        found.calibration.kind, found.scores[scored], material.labels[scored], material.weights[scored], material.likelihood[scored]
    )
    return Challenger(lambda new: calibration.proba(final(new)), found.proba, rounds)


def _stopped(material: Material, grow: Callable[[np.ndarray, int], Predictor]) -> int:
    """Return the number of trees, among a few, that does best on the stopping window."""
    split = material.stopping
    if not split.train.any() or not split.valid.any():
        return MOST_ROUNDS // 2
    here, labels, weights = material.features[split.valid], material.labels[split.valid], material.even[split.valid]
    tried = [round(MOST_ROUNDS * share) for share in (0.1, 0.2, 0.35, 0.6, 1.0)]
    return min(tried, key=lambda rounds: log_loss(labels, grow(split.train, rounds)(here), weights))


def _logarithm(predict: Predictor) -> Scorer:
    def scores(rows: pd.DataFrame) -> np.ndarray:
        with np.errstate(divide="ignore"):
            logarithm: np.ndarray = np.log(predict(rows))
        return logarithm

    return scores


def _hist(
    encoded: np.ndarray, numbers: np.ndarray, weights: np.ndarray, categorical: tuple[int, ...], rounds: int, seed: int, threads: int
) -> Proba:
    model = HistGradientBoostingClassifier(
        learning_rate=0.1,
        max_iter=rounds,
        max_leaf_nodes=12,
        l2_regularization=5.0,
        max_features=0.4,
        categorical_features=list(categorical) or None,
        early_stopping=False,
        random_state=seed,
    )
    # It cannot bin a column without a single value, as an early and small history may have; a constant is never split.
    filled = np.where(np.isnan(encoded).all(axis=0), 0.0, encoded)
    with threadpool_limits(threads):
        model.fit(filled, numbers, sample_weight=weights)

    def predict(new: np.ndarray) -> np.ndarray:
        with threadpool_limits(threads):
            return np.asarray(model.predict_proba(new))

    return predict


def _xgboost(
    encoded: np.ndarray, numbers: np.ndarray, weights: np.ndarray, categorical: tuple[int, ...], rounds: int, seed: int, threads: int
) -> Proba:
    import xgboost

    types = ["c" if column in categorical else "float" for column in range(encoded.shape[1])]

    def data(rows: np.ndarray, **more: np.ndarray) -> xgboost.DMatrix:
        return xgboost.DMatrix(rows, feature_types=types, enable_categorical=True, nthread=threads, **more)

    settings = {
        "objective": "multi:softprob",
        "num_class": int(numbers.max()) + 1,
        "eta": 0.1,
        "max_depth": 4,
        "subsample": 0.8,
        "colsample_bytree": 0.4,
        "lambda": 5.0,
        "seed": seed,
        "nthread": threads,
        "verbosity": 0,
    }
    booster = xgboost.train(settings, data(encoded, label=numbers, weight=weights), num_boost_round=rounds)
    return lambda new: np.asarray(booster.predict(data(new)), dtype=np.float64)


def _catboost(
    encoded: np.ndarray, numbers: np.ndarray, weights: np.ndarray, categorical: tuple[int, ...], rounds: int, seed: int, threads: int
) -> Proba:
    from catboost import CatBoostClassifier, Pool  # type: ignore[import-untyped]

    columns = list(categorical)

    def data(rows: np.ndarray, **more: np.ndarray) -> Pool:
        # Categories must be whole numbers or text for it, and a missing one is a category of its own.
        named = {column: np.nan_to_num(rows[:, column], nan=-1.0).astype(np.int64) for column in columns}
        return Pool(pd.DataFrame(dict(enumerate(rows.T)) | named), cat_features=columns, **more)

    model = CatBoostClassifier(
        loss_function="MultiClass",
        iterations=rounds,
        learning_rate=0.1,
        depth=4,
        l2_leaf_reg=5.0,
        rsm=0.4,
        bootstrap_type="Bernoulli",
        subsample=0.8,
        boosting_type="Plain",
        random_seed=seed,
        thread_count=threads,
        # It would leave a folder of logs where it runs.
        allow_writing_files=False,
        verbose=False,
    )
    model.fit(data(encoded, label=numbers, weight=weights))
    return lambda new: np.asarray(model.predict_proba(data(new), thread_count=threads), dtype=np.float64)


LEARNERS: Mapping[str, tuple[str, Learner]] = {
    "hist gradient boosting": ("sklearn", _hist),
    "xgboost": ("xgboost", _xgboost),
    "catboost": ("catboost", _catboost),
}
"""Challengers by name: the package each needs, and how it learns."""
