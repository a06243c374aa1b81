"""The laws of the audit log: it holds from end to end, and whatever is done to it is found where it was done."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from data_contracts import DECISIONS
from serving.audit import START, Entry, Head, answers, append, head, only_decided, verify
from serving.decided import write_decisions
from serving.driver import Driver
from serving.queue import MINUTES
from serving.store import Store, rows_of
from serving.written import json_of
from tests.serving.cases import town
from tests.strategies import FEW

TOWN = town(12, 5)

entries = st.builds(
    Entry,
    st.sampled_from(["decision", "event"]),
    st.text("ab/", min_size=1, max_size=3),
    st.integers(-(2**62), 2**62),
    st.binary(max_size=5),
)
logs = st.lists(entries, min_size=1, max_size=8)


def written(store: Store, log: list[Entry], at_once: int = 3) -> Head:
    last = START
    for start in range(0, len(log), at_once):
        with store.write() as tx:
            last = append(Driver(tx), log[start : start + at_once])
    return last


def unguarded(store: Store, statement: str) -> None:
    """Do to the log what only somebody with full power over the database can do."""
    with store.write() as tx:
        for act in ("update", "delete"):
            tx.execute(text(f"DROP TRIGGER IF EXISTS audit_log_no_{act}" + (" ON audit_log" if tx.dialect.name == "postgresql" else "")))
        tx.execute(text(statement))


def checked(store: Store, noted: Head | None = None) -> tuple[int, str]:
    with store.view() as tx:
        found = verify(tx, noted)
    return found.entries, found.broken


@FEW
@given(logs, st.integers(1, 4))
def test_a_log_holds_however_its_entries_were_grouped_and_the_head_depends_on_every_one(log: list[Entry], at_once: int) -> None:
    with Store("sqlite://") as one, Store("sqlite://") as other:
        assert written(one, log) == written(other, log, at_once)
        assert checked(one) == (len(log), "")
        changed = [log[0]._replace(body=log[0].body + b"x"), *log[1:]]
        with Store("sqlite://") as third:
            assert written(third, changed) != written(other, [])
        with one.view() as tx:
            assert head(Driver(tx)).seq == len(log)


LOG = [Entry("decision", f"C{i}", i, b"{%d}" % i) for i in range(6)]


@pytest.mark.parametrize(
    ("done", "holds", "told"),
    [
        ("UPDATE audit_log SET body = hash WHERE seq = 3", 2, "entry 3"),
        ("UPDATE audit_log SET at = at + 1 WHERE seq = 1", 0, "entry 1"),
        ("UPDATE audit_log SET subject = 'C9' WHERE seq = 6", 5, "entry 6"),
        ("UPDATE audit_log SET kind = 'event' WHERE seq = 2", 1, "entry 2"),
        ("DELETE FROM audit_log WHERE seq = 4", 3, "entry 4: expected the entry after 3, found entry 5"),
        ("DELETE FROM audit_log WHERE seq = 1", 0, "entry 1: expected the entry after 0, found entry 2"),
        ("UPDATE audit_log SET seq = seq + 10 WHERE seq > 4", 4, "found entry 15"),
    ],
)
def test_whatever_is_done_to_an_entry_is_found_there(store_url: str, done: str, holds: int, told: str) -> None:
    with Store(store_url) as store:
        written(store, LOG)
        unguarded(store, done)
        entries, broken = checked(store)
    assert entries == holds and told in broken


def test_an_end_that_was_cut_off_or_written_anew_is_found_by_a_head_that_was_noted(store_url: str) -> None:
    with Store(store_url) as store:
        noted = written(store, LOG)
        unguarded(store, "DELETE FROM audit_log WHERE seq > 4")
        assert checked(store) == (4, "")
        assert "the end was cut off" in checked(store, noted)[1]
        written(store, [Entry("decision", "other", 9, b"{}")] * 2)
        assert "expected the noted hash" in checked(store, noted)[1]


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET at = 0", "DELETE FROM audit_log WHERE seq = 1"])
def test_the_database_itself_refuses_to_change_the_log(store_url: str, statement: str) -> None:
    with Store(store_url) as store:
        written(store, LOG)
        with pytest.raises(DatabaseError, match="never changed or deleted"), store.write() as tx:
            tx.execute(text(statement))
        assert checked(store) == (len(LOG), "")


def test_answers_are_found_by_claim_byte_for_byte(store_url: str) -> None:
    rows = rows_of(DECISIONS, TOWN.decisions)
    with Store(store_url) as store:
        with store.write() as tx:
            told, _ = write_decisions(tx, rows[:4], MINUTES)
            append(Driver(tx), [Entry("event", rows[1]["claim_id"], 0, b"no answer")])
        store.record_decisions(TOWN.decisions[4:8])
        with store.view() as tx:
            found = answers(Driver(tx), [*(row["claim_id"] for row in rows), "none"])
            assert list(found.values()) == [*told, *(json_of(DECISIONS, row) for row in rows[4:8])]
            assert list(found) == [row["claim_id"] for row in rows[:8]]
            assert answers(Driver(tx), []) == {}


@pytest.mark.parametrize(
    ("kinds", "only"), [((), True), (("decision", "case", "decisions"), True), (("decision", "filled"), False), (("event",), False)]
)
def test_a_stretch_of_the_log_is_of_decisions_alone_or_it_is_not(store_url: str, kinds: tuple[str, ...], only: bool) -> None:
    with Store(store_url) as store, store.write() as tx:
        driver = Driver(tx)
        since = append(driver, [Entry("filled", "lake", 1, b"{}")])
        until = append(driver, [Entry(kind, "C1", 2, b"{}") for kind in kinds])
        assert only_decided(driver, since, until) is only
