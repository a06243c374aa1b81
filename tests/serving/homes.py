"""A small home with a simulated marketplace and a champion, for the tests of the endpoint."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from data_contracts.claims import Claim
from features.catalog import CATALOG
from features.online import OnlineHistory
from features.pages import MemoryPages
from models.bundle import Bundle
from models.policy import Policy, default_policy
from models.shelf import Shelf
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.simulated import simulate_into
from pipelines.train import train
from pipelines.validate import validate
from serving.engine import Engine
from serving.filling import fill
from serving.instants import micros
from serving.store import Store

POLICY = default_policy()
CATALOG_HASH = CATALOG.hash

HISTORY = OnlineHistory(MemoryPages())
"""Prepared once; used in the transactions of many stores."""


@dataclass(frozen=True)
class Small:
    """A home, its champion, its tables, and the claims that nobody has decided, in order of filing."""

    home: Home
    bundle: Bundle
    tables: dict[str, pd.DataFrame]
    live_from: datetime
    end: datetime

    @property
    def live(self) -> pd.DataFrame:
        claims = self.tables["claims"]
        return claims[claims["filed_at"] >= self.live_from].sort_values(["filed_at", "claim_id"], ignore_index=True)

    @property
    def past(self) -> dict[str, pd.DataFrame]:
        """The tables without the claims that nobody has decided."""
        claims = self.tables["claims"]
        return {**self.tables, "claims": claims[claims["filed_at"] < self.live_from].reset_index(drop=True)}

    @property
    def now(self) -> datetime:
        """A day after the last claim."""
        return self.end + timedelta(days=1)

    def engine(self, store: Store, tables: dict[str, pd.DataFrame] | None = None, policy: Policy = POLICY, **more: Any) -> Engine:
        """An engine over a store that is filled from some tables first, by default the past."""
        fill(store, HISTORY, self.past if tables is None else tables, micros(self.now))
        engine = Engine(self.bundle, policy, store, **more)
        engine.warm_up()  # nobody waits for a compiler where there is a limit to waiting
        return engine


def small(root: Path, orders: int = 3000, claims: int = 300) -> Small:
    """Simulate, validate and train."""
    home = Home(root)
    market = simulate_into(home, orders, claims, seed=3)
    validate(home, docs=False)
    train(home, market.live_from, tracking=False)
    bundle = Shelf(home.bundles).get("champion", CATALOG.hash)
    return Small(home, bundle, Lake(root).tables(), market.live_from, market.end)


def body(claims: pd.DataFrame, row: int = 0) -> dict[str, Any]:
    """One row of claims as JSON carries it."""
    found: dict[str, Any] = json.loads(claims.iloc[[row]].to_json(orient="records", date_format="iso", date_unit="us"))[0]
    return found


def claim(claims: pd.DataFrame, row: int = 0, **changes: Any) -> Claim:
    """One row of claims as the engine takes it."""
    return Claim.model_validate(body(claims, row) | changes)


def store_at(folder: Path) -> Store:
    return Store(f"sqlite:///{folder / 'store.db'}", synchronous="NORMAL")
