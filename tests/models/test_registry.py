"""Runs, versions and aliases in a real local store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from models.bundle import load
from models.registry import CHALLENGER, CHAMPION, PREVIOUS, Registered, Registry, follow, get_alias, log_run, mlflow, set_alias
from models.training import Trained
from tests.models.synthetic import Sample


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    home = tmp_path_factory.mktemp("home")
    return Registry(f"sqlite:///{home / 'mlflow.db'}", (home / "mlartifacts").as_uri())


@pytest.fixture(scope="module")
def first(registry: Registry, trained: Trained) -> Iterator[Registered]:
    figure, axes = plt.subplots()
    axes.plot([0, 1])
    yield log_run(
        registry,
        trained.bundle,
        "first",
        {"learning_rate": 0.1, "note": None},
        {"auc": 0.8, "undefined": float("nan")},
        {"line.png": figure},
        {"baselines.csv": trained.table},
    )
    plt.close(figure)


@pytest.fixture(autouse=True)
def _connected(registry: Registry) -> None:
    """Let what asks MLflow itself look where the registry is, whichever one was used last."""
    mlflow.set_tracking_uri(registry.tracking_uri)
    mlflow.set_registry_uri(registry.tracking_uri)


def test_a_run_keeps_parameters_metrics_hashes_pictures_and_tables(registry: Registry, first: Registered, trained: Trained) -> None:
    client = mlflow.MlflowClient(registry.tracking_uri)
    run = client.get_run(first.run_id)
    assert run.data.params == {"learning_rate": "0.1", "note": "None"}
    assert run.data.metrics == {"auc": 0.8}
    assert run.data.tags["bundle_hash"] == trained.bundle.hash
    assert {run.data.tags[name] for name in ("catalog_hash", "data_hash")} == {"c" * 64, "d" * 64}
    assert [f.path for f in client.list_artifacts(first.run_id, "figures")] == ["figures/line.png"]
    assert [f.path for f in client.list_artifacts(first.run_id, "tables")] == ["tables/baselines.csv"]


def test_the_same_bundle_is_one_version_and_another_bundle_is_the_next(registry: Registry, first: Registered, trained: Trained) -> None:
    assert log_run(registry, trained.bundle, "again") == first
    other = log_run(registry, replace(trained.bundle, catalog_hash="e" * 64), "other")
    assert int(other.version) == int(first.version) + 1


def test_aliases_move_and_are_absent_until_set(registry: Registry, first: Registered) -> None:
    assert get_alias(registry, CHAMPION) is None
    set_alias(registry, CHALLENGER, first.version)
    set_alias(registry, CHAMPION, first.version)
    assert get_alias(registry, CHAMPION) == get_alias(registry, CHALLENGER) == first


def test_aliases_follow_bundles_and_following_twice_changes_nothing(registry: Registry, first: Registered) -> None:
    set_alias(registry, CHALLENGER, first.version)
    for _ in range(2):
        follow(registry, {CHAMPION: first.bundle_hash, PREVIOUS: "f" * 64, CHALLENGER: None})
        assert get_alias(registry, CHAMPION) == first
        assert get_alias(registry, PREVIOUS) is None and get_alias(registry, CHALLENGER) is None


def test_where_nothing_was_ever_recorded_there_is_nothing_to_follow(tmp_path: Path) -> None:
    empty = Registry(f"sqlite:///{tmp_path / 'mlflow.db'}", (tmp_path / "mlartifacts").as_uri())
    follow(empty, {CHAMPION: "f" * 64, PREVIOUS: None})
    assert get_alias(empty, CHAMPION) is None


def test_the_bundle_comes_back_as_it_was_registered(
    registry: Registry, first: Registered, trained: Trained, data: Sample, tmp_path: Path
) -> None:
    folder = mlflow.artifacts.download_artifacts(f"models:/{registry.model}/{first.version}", dst_path=str(tmp_path))
    (manifest,) = Path(folder).rglob("manifest.json")
    found = load(manifest.parent, trained.bundle.catalog_hash)
    assert np.array_equal(found.predict_proba(data.matrix), trained.bundle.predict_proba(data.matrix))
    assert found.hash == trained.bundle.hash


def test_the_pyfunc_flavour_loads_and_predicts_as_the_bundle_does(
    registry: Registry, first: Registered, trained: Trained, data: Sample
) -> None:
    model = mlflow.pyfunc.load_model(f"models:/{registry.model}/{first.version}")
    rows = data.matrix.assign(channel=data.matrix["channel"].astype("str"))
    found = model.predict(rows)
    assert isinstance(found, pd.DataFrame)
    assert np.array_equal(found.to_numpy(), trained.bundle.predict_proba(data.matrix))


def test_no_code_is_pickled_and_nobody_is_told(registry: Registry, first: Registered) -> None:
    artifacts = Path(registry.tracking_uri.removeprefix("sqlite:///")).parent / "mlartifacts"
    assert not [path for path in artifacts.rglob("*") if path.suffix in {".pkl", ".pickle", ".joblib", ".cloudpickle"}]
    assert mlflow.telemetry.utils.is_telemetry_disabled()
