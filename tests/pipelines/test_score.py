"""Scoring: every claim decided once, whatever the rhythm of the runs, under each day's capacity."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from data_contracts import DECISIONS
from data_contracts.check import check
from models.bundle import BundleError
from models.policy import Policy, default_policy
from models.rules import Rule, Rules
from models.shelf import Shelf
from pipelines.batch_pending import undecided
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.score import Scored, score
from serving.schema import METADATA
from serving.store import Store
from tests.console import touchstone
from tests.pipelines.conftest import Market

WEEKS = 3


def tight() -> Policy:
    """Prices that send many claims to a desk which takes two a day, and an audit that adds to them."""
    policy = default_policy()
    return replace(policy, desk=replace(policy.desk, cases=2, experts=1, fee_cents=500), audit=replace(policy.audit, rate=0.1))


def until(market: Market) -> datetime:
    return market.simulation.live_from + timedelta(weeks=WEEKS)


def run(market: Market, as_of: datetime, policy: Policy | None = None) -> Scored:
    return score(market.home, as_of, policy or tight(), market.simulation.live_from)


def stored(market: Market) -> dict[str, pd.DataFrame]:
    with Store(market.home.store_url) as store:
        return {name: store.read(name) for name in METADATA.tables}


@pytest.fixture(scope="module")
def decided(small: Market, tmp_path_factory: pytest.TempPathFactory) -> Market:
    """Three weeks decided in one go; only to be read."""
    market = small.copy(tmp_path_factory.mktemp("decided") / "home")
    run(market, until(market))
    return market


def test_every_claim_of_ours_has_one_decision_that_keeps_the_contract(decided: Market) -> None:
    claims = Lake(decided.home.root).read("claims")
    ours = claims[(claims["filed_at"] >= decided.simulation.live_from) & (claims["filed_at"] < until(decided))]
    decisions = stored(decided)["decisions"]
    assert sorted(decisions["claim_id"]) == sorted(ours["claim_id"])
    assert check(decisions, DECISIONS, {"claims": claims}).quarantined.empty
    when = decisions.merge(ours, on="claim_id")
    assert (when["decided_at"] > when["filed_at"]).all() and (when["decided_at"] <= until(decided)).all()
    assert set(decisions["bundle"]) == {Shelf(decided.home.bundles).aliases()["champion"]}
    assert set(decisions["policy"]) == {tight().identifier}


def test_the_lake_holds_the_decisions_of_the_store(decided: Market) -> None:
    lake = Lake(decided.home.root).read("decisions").sort_values("claim_id", ignore_index=True)
    assert_frame_equal(lake, stored(decided)["decisions"])


def test_running_again_changes_nothing(decided: Market, tmp_path: Path) -> None:
    market = decided.copy(tmp_path / "home")
    before = stored(market)
    files = {path: path.stat().st_mtime_ns for path in (market.home.root / "lake").rglob("*.parquet")}
    assert run(market, until(market)) == Scored(0, {}, 0)
    for name, frame in stored(market).items():
        assert_frame_equal(frame, before[name])
    assert {path: path.stat().st_mtime_ns for path in (market.home.root / "lake").rglob("*.parquet")} == files


def test_day_by_day_or_in_one_go_the_decisions_are_the_same(decided: Market, market: Market) -> None:
    counts = [run(market, market.simulation.live_from + timedelta(days=day)).decided for day in range(1, 7 * WEEKS + 1)]
    assert sum(counts) == len(stored(decided)["decisions"]) and max(counts) < sum(counts)
    for name in ("decisions", "cases"):
        assert_frame_equal(stored(market)[name], stored(decided)[name])
    ours, theirs = (Lake(found.home.root).read("decisions") for found in (market, decided))
    assert_frame_equal(ours.sort_values("claim_id", ignore_index=True), theirs.sort_values("claim_id", ignore_index=True))


def test_no_day_sends_more_to_experts_than_they_can_take_apart_from_the_audit(decided: Market) -> None:
    decisions, policy = stored(decided)["decisions"], tight()
    day = decisions["decided_at"].dt.floor("D")
    chosen = decisions["route"] == "value_of_review"
    desk = (chosen & (decisions["action"] == "DESK")).groupby(day).sum()
    assert desk.max() == policy.desk.cases * policy.desk.experts  # the bound is reached, so it was felt
    month = decisions["decided_at"].sub(pd.Timedelta(microseconds=1)).dt.strftime("%Y-%m")
    assert (decisions["action"] == "INVESTIGATE").groupby(
        month
    ).sum().max() <= policy.investigation.cases * policy.investigation.experts * 31 / 30
    audits = decisions[decisions["route"] == "audit"]
    assert len(audits) > 0 and (audits["propensity"] == policy.audit.rate).all() and (audits["action"] == "DESK").all()


def test_several_runs_on_one_day_share_that_days_capacity(market: Market) -> None:
    start, policy = market.simulation.live_from, tight()
    for hour in range(0, 24 * 6 + 1, 8):
        run(market, start + timedelta(hours=hour), policy)
    decisions = stored(market)["decisions"]
    desk = decisions[(decisions["action"] == "DESK") & (decisions["route"] == "value_of_review")]
    # Midnight belongs to the day that ends with it.
    day = (desk["decided_at"] - pd.Timedelta(microseconds=1)).dt.floor("D")
    assert desk.groupby(day).size().max() <= policy.desk.cases * policy.desk.experts


def test_every_case_sent_to_an_expert_waits_in_the_queue(decided: Market) -> None:
    tables = stored(decided)
    sent = tables["decisions"][tables["decisions"]["action"].isin(("DESK", "INVESTIGATE"))]
    assert sorted(tables["cases"]["claim_id"]) == sorted(sent["claim_id"])


def test_progress_is_told_to_the_end_and_counts_by_action_add_up(market: Market) -> None:
    told: list[tuple[int, int]] = []
    found = score(market.home, until(market), default_policy(), market.simulation.live_from, progress=lambda *step: told.append(step))
    assert told[-1] == (found.decided, found.decided) and told == sorted(told)
    assert sum(found.by_action.values()) == found.decided and found.pending == 0


def test_claims_filed_before_our_time_or_at_the_instant_are_left_alone(market: Market) -> None:
    claims = Lake(market.home.root).read("claims").sort_values("filed_at", ignore_index=True)
    since, as_of = claims["filed_at"].iloc[-30], claims["filed_at"].iloc[-10]
    score(market.home, as_of, default_policy(), since)
    filed = claims.set_index("claim_id")["filed_at"].loc[stored(market)["decisions"]["claim_id"]]
    assert (filed.min(), len(filed)) == (since, 20) and filed.max() < as_of
    with Store(market.home.store_url) as store:
        assert len(undecided(store, claims, as_of)) == len(claims) - 30


def test_without_a_champion_nothing_is_decided(market: Market, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="run touchstone train first"):
        score(Home(tmp_path / "empty"), datetime(2025, 1, 1, tzinfo=UTC), default_policy())
    shutil.rmtree(market.home.bundles)
    with pytest.raises(BundleError, match="run touchstone train first"):
        run(market, until(market))
    assert not (market.home.root / "store.db").exists()


def test_claims_that_another_process_resolved_are_never_decided_again(market: Market) -> None:
    tables = Lake(market.home.root).tables()
    as_of = market.simulation.end
    with Store("sqlite://") as store:
        ours = undecided(store, tables["claims"], as_of, None, tables["resolutions"])
    foreign = tables["resolutions"].loc[tables["resolutions"]["known_at"] < as_of, "claim_id"]
    assert len(foreign) and not ours["claim_id"].isin(foreign).any()
    assert set(ours["claim_id"]) | set(foreign) == set(tables["claims"]["claim_id"])


def test_what_rules_send_to_experts_takes_no_place_from_any_other_claim(market: Market, small: Market, tmp_path: Path) -> None:
    rules = Rules("1", (Rule("all-phones", "desk", datetime(2024, 1, 1, tzinfo=UTC), "", "claim_by_phone = 1", "investigate"),))
    # Investigations are cheap here and accrue over the month: one too many would be missed on a later day.
    policy = replace(tight(), investigation=replace(tight().investigation, fee_cents=500))
    ruled = small.copy(tmp_path / "ruled").home
    found = []
    for home, beside in ((market.home, None), (ruled, rules)):
        score(home, market.simulation.live_from + timedelta(days=20), policy, since=market.simulation.live_from, rules=beside)
        found.append(Lake(home.root).read("decisions").set_index("claim_id").sort_index())
    before, after = found
    by_rule = after["route"] == "rule"
    assert 0 < by_rule.sum() < len(after)
    assert_frame_equal(before[~by_rule].drop(columns="rules"), after[~by_rule].drop(columns=["rules"]))
    assert set(after.loc[by_rule, "action"]) == {"INVESTIGATE"}
    assert (before["action"] == "INVESTIGATE").sum() > 2
    assert before["rules"].isna().all()
    assert all(rules.identifier in text for text in after["rules"])


def test_a_rules_file_is_read_from_the_command_line_and_its_faults_are_code_2(market: Market, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    table = 'id = "r"\nowner = "o"\nsince = 2024-01-01\ndescription = ""\nwhen = "true"\neffect = "desk"\n'
    file.write_text(f'version = "1"\n[[rule]]\n{table}')
    call = ("score", "--as-of", f"{market.simulation.live_from + timedelta(days=3):%Y-%m-%d}", "--home", str(market.home.root), "--rules")
    assert touchstone(*call, str(file)).code == 0
    assert set(Lake(market.home.root).read("decisions")["action"]) <= {"DESK", "INVESTIGATE"}
    file.write_text(file.read_text().replace("true", "import os"))
    failed = touchstone(*call, str(file))
    assert failed.code == 2 and "rule r.when: expected" in failed.err


@pytest.mark.parametrize("threads", [1, 2])
def test_pieces_of_any_size_decided_ahead_or_not_give_the_same_decisions(
    decided: Market, small: Market, tmp_path: Path, threads: int
) -> None:
    market = small.copy(tmp_path / "home")
    score(market.home, until(market), tight(), market.simulation.live_from, piece=3, num_threads=threads)
    for name in ("decisions", "cases"):
        assert_frame_equal(stored(market)[name], stored(decided)[name])


def test_the_kept_matrix_and_one_computed_now_give_the_same_decisions(decided: Market, small: Market, tmp_path: Path) -> None:
    market = small.copy(tmp_path / "home")
    shutil.rmtree(market.home.features)
    run(market, until(market))
    assert_frame_equal(stored(market)["decisions"], stored(decided)["decisions"])


def test_reasons_are_written_where_somebody_will_look_again_and_for_all_where_asked(decided: Market, small: Market, tmp_path: Path) -> None:
    market = small.copy(tmp_path / "home")
    score(market.home, until(market), tight(), market.simulation.live_from, reasons_for="all")
    every, some = stored(market)["decisions"], stored(decided)["decisions"]
    looked_at = some["action"].isin(("DESK", "INVESTIGATE", "DENY_UNSUBSTANTIATED", "DENY_ABUSIVE"))
    assert 0 < looked_at.sum() < len(some)
    assert_frame_equal(every.drop(columns="reasons"), some.drop(columns="reasons"))
    assert (some.loc[looked_at, "reasons"] == every.loc[looked_at, "reasons"]).all() and (every["reasons"] != "").all()
    assert (some.loc[~looked_at, "reasons"] == "").all()
