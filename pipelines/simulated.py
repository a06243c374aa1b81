"""A home whose marketplace is simulated: its time line, and its counterparties, who alone look at the sealed world.

Decisions never come here. A home with real claims has none of this: its experts and parties answer by themselves.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import pandas as pd
from sqlalchemy import select

from pipelines.home import STORE, Home
from pipelines.parties import SimulatedParties
from pipelines.replacing import replacing
from pipelines.simulate import simulate, write
from pipelines.simulate.market import months_after
from pipelines.simulate.sealed import read_world
from serving.schema import DECISIONS_TABLE
from serving.store import Store

_FILE = "market.json"


@dataclass(frozen=True)
class Simulation:
    """The time line of a simulated marketplace: claims in [start, end), those from ``live_from`` on decided by nobody yet."""

    orders: int
    claims: int
    seed: int
    start: datetime
    live_from: datetime
    end: datetime
    planted: dict[str, int]

    @staticmethod
    def exists(home: Home) -> bool:
        """Tell whether a home's marketplace is simulated."""
        return (home.raw / _FILE).is_file()

    @classmethod
    def of(cls, home: Home) -> Simulation:
        """Read the time line of a home.

        Raises
        ------
        FileNotFoundError
            If the home holds no simulated marketplace.
        """
        path = home.raw / _FILE
        if not path.is_file():
            raise FileNotFoundError(f"{path}: expected the time line of a simulated marketplace; run touchstone simulate first")
        found = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**found, **{name: datetime.fromisoformat(found[name]) for name in ("start", "live_from", "end")}})


def simulate_into(
    home: Home,
    orders: int = 300_000,
    claims: int = 20_000,
    seed: int = 0,
    months: int = 18,
    live_months: int = 3,
    dirt: float = 0.002,
    start: datetime = datetime(2024, 1, 1, tzinfo=UTC),
) -> Simulation:
    """Simulate a marketplace and write its raw tables, its sealed truth and its time line.

    Parameters
    ----------
    home
        Where ``raw/`` and ``sealed/`` are written.
    orders, claims, seed, months, dirt, start
        As in :func:`pipelines.simulate.simulate`.
    live_months
        The last months, in which nobody has decided anything yet.

    Raises
    ------
    ValueError
        If sizes or times are out of range.
    FileExistsError
        If decisions were already taken in this home: they belong to another marketplace.
    """
    _refuse_decided(home)
    live_from = months_after(start, months - live_months)
    simulated = simulate(orders, claims, seed, start, months, live_from, dirt=dirt)
    write(simulated, home.root)
    simulation = Simulation(orders, claims, seed, start, live_from, months_after(start, months), dict(simulated.planted))
    with replacing(home.raw / _FILE) as draft:
        draft.write_text(json.dumps(asdict(simulation), indent=1, default=datetime.isoformat) + "\n", encoding="utf-8")
    return simulation


def _refuse_decided(home: Home) -> None:
    if not home.server and home.store.exists():
        raise FileExistsError(f"{home.store}: expected a home without decisions, found a case store; choose another --home or move it away")
    if home.server:
        with Store(home.store_url) as store, store.view() as view:
            if view.execute(select(DECISIONS_TABLE.c.claim_id).limit(1)).first() is not None:
                raise FileExistsError(f"{STORE}: expected a store without decisions, found some; name another database")


def examined_truths(home: Home) -> pd.DataFrame:
    """Return what an examination of each claim would bring to light, for the simulated experts: ``claim_id, truth, difficulty``."""
    return read_world(home.root)[["claim_id", "truth", "difficulty"]]


def parties(home: Home, seed: int = 0) -> SimulatedParties:
    """Return the simulated sellers, insurers and customers of a home."""
    return SimulatedParties(read_world(home.root), seed)
