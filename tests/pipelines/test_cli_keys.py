"""Keys on the command line: shown once, listed without their secret, ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from data_contracts.resolutions import Party
from serving.auth import Scope
from serving.keys import Keyring, kept_keys
from serving.party_work import Speaker
from serving.store import Store
from tests.console import Finished, touchstone

Keys = Callable[..., Finished]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return lambda *arguments: touchstone("keys", *arguments, "--home", str(tmp_path))


def ring(home: Path, at: int) -> Keyring:
    with Store(f"sqlite:///{home / 'store.db'}", "NORMAL") as store:
        held = kept_keys(store)
    return Keyring(lambda: held, lambda: at)


LATER = 4_000_000_000_000_000
"""Microseconds: a day in 2096."""


def now(home: Path) -> int:
    with Store(f"sqlite:///{home / 'store.db'}", "NORMAL") as store:
        return max(key.created_at for key in kept_keys(store).values()) + 60_000_000


def test_a_key_is_printed_alone_works_and_is_never_shown_again(keys: Keys, tmp_path: Path) -> None:
    made = keys("create", "--name", "claims service", "--scope", "score", "--scope", "read")
    assert made.code == 0 and made.out.count("\n") == 1 and "tsk_" not in made.err
    text = made.out.strip()
    caller = ring(tmp_path, now(tmp_path))(text)
    assert caller is not None and caller.scopes == {Scope.SCORE, Scope.READ}
    assert ring(tmp_path, LATER)(text) is None
    listed = keys("list")
    assert "claims service" in listed.out and "read score" in listed.out and text.split("_")[2] not in listed.out


def test_a_key_for_ever_and_one_that_is_revoked(keys: Keys, tmp_path: Path) -> None:
    text = keys("create", "--name", "n", "--scope", "events", "--days", "0").out.strip()
    assert ring(tmp_path, LATER)(text) is not None
    assert keys("revoke", text.split("_")[1]).code == 0
    assert ring(tmp_path, LATER)(text) is None
    assert keys("revoke", text.split("_")[1]).code == 2
    assert " no " in keys("list").out


def test_a_rotated_key_has_a_successor_with_the_same_scopes_and_ends_a_little_later(keys: Keys, tmp_path: Path) -> None:
    old = keys("create", "--name", "n", "--scope", "score", "--per-second", "7").out.strip()
    new = keys("rotate", old.split("_")[1], "--overlap-hours", "1").out.strip()
    soon, after = now(tmp_path), now(tmp_path) + 3_600_000_000
    first, second = ring(tmp_path, soon)(old), ring(tmp_path, soon)(new)
    assert first is not None and second is not None
    assert (first.scopes, first.per_second) == (second.scopes, second.per_second) == ({Scope.SCORE}, 7)
    assert ring(tmp_path, after)(old) is None and ring(tmp_path, after)(new) is not None


def test_a_key_of_a_seller_speaks_for_the_seller_it_is_named_after_and_still_does_after_its_exchange(keys: Keys, tmp_path: Path) -> None:
    old = keys("create", "--name", "S0042", "--scope", "seller").out.strip()
    new = keys("rotate", old.split("_")[1]).out.strip()
    speakers = [Speaker.of(caller) for text in (old, new) if (caller := ring(tmp_path, now(tmp_path))(text)) is not None]
    assert speakers == [Speaker(Party.SELLER, "S0042")] * 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "--scope", "score"), "expected a name"),
        (("create", "--name", "n"), "at least one scope"),
        (
            ("create", "--name", "n", "--scope", "root"),
            "expected some of score, events, read, expert, investigator, seller, insurer, customers, rulings, admin, found root",
        ),
        (("create", "--name", "S1", "--scope", "seller", "--scope", "rulings"), "single party, found rulings, seller"),
        (("create", "--name", "S 1", "--scope", "seller"), "the seller's identity"),
        (("revoke",), "identifier of a valid key"),
        (("rotate", "000000000000"), "identifier of a valid key"),
    ],
)
def test_what_cannot_be_done_is_said(keys: Keys, arguments: tuple[str, ...], words: str) -> None:
    found = keys(*arguments)
    assert found.code == 2 and words in found.err.replace("\n", " ")
