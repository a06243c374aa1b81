"""A small store with cases of every kind, the console over it, and people who walk about in it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import httpx
import pandas as pd
from fastapi import FastAPI

from features.catalog import CATALOG
from models.rules import example_rules
from pipelines.lake import Lake
from pipelines.lake_records import LakeRecords
from serving.app import Outside, create_app
from serving.auth import Scope, anyone
from serving.case_messages import Wanted
from serving.console.roles import Role
from serving.console.sessions import ENTROPY, open_session
from serving.console.users import add_user
from serving.engine import Engine
from serving.expert_work import Desk
from serving.instants import micros
from serving.keys import ENTROPY as KEY_ENTROPY
from serving.keys import Keyring, make
from serving.queue import Tier
from serving.store import Store, add_claims
from tests.serving.cases import town
from tests.serving.homes import POLICY, Small, claim

PASSWORD = "correct horse battery"
PEOPLE = {
    "olga": Role.OPERATIONS,
    "ann": Role.EXPERT,
    "bob": Role.EXPERT,
    "zoe": Role.INVESTIGATOR,
    "aude": Role.AUDITOR,
    "adam": Role.ADMIN,
}
OF = {role: name for name, role in reversed(PEOPLE.items())}
"""Somebody of each role."""

OLD = town(160, seed=3, weeks=1)
REASON = "customer_history +1.25: the customer's claims in the last 30 days [claims_count_customer_30d=4, more than 97 % of claims]"
COPIED = ("narrative", "photo_hash", "device_id", "address_id", "payment_id", "phone_id")
WHY = "The receipt is of another product."


def furnish(store: Store, market: Small) -> datetime:
    """Fill a store: cases of all ages; live ones that the model decided, told before by others. Returns the instant it is at."""
    now = market.end + timedelta(hours=1)
    with store.write() as tx:
        add_claims(tx, told_before(market))
        for name, role in PEOPLE.items():
            add_user(tx, name, role, PASSWORD, micros(now))
    store.record_decisions(OLD.decisions.assign(decided_at=_aged(now), reasons=REASON))
    engine = market.engine(store, rules=example_rules(CATALOG.names))
    claims = [claim(market.live, row) for row in range(len(market.live))]
    if not all(isinstance(answer, bytes) for answer in engine.score_many(claims, market.end)):
        raise ValueError("engine: expected an answer to every live claim")
    return now


def told_before(market: Small) -> pd.DataFrame:
    """The old claims, the first of which tell the stories, show the photographs and share the things of the live ones."""
    old, live = OLD.claims.copy(), market.live
    for name in COPIED:
        old[name] = [*live[name], *old[name].iloc[len(live) :]]
    return old


def _aged(now: datetime) -> pd.Series:
    """Instants of up to 45 days ago: what is a day late is overdue for whichever clock it may be."""
    days = pd.Series(range(len(OLD.decisions))) % 46
    return pd.Series(pd.Timestamp(now) - pd.to_timedelta(days, unit="D")).astype(OLD.decisions["decided_at"].dtype)


@dataclass
class House:
    """The console over a store of one's own, at an instant that can be moved."""

    market: Small
    store: Store
    now: datetime
    secure: bool = True
    app: FastAPI = field(init=False)
    key: str = field(init=False)
    numbers: Iterator[int] = field(default_factory=count, init=False)

    def __post_init__(self) -> None:
        self.key, kept = make(bytes(KEY_ENTROPY), "ann", (Scope.EXPERT,), micros(self.now))
        ring = Keyring(lambda: {kept.key_id: kept}, lambda: micros(self.now))
        records = LakeRecords(Lake(self.market.home.root))
        outside = Outside(lambda credential: anyone(credential, (ring,)), secure=self.secure, records=records)
        self.app = create_app(Engine(self.market.bundle, POLICY, self.store), lambda: self.now, outside)

    def visitor(self, name: str) -> Visitor:
        """Somebody who has signed in."""
        entropy = f"{name}{next(self.numbers)}".encode().ljust(ENTROPY, b".")
        with self.store.write() as tx:
            open_session(tx, name, entropy, micros(self.now))
        return Visitor(self.app, {"__Host-touchstone-session": entropy.hex()})

    def taken(self, name: str, limit: int = 1, tier: Tier = Tier.DESK) -> list[str]:
        """Lease cases as an expert does, without the console."""
        with self.store.write() as tx:
            return [case.claim_id for case in Desk(tx, name, micros(self.now), POLICY).lease(Wanted(tier=tier, limit=limit)).cases]

    def rows(self, table: str) -> list[dict[str, Any]]:
        return list(self.store.read(table).to_dict("records"))


@dataclass
class Visitor:
    """A browser in memory: keeps cookies, reads forms off pages."""

    app: FastAPI
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def one() -> httpx.Response:
            headers = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} | more.pop("headers", {})
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="https://memory") as client:
                return await client.request(method, "/console" + path, headers=headers, **more)

        found = asyncio.run(one())
        for given in found.headers.get_list("set-cookie"):
            name, _, value = given.partition(";")[0].partition("=")
            self.cookies[name] = value
        return found

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.ask("GET", path, **more)

    def token(self, path: str = "/account") -> str:
        found = re.search(r'name="form" value="([0-9a-f]*)"', self.get(path).text)
        return "" if found is None else found[1]

    def send(self, path: str, /, **told: str) -> httpx.Response:
        """Send a form with the token that its page carries."""
        page = "/account" if "__Host-touchstone-session" in self.cookies else "/sign-in"
        return self.ask("POST", path, data={"form": self.token(page), **told})

    def follow(self, found: httpx.Response) -> httpx.Response:
        """Go where an answer sends one."""
        assert found.status_code == 303, found.text
        to = urlsplit(found.headers["location"])
        return self.get(to.path.removeprefix("/console") + (f"?{to.query}" if to.query else ""))


def lease(page: str) -> str:
    """The token of the lease that a case's page carries."""
    found = re.search(r'name="token" value="(\d+)"', page)
    assert found is not None
    return found[1]
