"""The laws of the challenger: it decides the same claims from the same features, is stored beside, and is felt by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from data_contracts.decisions import Decision
from models.bundle import Bundle
from models.shelf import Shelf
from serving.roles import Roles
from serving.store import Store
from tests.serving.homes import CATALOG_HASH, Small, claim, store_at


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with store_at(tmp_path) as store:
        yield store


def other(bundle: Bundle) -> Bundle:
    """The same model under another hash."""
    return replace(bundle, trained={**bundle.trained, "seed": -1})


def test_a_challenger_decides_what_the_champion_decided_and_only_its_table_shows_it(market: Small, store: Store) -> None:
    with market.engine(store) as engine:
        before = engine.score(claim(market.live), market.now)
        challenger = other(market.bundle)
        engine.challenge(challenger)
        after = engine.score_many([claim(market.live, row) for row in range(1, 6)], market.now)
        engine.challenge(None)
        assert engine.counters() | {"shadow_decided": 5, "shadow_failed": 0} == engine.counters()
    decisions, shadow = store.read("decisions").set_index("claim_id"), store.read("shadow_decisions").set_index("claim_id")
    assert set(decisions["bundle"]) == {market.bundle.hash} and set(shadow["bundle"]) == {challenger.hash}
    assert Decision.model_validate_json(before).claim_id not in shadow.index and len(shadow) == len(after) == 5
    for column in ("p_valid", "p_abusive", "action", "decided_at"):
        assert (shadow[column] == decisions.loc[shadow.index, column]).all()


def test_a_challenger_that_fails_is_counted_and_felt_by_nobody(market: Small, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with market.engine(store) as engine:
        engine.challenge(market.bundle)
        monkeypatch.setattr(engine._shadow._scorer, "score_one", lambda *_, **__: 1 / 0)  # type: ignore[union-attr]
        assert isinstance(engine.score(claim(market.live), market.now), bytes)
        engine.challenge(None)
        assert engine.counters()["shadow_failed"] == 1
    assert store.read("shadow_decisions").empty and len(store.read("decisions")) == 1


def test_the_alias_is_followed_between_two_claims_and_back_again(market: Small, store: Store, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "bundles")
    new = shelf.put(other(market.bundle))
    old = shelf.put(market.bundle)
    shelf.point("champion", old)
    with market.engine(store) as engine:
        roles = Roles(engine, shelf, CATALOG_HASH)
        decided = []
        for row, champion in enumerate([old, new, new, old]):
            shelf.point("champion", champion)
            roles.look()
            decided.append(Decision.model_validate_json(engine.score(claim(market.live, row), market.now)).bundle)
        assert decided == [old, new, new, old] and engine.counters()["model_swaps"] == 2
        assert engine.versions()["bundle"] == old


def test_a_model_that_cannot_be_loaded_leaves_the_one_that_decides(market: Small, store: Store, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "bundles")
    shelf.put(market.bundle)
    with market.engine(store) as engine:
        roles = Roles(engine, shelf, CATALOG_HASH)
        for name in ("0" * 64, shelf.put(replace(market.bundle, catalog_hash="another"))):
            shelf.move({"champion": name, "challenger": name})
            roles.look()
            roles.look()
            assert engine.versions()["bundle"] == market.bundle.hash and engine._shadow is None
        assert isinstance(engine.score(claim(market.live), market.now), bytes)


def test_a_pinned_model_decides_whatever_the_champion_is(market: Small, store: Store, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "bundles")
    pinned = shelf.put(market.bundle)
    shelf.point("champion", shelf.put(other(market.bundle)))
    with market.engine(store) as engine:
        Roles(engine, shelf, CATALOG_HASH, pinned).look()
        assert engine.versions()["bundle"] == pinned and engine.counters()["model_swaps"] == 0
