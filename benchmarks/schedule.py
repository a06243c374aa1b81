"""A week through the real schedule, every night killed in the middle: each claim decided once, nothing lost, nobody paid twice.

A simulated marketplace of the demo's size; every day's claims arrive as files of that day. ``touchstone schedule`` runs as it does for
anybody: web server, daemon, code server. For each day the nightly schedule is asked what it wants at its hour, and that run is started
through the web server. Once a certain step of the night has begun, the run's process gets SIGKILL after a random part of the time that
the step takes; noticing it and doing the night again is the schedule's own affair. Nothing in the product knows of this benchmark.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import httpx
import pandas as pd
from dagster_graphql import DagsterGraphQLClient

from benchmarks._record import record
from models.policy import default_policy
from pipelines.build import build
from pipelines.home import VARIABLE, Home
from pipelines.lake import Lake
from pipelines.schedule import definitions, instance_folder
from pipelines.schedule_settings import ScheduleSettings
from pipelines.schedule_steps import arriving
from pipelines.simulated import Simulation, simulate_into
from pipelines.train import train
from pipelines.validate import validate
from serving.ledger import balances
from serving.store import Store

ORDERS, CLAIMS, SEED, NIGHTS = 300_000, 20_000, 0, 7
STEPS = ("tables", "features", "decisions", "queue", "resolutions")
"""Where nights are killed: not in the last step, whose end may come before the signal."""

FIRST_GUESS, PATIENCE = 0.5, 300.0
"""Seconds that a step is taken for before it was seen, and seconds that anything may take before the benchmark gives up."""

PICTURE = Path(__file__).parents[1] / "docs" / "schedule.png"

T = TypeVar("T")


def prepared(home: Home, orders: int, claims: int) -> int:
    """Simulate, train, and lay out the week's claims by the day of filing; returns how many there are."""
    simulation = simulate_into(home, orders, claims, SEED)
    validate(home, docs=False)
    build(home)
    train(home, simulation.live_from, tracking=False)
    lake, start = Lake(home.root), pd.Timestamp(simulation.live_from)
    held = lake.read("claims")
    lake.append("claims", held[held["filed_at"] < start], batch="initial")
    week = held[(held["filed_at"] >= start) & (held["filed_at"] < start + pd.Timedelta(days=NIGHTS))]
    for day, rows in week.groupby(week["filed_at"].dt.strftime("%Y-%m-%d")):
        arriving(home, str(day)).mkdir(parents=True)
        rows.to_parquet(arriving(home, str(day)) / "claims.parquet")
    return len(week)


@contextmanager
def installation(home: Home) -> Iterator[str]:
    """Run ``touchstone schedule`` and yield the address of its pages once they answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    call = [str(Path(sys.executable).with_name("touchstone")), "schedule", "--port", port, "--home", str(home.root)]
    with (home.root / "schedule.log").open("w") as log:
        running = subprocess.Popen(call, stdout=log, stderr=log, env=os.environ | {VARIABLE: str(home.root)})
    try:
        address = f"http://127.0.0.1:{port}"
        until(lambda: _answers(f"{address}/server_info") or running.poll() is not None, "the pages of the schedule")
        if running.poll() is not None:
            raise RuntimeError(f"the schedule ended with {running.returncode}: {(home.root / 'schedule.log').read_text()[-2_000:]}")
        yield address
    finally:
        running.terminate()
        running.wait()


def _answers(address: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(address).status_code == httpx.codes.OK
    return False


def until(look: Callable[[], T], awaited: str) -> T:
    """Look again and again until there is something to see; ``TimeoutError`` if there never is."""
    end = time.monotonic() + PATIENCE
    while not (seen := look()):
        if time.monotonic() > end:
            raise TimeoutError(f"expected {awaited} within {PATIENCE:.0f} s, found none")
        time.sleep(0.02)
    return seen


@dataclass
class Week:
    """The nights of an installation: what the schedule wants, how runs go, and how long steps took."""

    instance: dg.DagsterInstance
    client: DagsterGraphQLClient
    schedule: dg.ScheduleDefinition
    repository: dg.RepositoryDefinition
    seconds: dict[str, float] = field(default_factory=dict)

    def night(self, at: datetime, step: str, part: float) -> dict[str, Any]:
        """Start what the schedule wants at an instant, kill it in a step, and wait until it was done again."""
        wanted = dg.build_schedule_context(self.instance, at, repository_def=self.repository)
        (request,) = self.schedule.evaluate_tick(wanted).run_requests or ()
        begin = time.perf_counter()
        run = self.client.submit_job_execution("nightly", tags=dict(request.tags))
        killed_after = self._kill(run, step, part)
        again = until(lambda: self._ended(run), "a night that was done again after it was killed")
        self._learn(again.run_id)
        return {
            "day": request.partition_key,
            "killed_in": step,
            "killed_after_seconds": killed_after,
            "killed": self._was_killed(run),
            "done": again.status is dg.DagsterRunStatus.SUCCESS and again.run_id != run,
            "checks_passed": self._checks(run, again.run_id),
            "seconds": time.perf_counter() - begin,
        }

    def _kill(self, run: str, step: str, part: float) -> float:
        """Kill the process of a run a part of a step's usual time after the step began; returns the seconds waited."""
        begun = until(lambda: self._begun(run, step), f"a night that comes to {step}")
        wait = part * self.seconds.get(step, FIRST_GUESS)
        time.sleep(wait)
        with suppress(ProcessLookupError):
            os.kill(begun, signal.SIGKILL)
        return wait

    def _begun(self, run: str, step: str) -> int | None:
        """Return the process that has begun a step of a run."""
        events = self._events(run, dg.DagsterEventType.STEP_START)
        return next((event.pid for event in events if event.step_key == step), None)

    def _events(self, run: str, kind: dg.DagsterEventType) -> list[dg.DagsterEvent]:
        return [entry.dagster_event for entry in self.instance.all_logs(run, of_type=kind) if entry.dagster_event is not None]

    def _ended(self, run: str) -> dg.DagsterRun | None:
        """Return the run that ended the night: the first that succeeded, or the last that may be tried."""
        group = self.instance.get_run_group(run)
        runs = list(group[1]) if group else []
        good = [found for found in runs if found.status is dg.DagsterRunStatus.SUCCESS]
        given_up = [found for found in runs if found.is_finished and found.tags.get("dagster/will_retry") == "false"]
        return next(iter(good or given_up), None)

    def _was_killed(self, run: str) -> bool:
        told = self._events(run, dg.DagsterEventType.ENGINE_EVENT)
        return any("SIGKILL" in (event.message or "") for event in told)

    def _checks(self, *runs: str) -> int:
        """Count the checks that passed, each once; -1 if one did not."""
        kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
        found = [event.asset_check_evaluation_data for run in dict.fromkeys(runs) for event in self._events(run, kind)]
        return len({check.check_name for check in found}) if all(check.passed for check in found) else -1

    def _learn(self, run: str) -> None:
        """Remember how long the steps of a run took at the least: who is killed later may have ended."""
        for stats in self.instance.get_run_step_stats(run):
            if stats.start_time is not None and stats.end_time is not None:
                took = stats.end_time - stats.start_time
                self.seconds[stats.step_key] = min(took, self.seconds.get(stats.step_key, took))


def nights(home: Home, address: str) -> list[dict[str, Any]]:
    """Run the week; one row a night."""
    rng, start = random.Random(SEED), Simulation.of(home).live_from
    order = [*rng.sample(STEPS, len(STEPS)), *rng.choices(STEPS, k=NIGHTS)][:NIGHTS]
    repository = definitions(ScheduleSettings(home, start)).get_repository_def()
    client = DagsterGraphQLClient("127.0.0.1", port_number=int(address.rpartition(":")[2]))
    rows = []
    with dg.DagsterInstance.from_config(str(instance_folder(home))) as instance:
        week = Week(instance, client, repository.get_schedule_def("nightly_schedule"), repository)
        for number, step in enumerate(order, start=1):
            rows.append(week.night(start + timedelta(days=number, hours=1), step, rng.uniform(0.0, 0.8)))
            print(rows[-1], flush=True)
    return rows


def photographed(address: str, path: Path) -> None:
    """Take a picture of the page of runs: each night killed once, and done again."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("TOUCHSTONE_CHROMIUM", "/usr/bin/chromium"))
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto(f"{address}/runs")
        page.get_by_text("Loading runs").wait_for(state="detached", timeout=PATIENCE * 1_000)
        page.get_by_text("nightly").first.wait_for(timeout=PATIENCE * 1_000)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=path)
        browser.close()


def main(orders: int = ORDERS, claims: int = CLAIMS, picture: Path = PICTURE) -> int:
    """Run the week, print, take a picture, and write ``results/schedule.json``; 1 if anything was lost, doubled or out of balance."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        arrived = prepared(home, orders, claims)
        with installation(home) as address:
            rows = nights(home, address)
            photographed(address, picture)
        metrics = found(home, arrived) | {"nights": NIGHTS, "nights_killed": sum(row["killed"] for row in rows)}
    metrics["seconds_a_night"] = sum(row["seconds"] for row in rows) / NIGHTS
    ratios = {"decided_per_claim": (arrived - metrics["lost"] + metrics["decided_twice"]) / arrived}
    for name, value in metrics.items():
        print(f"{name}: {value}")
    record("schedule", {"metrics": metrics, "ratios": ratios, "rows": rows}, ("dagster", "pandas", "sqlalchemy"))
    wrong = [metrics[name] for name in ("lost", "decided_twice", "over_capacity", "paid_twice", "ledger_cents")]
    return int(any(wrong) or not all(row["done"] and row["killed"] and row["checks_passed"] > 0 for row in rows))


def found(home: Home, arrived: int) -> dict[str, Any]:
    """Count what a week may not leave behind."""
    with Store(home.store_url) as store:
        decisions, postings = store.read("decisions"), store.read("postings")
        with store.view() as view:
            cents = sum(balances(view).values())
    copied, policy = Lake(home.root).read("decisions"), default_policy()
    desk = decisions[(decisions["action"] == "DESK") & (decisions["route"] == "value_of_review")].groupby("decided_at").size()
    paid = postings[postings["step"] == "pay"]
    return {
        "claims": arrived,
        "lost": arrived - len(decisions),
        "decided_twice": int(copied["claim_id"].duplicated().sum()),
        "over_capacity": int((desk > policy.desk.cases * policy.desk.experts).sum()),
        "most_sent_to_the_desk_a_day": int(desk.max()),
        "paid_twice": int(paid["claim_id"].duplicated().sum()),
        "ledger_cents": int(cents),
    }


if __name__ == "__main__":
    asked = argparse.ArgumentParser()
    asked.add_argument("--orders", type=int, default=ORDERS)
    asked.add_argument("--claims", type=int, default=CLAIMS)
    asked.add_argument("--picture", type=Path, default=PICTURE)
    sys.exit(main(**vars(asked.parse_args())))
