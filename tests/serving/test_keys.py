"""API keys: recognised by their holder alone, kept as hashes, ended when they are said to end."""

from __future__ import annotations

import secrets
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.auth import PARTY_SCOPES, Caller, Scope
from serving.keys import ENTROPY, Keyring, add_key, end_key, kept_keys, make
from serving.store import Store

SCOPES = st.sets(st.sampled_from(Scope), min_size=1).filter(lambda scopes: len(scopes & PARTY_SCOPES) < 2)
BYTES = st.binary(min_size=ENTROPY, max_size=ENTROPY)


@given(BYTES, SCOPES, st.integers(1, 9) | st.none())
def test_a_key_is_recognised_as_whom_it_was_made_for(entropy: bytes, scopes: set[Scope], rate: int | None) -> None:
    text, key = make(entropy, "somebody", scopes, now=0, per_second=rate)
    assert Keyring(lambda: {key.key_id: key}, lambda: 1)(text) == Caller(key.key_id, frozenset(scopes), rate, "somebody")


@pytest.mark.parametrize("name", ["", "two words", "é", "a/b", "x" * 65])
def test_a_key_that_speaks_for_a_party_is_named_as_claims_name_it_and_speaks_for_one(name: str) -> None:
    for scope in (Scope.SELLER, Scope.INSURER):
        with pytest.raises(ValueError, match="expected a name" if not name else f"{scope.value}'s identity"):
            make(bytes(ENTROPY), name, [scope], now=0)
    with pytest.raises(ValueError, match="found rulings, seller"):
        make(bytes(ENTROPY), "S1", [Scope.RULINGS, Scope.SELLER], now=0)


@given(BYTES, st.integers(0, 60), st.sampled_from(string.ascii_letters + string.digits + "_-"))
def test_a_key_with_any_one_character_changed_is_nobodys(entropy: bytes, place: int, other: str) -> None:
    text, key = make(entropy, "somebody", [Scope.READ], now=0)
    wrong = text[:place] + other + text[place + 1 :]
    last = place == len(text) - 1  # 43 characters carry two bits more than 32 bytes: still another text, another hash
    assert last or (Keyring(lambda: {key.key_id: key}, lambda: 1)(wrong) is None) == (wrong != text)


@given(st.text(max_size=80))
def test_no_text_is_a_key_where_there_are_none(text: str) -> None:
    assert Keyring(dict, lambda: 0)(text) is None


def test_neither_the_store_nor_what_is_printed_of_a_key_holds_its_secret(tmp_path: Path) -> None:
    text, key = make(secrets.token_bytes(ENTROPY), "somebody", [Scope.SCORE], now=0)
    secret = text.split("_", 2)[2]
    with Store(f"sqlite:///{tmp_path / 's.db'}", "NORMAL") as store:
        add_key(store, key)
        assert kept_keys(store) == {key.key_id: key}
    assert all(secret.encode() not in path.read_bytes() for path in tmp_path.iterdir())
    assert secret not in repr(key)


def test_a_key_is_valid_until_its_end_and_never_longer_than_until_it_was_revoked() -> None:
    with Store("sqlite://") as store:
        text, key = make(bytes(ENTROPY), "somebody", [Scope.SCORE], now=0, expires_at=100)
        add_key(store, key)
        now = [0]
        ring = Keyring(lambda: kept_keys(store), lambda: now[0])
        for at, valid in ((0, True), (99, True), (100, False)):
            now[0] = at
            assert (ring(text) is not None) is valid
        assert end_key(store, key.key_id, 50) and end_key(store, key.key_id, 70)  # the earlier end stays
        for at, valid in ((49, True), (50, False), (60, False)):
            now[0] = at
            assert (ring(text) is not None) is valid
        assert end_key(store, key.key_id, 10)
        now[0] = 20
        assert ring(text) is None
        assert not end_key(store, "unknown", 0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"entropy": b"short"}, "38 random bytes, found 5"),
        ({"name": ""}, "expected a name"),
        ({"scopes": []}, "at least one scope"),
        ({"expires_at": 0}, "never be valid"),
        ({"per_second": 0}, "at least 1 request"),
    ],
)
def test_a_key_that_would_be_of_no_use_is_not_made(change: dict[str, object], words: str) -> None:
    asked = {"entropy": bytes(ENTROPY), "name": "n", "scopes": [Scope.READ], "now": 0} | change
    with pytest.raises(ValueError, match=words):
        make(**asked)  # type: ignore[arg-type]
