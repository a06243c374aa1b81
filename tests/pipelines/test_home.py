"""The home: one folder, named by the call or the environment, with everything of an installation inside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.home import STORE, STORE_FILE, VARIABLE, Home


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


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_store_lies_where_the_environment_or_a_file_of_secrets_says_and_is_never_shown(scheme: str, tmp_path: Path) -> None:
    url, file = f"{scheme}://ann:secret@db/claims", tmp_path / "url"
    file.write_text(url + "\n")
    for environment in ({STORE: url}, {STORE_FILE: str(file)}):
        home = Home.at(tmp_path, environment)
        assert home.store_url == "postgresql+psycopg://ann:secret@db/claims" and home.has_store() and "secret" not in repr(home)
    assert Home.at(tmp_path, {}).store_url == f"sqlite:///{tmp_path / 'store.db'}" and not Home.at(tmp_path, {}).has_store()


@pytest.mark.parametrize(
    ("url", "found"), [("mysql://ann:secret@db/x", "found one of 'mysql'"), ("secret", "found no URL"), ("postgresql://", "found no URL")]
)
def test_what_is_no_store_is_refused_without_showing_it(url: str, found: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=found) as refused:
        Home.at(tmp_path, {STORE: url})
    assert "secret" not in str(refused.value)
    with pytest.raises(ValueError, match="expected one of them, found both"):
        Home.at(tmp_path, {STORE: "postgresql://db/x", STORE_FILE: "x"})
