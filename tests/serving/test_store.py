"""What the store keeps, and what a second writing changes: nothing."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal
from sqlalchemy.exc import IntegrityError

from data_contracts import ANSWERS, DECISIONS
from data_contracts.check import check
from serving import audit, queue
from serving.attachments import decisions
from serving.driver import Driver
from serving.instants import DAY, micros
from serving.queue import Tier
from serving.schema import CASE_EVENTS, CLAIMS_TABLE, METADATA
from serving.store import CHUNK, Store, add_claims, find, mark, set_mark
from tests.serving.cases import START, town

TOWN = town(120, seed=1)
ANSWER = {"answer_id": "A1", "claim_id": "C000001", "party": "seller", "kind": "seller_pays", "amount_cents": 5, "answered_at": START}


def answers(*changes: dict[str, object]) -> pd.DataFrame:
    return check(pd.DataFrame([ANSWER | change for change in changes]), ANSWERS).accepted


def test_decisions_come_back_as_they_were_given(store_url: str) -> None:
    with Store(store_url) as store:
        assert store.record_decisions(TOWN.decisions) == len(TOWN.decisions)
        assert_frame_equal(store.read("decisions"), TOWN.decisions.sort_values("claim_id").reset_index(drop=True))
        assert store.undecided(pa.array(["C000003", "nobody"])).tolist() == [False, True]


@pytest.mark.parametrize("strangers", [CHUNK // 2, 3 * CHUNK])
def test_of_many_claims_those_are_undecided_that_would_be_one_by_one(strangers: int, store_url: str) -> None:
    with Store(store_url) as store:
        store.record_decisions(TOWN.decisions)
        asked = [*TOWN.decisions["claim_id"][:50], *(f"X{i}" for i in range(strangers))]
        assert store.undecided(pa.array(asked)).tolist() == [False] * 50 + [True] * strangers


def test_recording_in_pieces_and_again_equals_recording_once() -> None:
    shuffled = TOWN.decisions.sample(frac=1, random_state=0)
    with Store("sqlite://") as once, Store("sqlite://") as often:
        once.record_decisions(TOWN.decisions)
        for start in range(0, len(shuffled), 17):
            often.record_decisions(shuffled.iloc[max(0, start - 9) : start + 17])
        assert often.record_decisions(TOWN.decisions) == 0
        for table in METADATA.tables.keys() - {"audit_log", "audit_attachments"}:  # which tell what was written at once
            assert_frame_equal(once.read(table), often.read(table))
        with once.view() as one, often.view() as other:
            told, again = (audit.answers(Driver(tx), TOWN.decisions["claim_id"]) for tx in (one, other))
            assert told == again
            assert decisions(Driver(other)) == len(TOWN.decisions) and audit.verify(other).broken == ""


def test_every_decision_that_needs_an_expert_opens_exactly_one_case(store_url: str) -> None:
    with Store(store_url) as store:
        store.record_decisions(TOWN.decisions)
        cases = store.read("cases").set_index("claim_id")
    wanted = TOWN.decisions[TOWN.decisions["action"].isin(["DESK", "INVESTIGATE"])].set_index("claim_id")
    assert set(cases.index) == set(wanted.index)
    assert (cases["value_cents"] == wanted["review_value_cents"].reindex(cases.index)).all()
    assert (cases["due_at"] > cases["opened_at"]).all()


def test_received_claims_come_back_as_they_were_and_keep_their_first_form(store_url: str) -> None:
    with Store(store_url) as store:
        with store.write() as tx:
            assert add_claims(tx, TOWN.claims) == len(TOWN.claims)
            assert add_claims(tx, TOWN.claims.assign(amount_cents=1)) == 0
            found = find(tx, CLAIMS_TABLE, "C000003")
            assert found is not None and found["amount_cents"] == TOWN.claims.set_index("claim_id")["amount_cents"]["C000003"]
            assert find(tx, CLAIMS_TABLE, "nobody") is None
        assert_frame_equal(store.read("claims"), TOWN.claims.sort_values("claim_id").reset_index(drop=True))


def test_a_decided_claim_keeps_its_first_decision(store_url: str) -> None:
    changed = TOWN.decisions.assign(claimant_reason="changed my mind")
    with Store(store_url) as store:
        store.record_decisions(TOWN.decisions)
        assert store.record_decisions(changed) == 0
        assert set(store.read("decisions")["claimant_reason"]) == {""}


def test_a_failed_step_leaves_nothing_of_itself(store_url: str) -> None:
    broken = pd.concat([TOWN.decisions.iloc[:3], TOWN.decisions.iloc[3:4].assign(propensity=None)])
    with Store(store_url) as store:
        with pytest.raises(Exception, match=r"(?i)not.null"):
            store.record_decisions(broken)
        assert all(store.read(table).empty for table in METADATA.tables if table != "history_journal")  # which begins with an entry


def test_an_answer_is_put_into_the_inbox_once(store_url: str) -> None:
    with Store(store_url) as store:
        assert store.add_answers(answers({}, {"answer_id": "A2"})) == 2
        assert store.add_answers(answers({"answer_id": "A2"}, {"answer_id": "A3"})) == 1
        assert_frame_equal(store.read("answers"), answers({}, {"answer_id": "A2"}, {"answer_id": "A3"}))


def test_a_row_that_refers_to_nothing_is_refused(store_url: str) -> None:
    row = {"claim_id": "nobody", "seq": 1, "from_state": "filed", "event": "x", "to_state": "closed", "at": 0}
    with Store(store_url) as store, pytest.raises(IntegrityError), store.write() as tx:
        tx.execute(CASE_EVENTS.insert(), [row])


def test_an_unknown_table_is_named_together_with_those_that_exist(store_url: str) -> None:
    with Store(store_url) as store, pytest.raises(KeyError, match=r"ledgers.*ledger"):
        store.read("ledgers")


def test_a_mark_moves_only_with_its_transaction(store_url: str) -> None:
    with Store(store_url) as store:
        with store.write() as tx:
            assert mark(tx, "x") is None
            set_mark(tx, "x", 1)
            set_mark(tx, "x", 2)
        with pytest.raises(RuntimeError), store.write() as tx:
            set_mark(tx, "x", 3)
            raise RuntimeError
        with store.view() as tx:
            assert mark(tx, "x") == 2


@pytest.mark.parametrize("synchronous", ["NORMAL", "FULL"])
def test_a_file_keeps_everything_between_openings_and_readers_do_not_wait(tmp_path: Path, synchronous: str) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with Store(url, synchronous) as store:  # type: ignore[arg-type]
        store.record_decisions(TOWN.decisions)
        with store.write() as tx, Store(url) as other:
            set_mark(tx, "x", 1)
            assert len(other.read("decisions")) == len(TOWN.decisions)
            assert other.read("marks").empty
    with Store(url) as again:
        assert_frame_equal(again.read("decisions"), TOWN.decisions.sort_values("claim_id").reset_index(drop=True))
        with again.view() as tx:
            pragmas = {name: tx.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "foreign_keys", "busy_timeout")}
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 30000}


def lease_all(url: str, holder: str) -> list[str]:
    """Lease case by case until nothing waits; the instant is when all are open."""
    now, mine = micros(TOWN.decisions["decided_at"].max()), []
    with Store(url) as store:
        while True:
            with store.write() as tx:
                leases = queue.lease(tx, Tier.DESK, holder, now, 99 * DAY)
            if not leases:
                return mine
            mine += [held.claim_id for held in leases]


def test_processes_that_lease_at_once_never_hold_the_same_case(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    now = micros(TOWN.decisions["decided_at"].max())
    with Store(url) as store:
        store.record_decisions(TOWN.decisions)
        cases = store.read("cases")
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        held = pool.starmap(lease_all, [(url, "ann"), (url, "bob")])
    waiting = cases[(cases["tier"] == "desk") & (cases["due_at"] > pd.Timestamp(now, unit="us", tz="UTC"))]
    assert sorted(held[0] + held[1]) == sorted(waiting["claim_id"])


def test_the_columns_of_contract_tables_are_those_of_the_contract() -> None:
    for contract in (DECISIONS, ANSWERS):
        assert [c.name for c in METADATA.tables[contract.name].columns] == [c.name for c in contract.columns]


def test_the_log_is_carried_into_the_file_beside_an_open_reader_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Store(f"sqlite:///{path}") as store:
        with store.view() as view:
            before = mark(view, "batch")
            with store.write() as tx:
                set_mark(tx, "batch", 7)
            store.carry()
            assert (before, mark(view, "batch")) == (None, None)
        store.carry()
        alone = tmp_path / "alone.db"
        alone.write_bytes(path.read_bytes())  # without its log
        with Store(f"sqlite:///{alone}") as copy, copy.view() as view:
            assert mark(view, "batch") == 7


def test_who_writes_again_has_the_connection_that_wrote_last_and_the_pages_that_it_holds(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / 'store.db'}", "NORMAL") as store:
        with store.view(), store.view(), store.write():
            pass  # as many connections as were needed at once
        used = []
        for _ in range(3):
            with store.write() as tx:
                used.append(id(tx.connection.dbapi_connection))
    assert len(set(used)) == 1
