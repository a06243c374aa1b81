"""The laws of decisions written down: capacity is counted as the batch counts it, and the answer is in the log."""

from __future__ import annotations

import json

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from data_contracts import DECISIONS, Action, Route
from data_contracts.check import to_arrow
from models.policy import default_policy
from models.review import capacity_left
from serving.audit import answers, head, verify
from serving.decided import capacity, day_of, record, write_decisions, write_table
from serving.driver import Driver
from serving.instants import DAY, SECOND, instants
from serving.queue import MINUTES
from serving.store import Store, rows_of
from tests.serving.cases import town
from tests.strategies import FEW

TOWN = town(60, 5)
START = 1_740_000_000_000_000 // DAY * DAY
moments = st.integers(0, 45).flatmap(lambda day: st.sampled_from([0, 1, DAY // 2]).map(lambda rest: START + day * DAY + rest))
taken = st.lists(st.tuples(st.sampled_from([a.value for a in Action]), st.sampled_from([r.value for r in Route]), moments), max_size=40)


@FEW
@given(taken, moments)
def test_what_the_experts_can_still_take_is_counted_as_the_batch_counts_it(decided: list[tuple[str, str, int]], now: int) -> None:
    end = day_of(now) + DAY
    decided = [one for one in decided if one[2] <= end]
    template = rows_of(DECISIONS, TOWN.decisions)[0]
    rows = [template | {"claim_id": f"C{i}", "action": a, "route": r, "decided_at": at} for i, (a, r, at) in enumerate(decided)]
    took = [row for row in rows if row["action"] in ("DESK", "INVESTIGATE") and row["route"] != "rule"]
    frame = pd.DataFrame(
        {"action": pd.Series([r["action"] for r in took], dtype="str"), "decided_at": instants([r["decided_at"] for r in took])}
    )
    with Store("sqlite://") as store, store.write() as tx:
        record(tx, rows)
        found = capacity(Driver(tx), default_policy(), day_of(now))
    assert found == capacity_left(default_policy(), frame, pd.Timestamp(end, unit="us", tz="UTC"))


def test_every_decision_of_a_batch_is_entered_as_it_is_answered(store_url: str) -> None:
    with Store(store_url) as store:
        store.record_decisions(TOWN.decisions)
        store.record_decisions(TOWN.decisions)
        with store.view() as tx:
            found = answers(Driver(tx), TOWN.decisions["claim_id"])
            assert verify(tx).entries == 1 and verify(tx).broken == ""
    for row in rows_of(DECISIONS, TOWN.decisions):
        told = json.loads(found[row["claim_id"]])
        assert list(told) == [column.name for column in DECISIONS.columns]
        assert told["p_abusive"] == row["p_abusive"] and told["action"] == row["action"]
        assert pd.Timestamp(told["decided_at"]).value // 1000 == row["decided_at"]


def test_decisions_written_as_a_table_are_those_written_row_by_row(store_url: str) -> None:
    decisions = TOWN.decisions
    with Store("sqlite://") as rows, Store(store_url) as table:
        with rows.write() as tx:
            write_decisions(tx, rows_of(DECISIONS, decisions), MINUTES)
        with table.write() as tx:
            assert write_table(tx, to_arrow(decisions, DECISIONS), MINUTES) == head(Driver(tx))
        for name in ("decisions", "cases", "experts_taken"):
            pd.testing.assert_frame_equal(table.read(name), rows.read(name))
            assert len(rows.read(name))
        with rows.view() as one, table.view() as other:
            assert answers(Driver(one), decisions["claim_id"]) == answers(Driver(other), decisions["claim_id"])


def test_midnight_belongs_to_the_day_that_ends_with_it() -> None:
    assert day_of(START) == START - DAY and day_of(START + SECOND) == START
