"""Labels known at an instant → a trained bundle, recorded in MLflow and kept under an alias.

The first bundle becomes champion, because somebody has to decide, and gets a model card; every later one becomes challenger and has to
win (:mod:`pipelines.promote`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_contracts import LABELS
from features.catalog import CATALOG
from features.facts import Tables
from models.bundle import contracts_hash
from models.labels import as_known
from models.leaks import with_leaks
from models.metrics import reliability
from models.policy import Policy, default_policy, label_confusions
from models.settings import TrainingSettings
from models.shelf import Alias, Shelf
from models.training import Trained
from models.training import train as fit_bundle
from pipelines.build import build, matrix_of
from pipelines.home import Home
from pipelines.lake import Lake
from serving.standing import Standing


@dataclass(frozen=True)
class TrainingRun:
    """What a training left behind.

    Parameters
    ----------
    bundle
        Hash of the bundle.
    alias
        ``champion`` for the first, ``challenger`` for every later one.
    labelled
        Labelled claims by class.
    table
        The model and its baselines on the latest window.
    version
        Version of the registered model in MLflow; ``None`` without tracking.
    """

    bundle: str
    alias: Alias
    labelled: dict[str, int]
    table: pd.DataFrame
    version: str | None


def train(
    home: Home,
    as_of: datetime,
    policy: Policy | None = None,
    settings: TrainingSettings | None = None,
    tables: Tables | None = None,
    tracking: bool = True,
    num_threads: int = 1,
    challengers: Sequence[str] = (),
) -> TrainingRun:
    """Train on what was known before an instant, keep the bundle, and give it an alias.

    Parameters
    ----------
    home
        Lake, matrix, bundles and MLflow store.
    as_of
        Claims filed and labels known strictly before it are used.
    policy
        How experts err, so that probabilities are those of the truth, and the bound on accusing; the shipped policy where left out.
    settings
        Windows, seed, hyperparameters; by default what tuning left in the home (:func:`settings_of`).
    tables
        The lake's tables, if they are at hand already.
    tracking
        Record the run in MLflow.
    num_threads
        Threads for the boosters; results do not depend on it.
    challengers
        Other learners to show in the table (:data:`models.challengers.LEARNERS`).

    Raises
    ------
    ValueError
        If nothing is labelled by then.
    """
    tables = Lake.of(home).tables() if tables is None else tables
    settings = settings or settings_of(home)
    filed = tables["claims"][tables["claims"]["filed_at"] < as_of]
    known = as_known(tables["resolutions"], filed, as_of)
    claims = filed[filed["claim_id"].isin(known["claim_id"])].reset_index(drop=True)
    build(home, tables)
    matrix = matrix_of(home, tables, claims)
    data_hash = hash_of(matrix, known)
    policy = policy or default_policy()
    trained = fit_bundle(
        matrix,
        claims,
        known,
        as_of,
        CATALOG.hash,
        CATALOG,
        settings,
        data_hash,
        num_threads,
        label_confusions(policy),
        challengers,
        policy.harm,
    )
    trained = with_leaks(trained, policy, *_payable(trained, tables))
    shelf = Shelf(home.bundles)
    name = shelf.put(trained.bundle)
    alias: Alias = "champion" if shelf.aliases().get("champion") in (None, name) else "challenger"
    if alias == "champion":
        from pipelines import model_card  # pictures take a second to import

        model_card.write_first(home, trained.bundle, policy)
    shelf.point(alias, name)
    version = _record(home, trained, known, settings, as_of, alias) if tracking else None
    counts = known["label"].value_counts()
    return TrainingRun(name, alias, {label: int(counts.get(label, 0)) for label in LABELS}, trained.table, version)


def _payable(trained: Trained, tables: Tables) -> tuple[np.ndarray, np.ndarray]:
    """Return amount and seller's standing of the claims of a training, in its order."""
    rows = tables["claims"].set_index("claim_id", drop=False).loc[trained.material.rows["claim_id"]]
    return rows["amount_cents"].to_numpy(), Standing(tables["seller_events"]).insured(rows["seller_id"], rows["filed_at"])


def settings_of(home: Home, file: Path | None = None) -> TrainingSettings:
    """Return the settings of a file, else those that tuning left in the home, else the defaults."""
    path = file or home.settings
    if file is None and not path.is_file():
        return TrainingSettings()
    return TrainingSettings.parse(path.read_text(encoding="utf-8"))


def hash_of(matrix: pd.DataFrame, known: pd.DataFrame) -> str:
    """Return the SHA-256 of feature rows and labels: equal data, equal hash, wherever it lies."""
    digest = hashlib.sha256("\n".join(matrix.columns).encode())
    for frame in (matrix, known):
        digest.update(pd.util.hash_pandas_object(frame, index=True).to_numpy().tobytes())
    return digest.hexdigest()


def _record(home: Home, trained: Trained, known: pd.DataFrame, settings: TrainingSettings, as_of: datetime, alias: Alias) -> str:
    from models import registry  # seconds to import
    from pipelines import pictures

    truth, proba, weight = trained.labels[trained.judge], trained.proba[trained.judge], trained.weights[trained.judge]
    curves = {label: reliability(truth, proba, weight, label) for label in LABELS}
    gains = trained.bundle.classifier.importance().head(20)
    figures = {
        "precision_recall.png": pictures.precision_recall(truth, proba, weight),
        "reliability.png": pictures.reliability(curves),
        "gain.png": pictures.bars(dict(zip(gains["feature"], gains["abusive"], strict=True)), money=False),
    }
    params: dict[str, Any] = {
        "as_of": as_of.isoformat(),
        "seed": settings.seed,
        **vars(settings.hyperparameters),
        "data_hash": trained.bundle.trained["data_hash"],
        "catalog_hash": CATALOG.hash,
        "contract_hash": contracts_hash(),
    }
    metrics = {k: float(v) for k, v in trained.table.iloc[0].items() if isinstance(v, int | float | np.floating)}
    where = registry.Registry(home.mlflow_url, home.mlflow_artifacts.as_uri())
    done = registry.log_run(where, trained.bundle, f"train {as_of:%Y-%m-%d}", params, metrics, figures, {"comparison.csv": trained.table})
    registry.set_alias(where, alias, done.version)
    return done.version
