"""Where trainings are recorded and which model is champion: the only module that imports MLflow.

Every training is a run (parameters, metrics, pictures, hashes) and, with its bundle, a version of the registered model. The
aliases ``champion`` and ``challenger`` name versions; promoting is moving an alias. MLflow's usage telemetry is off.
"""

from __future__ import annotations

import contextlib
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# Read by MLflow while it is being imported: nobody who runs this has agreed to report it.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")

import lightgbm
import numpy
import pandas

with warnings.catch_warnings():
    # MLflow warns about its own type hints while it is imported.
    warnings.simplefilter("ignore")
    import mlflow
    import mlflow.pyfunc
    from mlflow.exceptions import MlflowException
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

from models.bundle import Bundle, save

CHAMPION = "champion"
CHALLENGER = "challenger"
PREVIOUS = "previous"
"""The aliases."""

_LOADER = "models.serve_bundle"


@dataclass(frozen=True)
class Registry:
    """A tracking store and one registered model in it.

    Parameters
    ----------
    tracking_uri
        Any that MLflow knows, such as ``sqlite:///…/mlflow.db``.
    artifacts
        Folder or URI for artifacts of a new experiment; ``None`` leaves it to the tracking server.
    model
        Name of experiment and registered model.
    """

    tracking_uri: str
    artifacts: str | None = None
    model: str = "touchstone"


@dataclass(frozen=True)
class Registered:
    """A version of the registered model."""

    version: str
    run_id: str
    bundle_hash: str


def log_run(
    registry: Registry,
    bundle: Bundle,
    name: str,
    params: Mapping[str, Any] | None = None,
    metrics: Mapping[str, float] | None = None,
    figures: Mapping[str, Any] | None = None,
    tables: Mapping[str, pandas.DataFrame] | None = None,
) -> Registered:
    """Record a training and register its bundle.

    Parameters
    ----------
    registry
        Where.
    bundle
        What was trained; stored as plain files inside an MLflow model of the pyfunc flavour.
    name
        Of the run.
    params, metrics
        Recorded as they are; missing and undefined metrics are left out.
    figures
        File name → matplotlib figure.
    tables
        File name → frame, stored as CSV.

    Returns
    -------
    Registered
        The new version, or the existing one if this very bundle is registered already (its run is recorded all the same).
    """
    with _quiet(registry):
        _experiment(registry)
        with mlflow.start_run(run_name=name) as run:
            mlflow.log_params({key: str(value) for key, value in (params or {}).items()})
            mlflow.log_metrics({k: float(v) for k, v in (metrics or {}).items() if v is not None and numpy.isfinite(v)})
            mlflow.set_tags(_tags(bundle))
            for file, figure in (figures or {}).items():
                mlflow.log_figure(figure, f"figures/{file}")
            for file, frame in (tables or {}).items():
                mlflow.log_text(frame.to_csv(index=False), f"tables/{file}")
            found = _find(registry, bundle.hash)
            return found or _register(registry, bundle, run.info.run_id)


def set_alias(registry: Registry, alias: str, version: str) -> None:
    """Let an alias name a version; it leaves the version it named before."""
    with _quiet(registry):
        mlflow.MlflowClient().set_registered_model_alias(registry.model, alias, version)


def get_alias(registry: Registry, alias: str) -> Registered | None:
    """Return the version that an alias names, or ``None`` if there is none."""
    with _quiet(registry):
        try:
            found = mlflow.MlflowClient().get_model_version_by_alias(registry.model, alias)
        except MlflowException:
            return None
        return Registered(str(found.version), str(found.run_id), str(found.tags["bundle_hash"]))


def follow(registry: Registry, names: Mapping[str, str | None]) -> None:
    """Let aliases name the versions of these bundles, or nothing; doing it twice changes nothing.

    Parameters
    ----------
    registry
        Where.
    names
        Alias → hash of a bundle. A bundle that was never recorded here leaves its alias unset, as ``None`` does.
    """
    with _quiet(registry):
        client = mlflow.MlflowClient()
        for alias, bundle_hash in names.items():
            found = None if bundle_hash is None else _find(registry, bundle_hash)
            if found is not None:
                client.set_registered_model_alias(registry.model, alias, found.version)
            elif client.search_registered_models(f"name = '{registry.model}'"):
                client.delete_registered_model_alias(registry.model, alias)


@contextlib.contextmanager
def _quiet(registry: Registry) -> Iterator[None]:
    """Point MLflow at the registry's store, and keep its migrations and hints off the screen for the length of a block."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    mlflow.set_tracking_uri(registry.tracking_uri)
    mlflow.set_registry_uri(registry.tracking_uri)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"mlflow\b.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _experiment(registry: Registry) -> None:
    client = mlflow.MlflowClient()
    found = client.get_experiment_by_name(registry.model)
    number = found.experiment_id if found else client.create_experiment(registry.model, artifact_location=registry.artifacts)
    mlflow.set_experiment(experiment_id=number)


def _find(registry: Registry, bundle_hash: str) -> Registered | None:
    found = mlflow.MlflowClient().search_model_versions(f"name = '{registry.model}'")
    same = [version for version in found if version.tags.get("bundle_hash") == bundle_hash]
    return Registered(str(same[0].version), str(same[0].run_id), bundle_hash) if same else None


def _register(registry: Registry, bundle: Bundle, run_id: str) -> Registered:
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bundle"
        save(bundle, folder)
        info = mlflow.pyfunc.log_model(
            name="model",
            loader_module=_LOADER,
            data_path=str(folder),
            signature=_signature(bundle),
            # Stated, not guessed: guessing loads the model in a new process. This project itself is on no package index.
            pip_requirements=[f"{library.__name__}=={library.__version__}" for library in (lightgbm, numpy, pandas)],
        )
    client = mlflow.MlflowClient()
    if not client.search_registered_models(f"name = '{registry.model}'"):
        client.create_registered_model(registry.model)
    # Not by log_model: that would report to the terminal, and a crash between the two steps would leave a version without its tags.
    version = client.create_model_version(registry.model, info.model_uri, run_id, _tags(bundle), model_id=info.model_id)
    return Registered(str(version.version), run_id, bundle.hash)


def _tags(bundle: Bundle) -> dict[str, str]:
    return {
        "bundle_hash": bundle.hash,
        "catalog_hash": bundle.catalog_hash,
        "contract_hash": bundle.contract_hash,
        "data_hash": str(bundle.trained.get("data_hash", "")),
        "as_of": str(bundle.trained.get("as_of", "")),
    }


def _signature(bundle: Bundle) -> ModelSignature:
    """Numbers may be missing and categories are text, so no column is required."""
    columns = [ColSpec("string" if f.categories else "double", f.name, required=False) for f in bundle.inputs.features]
    return ModelSignature(Schema(columns), Schema([ColSpec("double", name) for name in ("p_valid", "p_unsubstantiated", "p_abusive")]))
