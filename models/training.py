"""Labels and feature rows → a bundle with everything that was measured on the way.

The order of time is kept throughout. Boosters grow on the earliest window and are stopped on the next, which settles the number of
trees. With that number, a series of models, each grown on everything before its fold, gives every later claim a score that its own
label had no part in: calibration maps are fitted on these scores up to the latest window and chosen there, and the
comparison with the baselines is made there as well.
The bundle is then grown again on *all* windows to the number of trees found, and the chosen map is fitted once more on
both later windows: the claims to come resemble the latest ones most. All figures are those of the model before that last
step, which never saw the window that judges it. Whether the bundle replaces the champion is judged elsewhere, on time that
none of these windows saw.

Boosters count every label alike (``fit_cap`` 1, see :mod:`models.material`). Calibration and every metric use the full weights,
because both speak about all claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from models.baselines import BASELINES, compare, fit_all
from models.bundle import Bundle
from models.calibration import fit as fit_calibration
from models.challengers import ABSENT, absent, train_challenger
from models.classifier import fit, grow_again
from models.experts import stated_probabilities
from models.inputs import Described
from models.material import Material, prepare
from models.out_of_time import calibrate_out_of_time
from models.policy import Harm
from models.reference import Reference
from models.risk import Guarantee, certify
from models.sets import certified_sets
from models.settings import TrainingSettings
from models.splits import Split, Window


@dataclass(frozen=True)
class Trained:
    """What a training gives.

    Parameters
    ----------
    bundle
        The model, its manifest filled in.
    table
        The classifier, its baselines and the challengers asked for on the latest window, one row each.
    proba
        Calibrated probabilities, shape (rows, 3), each by a model grown on earlier claims only; NaN before the first fold.
    material
        The rows it was trained on.
    """

    bundle: Bundle
    table: pd.DataFrame
    proba: np.ndarray
    material: Material

    @property
    def split(self) -> Split:
        """Growing against stopping window, with its log."""
        return self.material.stopping

    @property
    def judge(self) -> np.ndarray:
        """Mask of the latest window."""
        return self.material.judge

    @property
    def labels(self) -> np.ndarray:
        """Class of each row, shape (rows,)."""
        return self.material.labels

    @property
    def weights(self) -> np.ndarray:
        """Weight of each row, shape (rows,)."""
        return self.material.weights

    @property
    def tested(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What promises are tested on: out-of-time probabilities, classes, and how many claims each was drawn for."""
        return _tested(self.material, self.proba)


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
    challengers: Sequence[str] = (),
    harm: Harm | None = None,
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
    challengers
        Other learners to compare with (:data:`models.challengers.LEARNERS`); they change nothing but the table.
    harm
        The bound on accusing without an expert: the bundle then carries a guarantee. Without it prices alone decide.

    Raises
    ------
    ValueError
        If no labelled claim has a positive weight.

    Notes
    -----
    The guarantee is tested on the out-of-time probabilities, whose models are the bundle's with less to learn from, by labels as they
    stand: an expert who misses abuse makes it stricter than it need be.
    """
    settings, confusions = settings or TrainingSettings(), confusions or {}
    material = prepare(matrix, claims, known, described, settings, confusions)
    labels, even, hyper = material.labels, material.even, settings.hyperparameters
    stopping = material.stopping
    stopped = fit(material.features, labels, even, stopping.train, stopping.valid, material.inputs, hyper, settings.seed, num_threads)
    found = calibrate_out_of_time(
        material,
        lambda rows: grow_again(stopped, material.features[rows], labels[rows], even[rows], hyper, settings.seed, num_threads).raw,
    )
    table = _compared(material, found.proba, challengers, confusions, settings, num_threads)
    trained = _manifest(material, found.losses, table, settings, as_of, data_hash)
    final = grow_again(stopped, material.features, labels, even, hyper, settings.seed, num_threads)
    scored = found.fold >= 0
    refitted = fit_calibration(
        found.calibration.kind, found.scores[scored], labels[scored], material.weights[scored], material.likelihood[scored]
    )
    usual = Reference.of(material.features, material.weights, material.inputs)
    promised = None if harm is None else certified(material, found.proba, harm)
    return Trained(Bundle(final, refitted, catalog_hash, trained, reference=usual, guarantee=promised), table, found.proba, material)


def certified(material: Material, proba: np.ndarray, harm: Harm) -> Guarantee:
    """Return what a learner may promise about the harm it does without experts, by its out-of-time probabilities.

    Parameters
    ----------
    material
        What it learned from.
    proba
        Calibrated probabilities of every row by models that did not learn from it, shape (rows, 3); NaN where there are none.
    harm
        The policy's bounds.
    """
    proba, labels, stands_for = _tested(material, proba)
    promised = certify(proba, labels, stands_for, float(stands_for.max(initial=1.0)), harm.accused_share, harm.confidence)
    return replace(promised, sets=certified_sets(proba, labels, stands_for, harm))


def _tested(material: Material, proba: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return weights as the claims were drawn, uncapped: a cap would leave out the harm that was seldom looked for."""
    rows, scored = material.rows, ~np.isnan(proba[:, 0])
    stands_for = rows["stands_for" if "stands_for" in rows else "weight"].to_numpy(dtype=np.float64)
    return proba[scored], material.labels[scored], stands_for[scored]


def _compared(
    material: Material,
    proba: np.ndarray,
    challengers: Sequence[str],
    confusions: Mapping[str, np.ndarray],
    settings: TrainingSettings,
    num_threads: int,
) -> pd.DataFrame:
    """Judge everybody on the latest window; who aims at the truth is asked for the label that each source would have given."""
    judge, sources = material.judge, material.rows["source"].to_numpy()
    here = material.features[judge]

    def stated(aimed: np.ndarray) -> np.ndarray:
        return stated_probabilities(aimed[judge], sources[judge], confusions)

    baselines = fit_all(material.features, material.labels, material.weights, material.folds[-1].train, material.inputs)
    candidates = {"touchstone": stated(proba), **{name: predict(here) for name, predict in baselines.items()}}
    candidates |= {
        name: stated(train_challenger(name, material, settings.seed, num_threads).proba) for name in challengers if not absent(name)
    }
    table = compare(candidates, material.labels[judge], material.weights[judge])
    missing = pd.DataFrame({"model": [f"{name} ({ABSENT})" for name in challengers if absent(name)]})
    return pd.concat([table, missing], ignore_index=True) if len(missing) else table


def _manifest(
    material: Material, losses: Mapping[str, float], table: pd.DataFrame, settings: TrainingSettings, as_of: datetime, data_hash: str
) -> dict[str, Any]:
    metrics, rows = table.iloc[0].drop("model"), material.rows
    judged = Window.of(rows["filed_at"], material.labels, material.judge)
    return {
        "as_of": pd.Timestamp(as_of).isoformat(),
        "data_hash": data_hash,
        "settings": asdict(settings),
        "split": {**material.stopping.to_json(), "judge": asdict(judged)},
        "folds": [fold.to_json() for fold in material.folds],
        "sources": {str(name): int(count) for name, count in rows["source"].value_counts().sort_index().items()},
        "weight": float(rows["weight"].sum()),
        "calibration_losses": dict(losses),
        "metrics": _plain(metrics),
        # Only who is always there: asking for further challengers must not make another bundle.
        "compared": {name: _plain(table.set_index("model").loc[name]) for name in ("touchstone", *BASELINES)},
    }


def _plain(metrics: pd.Series) -> dict[str, float | None]:
    return {str(name): None if pd.isna(value) else float(value) for name, value in metrics.items()}
