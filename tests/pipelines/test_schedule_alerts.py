"""Failures reach the webhook; drift and labels start one training each."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import dagster as dg
import pytest

from pipelines.lake import Lake
from pipelines.manifest import record
from pipelines.schedule import definitions
from pipelines.schedule_alerts import failure_alert, retraining, tell
from pipelines.schedule_assets import AS_OF_TAG
from pipelines.schedule_learning import reason_to_train
from pipelines.schedule_settings import ScheduleSettings
from tests.pipelines.conftest import Market


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook on this machine and what it was told."""
    told: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", told
    server.shutdown()
    server.server_close()


def settings(market: Market, webhook: str = "") -> ScheduleSettings:
    return ScheduleSettings(market.home, market.simulation.live_from, webhook, retry_after=timedelta(0))


def test_a_failed_night_is_told_with_job_day_and_error(market: Market, hook: tuple[str, list[dict[str, Any]]]) -> None:
    address, told = hook
    chosen = settings(market, address)
    (market.home.bundles / "aliases.json").unlink(missing_ok=True)
    for folder in market.home.bundles.iterdir():
        folder.rename(folder.with_name("gone"))
    day = f"{chosen.start:%Y-%m-%d}"
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions(chosen).resolve_job_def("nightly")
        failed = job.execute_in_process(partition_key=day, instance=instance, raise_on_error=False)
        assert not failed.success
        context = dg.build_run_status_sensor_context(
            "failure_alert", failed.get_run_failure_event(), instance, failed.dagster_run
        ).for_run_failure()
        failure_alert(chosen)(context)
    (message,) = told
    assert (message["job"], message["partition"], message["run"]) == ("nightly", day, failed.run_id)
    assert "failed" in message["text"] and "decisions" in message["error"]


def test_an_address_that_is_no_webhook_is_refused() -> None:
    with pytest.raises(ValueError, match="webhook: expected an address of http"):
        tell("file:///etc/passwd", {"text": "hello"})


def test_labels_that_the_model_does_not_know_start_one_training(market: Market) -> None:
    home = market.home
    known = Lake(home.root).read("resolutions")
    fresh = int((known["label"].notna() & (known["known_at"] >= market.simulation.live_from)).sum())
    assert reason_to_train(home, fresh + 1) is None
    reason = reason_to_train(home, fresh)
    assert fresh > 0 and reason is not None and reason == reason_to_train(home, 1)
    assert reason.as_of > known.loc[known["label"].notna(), "known_at"].max()
    (request,) = retraining(replace(settings(market), retrain_labels=fresh), "retrain")(dg.build_sensor_context())
    assert (request.run_key, request.tags[AS_OF_TAG]) == (reason.key, reason.as_of.isoformat())
    (skipped,) = retraining(replace(settings(market), retrain_labels=fresh + 1), "retrain")(dg.build_sensor_context())
    assert isinstance(skipped, dg.SkipReason)


def test_an_alarm_starts_a_training_once_a_week_has_passed_since_the_last(market: Market) -> None:
    start = market.simulation.live_from
    for day, alarms in ((3, ["prices rose"]), (8, ["prices rose"]), (9, ["prices rose"]), (10, [])):
        at = start + timedelta(days=day)
        record(market.home, "schedule-monitoring", at, at, at, {"alarms": alarms}, "")
        reason = reason_to_train(market.home, 10**9)
        assert (reason is None) == (day == 3)
        if reason is not None:
            assert reason.as_of == start + timedelta(days=min(day, 9)) and "prices rose" in reason.why
            assert reason.key == reason_to_train(market.home, 1).key  # type: ignore[union-attr]


def test_a_retraining_run_makes_a_challenger_and_answers_its_occasion(market: Market) -> None:
    reason = reason_to_train(market.home, 1)
    assert reason is not None
    done = definitions(settings(market)).resolve_job_def("retrain").execute_in_process(tags={AS_OF_TAG: reason.as_of.isoformat()})
    (made,) = done.get_asset_materialization_events()
    assert done.success and made.materialization.metadata["alias"].value == "challenger"
    again = reason_to_train(market.home, 1)
    assert again is None or again.key != reason.key
