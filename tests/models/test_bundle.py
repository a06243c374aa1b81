"""A bundle is its content: reproducible, complete, and refused when anything does not fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.bundle import MANIFEST, Bundle, BundleError, load, save
from models.classifier import Classifier, Node
from models.training import Trained
from tests.models.conftest import train_on
from tests.models.synthetic import Sample


def test_training_twice_on_the_same_data_gives_the_same_hash(data: Sample, trained: Trained) -> None:
    assert train_on(data).bundle.hash == trained.bundle.hash


def test_saved_and_loaded_models_agree_to_the_last_bit(data: Sample, trained: Trained, tmp_path: Path) -> None:
    found = save(trained.bundle, tmp_path / "bundle")
    loaded = load(tmp_path / "bundle", trained.bundle.catalog_hash)
    assert loaded.hash == found == trained.bundle.hash
    assert loaded.manifest == trained.bundle.manifest
    assert np.array_equal(loaded.predict_proba(data.matrix), trained.bundle.predict_proba(data.matrix))


def test_saving_again_changes_nothing_and_another_bundle_is_not_overwritten(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    save(trained.bundle, folder)
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert save(trained.bundle, folder) == trained.bundle.hash
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    with pytest.raises(BundleError, match="choose another folder"):
        save(replace(trained.bundle, catalog_hash="e" * 64), folder)


def test_a_folder_left_by_a_killed_save_is_cleared_away(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / "bundle.unfinished").mkdir()
    (tmp_path / "bundle.unfinished" / "half").write_text("written")
    save(trained.bundle, tmp_path / "bundle")
    assert not (tmp_path / "bundle.unfinished").exists()
    assert not (tmp_path / "bundle" / "half").exists()


def test_every_file_is_plain_text_or_json(trained: Trained, tmp_path: Path) -> None:
    save(trained.bundle, tmp_path / "bundle")
    for path in (tmp_path / "bundle").iterdir():
        text = path.read_text(encoding="utf-8")
        assert path.suffix == ".txt" or json.loads(text) is not None


@pytest.mark.parametrize("name", ["model_abusive.txt", "model_unsubstantiated.txt", "nodes.json", "calibration.json", "features.json"])
def test_an_altered_or_missing_file_is_refused_by_name(trained: Trained, tmp_path: Path, name: str) -> None:
    save(trained.bundle, tmp_path / "bundle")
    path = tmp_path / "bundle" / name
    path.write_text(path.read_text() + " ")
    with pytest.raises(BundleError, match=f"{name}.*altered"):
        load(tmp_path / "bundle")
    path.unlink()
    with pytest.raises(BundleError, match=f"{name}.*found none"):
        load(tmp_path / "bundle")


def test_an_altered_manifest_is_refused(trained: Trained, tmp_path: Path) -> None:
    save(trained.bundle, tmp_path / "bundle")
    path = tmp_path / "bundle" / MANIFEST
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(BundleError, match="manifest was altered"):
        load(tmp_path / "bundle")
    path.write_text("{")
    with pytest.raises(BundleError, match="expected JSON"):
        load(tmp_path / "bundle")


def test_another_catalogue_or_contract_or_layout_is_refused(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(trained.bundle, tmp_path / "bundle")
    with pytest.raises(BundleError, match="trained on catalog ffff"):
        load(tmp_path / "bundle", "f" * 64)
    save(replace(trained.bundle, contract_hash="0" * 64), tmp_path / "old")
    with pytest.raises(BundleError, match="found one trained on 000000000000…; train again"):
        load(tmp_path / "old")
    monkeypatch.setattr("models.bundle.FORMAT", 2)
    with pytest.raises(BundleError, match="expected a bundle of format 2, found 1"):
        load(tmp_path / "bundle")


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="found none"):
        load(tmp_path)


def test_a_model_of_two_classes_survives_the_folder(trained: Trained, data: Sample, tmp_path: Path) -> None:
    two = Classifier(trained.bundle.inputs, trained.bundle.classifier.abusive, Node())
    bundle = Bundle(two, trained.bundle.calibration, "c" * 64)
    save(bundle, tmp_path / "two")
    found = load(tmp_path / "two").predict_proba(data.matrix)
    assert (found[:, 1] == 0).all()
    assert np.array_equal(found, bundle.predict_proba(data.matrix))
