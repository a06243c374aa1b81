"""Who may look at the truth, and what looking without one says."""

from __future__ import annotations

import ast
from pathlib import Path

import pandas as pd
import pytest

from pipelines.simulate import sealed

ROOT = Path(__file__).parents[3]
SEALED = "pipelines.simulate.sealed"
ALLOWED = ("pipelines/simulate/", "pipelines/simulated.py", "pipelines/evaluate.py")


def readers() -> set[str]:
    found = set()
    for package in ("data_contracts", "features", "models", "serving", "pipelines"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
                if SEALED in names:
                    found.add(path.relative_to(ROOT).as_posix())
    return found


def test_only_the_simulator_its_parties_and_the_evaluation_may_look_at_the_truth() -> None:
    strangers = {path for path in readers() if not path.startswith(ALLOWED)}
    assert not strangers, f"{sorted(strangers)} read the sealed truth"


def test_no_other_module_names_the_sealed_files() -> None:
    for package in ("data_contracts", "features", "models", "serving", "pipelines"):
        for path in (ROOT / package).rglob("*.py"):
            if not path.relative_to(ROOT).as_posix().startswith(ALLOWED):
                text = path.read_text(encoding="utf-8")
                assert "truth.parquet" not in text and "world.parquet" not in text, path


def test_what_is_sealed_is_read_back_unchanged(tmp_path: Path) -> None:
    truth, world = pd.DataFrame({"claim_id": ["K1"], "truth": ["valid"]}), pd.DataFrame({"claim_id": ["K1"], "cures": [True]})
    sealed.write_sealed(tmp_path, truth, world)
    pd.testing.assert_frame_equal(sealed.read_truth(tmp_path), truth)
    pd.testing.assert_frame_equal(sealed.read_world(tmp_path), world)
    assert sorted(path.name for path in (tmp_path / "sealed").iterdir()) == ["truth.parquet", "world.parquet"]


def test_reading_without_a_simulation_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run `touchstone simulate` first"):
        sealed.read_truth(tmp_path)
