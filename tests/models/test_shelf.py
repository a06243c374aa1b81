"""The shelf: equal bundles are one bundle, aliases move in one step, and what is missing is said."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from models.bundle import BundleError
from models.shelf import Shelf
from models.training import Trained


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "bundles")


def contents(shelf: Shelf) -> dict[str, bytes]:
    return {str(path.relative_to(shelf.folder)): path.read_bytes() for path in shelf.folder.rglob("*") if path.is_file()}


def test_looking_at_an_empty_shelf_makes_nothing(shelf: Shelf) -> None:
    assert shelf.aliases() == {}
    with pytest.raises(BundleError, match="expected a bundle with the alias 'champion', found none; run touchstone train first"):
        shelf.get("champion")
    assert not shelf.folder.exists()


def test_a_bundle_kept_twice_is_kept_once_under_its_hash(shelf: Shelf, trained: Trained) -> None:
    assert shelf.put(trained.bundle) == trained.bundle.hash
    before = contents(shelf)
    assert shelf.put(trained.bundle) == trained.bundle.hash
    assert contents(shelf) == before
    assert [path.name for path in shelf.folder.iterdir()] == [trained.bundle.hash]


def test_the_bundle_behind_an_alias_is_the_one_that_was_put(shelf: Shelf, trained: Trained) -> None:
    shelf.point("champion", shelf.put(trained.bundle))
    found = shelf.get("champion", trained.bundle.catalog_hash)
    assert found.hash == trained.bundle.hash
    with pytest.raises(BundleError):
        shelf.get("champion", "e" * 64)


def test_moving_one_alias_leaves_the_others_and_no_draft(shelf: Shelf, trained: Trained) -> None:
    first = shelf.put(trained.bundle)
    second = shelf.put(replace(trained.bundle, trained={**trained.bundle.trained, "data_hash": "other"}))
    assert first != second
    shelf.point("champion", first)
    shelf.point("challenger", second)
    shelf.point("previous", first)
    shelf.point("champion", second)
    assert shelf.aliases() == {"champion": second, "challenger": second, "previous": first}
    shelf.point("challenger", None)
    shelf.point("challenger", None)
    assert shelf.aliases() == {"champion": second, "previous": first}
    assert sorted(path.name for path in shelf.folder.iterdir() if path.is_file()) == ["aliases.json"]


def test_a_move_that_is_interrupted_leaves_the_aliases_as_they_were(
    shelf: Shelf, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.point("champion", shelf.put(trained.bundle))
    before = shelf.aliases()

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", dies)
    monkeypatch.setattr(Path, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        shelf.point("champion", "f" * 64)
    assert shelf.aliases() == before


def test_an_alias_of_a_bundle_that_is_gone_is_an_error_that_names_the_folder(shelf: Shelf, trained: Trained) -> None:
    shelf.put(trained.bundle)
    shelf.point("champion", "f" * 64)
    with pytest.raises(BundleError, match="f" * 64):
        shelf.get("champion")


def test_several_aliases_move_together_or_not_at_all(shelf: Shelf, trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shelf.put(trained.bundle)
    shelf.move({"champion": first, "challenger": "a" * 64})
    before = shelf.aliases()
    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):
        patch.setattr(Path, "replace", full)
        shelf.move({"champion": "a" * 64, "previous": first, "challenger": None})
    assert shelf.aliases() == before
    shelf.move({"champion": "a" * 64, "previous": first, "challenger": None})
    assert shelf.aliases() == {"champion": "a" * 64, "previous": first}


def full(*_: object) -> None:
    raise OSError("the disk is full")
