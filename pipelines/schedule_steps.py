"""What a night consists of, step by step: each one verb, idempotent, that tells what it did and leaves a manifest.

Nothing here knows Dagster: :mod:`pipelines.schedule_assets` calls these steps, and so can any other scheduler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import func, select

from models.policy import Policy, default_policy
from models.rules import Rules
from pipelines.assign import Mornings
from pipelines.build import build
from pipelines.engine import Carrier, Engine
from pipelines.fetched import fetched, is_there
from pipelines.home import Home
from pipelines.manifest import recorded, utc_now
from pipelines.resolve import settle
from pipelines.score import score
from pipelines.simulated import Simulation, examined_truths, parties
from pipelines.validate import validate
from serving.schema import CASES, EXPERT_ANSWERS
from serving.store import Store

Clock = Callable[[], datetime]
"""Tells the present instant, UTC."""

Counts = dict[str, Any]


@dataclass(frozen=True)
class Night:
    """What every step of a night needs.

    Parameters
    ----------
    home
        Lake, bundles, store.
    policy, rules
        Prices, and rules beside the model if there are any.
    carrier
        What computes the features.
    seed
        Of simulated experts and parties.
    clock
        For the manifests alone.
    arriving
        Folder or address on object storage in which tables arrive, if not ``arriving/`` of the home.
    """

    home: Home
    policy: Policy = field(default_factory=default_policy)
    rules: Rules | None = None
    carrier: Carrier = field(default_factory=Carrier)
    seed: int = 0
    clock: Clock = utc_now
    arriving: str = ""

    @property
    def since(self) -> datetime | None:
        """Claims filed earlier are not ours: those that a simulated marketplace has decided before us."""
        return Simulation.of(self.home).live_from if Simulation.exists(self.home) else None


def arriving(home: Home, partition: str) -> Path:
    """Return the folder in which the tables of a day or an hour arrive, such as ``arriving/2025-04-01``."""
    return home.root / "arriving" / partition


def tables(night: Night, partition: str, as_of: datetime) -> Counts:
    """Check what arrived in a day or an hour and bring it into the lake; nothing arrived is no error."""
    source = f"{night.arriving}/{partition}" if night.arriving else str(arriving(night.home, partition))
    if not is_there(source):
        return _done(night, "tables", as_of, lambda: {"read": 0, "accepted": 0, "quarantined": 0})
    return _done(night, "tables", as_of, lambda: _accepted(night, source, partition))


def _accepted(night: Night, source: str, partition: str) -> Counts:
    with fetched(source, night.home.root) as folder:
        found = validate(night.home, folder, batch=partition, docs=False, carrier=night.carrier).tables.values()
    return {name: sum(getattr(counts, name) for counts in found) for name in ("read", "accepted", "quarantined")}


def features(night: Night, as_of: datetime) -> Counts:
    """Bring the kept matrix up to the lake."""
    return _done(night, "features", as_of, lambda: vars(build(night.home, carrier=night.carrier)))


def decisions(night: Night, as_of: datetime) -> Counts:
    """Decide every claim filed before an instant that has no decision yet."""
    by_spark = night.carrier if night.carrier.engine is Engine.SPARK else None  # the others have nothing to do but the features

    def decide() -> Counts:
        threads = night.carrier.threads
        found = score(night.home, as_of, night.policy, night.since, num_threads=threads, rules=night.rules, carrier=by_spark)
        return {"decided": found.decided, "pending": found.pending, **found.by_action}

    return _done(night, "decisions", as_of, decide)


def queue(night: Night, as_of: datetime) -> Counts:
    """Plan who is to look at what; the simulated firm of a simulated marketplace works its days up to the instant."""

    def work() -> Counts:
        worked: Counts = {}
        with Store(night.home.store_url) as store:
            if Simulation.exists(night.home):
                from pipelines.diary import FILE, Diary
                from pipelines.experts import work_here  # only here are experts simulated

                diary, since = Diary(night.home.root / FILE), Simulation.of(night.home).live_from
                truths = examined_truths(night.home)
                morning = Mornings.at(night.home, store, night.policy)
                done = work_here(store, truths, since, as_of, night.seed, diary=diary, policy=night.policy, morning=morning)
                worked = vars(done)
            else:
                worked = vars(Mornings.at(night.home, store, night.policy)(as_of))
            with store.view() as view:
                states = view.execute(select(CASES.c.state, func.count()).group_by(CASES.c.state)).all()
                answers = view.execute(select(func.count()).select_from(EXPERT_ANSWERS)).scalar_one()
        return {**worked, **{f"cases_{state}": int(cases) for state, cases in states}, "answers": int(answers)}

    return _done(night, "queue", as_of, work)


def resolutions(night: Night, as_of: datetime) -> Counts:
    """Carry every case forward by answers and clocks, and bring what was resolved into the lake."""

    def carry() -> Counts:
        said = parties(night.home, night.seed) if Simulation.exists(night.home) else None
        with Store(night.home.store_url, synchronous="NORMAL") as store:
            done = settle(night.home, store, pd.Timestamp(as_of), night.policy, said)
        names = ("events", "verdicts", "cases_open", "cases_resolved", "paid_cents", "ledger_balance_cents")
        return {name: getattr(done, name) for name in names}

    return _done(night, "resolutions", as_of, carry)


def monitoring(night: Night, as_of: datetime) -> Counts:
    """Ask whether the world has moved; a history too short to say is told as such."""
    from pipelines.monitor import monitor  # pictures and models: a second to import, which no hour needs

    def ask() -> Counts:
        try:
            found = monitor(night.home, as_of, night.policy, num_threads=night.carrier.threads)
        except ValueError as short:
            return {"quiet": True, "alarms": [], "why": str(short)}
        return {"quiet": not found.findings.alarms, "alarms": list(found.findings.alarms), "why": ""}

    return _done(night, "monitoring", as_of, ask, lambda counts: int(not counts["quiet"]))


def _done(
    night: Night, verb: str, as_of: datetime, work: Callable[[], Mapping[str, Any]], answer: Callable[[Counts], int] = lambda _: 0
) -> Counts:
    """Do the work, and leave a manifest of it."""
    with recorded(night.home, f"schedule-{verb}", as_of, night.clock) as told:
        told.counts = dict(work())
        told.exit_code = answer(told.counts)
    return told.counts
