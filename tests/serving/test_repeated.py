"""A request under a key is done once, and nothing is kept of one that failed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from serving.refusals import ConflictError
from serving.repeated import KEPT_FOR, once
from serving.store import Store, mark, set_mark


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store(store_url, "NORMAL") as opened:
        yield opened


def count(tx: Connection) -> bytes:
    """Work that leaves a trace."""
    done = (mark(tx, "done") or 0) + 1
    set_mark(tx, "done", done)
    return b"%d" % done


def fail(tx: Connection) -> bytes:
    count(tx)
    raise LookupError("no")


def test_a_key_is_its_experts_and_stands_for_one_request(store: Store) -> None:
    assert [once(store, "ann", "K", b"a", at, count) for at in (0, 1, KEPT_FOR - 1)] == [b"1"] * 3
    assert once(store, "bob", "K", b"b", 0, count) == b"2" and once(store, "ann", None, b"a", 0, count) == b"3"
    with pytest.raises(ConflictError, match="'K'"):
        once(store, "ann", "K", b"b", 2, count)


def test_a_reply_is_forgotten_after_its_time(store: Store) -> None:
    assert [once(store, "ann", "K", b"a", at, count) for at in (0, KEPT_FOR - 1, KEPT_FOR)] == [b"1", b"1", b"2"]


def test_nothing_is_kept_of_what_failed(store: Store) -> None:
    with pytest.raises(LookupError):
        once(store, "ann", "K", b"a", 0, fail)
    assert once(store, "ann", "K", b"b", 1, count) == b"1"
