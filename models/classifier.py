"""The three-class gradient-boosted classifier: a pair of nested LightGBM boosters.

Two questions are asked one after the other, as an adjuster does: *is the claim abusive?* and, if it is not, *is it
unsubstantiated?* P(abusive) = σ(m₁), P(unsubstantiated) = (1 − σ(m₁))·σ(m₂), P(valid) = (1 − σ(m₁))·(1 − σ(m₂)).

Why not LightGBM's own multiclass: it grows one tree per class and applies ``monotone_constraints`` to the trees of *every*
class alike, so that a feature declared to raise the risk of abuse would have to raise the scores of valid claims too
(LightGBM issue 3912). Why not three one-vs-rest boosters: after normalisation P(abusive) would move with the other two
margins and lose its monotonicity. In the nested pair P(abusive) depends on m₁ alone, so a declared direction holds exactly,
the contributions to m₁ explain exactly the log-odds of abuse, probabilities sum to one without normalisation, and a
data set with only two classes is an ordinary binary model.

References
----------
Frank & Kramer, Ensembles of nested dichotomies for multi-class problems, ICML 2004.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from data_contracts import LABELS, Label
from models.inputs import Inputs
from models.tree_block import ROWS, Struck, margins_of_many, struck
from models.tree_forest import Forest, margins
from models.tree_paths import Paths, trace
from models.tree_shap import contributions, explained
from models.tree_text import read_forest

_FEWEST_ROUNDS = 10

VALID, UNSUBSTANTIATED, ABUSIVE = (LABELS.index(label) for label in (Label.VALID, Label.UNSUBSTANTIATED, Label.ABUSIVE))


@dataclass(frozen=True)
class Hyperparameters:
    """How both boosters grow; the defaults suit 5,000–15,000 labelled rows of about 90 features.

    Parameters
    ----------
    learning_rate, num_leaves, min_data_in_leaf, feature_fraction, bagging_fraction, lambda_l2, max_bin, max_depth
        LightGBM's parameters of the same names (``max_depth`` -1: unlimited).
    min_sum_hessian_in_leaf, boost_from_average
        Likewise. Where fewer than one row in a hundred is positive, 1 and ``False`` (growth starts at even odds) rank better.
    max_rounds
        Largest number of trees per booster.
    patience
        Rounds without improvement on the later window after which growth stops.
    unstopped_rounds
        Trees grown where the later window lacks a class and so cannot stop the growth.
    """

    learning_rate: float = 0.03
    num_leaves: int = 12
    max_depth: int = -1
    min_data_in_leaf: int = 20
    min_sum_hessian_in_leaf: float = 1e-3
    boost_from_average: bool = True
    feature_fraction: float = 0.4
    bagging_fraction: float = 0.8
    lambda_l2: float = 5.0
    max_bin: int = 255
    max_rounds: int = 1500
    patience: int = 80
    unstopped_rounds: int = 150


@dataclass(frozen=True)
class Node:
    """One of the two questions: a booster, or a constant where the data held only one answer.

    Parameters
    ----------
    model
        LightGBM's text without its parameter section (which names threads and would differ between equal models).
    rounds
        Trees kept.
    constant
        The margin where ``model`` is empty: −∞ (never) or +∞ (always).
    """

    model: str = ""
    rounds: int = 0
    constant: float = -np.inf

    @cached_property
    def booster(self) -> Any:
        """The LightGBM booster, parsed once."""
        return _lightgbm().Booster(model_str=self.model)

    @cached_property
    def forest(self) -> Forest:
        """The same trees as flat arrays, read once."""
        return read_forest(self.model)

    @cached_property
    def trees(self) -> Struck | None:
        """The flat trees as many rows at once are asked about them."""
        return struck(self.forest)

    @cached_property
    def paths(self) -> Paths:
        """What exact contributions need beside the trees."""
        return trace(self.forest)

    def margin(self, encoded: np.ndarray, num_threads: int = 1) -> np.ndarray:
        """Return the log-odds of *yes*, shape (rows,), to the last bit those of LightGBM; a row's do not depend on the rows beside it."""
        if not self.model or not len(encoded):
            return np.full(len(encoded), self.constant)
        if len(encoded) < ROWS:
            return margins(self.forest, encoded)
        return margins_of_many(self.forest, self.trees, encoded, num_threads)


@dataclass(frozen=True)
class Classifier:
    """A fitted pair of boosters and the columns they read.

    Parameters
    ----------
    inputs
        Columns, categories and directions.
    abusive
        "Is it abusive?"
    unsubstantiated
        "If not abusive, is it unsubstantiated?"
    """

    inputs: Inputs
    abusive: Node
    unsubstantiated: Node = field(default_factory=Node)

    def raw(self, matrix: pd.DataFrame, num_threads: int = 1) -> np.ndarray:
        """Return log-probabilities before calibration, shape (rows, 3) in the order of ``LABELS``.

        A class that training never saw has −∞, that is, probability 0. Every row is computed by itself: one row alone and
        the same row in a batch agree to the last bit.
        """
        return self.scores(self.inputs.encode(matrix), num_threads)

    def scores(self, encoded: np.ndarray, num_threads: int = 1) -> np.ndarray:
        """Return what :meth:`raw` does for rows that are encoded already, shape (rows, features)."""
        return self._scores(self.abusive.margin(encoded, num_threads), encoded, num_threads)

    def seen(self, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return :meth:`scores` and :meth:`explained` of encoded rows to the last bit, for hardly more than the price of the latter."""
        if not self.abusive.model or not len(encoded):
            return self.scores(encoded), np.zeros(encoded.shape)
        shares, margins = explained(self.abusive.forest, self.abusive.paths, encoded)
        return self._scores(margins, encoded, 1), shares

    def _scores(self, first: np.ndarray, encoded: np.ndarray, num_threads: int) -> np.ndarray:
        second = self.unsubstantiated.margin(encoded, num_threads)
        scores = np.empty((len(encoded), len(LABELS)))
        scores[:, ABUSIVE] = -np.logaddexp(0.0, -first)
        scores[:, UNSUBSTANTIATED] = -np.logaddexp(0.0, first) - np.logaddexp(0.0, -second)
        scores[:, VALID] = -np.logaddexp(0.0, first) - np.logaddexp(0.0, second)
        return scores

    def contributions(self, matrix: pd.DataFrame, num_threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Explain the log-odds of abuse exactly.

        Returns
        -------
        tuple
            Contributions, shape (rows, features), and the base, shape (rows,): row sums plus base equal the margin
            (TreeSHAP; Lundberg et al. 2020). They are those of LightGBM's ``pred_contrib``, and a row's do not depend on the rows
            beside it.
        """
        encoded = self.inputs.encode(matrix)
        found = self.explained(encoded, num_threads)
        base = float(self.abusive.forest.expected.sum()) if self.abusive.model else self.abusive.constant
        return found, np.full(len(encoded), base)

    def explained(self, encoded: np.ndarray, num_threads: int = 1) -> np.ndarray:
        """Return the contributions of rows that are encoded already, shape (rows, features)."""
        if not self.abusive.model or not len(encoded):
            return np.zeros(encoded.shape)
        return contributions(self.abusive.forest, self.abusive.paths, encoded, num_threads)

    def importance(self) -> pd.DataFrame:
        """Return ``feature``, ``abusive`` and ``unsubstantiated``: each booster's total gain, the largest for abuse first."""
        gains = {
            name: node.booster.feature_importance("gain") if node.model else np.zeros(len(self.inputs.names))
            for name, node in (("abusive", self.abusive), ("unsubstantiated", self.unsubstantiated))
        }
        table = pd.DataFrame({"feature": list(self.inputs.names), **gains})
        return table.sort_values(["abusive", "feature"], ascending=[False, True], ignore_index=True)


def fit(
    matrix: pd.DataFrame,
    labels: np.ndarray,
    weights: np.ndarray,
    train: np.ndarray,
    stop: np.ndarray,
    inputs: Inputs,
    hyperparameters: Hyperparameters | None = None,
    seed: int = 0,
    num_threads: int = 1,
) -> Classifier:
    """Grow both boosters on one window and stop them on a later one.

    Parameters
    ----------
    matrix
        Feature rows with the columns of ``inputs``.
    labels
        Class of each row, shape (rows,); a row whose weight is 0 is not read.
    weights
        How many claims each row stands for, shape (rows,), ≥ 0.
    train, stop
        Boolean masks of the earlier and the later window, shape (rows,).
    inputs
        The columns, their categories and directions of risk.
    hyperparameters
        How to grow; the defaults where left out.
    seed
        Of bagging and column sampling. Same data and seed, same model, for any number of threads.
    num_threads
        Threads to use.

    Raises
    ------
    ValueError
        If no training row has a positive weight, or a label is not one of the three.
    """
    used = np.asarray(weights, dtype=np.float64) > 0
    train, stop, labels = np.asarray(train) & used, np.asarray(stop) & used, np.asarray(labels)
    strange = sorted(set(labels[train | stop].tolist()) - set(LABELS))
    if strange:
        raise ValueError(f"labels: expected {', '.join(LABELS)}, found {', '.join(map(repr, strange))}")
    if not train.any():
        raise ValueError("train: expected at least one row with a positive weight, found none; widen the window or label more claims")
    grow = _growth(matrix, weights, inputs, hyperparameters or Hyperparameters(), seed, num_threads)
    abuse, gap = labels == Label.ABUSIVE.value, labels == Label.UNSUBSTANTIATED.value
    return Classifier(
        inputs,
        grow.node(abuse, train, stop, list(inputs.directions)),
        grow.node(gap, train & ~abuse, stop & ~abuse, [0] * len(inputs.names)),
    )


def grow_again(
    classifier: Classifier,
    matrix: pd.DataFrame,
    labels: np.ndarray,
    weights: np.ndarray,
    hyperparameters: Hyperparameters | None = None,
    seed: int = 0,
    num_threads: int = 1,
) -> Classifier:
    """Grow a classifier afresh on more rows, each booster to the number of trees at which it was stopped before.

    Parameters
    ----------
    classifier
        A classifier that :func:`fit` stopped on a later window.
    matrix, labels, weights
        All rows to learn from, the stopping window and what came after it included. Rows of weight 0 are not read.
    hyperparameters, seed, num_threads
        As in :func:`fit`.

    Notes
    -----
    The latest rows are the fewest steps away from the claims to come; a model that never learned from them is out of date by
    the length of its own validation. A booster that was a constant before is grown to ``unstopped_rounds``.
    """
    hyper = hyperparameters or Hyperparameters()
    used = np.asarray(weights, dtype=np.float64) > 0
    never = np.zeros(len(used), dtype=bool)
    abuse, gap = np.asarray(labels) == Label.ABUSIVE.value, np.asarray(labels) == Label.UNSUBSTANTIATED.value
    nodes = []
    for node, answer, rows, directions in (
        (classifier.abusive, abuse, used, list(classifier.inputs.directions)),
        (classifier.unsubstantiated, gap, used & ~abuse, [0] * len(classifier.inputs.names)),
    ):
        rounds = max(node.rounds, _FEWEST_ROUNDS) if node.model else hyper.unstopped_rounds
        grow = _growth(matrix, weights, classifier.inputs, replace(hyper, unstopped_rounds=rounds), seed, num_threads)
        nodes.append(grow.node(answer, rows, never, directions))
    return Classifier(classifier.inputs, *nodes)


def _growth(matrix: pd.DataFrame, weights: np.ndarray, inputs: Inputs, hyper: Hyperparameters, seed: int, num_threads: int) -> _Growth:
    parameters = _parameters(hyper, seed, num_threads)
    return _Growth(inputs.encode(matrix), np.asarray(weights, dtype=np.float64), hyper, parameters, inputs)


def _parameters(hyper: Hyperparameters, seed: int, num_threads: int) -> dict[str, Any]:
    own = {name: value for name, value in asdict(hyper).items() if name not in {"max_rounds", "patience", "unstopped_rounds"}}
    return own | {
        "objective": "binary",
        "metric": "binary_logloss",
        "bagging_freq": 1,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "feature_pre_filter": False,
        "num_threads": num_threads,
        "verbosity": -1,
    }


@dataclass(frozen=True)
class _Growth:
    encoded: np.ndarray
    weights: np.ndarray
    hyper: Hyperparameters
    parameters: dict[str, Any]
    inputs: Inputs

    def node(self, answer: np.ndarray, train: np.ndarray, stop: np.ndarray, directions: list[int]) -> Node:
        """Grow one booster; a constant where training holds one answer only."""
        if not answer[train].any() or answer[train].all():
            return Node(constant=np.inf if answer[train].any() else -np.inf)
        parameters = self.parameters | (
            {"monotone_constraints": directions, "monotone_constraints_method": "intermediate"} if any(directions) else {}
        )
        data = self._dataset(answer, train, parameters)
        stoppable = answer[stop].any() and not answer[stop].all()
        library = _lightgbm()
        booster = library.train(
            parameters,
            data,
            num_boost_round=self.hyper.max_rounds if stoppable else self.hyper.unstopped_rounds,
            valid_sets=[self._dataset(answer, stop, parameters, data)] if stoppable else None,
            callbacks=[library.early_stopping(self.hyper.patience, verbose=False)] if stoppable else None,
        )
        rounds = booster.best_iteration if stoppable else booster.current_iteration()
        return Node(_without_parameters(booster.model_to_string(num_iteration=rounds)), int(rounds))

    def _dataset(self, answer: np.ndarray, rows: np.ndarray, parameters: dict[str, Any], like: Any = None) -> Any:
        return _lightgbm().Dataset(
            self.encoded if rows.all() else self.encoded[rows],  # no second copy of a matrix that is used whole
            answer[rows].astype(np.float64),
            weight=self.weights[rows],
            reference=like,
            categorical_feature=list(self.inputs.categorical) or "auto",
            params=parameters,
        )


def _lightgbm() -> Any:
    """Import LightGBM where trees are grown: it brings scikit-learn and SciPy, more than a second that whoever only decides can spare."""
    import lightgbm

    return lightgbm


def _without_parameters(text: str) -> str:
    start, end = text.index("\nparameters:"), text.index("end of parameters") + len("end of parameters")
    return text[:start] + text[end:]
