"""What the classifier must beat: the prior, the best single rule, and logistic regression, judged in one table.

Baselines live in memory for the length of a comparison; none is ever saved or served.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from data_contracts import LABELS, Label
from models.inputs import Inputs
from models.metrics import summary
from models.risk import Guarantee

Predictor = Callable[[pd.DataFrame], np.ndarray]
"""Feature rows → probabilities, shape (rows, 3) in the order of ``LABELS``."""

BASELINES: tuple[str, ...] = ("prior", "single rule", "logistic regression")
"""The baselines in the order of tables."""

_CUTS = 32


@dataclass(frozen=True)
class Rival:
    """A predictor in the shape in which :func:`models.scorer.score_claims` takes models.

    Parameters
    ----------
    name
        As in tables.
    predict
        Gives its probabilities.
    guarantee
        What it promises (:func:`models.training.certified`); ``None``: nothing, and prices alone say when it accuses or denies.

    Examples
    --------
    >>> Rival("single rule", fit_prior(np.array(["valid"]), np.ones(1))).hash
    'rival:single-rule'
    """

    name: str
    predict: Predictor
    guarantee: Guarantee | None = None

    @property
    def hash(self) -> str:
        """Name in its decisions."""
        return "rival:" + self.name.replace(" ", "-")

    def predict_proba(self, matrix: pd.DataFrame, num_threads: int = 1) -> np.ndarray:
        """Return probabilities, shape (rows, 3); ``num_threads`` is not needed."""
        del num_threads
        return self.predict(matrix)


@dataclass(frozen=True)
class Rule:
    """One threshold on one feature: the class shares on its two sides (a missing value counts as not above).

    Parameters
    ----------
    feature, above
        The rule: "``feature`` > ``above``".
    shares_above, shares_below
        P(class) on either side, in the order of ``LABELS``.
    """

    feature: str
    above: float
    shares_above: tuple[float, ...]
    shares_below: tuple[float, ...]

    def __call__(self, matrix: pd.DataFrame) -> np.ndarray:
        """Return the shares of each row's side, shape (rows, 3)."""
        above = (matrix[self.feature].to_numpy(dtype=np.float64) > self.above)[:, None]
        return np.where(above, np.array(self.shares_above), np.array(self.shares_below))


def fit_prior(labels: np.ndarray, weights: np.ndarray) -> Predictor:
    """Return the predictor that answers every claim with the weighted class shares of the training."""
    shares = _shares(_one_hot(labels), np.asarray(weights, dtype=np.float64))
    return lambda matrix: np.tile(shares, (len(matrix), 1))


def fit_rule(matrix: pd.DataFrame, labels: np.ndarray, weights: np.ndarray) -> Rule:
    """Return the best rule of one feature and one threshold.

    Best is the largest weighted gain in log-likelihood of *abusive or not* over the prior, among up to 32 quantiles of
    each numeric feature: what a careful analyst would find with one chart per feature.

    Raises
    ------
    ValueError
        If no numeric feature varies.

    Examples
    --------
    >>> matrix = pd.DataFrame({"claims_30d": [0.0, 0.0, 1.0, 5.0, 6.0, 7.0] * 9, "noise": [1.0, 2.0, 3.0] * 18})
    >>> labels = np.array(["valid", "valid", "valid", "abusive", "abusive", "abusive"] * 9)
    >>> rule = fit_rule(matrix, labels, np.ones(54))
    >>> rule.feature, rule.above
    ('claims_30d', 1.0)
    """
    weights = np.asarray(weights, dtype=np.float64)
    abusive = np.asarray(labels) == Label.ABUSIVE.value
    best: tuple[float, str, float] | None = None
    for name in matrix.columns:
        if isinstance(matrix[name].dtype, pd.CategoricalDtype):
            continue
        values = matrix[name].to_numpy(dtype=np.float64)
        for cut in _cuts(values):
            likelihood = _stump_likelihood(values > cut, abusive, weights)
            if best is None or likelihood > best[0]:
                best = (likelihood, str(name), float(cut))
    if best is None:
        raise ValueError("rule: expected a numeric feature with at least two values, found none")
    _, feature, cut = best
    above, classes = matrix[feature].to_numpy(dtype=np.float64) > cut, _one_hot(labels)
    sides = [tuple(_shares(classes[side], weights[side]).tolist()) for side in (above, ~above)]
    return Rule(feature, cut, *sides)


def fit_logistic(matrix: pd.DataFrame, labels: np.ndarray, weights: np.ndarray, inputs: Inputs) -> Predictor:
    """Return a multinomial logistic regression on signed logarithms, medians for gaps, one column per category.

    A class that the training lacks gets probability 0.
    """
    encoded = inputs.encode(matrix)
    categorical = list(inputs.categorical)
    # A column that is empty throughout the training carries nothing and would only make the imputer complain.
    numeric = [i for i in range(encoded.shape[1]) if i not in categorical and not np.isnan(encoded[:, i]).all()]
    prepare = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), FunctionTransformer(_signed_log), StandardScaler()), numeric),
            (
                "categories",
                make_pipeline(SimpleImputer(strategy="constant", fill_value=-1), OneHotEncoder(handle_unknown="ignore")),
                categorical,
            ),
        ]
    )
    present = sorted(set(np.asarray(labels).tolist()))
    if len(present) < 2:
        return fit_prior(labels, weights)
    model = make_pipeline(prepare, LogisticRegression(C=0.1, max_iter=2000, tol=1e-3))
    model.fit(encoded, np.asarray(labels), logisticregression__sample_weight=np.asarray(weights, dtype=np.float64))
    places = [LABELS.index(str(label)) for label in model.classes_]

    def predict(rows: pd.DataFrame) -> np.ndarray:
        proba = np.zeros((len(rows), len(LABELS)))
        if len(rows):
            proba[:, places] = model.predict_proba(inputs.encode(rows))
        return proba

    return predict


def fit_all(matrix: pd.DataFrame, labels: np.ndarray, weights: np.ndarray, train: np.ndarray, inputs: Inputs) -> dict[str, Predictor]:
    """Return the three baselines, fitted on the rows of a mask that have a positive weight."""
    used = np.asarray(train) & (np.asarray(weights) > 0)
    rows, found, weight = matrix[used], np.asarray(labels)[used], np.asarray(weights)[used]
    fitted = fit_prior(found, weight), fit_rule(rows, found, weight), fit_logistic(rows, found, weight, inputs)
    return dict(zip(BASELINES, fitted, strict=True))


def compare(candidates: Mapping[str, np.ndarray], labels: np.ndarray, weights: np.ndarray) -> pd.DataFrame:
    """Judge several sets of probabilities on the same rows.

    Parameters
    ----------
    candidates
        Name → probabilities, shape (rows, 3).
    labels, weights
        Class and weight of each row.

    Returns
    -------
    DataFrame
        One row per candidate: ``model`` and every metric of :func:`models.metrics.summary`.
    """
    return pd.DataFrame([{"model": name, **summary(labels, proba, weights)} for name, proba in candidates.items()])


def _signed_log(values: np.ndarray) -> np.ndarray:
    logarithm: np.ndarray = np.sign(values) * np.log1p(np.abs(values))
    return logarithm


def _one_hot(labels: np.ndarray) -> np.ndarray:
    classes: np.ndarray = (np.asarray(labels)[:, None] == np.array(LABELS)[None, :]).astype(np.float64)
    return classes


def _shares(classes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mass = (classes * weights[:, None]).sum(axis=0)
    seen = mass > 0
    # Half a claim for every class that occurs: a small side of a rule never claims certainty.
    smoothed = np.where(seen, mass + 0.5, 0.0)
    shares: np.ndarray = smoothed / smoothed.sum() if seen.any() else np.full(len(LABELS), 1.0 / len(LABELS))
    return shares


def _cuts(values: np.ndarray) -> np.ndarray:
    finite: np.ndarray = values[np.isfinite(values)]
    if not len(finite):
        return finite
    cuts = np.unique(np.quantile(finite, np.linspace(0, 1, _CUTS + 1), method="lower"))
    inner: np.ndarray = cuts[cuts < finite.max()]
    return inner


def _stump_likelihood(above: np.ndarray, abusive: np.ndarray, weights: np.ndarray) -> float:
    total = 0.0
    for side in (above, ~above):
        hit, mass = float(weights[side & abusive].sum()), float(weights[side].sum())
        rate = (hit + 0.5) / (mass + 1.0)
        total += hit * np.log(rate) + (mass - hit) * np.log(1.0 - rate)
    return total
