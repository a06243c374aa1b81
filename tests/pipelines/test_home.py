"""The home: one folder, named by the call or the environment, with everything of an installation inside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.home import VARIABLE, Home


def test_a_folder_given_goes_before_the_environment_and_the_environment_before_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Home.at(tmp_path / "given", {VARIABLE: "named"}).root == tmp_path / "given"
    assert Home.at(None, {VARIABLE: "named"}).root == tmp_path / "named"
    assert Home.at(None, {}).root == Home.at(None, {VARIABLE: ""}).root == tmp_path / ".touchstone"


def test_every_path_lies_inside_the_root_and_naming_them_makes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    named = {name: getattr(home, name) for name, value in vars(Home).items() if isinstance(value, property)}
    paths = [value for value in named.values() if isinstance(value, Path)]
    assert len(paths) > 5 and len(set(paths)) == len(paths)
    assert all(home.root in path.parents for path in paths)
    assert all(str(home.root) in named[name] for name in ("store_url", "mlflow_url"))
    assert not home.root.exists()
