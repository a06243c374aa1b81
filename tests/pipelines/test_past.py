"""The store as it stood: the whole of it in the end, nothing before the beginning, and in between nothing that came later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from sqlalchemy import update

from models.policy import default_policy
from pipelines.evaluate import evaluate
from pipelines.lake import Lake
from pipelines.past import Past
from pipelines.report import report
from serving.ledger import balances
from serving.queue import CaseState
from serving.schema import CASES
from serving.store import Store
from tests.pipelines.conftest import Played

ALL = ("decisions", "cases", "expert_answers", "shadow_decisions", "postings", "ledger")
END, BEGINNING = datetime(2100, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def middle(played: Played) -> datetime:
    with Store(played.market.home.store_url) as store:
        instants = store.read("expert_answers")["answered_at"].sort_values()
    found: datetime = instants.iloc[len(instants) // 3].to_pydatetime()
    return found


def test_in_the_end_the_past_is_the_store_and_before_the_beginning_it_is_empty(played: Played) -> None:
    with Store(played.market.home.store_url) as store:
        for table in ALL:
            pd.testing.assert_frame_equal(Past(store, END).read(table), store.read(table))
            assert Past(store, BEGINNING).read(table).empty
        with store.view() as tx:
            assert Past(store, END).balances() == balances(tx)
        assert set(Past(store, BEGINNING).balances().values()) == {0}


def test_at_any_instant_the_ledger_balances_and_a_case_is_answered_exactly_if_an_answer_was_there(played: Played, middle: datetime) -> None:
    with Store(played.market.home.store_url) as store:
        past = Past(store, middle)
        cases, answers = past.read("cases"), past.read("expert_answers")
        assert 0 < len(answers) < len(store.read("expert_answers")) and (answers["answered_at"] <= pd.Timestamp(middle)).all()
        assert sum(past.balances().values()) == 0
        looks = past.read("second_looks")
    twice = looks.loc[looks["due_at"] > pd.Timestamp(middle)].merge(answers, on="claim_id", suffixes=("", "_said"))
    awaited = set(twice["claim_id"]) - set(twice.loc[twice["token_said"] > twice["token"], "claim_id"])
    kept = cases[cases["state"] != CaseState.WITHDRAWN.value]
    answered = kept["claim_id"].isin(set(answers["claim_id"]) - awaited)
    assert (answered == (kept["state"] == CaseState.ANSWERED.value)).all() and 0 < answered.sum() < len(kept)


def test_a_lease_that_began_later_was_an_open_case(played: Played, middle: datetime) -> None:
    market, later = played.market, int(middle.timestamp() * 1e6) + 1
    with Store(market.home.store_url) as store:
        past = Past(store, middle)
        cases = past.read("cases")["claim_id"]
        row = cases[~cases.isin(past.read("expert_answers")["claim_id"])].iloc[0]
        with store.write() as tx:
            before = tx.execute(CASES.select().where(CASES.c.claim_id == row)).mappings().one()
            tx.execute(update(CASES).where(CASES.c.claim_id == row).values(state="leased", leased_at=later))
        try:
            was, now = Past(store, middle).read("cases"), Past(store, middle + timedelta(microseconds=1)).read("cases")
        finally:
            with store.write() as tx:
                tx.execute(update(CASES).where(CASES.c.claim_id == row).values(**before))
    assert was.set_index("claim_id")["state"][row] == CaseState.OPEN.value
    assert now.set_index("claim_id")["state"][row] == CaseState.LEASED.value


def test_a_table_whose_past_is_not_known_is_refused_by_name(played: Played) -> None:
    with Store(played.market.home.store_url) as store, pytest.raises(KeyError, match="no past of the table 'proceedings'"):
        Past(store, END).read("proceedings")


def test_a_report_of_a_past_day_counts_what_was_decided_by_then(played: Played, middle: datetime) -> None:
    home = played.market.home
    with Store(home.store_url) as store:
        past, tables, policy = Past(store, middle), Lake(home.root).tables(), default_policy()
        decided, answers = len(past.read("decisions")), len(past.read("expert_answers"))
        judged = evaluate(home, policy, past, tables)
        assert 0 < decided < len(store.read("decisions")) and judged.claims == decided
        page = home.reports / "report.html"
        kept = page.read_text(encoding="utf-8")
        try:
            text = report(home, middle, policy, store, tables, judged).read_text(encoding="utf-8")
        finally:
            page.write_text(kept, encoding="utf-8")
    assert f"{decided:,} claims decided" in text and f"{answers:,}</" in text


def test_a_day_before_any_decision_has_neither_report_nor_judgement(played: Played) -> None:
    home, tables = played.market.home, Lake(played.market.home.root).tables()
    with Store(home.store_url) as store:
        with pytest.raises(ValueError, match="expected claims decided by 2000-01-01 00:00, found none"):
            report(home, BEGINNING, default_policy(), store, tables)
        with pytest.raises(ValueError, match="expected decided claims to judge, found none by then"):
            evaluate(home, default_policy(), Past(store, BEGINNING), tables)
