"""Labels and feature rows → a bundle with everything that was measured on the way.

The order of time is kept throughout. Boosters grow on the earliest window and are stopped on the next, which settles the number of
trees. With that number, a series of models, each grown on everything before its fold, gives every later claim a score that its own
label had no part in: calibration maps are fitted on these scores up to the latest window and chosen there, and the
comparison with the baselines is made there as well.
The bundle is then grown again on *all* windows to the number of trees found, and the chosen map is fitted once more on
both later windows: the claims to come resemble the latest ones most. All figures are those of the model before that last
step, which never saw the window that judges it. Whether the bundle replaces the champion is judged elsewhere, on time that
none of these windows saw.

Boosters count every label alike (``fit_cap`` 1): which claims were examined depends on what the features show, so weights of
1/propensity would correct nothing there and multiply the noise of few audited claims. Calibration and every metric use the
full weights, because both speak about all claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from data_contracts import LABELS
from models.baselines import compare, fit_all
from models.bundle import Bundle
from models.calibration import KINDS, SHIFTING, choose
from models.calibration import fit as fit_calibration
from models.classifier import Hyperparameters, fit, grow_again
from models.experts import label_likelihood
from models.inputs import Described, Inputs
from models.out_of_time import out_of_time_scores
from models.splits import ENTITIES, Split, Window, rolling_origin, split_at, time_split


@dataclass(frozen=True)
class TrainingSettings:
    """How a training is laid out.

    Parameters
    ----------
    stop_share, judge_share
        Shares of the labelled claims, by time of filing, that stop the boosters, and that come after and judge.
    gap_days
        Days between the growing and the stopping window, for labels still on their way.
    hub_cap
        An identifier in more claims than this relates nobody (see :func:`models.splits.components`).
    folds, first_share
        The scores for calibration: how many folds of equal size cover the time between the first share of the labelled claims and
        the latest window.
    fit_cap
        Largest weight of a row in growing the boosters, ≥ 1.
    seed
        Of the boosters.
    hyperparameters
        Of the boosters.
    """

    stop_share: float = 0.15
    judge_share: float = 0.15
    gap_days: int = 0
    hub_cap: int = 20
    folds: int = 5
    first_share: float = 0.4
    fit_cap: float = 1.0
    seed: int = 0
    hyperparameters: Hyperparameters = field(default_factory=Hyperparameters)


@dataclass(frozen=True)
class Trained:
    """What a training gives.

    Parameters
    ----------
    bundle
        The model, its manifest filled in.
    table
        The classifier and its baselines on the latest window, one row each.
    split
        Growing against stopping window, with its log; ``judge`` is the mask of the latest window.
    judge
        Boolean mask over the training rows.
    proba
        Calibrated probabilities, shape (rows, 3), each by a model grown on earlier claims only; NaN before the first fold.
    labels, weights
        Class and weight of the same rows, shape (rows,).
    """

    bundle: Bundle
    table: pd.DataFrame
    split: Split
    judge: np.ndarray
    proba: np.ndarray
    labels: np.ndarray
    weights: np.ndarray


def train(
    matrix: pd.DataFrame,
    claims: pd.DataFrame,
    known: pd.DataFrame,
    as_of: datetime,
    catalog_hash: str,
    described: Iterable[Described] = (),
    settings: TrainingSettings | None = None,
    data_hash: str = "",
    num_threads: int = 1,
    confusions: Mapping[str, np.ndarray] | None = None,
) -> Trained:
    """Train on the labels known at an instant.

    Parameters
    ----------
    matrix
        Feature rows of at least the labelled claims, index ``claim_id``.
    claims
        Claims with ``claim_id``, ``filed_at`` and, as far as present, entity columns.
    known
        Labels, from :func:`models.labels.as_known`.
    as_of
        The instant, for the manifest.
    catalog_hash
        Of the catalogue that made the matrix.
    described
        Catalogue entries: directions and reasons.
    settings
        Windows, seed and hyperparameters; the defaults where left out.
    data_hash
        Of the tables read, for the manifest.
    num_threads
        Threads for the boosters; results do not depend on it.
    confusions
        How each source of labels errs, P(label | truth) by source (:func:`models.policy.label_confusions`): calibration then aims at the
        truth instead of at the labels. Without it labels are taken for the truth.

    Raises
    ------
    ValueError
        If no labelled claim has a positive weight.
    """
    settings = settings or TrainingSettings()
    used = known[known["weight"] > 0]
    rows = claims[["claim_id", "filed_at", *(c for c in ENTITIES if c in claims)]].merge(used, on="claim_id", validate="one_to_one")
    rows = rows.sort_values(["filed_at", "claim_id"], ignore_index=True)
    if rows.empty:
        raise ValueError("train: expected labelled claims with a positive weight, found none; review or audit some claims first")
    labels, weights = rows["label"].to_numpy(), rows["weight"].to_numpy(dtype=np.float64)
    features = matrix.loc[rows["claim_id"]]
    inputs = Inputs.of(features, described)
    split, judge = _windows(rows, labels, settings)
    even, hyper = np.minimum(weights, settings.fit_cap), settings.hyperparameters
    stopped = fit(features, labels, even, split.train, split.valid, inputs, hyper, settings.seed, num_threads)
    folds = list(rolling_origin(rows, labels, _cuts(rows, judge, settings), hub_cap=settings.hub_cap))
    scores, fold = out_of_time_scores(
        folds,
        features,
        lambda earlier: grow_again(stopped, features[earlier], labels[earlier], even[earlier], hyper, settings.seed, num_threads).raw,
    )
    scored, earlier = fold >= 0, folds[-1].train
    likelihood = label_likelihood(labels, rows["source"].to_numpy(), confusions or {})
    # Boosters count labels alike, so where weights differ their raw scores speak of the labelled claims, not of all: a shift is due.
    kinds = KINDS if np.array_equal(even, weights) and not confusions else SHIFTING
    calibration, losses = choose(scores, labels, weights, fold, kinds, likelihood)
    proba = np.full_like(scores, np.nan)
    proba[scored] = calibration.proba(scores[scored])
    baselines = fit_all(features, labels, weights, earlier, inputs)
    stated = _as_stated(proba[judge], rows["source"].to_numpy()[judge], confusions or {})
    candidates = {"touchstone": stated, **{name: predict(features[judge]) for name, predict in baselines.items()}}
    table = compare(candidates, labels[judge], weights[judge])
    trained = _manifest(rows, labels, split, judge, losses, table, settings, as_of, data_hash)
    final = grow_again(stopped, features, labels, even, hyper, settings.seed, num_threads)
    refitted = fit_calibration(calibration.kind, scores[scored], labels[scored], weights[scored], likelihood[scored])
    return Trained(Bundle(final, refitted, catalog_hash, trained), table, split, judge, proba, labels, weights)


def _as_stated(proba: np.ndarray, sources: np.ndarray, confusions: Mapping[str, np.ndarray]) -> np.ndarray:
    """Turn probabilities of the truth into probabilities of the label that each source would give, to be compared with labels."""
    certain = np.eye(len(LABELS))
    return np.array([p @ confusions.get(str(source), certain) for p, source in zip(proba, sources, strict=True)]).reshape(-1, len(LABELS))


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


def _manifest(
    rows: pd.DataFrame,
    labels: np.ndarray,
    split: Split,
    judge: np.ndarray,
    losses: dict[str, float],
    table: pd.DataFrame,
    settings: TrainingSettings,
    as_of: datetime,
    data_hash: str,
) -> dict[str, Any]:
    metrics = table.iloc[0].drop("model")
    return {
        "as_of": pd.Timestamp(as_of).isoformat(),
        "data_hash": data_hash,
        "settings": asdict(settings),
        "split": {**split.to_json(), "judge": asdict(Window.of(rows["filed_at"], labels, judge))},
        "sources": {str(name): int(count) for name, count in rows["source"].value_counts().sort_index().items()},
        "weight": float(rows["weight"].sum()),
        "calibration_losses": losses,
        "metrics": {name: None if pd.isna(value) else float(value) for name, value in metrics.items()},
    }
