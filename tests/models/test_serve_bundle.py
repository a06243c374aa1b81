"""The pyfunc loader: what MLflow serves is what the bundle says, and loading it needs nothing of MLflow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from models.bundle import BundleError, save
from models.serve_bundle import _load_pyfunc
from models.training import Trained
from tests.models.synthetic import Sample

COLUMNS = ["p_valid", "p_unsubstantiated", "p_abusive"]


def test_what_is_served_is_what_the_bundle_predicts_to_the_last_bit(data: Sample, trained: Trained, tmp_path: Path) -> None:
    save(trained.bundle, tmp_path / "bundle")
    rows = data.matrix.head(50)
    served = _load_pyfunc(str(tmp_path / "bundle")).predict(rows, params={"ignored": 1})
    assert served.columns.tolist() == COLUMNS and served.index.equals(rows.index)
    assert np.array_equal(served.to_numpy(), trained.bundle.predict_proba(rows))


def test_a_folder_that_holds_no_bundle_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        _load_pyfunc(str(tmp_path))


def test_the_loader_imports_nothing_of_mlflow() -> None:
    code = "import sys, models.serve_bundle; sys.exit(any(name.split('.')[0] == 'mlflow' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
