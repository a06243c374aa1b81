"""A week through the real schedule, every night killed in the middle: each claim decided once, nothing lost, nobody paid twice.

A simulated marketplace of the demo's size; every day's claims arrive as files of that day. Each night runs as Dagster's nightly job
in a process of its own, which is killed without warning at a random statement of the case store, and is then done again.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import Engine, event

from benchmarks._record import record
from models.policy import default_policy
from pipelines.build import build
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.schedule_steps import arriving
from pipelines.simulated import Simulation, simulate_into
from pipelines.train import train
from pipelines.validate import validate
from serving.ledger import balances
from serving.store import Store

ORDERS, CLAIMS, SEED, NIGHTS = 300_000, 20_000, 0, 7
STATEMENTS = 40
"""The first night is killed within half of so many statements of the case store, a later one of as many as the night before took."""


def prepared(home: Home) -> int:
    """Simulate, train, and lay out the week's claims by the day of filing; returns how many there are."""
    simulation = simulate_into(home, ORDERS, CLAIMS, SEED)
    validate(home, docs=False)
    build(home)
    train(home, simulation.live_from, tracking=False)
    lake, start = Lake(home.root), pd.Timestamp(simulation.live_from)
    claims = lake.read("claims")
    lake.append("claims", claims[claims["filed_at"] < start], batch="initial")
    week = claims[(claims["filed_at"] >= start) & (claims["filed_at"] < start + pd.Timedelta(days=NIGHTS))]
    for day, rows in week.groupby(week["filed_at"].dt.strftime("%Y-%m-%d")):
        arriving(home, str(day)).mkdir(parents=True)
        rows.to_parquet(arriving(home, str(day)) / "claims.parquet")
    return len(week)


def night(root: str, day: str, killed_at: int) -> bool:
    """Run one night in this process, say how many statements it took; with ``killed_at`` above 0 it is killed before that one."""
    import dagster as dg

    from pipelines.schedule import definitions, instance_folder
    from pipelines.schedule_settings import ScheduleSettings

    taken = 0

    def die(connection: Any, *_: object) -> None:
        nonlocal taken
        taken += str(connection.engine.url).endswith("store.db")
        if taken == killed_at > 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", die)
    home = Home(Path(root))
    settings = ScheduleSettings(home, Simulation.of(home).live_from)
    with dg.DagsterInstance.from_config(str(instance_folder(home))) as instance:
        done = definitions(settings).resolve_job_def("nightly").execute_in_process(partition_key=day, instance=instance).success
    print(taken)
    return done


def main() -> int:
    """Run the week, print, and write ``results/schedule.json``; 1 if anything was lost, doubled or out of balance."""
    rng, rows = random.Random(SEED), []
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        arrived = prepared(home)
        start, statements = Simulation.of(home).live_from, STATEMENTS
        call = [sys.executable, "-m", "benchmarks.schedule", folder]
        for number in range(NIGHTS):
            day = f"{start + timedelta(days=number):%Y-%m-%d}"
            begin, killed_at = time.perf_counter(), rng.randint(1, statements // 2)
            killed, done = (subprocess.run([*call, day, str(at)], capture_output=True, text=True, check=False) for at in (killed_at, 0))
            row = {"day": day, "killed_at": killed_at, "killed": killed.returncode == -signal.SIGKILL, "done": done.returncode == 0}
            rows.append(row | {"seconds": time.perf_counter() - begin})
            print(rows[-1], flush=True)
            statements = int(done.stdout.split()[-1]) if row["done"] else statements
        metrics = found(home, arrived) | {"nights": NIGHTS, "nights_killed": sum(row["killed"] for row in rows)}
    ratios = {"decided_per_claim": (arrived - metrics["lost"] + metrics["decided_twice"]) / arrived}
    for name, value in metrics.items():
        print(f"{name}: {value}")
    record("schedule", {"metrics": metrics, "ratios": ratios, "rows": rows}, ("dagster", "pandas", "sqlalchemy"))
    wrong = metrics["lost"] or metrics["decided_twice"] or metrics["over_capacity"] or metrics["ledger_cents"] or metrics["paid_twice"]
    return int(bool(wrong) or not all(row["done"] for row in rows))


def found(home: Home, arrived: int) -> dict[str, int]:
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
    if len(sys.argv) == 4:
        sys.exit(0 if night(sys.argv[1], sys.argv[2], int(sys.argv[3])) else 1)
    sys.exit(main())
