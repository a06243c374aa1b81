"""The laws of decisions entered together: they can be read from the log, and whatever is done to them or to their rows is found."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from data_contracts import DECISIONS
from data_contracts.check import to_arrow
from serving import attachments
from serving.attachments import body_of, decisions, entry_with, packed
from serving.audit import verify
from serving.driver import AT_ONCE, Driver
from serving.store import Store
from tests.serving.cases import town

TOWN = town(60, 5)
FIRST, SECOND = TOWN.decisions[:25], TOWN.decisions[25:]
SOME = TOWN.decisions["claim_id"].iloc[30]


def filled(store: Store) -> None:
    for piece in (FIRST, SECOND):
        store.record_decisions(piece)


def unguarded(store: Store, statement: str) -> None:
    """Do to the store what only somebody with full power over the database can do."""
    with store.write() as tx:
        for table in ("decisions", "audit_attachments"):
            for act in ("update", "delete"):
                tx.execute(text(f"DROP TRIGGER IF EXISTS {table}_no_{act}" + (f" ON {table}" if tx.dialect.name == "postgresql" else "")))
        tx.execute(text(statement))


def test_what_lies_beside_an_entry_is_the_decisions_and_equal_decisions_are_equal_bytes() -> None:
    table = to_arrow(TOWN.decisions, DECISIONS)
    content = packed(table)
    assert pq.read_table(pa.BufferReader(content)).equals(table.replace_schema_metadata())
    assert packed(to_arrow(TOWN.decisions.copy(), DECISIONS)) == content != packed(table.slice(1))
    assert body_of(table, content) != body_of(table, packed(table.slice(1)))


def test_the_entry_of_a_decision_is_found_and_that_of_no_other_claim(store_url: str) -> None:
    with Store(store_url) as store:
        filled(store)
        with store.view() as tx:
            driver = Driver(tx)
            assert [entry_with(driver, claim) for claim in TOWN.decisions["claim_id"]] == [1] * len(FIRST) + [2] * len(SECOND)
            assert entry_with(driver, "nobody's") is None
            assert decisions(driver) == len(TOWN.decisions) and verify(tx).entries == 2


@pytest.mark.parametrize(
    ("done", "told"),
    [
        (f"UPDATE decisions SET p_valid = p_valid / 2 WHERE claim_id = '{SOME}'", f"decision on {SOME} as it was entered, found another"),
        (f"UPDATE decisions SET rules = '{{}}' WHERE claim_id = '{SOME}'", f"decision on {SOME} as it was entered, found another"),
        (f"UPDATE decisions SET claim_id = 'Z' WHERE claim_id = '{SOME}'", f"decision on {SOME} as it was entered, found none"),
        ("DELETE FROM audit_attachments WHERE seq = 2", "expected the decisions beside the entry, found none"),
        ("UPDATE audit_attachments SET content = (SELECT content FROM audit_attachments WHERE seq = 1)", "with the SHA-256"),
    ],
)
def test_whatever_is_done_to_decisions_that_were_entered_together_is_found(store_url: str, done: str, told: str) -> None:
    with Store(store_url) as store:
        store.record_decisions(FIRST)
        store.record_decisions(SECOND[SECOND["action"].isin(["PAY", "REQUEST_EVIDENCE"]) | (SECOND["claim_id"] == SOME)])
        with store.write() as tx:  # no case refers to the decision that is renamed
            tx.execute(text(f"DELETE FROM cases WHERE claim_id = '{SOME}'"))
        unguarded(store, done)
        with store.view() as tx:
            found = verify(tx)
    assert found.entries == 1 and found.broken.startswith("entry 2: ") and told in found.broken


@pytest.mark.parametrize("statement", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}"])
@pytest.mark.parametrize(("table", "column"), [("decisions", "policy"), ("audit_attachments", "content")])
def test_the_database_itself_refuses_to_change_a_decision(store_url: str, table: str, column: str, statement: str) -> None:
    with Store(store_url) as store:
        store.record_decisions(TOWN.decisions[~TOWN.decisions["action"].isin(["DESK", "INVESTIGATE"])])
        with pytest.raises(DatabaseError, match="never changed or deleted"), store.write() as tx:
            tx.execute(text(statement.format(table, column)))
        with store.view() as tx:
            assert verify(tx).broken == ""


def test_many_decisions_are_compared_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "AT_ONCE", 7)
    assert AT_ONCE > 7
    with Store("sqlite://") as store:
        filled(store)
        unguarded(store, f"UPDATE decisions SET propensity = 0.5 WHERE claim_id = '{TOWN.decisions['claim_id'].iloc[-1]}'")
        with store.view() as tx:
            assert "entry 2" in verify(tx).broken
