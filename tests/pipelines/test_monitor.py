"""The monitor as a verb: quiet on a quiet marketplace, loud and precise on a damaged one, and nothing lost on the way."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.metrics import Interval
from models.policy import default_policy
from models.unlabelled import MEASURES, AuditCheck
from pipelines import monitor_pictures
from pipelines.lake import Lake
from pipelines.monitor import monitor
from pipelines.pictures import as_data_uri
from pipelines.score import score
from tests.console import touchstone
from tests.pipelines.conftest import Market, once
from tests.pipelines.test_pictures import png

WEEKS = 8
POLICY = default_policy()


def decided_home(small: Market, folder: Path, channel: str | None = None) -> Market:
    """Decide eight weeks; where a channel is given, all claims of the last four came through it."""
    market = small.copy(folder)
    live_from = market.simulation.live_from
    if channel is not None:
        lake = Lake(market.home.root)
        for batch in lake.batches("claims"):
            claims = lake.read("claims")
            late = claims["filed_at"] >= live_from + timedelta(weeks=WEEKS - 4)
            lake.append("claims", claims.assign(channel=claims["channel"].where(~late, channel)), batch)
    score(market.home, live_from + timedelta(weeks=WEEKS), POLICY, since=live_from)
    return market


@pytest.fixture(scope="module")
def quiet(small: Market, tmp_path_factory: pytest.TempPathFactory) -> Market:
    return Market.at(once(tmp_path_factory, "monitored", lambda folder: decided_home(small, folder) and None))


@pytest.fixture(scope="module")
def damaged(small: Market, tmp_path_factory: pytest.TempPathFactory) -> Market:
    return Market.at(once(tmp_path_factory, "damaged", lambda folder: decided_home(small, folder, "phone") and None))


def as_of(market: Market) -> str:
    return f"{market.simulation.live_from + timedelta(weeks=WEEKS):%Y-%m-%d}"


def run(market: Market, at: str | None = None) -> tuple[int, str, dict[str, object], str]:
    at = at or as_of(market)
    found = touchstone("monitor", "--as-of", at, "--home", str(market.home.root))
    manifest = json.loads((market.home.runs / f"monitor-{at}.json").read_text())
    return found.code, found.out, manifest, (market.home.reports / f"monitor-{at}.html").read_text()


def test_a_quiet_marketplace_ends_with_code_0_and_a_page_that_needs_no_other_file(quiet: Market) -> None:
    code, out, manifest, page = run(quiet)
    assert (code, manifest["quiet"], manifest["alarms"]) == (0, True, [])
    assert "verdict" in out and "quiet" in out
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert page.count('<img src="data:image/png;base64,') == page.count("<img ") >= 3
    assert {"What moved", "How the distributions changed", "Performance before labels arrive", "What the audit says"} <= set(
        re.findall(r"<h2>(.*?)</h2>", page)
    )


def test_a_channel_that_is_gone_is_an_alarm_that_names_the_feature(damaged: Market) -> None:
    code, out, manifest, page = run(damaged)
    assert (code, manifest["quiet"]) == (1, False)
    named = [row["feature"] for row in manifest["drift"] if row["level"] != "quiet"]  # type: ignore[index, union-attr]
    assert named and set(named) <= {"claim_by_phone", "claim_by_app"}
    assert all(name in out and name in page for name in named)


def test_running_again_finds_the_same_to_the_last_byte(quiet: Market) -> None:
    assert run(quiet) == run(quiet)


def test_nothing_after_the_instant_is_read(quiet: Market, tmp_path: Path) -> None:
    early = f"{quiet.simulation.live_from + timedelta(weeks=5):%Y-%m-%d}"
    before = run(quiet, early)[2]
    shortened = quiet.copy(tmp_path / "home")
    lake = Lake(shortened.home.root)
    for table, column in (("claims", "filed_at"), ("resolutions", "known_at"), ("orders", "ordered_at")):
        rows = lake.read(table)
        for number, batch in enumerate(lake.batches(table)):
            lake.append(table, rows[rows[column] < pd.Timestamp(early, tz="UTC")] if not number else rows[:0], batch)
    after = run(shortened, early)[2]
    for manifest in (before, after):
        manifest.pop("page")
    assert before == after


def test_estimates_speak_of_all_claims_decided_between_the_training_and_the_instant(quiet: Market) -> None:
    _, _, manifest, _ = run(quiet)
    spans: list[dict[str, float]] = manifest["estimates"]  # type: ignore[assignment]
    decided_at = Lake(quiet.home.root).read("decisions")["decided_at"]
    assert sum(span["claims"] for span in spans) == (decided_at < pd.Timestamp(as_of(quiet), tz="UTC")).sum() > 100
    assert all(0 <= span[name] <= 1 for span in spans for name in MEASURES if name != "cost_cents")


@pytest.mark.parametrize(("weeks", "says"), [(0, "expected an instant after the training"), (40, "expected at least 30 claims decided")])
def test_an_instant_with_nothing_to_compare_is_code_2_and_writes_nothing(quiet: Market, weeks: int, says: str) -> None:
    at = f"{quiet.simulation.live_from + timedelta(weeks=weeks):%Y-%m-%d}"
    found = touchstone("monitor", "--as-of", at, "--home", str(quiet.home.root))
    assert found.code == 2 and says in found.err
    assert not (quiet.home.reports / f"monitor-{at}.html").exists()


def test_a_home_without_decisions_is_code_2_and_says_what_to_run(small: Market) -> None:
    found = touchstone("monitor", "--as-of", "2025-06-01", "--home", str(small.home.root))
    assert found.code == 2 and "run touchstone score first" in found.err
    with pytest.raises(FileNotFoundError):
        monitor(small.home, pd.Timestamp("2025-06-01", tz="UTC"), POLICY)


def test_every_picture_is_drawn_from_any_numbers_the_monitor_can_have() -> None:
    table = pd.DataFrame({"feature": ["a"], "psi": [14.0], "ordinary": [0.1], "excess": [13.9], "level": ["large"]})
    nothing = pd.DataFrame({"a": [np.nan, np.nan], "b": [1.0, 1.0]})
    none = Interval(0.5, float("nan"), float("nan"), 0)
    estimate = dict.fromkeys(MEASURES[:4], 0.4)
    drawn = [
        monitor_pictures.moved(table, 0.1, 0.25),
        monitor_pictures.moved(table[:0], 0.1, 0.25),
        monitor_pictures.moved(table.assign(feature="a_very_long_name_" * 9), 0.1, 0.25),
        monitor_pictures.distributions(nothing, nothing.drop(columns="b"), ["a", "b"]),
        monitor_pictures.over_time(["x"], [0.8], [0.1]),
        monitor_pictures.against_audit(estimate, dict.fromkeys(MEASURES, none), ("auc",)),
    ]
    assert all(len(png(as_data_uri(figure))) > 2000 for figure in drawn)


def test_whether_an_estimate_lies_in_the_interval_is_said_only_where_there_is_one() -> None:
    check = AuditCheck(
        9, 3, {"auc": 0.9, "recall": 0.1}, {"auc": Interval(0.7, 0.6, 0.8, 9), "recall": Interval(1, np.nan, np.nan, 0)}, {}, ()
    )
    assert (check.inside("auc"), check.inside("recall")) == (False, None)
