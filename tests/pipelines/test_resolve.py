"""Resolve: complete, idempotent, killable, and the same whether run daily or once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from data_contracts import ANSWERS, CONTRACTS
from data_contracts.check import check
from models.policy import default_policy
from pipelines import experts, resolve
from pipelines.diary import Diary
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.parties import SimulatedParties
from serving.case import Case, Message
from serving.ledger import PAY
from serving.proceedings import UnknownClaimError
from serving.schema import METADATA
from serving.store import Store, add_claims
from tests.serving.cases import START, WEEK, Town, town

TOWN = town(400, seed=2)
END = START + 12 * WEEK
DONE = START + 60 * WEEK
DIARY = Diary()


def decided(town_: Town, as_of: pd.Timestamp) -> pd.DataFrame:
    return town_.decisions[town_.decisions["decided_at"] <= as_of]


def week(store: Store, as_of: pd.Timestamp) -> resolve.Resolution:
    store.record_decisions(decided(TOWN, as_of))
    experts.work_here(store, TOWN.world, START, as_of, diary=DIARY)
    return resolve.run(store, TOWN.tables, as_of, SimulatedParties(TOWN.world))


def everything(store: Store, without: tuple[str, ...] = ()) -> dict[str, pd.DataFrame]:
    return {name: store.read(name) for name in METADATA.tables if name not in without}


@pytest.fixture(scope="module")
def weekly() -> Store:
    store = Store("sqlite://")
    for number in range(1, 13):
        week(store, START + number * WEEK)
    return store


def test_every_decided_claim_is_open_or_resolved_and_the_ledger_balances(weekly: Store) -> None:
    now = week(weekly, END)
    assert now.cases_open + now.cases_resolved == len(TOWN.decisions)
    assert sum(now.by_state.values()) == len(TOWN.decisions)
    assert now.ledger_balance_cents == 0
    assert sum(now.borne_cents.values()) - now.borne_cents["expert_fees"] == now.paid_cents > 0


def test_a_second_run_for_the_same_instant_changes_nothing(weekly: Store) -> None:
    before = everything(weekly)
    again = week(weekly, END)
    assert (again.opened, again.events, again.answers, again.verdicts) == (0, 0, 0, 0)
    for name, frame in everything(weekly).items():
        assert_frame_equal(frame, before[name])


def test_the_last_event_of_a_claim_is_where_it_stands_and_events_form_a_chain(weekly: Store) -> None:
    events, standing = weekly.read("case_events"), weekly.read("proceedings").set_index("claim_id")
    last = events.groupby("claim_id").last()
    assert (last["to_state"] == standing["state"].reindex(last.index)).all()
    assert (last["seq"] == standing["seq"].reindex(last.index)).all()
    follows = events["claim_id"].eq(events["claim_id"].shift())
    assert (events["from_state"][follows] == events["to_state"].shift()[follows]).all()
    assert (events["from_state"][~follows] == "filed").all()
    assert (events["at"][follows] >= events["at"].shift()[follows]).all()
    assert (events["seq"] == events.groupby("claim_id").cumcount() + 1).all()


def test_nobody_is_paid_twice_and_nobody_more_than_claimed(weekly: Store) -> None:
    received = weekly.read("ledger").query("account == 'customer' and step == @PAY").set_index("claim_id")["amount_cents"]
    assert received.index.is_unique
    claimed = TOWN.claims.set_index("claim_id")["amount_cents"].reindex(received.index)
    assert (received == claimed).all()
    assert PAY == "pay"


def test_what_leaves_the_store_keeps_the_contracts(weekly: Store) -> None:
    for name in ("resolutions", "answers", "decisions"):
        found = check(weekly.read(name), CONTRACTS[name], {"claims": TOWN.claims})
        assert found.quarantined.empty, found.quarantined["reasons"].head().tolist()
        assert len(found.accepted) > 0


def test_only_the_examined_have_labels_and_the_automatic_have_none(weekly: Store) -> None:
    rows = weekly.read("resolutions")
    assert (rows["label"].isna() == (rows["source"] == "automatic")).all()
    assert {"desk", "audit", "evidence", "revealed", "appeal", "automatic", "investigation"} == set(rows["source"])
    audits = rows[rows["source"] == "audit"]
    assert (audits["propensity"] == 0.02).all()
    assert (rows["known_at"] >= rows["resolved_at"]).all()
    assert rows["known_at"].isin([START + n * WEEK for n in range(1, 13)]).all()


def test_every_expert_answer_is_taken_and_its_fee_posted_once(weekly: Store) -> None:
    answers, receipts = weekly.read("expert_answers"), weekly.read("receipts")
    due = answers[answers["answered_at"] <= END]
    assert set(due["answer_id"]) <= set(receipts["message_id"])
    fees = weekly.read("ledger").query("account == 'expert_fees'")
    assert -fees["amount_cents"].sum() == due["fee_cents"].sum()


def test_run_seldom_or_often_the_events_are_the_same() -> None:
    with Store("sqlite://") as often, Store("sqlite://") as once:
        for store in (often, once):
            store.record_decisions(TOWN.decisions)
        parties = SimulatedParties(TOWN.world)
        for number in range(1, 61):
            resolve.run(often, TOWN.tables, START + number * WEEK, parties)
        final = resolve.run(once, TOWN.tables, DONE, parties)
        for name in ("case_events", "ledger", "answers", "receipts", "proceedings", "cases"):
            assert_frame_equal(often.read(name), once.read(name))
        assert_frame_equal(often.read("resolutions").drop(columns="known_at"), once.read("resolutions").drop(columns="known_at"))
        assert final.cases_open == 0


def test_answers_from_a_file_move_cases_as_answers_of_the_parties_do() -> None:
    with Store("sqlite://") as live, Store("sqlite://") as filed:
        for store in (live, filed):
            store.record_decisions(TOWN.decisions)
        resolve.run(live, TOWN.tables, DONE, SimulatedParties(TOWN.world))
        filed.add_answers(check(live.read("answers"), ANSWERS).accepted)
        resolve.run(filed, TOWN.tables, DONE)
        for name in ("case_events", "ledger", "answers", "receipts", "proceedings"):
            assert_frame_equal(filed.read(name), live.read(name))


@dataclass
class Dies:
    """Parties that answer some questions and then fail."""

    parties: SimulatedParties
    questions: int

    def __call__(self, case: Case) -> list[Message]:
        self.questions -= 1
        if self.questions < 0:
            raise KeyboardInterrupt
        return self.parties(case)


@pytest.mark.parametrize("questions", [1, 60, 333, 700, 1000])
def test_a_run_that_died_anywhere_and_is_run_again_ends_where_an_undisturbed_one_ends(
    questions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve, "CLAIMS_PER_TRANSACTION", 25)
    parties = SimulatedParties(TOWN.world)
    with Store("sqlite://") as calm, Store("sqlite://") as hit:
        for store in (calm, hit):
            store.record_decisions(TOWN.decisions)
        resolve.run(calm, TOWN.tables, END, parties)
        with pytest.raises(KeyboardInterrupt):
            resolve.run(hit, TOWN.tables, END, Dies(parties, questions))
        resolve.run(hit, TOWN.tables, END, parties)
        for name in METADATA.tables:
            assert_frame_equal(hit.read(name), calm.read(name))


def test_what_is_settled_reaches_the_lake_once_even_if_a_run_died_between_store_and_lake(tmp_path: Path) -> None:
    home = Home(tmp_path)
    lake = Lake(home.root)
    lake.append("claims", TOWN.claims, "all")
    with Store(home.store_url) as store:
        store.record_decisions(TOWN.decisions)
        resolve.run(store, lake.tables(["claims"]), START + 3 * WEEK)  # killed before the lake was written
        for instant in (END, END, END + WEEK):
            resolve.settle(home, store, instant, default_policy())
        recorded = store.read("resolutions")
    assert_frame_equal(lake.read("resolutions").sort_values("resolution_id", ignore_index=True), recorded)


def test_a_decided_claim_that_is_not_among_the_claims_stops_the_run_by_name() -> None:
    with Store("sqlite://") as store:
        store.record_decisions(TOWN.decisions)
        with pytest.raises(UnknownClaimError, match="C000000"):
            resolve.run(store, {"claims": TOWN.claims.iloc[1:]}, END)


def test_progress_is_told_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    with Store("sqlite://") as store:
        store.record_decisions(TOWN.decisions)
        resolve.run(store, TOWN.tables, END, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(TOWN.decisions), len(TOWN.decisions))


def test_answers_to_claims_of_the_endpoint_are_received_before_anything_is_settled(tmp_path: Path) -> None:
    home, file = Home(tmp_path / "home"), tmp_path / "answers of today (1).parquet"
    said_of_all().to_parquet(file, index=False)
    home.root.mkdir()
    with Store(home.store_url) as store:
        with store.write() as tx:
            add_claims(tx, TOWN.claims)
        counts = resolve.receive(home, store, file)
        assert (counts.accepted, counts.quarantined) == (counts.read, 0)
        assert len(store.read("answers")) == counts.read > 0


def test_files_of_one_name_never_lose_each_others_quarantined_rows(tmp_path: Path) -> None:
    said = said_of_all()
    with Store("sqlite://") as store:
        for name in ("monday", "tuesday", "tuesday"):
            (tmp_path / name).mkdir(exist_ok=True)
            said.assign(claim_id=f"unknown {name}").to_parquet(tmp_path / name / "answers (1).parquet", index=False)
            resolve.receive(Home(tmp_path), store, tmp_path / name / "answers (1).parquet")
    lost = Lake(tmp_path).quarantined("answers")
    assert lost["claim_id"].value_counts().to_dict() == {"unknown monday": len(said), "unknown tuesday": len(said)}


def said_of_all() -> pd.DataFrame:
    """What parties say in a town, as it would be written to a file."""
    with Store("sqlite://") as store:
        store.record_decisions(TOWN.decisions)
        resolve.run(store, TOWN.tables, END, SimulatedParties(TOWN.world))
        return store.read("answers")


def test_two_runs_at_once_end_where_one_ends(store_url: str) -> None:
    parties = SimulatedParties(TOWN.world)
    with Store("sqlite://") as calm, Store(store_url, "NORMAL") as busy:
        for store in (calm, busy):
            store.record_decisions(TOWN.decisions)
        resolve.run(calm, TOWN.tables, END, parties)
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: resolve.run(busy, TOWN.tables, END, parties), range(3)))
        for name in ("case_events", "ledger", "answers", "receipts", "proceedings", "resolutions"):
            assert_frame_equal(busy.read(name), calm.read(name))
