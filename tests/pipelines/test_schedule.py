"""The schedule: a week of nights through Dagster itself, each killed or struck in the middle."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from sqlalchemy import Engine, event

from data_contracts import CONTRACTS, DECISIONS
from data_contracts.check import check
from models.policy import default_policy
from pipelines.lake import Lake
from pipelines.schedule import definitions, instance_folder
from pipelines.schedule_settings import ScheduleSettings
from pipelines.schedule_steps import arriving
from serving.ledger import balances
from serving.store import Store
from tests.pipelines.conftest import Market

NIGHTS = 7
ROOT = Path(__file__).parents[2]


def settings(market: Market) -> ScheduleSettings:
    return ScheduleSettings(market.home, market.simulation.live_from, retry_after=timedelta(0))


def days(market: Market) -> list[str]:
    return [f"{market.simulation.live_from + timedelta(days=number):%Y-%m-%d}" for number in range(NIGHTS)]


def arrive(market: Market) -> int:
    """Take the claims of the week out of the lake: each day's arrive as a file of that day. Returns how many there are."""
    lake, start = Lake(market.home.root), pd.Timestamp(market.simulation.live_from)
    claims = lake.read("claims")
    lake.append("claims", claims[claims["filed_at"] < start], batch="initial")
    week = claims[(claims["filed_at"] >= start) & (claims["filed_at"] < start + pd.Timedelta(days=NIGHTS))]
    for day, rows in week.groupby(week["filed_at"].dt.strftime("%Y-%m-%d")):
        folder = arriving(market.home, str(day))
        folder.mkdir(parents=True)
        rows.to_parquet(folder / "claims.parquet")
    return len(week)


def night(home: Path, day: str) -> dg.ExecuteInProcessResult:
    """Run one night's job for one day on the installation's own Dagster instance."""
    market = Market.at(home)
    job = definitions(settings(market)).resolve_job_def("nightly")
    with dg.DagsterInstance.from_config(str(instance_folder(market.home))) as instance:
        return job.execute_in_process(partition_key=day, instance=instance, raise_on_error=False)


def dying(home: Path, day: str, step: int) -> None:
    """Run a night, and be killed without warning before a statement or a commit of the case store."""
    left = step

    def die(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", lambda connection, *_: die() if touches_store(connection) else None)
    event.listen(Engine, "commit", lambda connection: die() if touches_store(connection) else None)
    night(home, day)


@contextmanager
def stumbling(table: str) -> Iterator[list[str]]:
    """Let the first write to a table fail, as if the disk were gone for a moment; yields the statements that failed.

    It is a table to which a step writes itself: what fails in the endpoint that the simulated firm asks is asked for again by the firm.
    """
    failed: list[str] = []

    def stumble(connection: object, _cursor: object, statement: str, *_: object) -> None:
        if touches_store(connection) and statement.startswith(f"INSERT INTO {table} ") and not failed:
            failed.append(statement)
            raise OSError("the disk is gone")

    event.listen(Engine, "before_cursor_execute", stumble)
    try:
        yield failed
    finally:
        event.remove(Engine, "before_cursor_execute", stumble)


def touches_store(connection: object) -> bool:
    return str(connection.engine.url).endswith("store.db")  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Week:
    """A home after a week, how many claims had arrived, and how the nights were disturbed."""

    market: Market
    arrived: int
    killed: int
    stumbled: list[dg.ExecuteInProcessResult]
    results: list[dg.ExecuteInProcessResult]


@pytest.fixture(scope="module")
def week(small: Market, tmp_path_factory: pytest.TempPathFactory) -> Week:
    """Seven nights: every third is killed at a random statement in a process of its own and done again, in the others a write fails."""
    market = small.copy(tmp_path_factory.mktemp("week") / "home")
    arrived, rng, killed = arrive(market), random.Random(20210901), 0
    stumbled, results = [], []
    processes = multiprocessing.get_context("forkserver")
    # What a night loads on its way is loaded once, not by every child.
    processes.set_forkserver_preload(["tests.pipelines.test_schedule", "data_contracts.expectations", "pipelines.experts"])
    for number, day in enumerate(days(market)):
        if number % 3 == 0:
            child = processes.Process(target=dying, args=(market.home.root, day, rng.randint(5, 60)))
            child.start()
            child.join()
            killed += child.exitcode == -signal.SIGKILL
            results.append(night(market.home.root, day))
        else:
            with stumbling(rng.choice(["proceedings", "case_events"])) as failed:
                results.append(night(market.home.root, day))
            stumbled += [results[-1]] * bool(failed)
    return Week(market, arrived, killed, stumbled, results)


def test_every_night_was_disturbed_and_then_succeeded(week: Week) -> None:
    assert (week.killed, len(week.stumbled)) == (3, 4)
    assert [result.success for result in week.results] == [True] * NIGHTS


def test_a_step_that_failed_was_tried_again_by_itself(week: Week) -> None:
    for result in week.stumbled:
        assert [e.event_type_value for e in result.all_events].count("STEP_RESTARTED") == 1


def test_after_a_week_of_killed_nights_every_claim_is_decided_once(week: Week) -> None:
    lake = Lake(week.market.home.root)
    with Store(week.market.home.store_url) as store:
        decisions = store.read("decisions")
    claims, copied = lake.read("claims"), lake.read("decisions")
    ours = claims[claims["filed_at"] >= week.market.simulation.live_from]
    assert len(ours) == week.arrived > NIGHTS
    assert sorted(decisions["claim_id"]) == sorted(copied["claim_id"]) == sorted(ours["claim_id"])
    assert check(decisions, DECISIONS, {"claims": claims}).quarantined.empty


def test_after_a_week_of_killed_nights_the_queue_is_within_capacity_and_the_ledger_balanced(week: Week) -> None:
    with Store(week.market.home.store_url) as store:
        decisions, cases = store.read("decisions"), store.read("cases")
        with store.view() as view:
            assert sum(balances(view).values()) == 0
        postings = store.read("postings")
    sent = decisions[decisions["action"].isin(("DESK", "INVESTIGATE"))]
    assert sorted(cases["claim_id"]) == sorted(sent["claim_id"])
    desk = decisions[(decisions["action"] == "DESK") & (decisions["route"] == "value_of_review")]
    policy = default_policy()
    assert 0 < desk.groupby("decided_at").size().max() <= policy.desk.cases * policy.desk.experts
    assert not postings.duplicated(["claim_id", "step"]).any() and len(postings)


def test_a_week_of_killed_nights_ends_where_an_undisturbed_week_ends(week: Week, small: Market, tmp_path: Path) -> None:
    calm = small.copy(tmp_path / "home")
    arrive(calm)
    from pipelines import schedule_steps as steps

    plan = steps.Night(calm.home)
    for number, day in enumerate(days(calm), start=1):
        as_of = calm.simulation.live_from + timedelta(days=number)
        steps.tables(plan, day, as_of)
        steps.decisions(plan, as_of)
        steps.queue(plan, as_of)
        steps.resolutions(plan, as_of)
    with Store(calm.home.store_url) as undisturbed, Store(week.market.home.store_url) as store:
        for name in ("decisions", "cases", "expert_answers", "case_events", "ledger", "resolutions"):
            pd.testing.assert_frame_equal(store.read(name), undisturbed.read(name))


def test_every_check_of_every_night_ran_and_passed(week: Week) -> None:
    names = {
        "accepted_rows_keep_their_suites",
        "decisions_keep_their_suite",
        "every_claim_is_decided_once",
        "queue_is_within_capacity",
        "ledger_is_balanced",
    }
    for result in week.results:
        found = {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}
        assert found.keys() == names
        assert all(evaluation.passed for evaluation in found.values())
    rows = [r.get_asset_check_evaluations() for r in week.results]
    witnessed = [e.metadata["rows"].value for night in rows for e in night if e.check_name == "accepted_rows_keep_their_suites"]
    assert sum(tables.get("claims", 0) for tables in witnessed) == week.arrived
    assert CONTRACTS.keys() > {"claims"}


def test_every_step_of_every_night_left_a_manifest(week: Week) -> None:
    for verb in ("tables", "features", "decisions", "queue", "resolutions", "monitoring"):
        assert len(list(week.market.home.runs.glob(f"schedule-{verb}-*.json"))) == NIGHTS
    assert not list(week.market.home.root.rglob("*.tmp"))


def test_a_claim_decided_twice_in_the_lake_fails_the_check_and_stops_what_follows(week: Week, tmp_path: Path) -> None:
    market = week.market.copy(tmp_path / "home")
    (batch, *_) = sorted((market.home.root / "lake" / "decisions").glob("*.parquet"))
    rows = Lake(market.home.root).read("decisions", only=batch.stem)
    Lake(market.home.root).append("decisions", pd.concat([rows, rows.head(1)]), batch.stem)
    result = night(market.home.root, days(market)[0])
    failed = {e.check_name for e in result.get_asset_check_evaluations() if not e.passed}
    assert failed == {"every_claim_is_decided_once", "decisions_keep_their_suite"} and not result.success
    assert {e.asset_key.path[0] for e in result.get_asset_materialization_events()} == {"tables", "features", "decisions"}


def test_the_hour_decides_its_claims_and_the_night_finds_nothing_left(small: Market, tmp_path: Path) -> None:
    market = small.copy(tmp_path / "home")
    claims = Lake(market.home.root).read("claims")
    first = claims.loc[claims["filed_at"] >= market.simulation.live_from, "filed_at"].min()
    chosen = definitions(settings(market))
    hour = chosen.resolve_job_def("hourly").execute_in_process(partition_key=f"{first:%Y-%m-%d-%H}:00")
    (decided,) = (e for e in hour.get_asset_materialization_events() if e.asset_key.path == ["hourly_decisions"])
    assert decided.materialization.metadata["decided"].value >= 1
    with Store(market.home.store_url) as store:
        assert store.read("decisions")["decided_at"].max() <= first.floor("h") + pd.Timedelta(hours=1)
