"""Sessions: found by whoever knows their cookie, for as long as they last, and by nobody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, select

from serving.console.roles import Role
from serving.console.sessions import ABSOLUTE, ENTROPY, IDLE, end_session, find_session, form_token, note_seen, open_session
from serving.console.users import add_user, disable_user, enable_user, set_password
from serving.instants import SECOND
from serving.schema_console import SESSIONS
from serving.store import Store
from tests.serving.console.houses import PASSWORD

NOW = 1_000 * 24 * 3600 * SECOND


@pytest.fixture
def tx(store_url: str) -> Iterator[Connection]:
    with Store(store_url, "NORMAL") as store, store.write() as tx:
        add_user(tx, "ann", Role.EXPERT, PASSWORD, NOW)
        add_user(tx, "bob", Role.AUDITOR, PASSWORD, NOW)
        yield tx


def opened(tx: Connection, name: str = "ann", at: int = NOW, fill: int = 1) -> str:
    return open_session(tx, name, bytes([fill]) * ENTROPY, at)


def test_a_session_is_its_users_and_the_store_does_not_hold_what_the_cookie_holds(tx: Connection) -> None:
    ann, bob = opened(tx), opened(tx, "bob", fill=2)
    for cookie, name, role in ((ann, "ann", Role.EXPERT), (bob, "bob", Role.AUDITOR)):
        found = find_session(tx, cookie, NOW)
        assert found is not None and (found.user.name, found.user.role, found.form) == (name, role, form_token(cookie))
    kept = [row.digest for row in tx.execute(select(SESSIONS.c.digest))]
    assert bytes.fromhex(ann) not in kept and all(len(digest) == 32 for digest in kept)


def test_what_was_never_given_out_opens_nothing(tx: Connection) -> None:
    opened(tx)
    for cookie in ("", "x", "00" * 31, "00" * 33, "0" * 64, "' OR 1=1 --", "\x00" * 64, "１" * 64):
        assert find_session(tx, cookie, NOW) is None


def test_a_cookie_with_any_one_character_changed_is_nobodys(tx: Connection) -> None:
    cookie = opened(tx)
    for place in range(len(cookie)):
        assert find_session(tx, cookie[:place] + ("f" if cookie[place] != "f" else "0") + cookie[place + 1 :], NOW) is None


def test_a_session_ends_after_silence_and_lasts_while_somebody_is_there(tx: Connection) -> None:
    cookie = opened(tx)
    assert find_session(tx, cookie, NOW + IDLE - 1) is not None and find_session(tx, cookie, NOW + IDLE) is None
    seen = find_session(tx, cookie, NOW + IDLE - 1)
    assert seen is not None and seen.stale
    note_seen(tx, seen, NOW + IDLE - 1)
    later = find_session(tx, cookie, NOW + 2 * IDLE - 2)
    assert later is not None
    again = find_session(tx, cookie, NOW + IDLE)
    assert again is not None and not again.stale  # not every look is written down


def test_a_session_ends_in_any_case(tx: Connection) -> None:
    cookie, at = opened(tx), NOW
    while at + IDLE // 2 < NOW + ABSOLUTE:
        at += IDLE // 2
        found = find_session(tx, cookie, at)
        assert found is not None
        note_seen(tx, found, at)
    assert find_session(tx, cookie, NOW + ABSOLUTE) is None


def test_signing_out_ends_this_session_and_no_other(tx: Connection) -> None:
    here, there = opened(tx), opened(tx, fill=2)
    end_session(tx, here)
    end_session(tx, here)
    assert find_session(tx, here, NOW) is None and find_session(tx, there, NOW) is not None


@pytest.mark.parametrize("change", ["password", "disable"])
def test_another_password_or_shutting_out_ends_every_session_of_that_user(tx: Connection, change: str) -> None:
    mine, theirs = [opened(tx, fill=1), opened(tx, fill=2)], opened(tx, "bob", fill=3)
    if change == "password":
        set_password(tx, "ann", "another good one", NOW)
    else:
        disable_user(tx, "ann", NOW)
        enable_user(tx, "ann")
    assert [find_session(tx, cookie, NOW) for cookie in mine] == [None, None]
    assert find_session(tx, theirs, NOW) is not None


def test_sessions_that_are_over_are_swept_out_by_the_next_sign_in(tx: Connection) -> None:
    opened(tx, fill=1)
    opened(tx, at=NOW + IDLE, fill=2)
    assert len(tx.execute(select(SESSIONS)).all()) == 1


def test_too_little_chance_makes_no_session(tx: Connection) -> None:
    with pytest.raises(ValueError, match="expected 32 random bytes, found 31"):
        open_session(tx, "ann", bytes(31), NOW)
