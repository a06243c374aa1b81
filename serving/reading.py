"""What a transaction knows around claims that came together, each kind of thing read once for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from data_contracts import CLAIMS
from data_contracts.claims import Claim
from data_contracts.decisions import Decision
from features.online import OnlineHistory
from models.policy import Policy
from models.review import Capacity
from serving import audit
from serving.decided import capacity, takes_capacity
from serving.driver import Driver
from serving.history import StorePages
from serving.known import RESOLVED, STANDING, KnownRow, look_up, named, print_of, referred
from serving.written import plain


@dataclass(frozen=True, slots=True)
class Asked:
    """A claim as it came: its plain values, its print, the key that came with it, and its place among those that came together."""

    place: int
    claim: Claim
    values: dict[str, Any]
    print: bytes
    key: str | None

    @classmethod
    def of(cls, place: int, claim: Claim, key: str | None) -> Asked:
        """Read a claim once."""
        values = plain(claim)
        return cls(place, claim, values, print_of(CLAIMS, values), key)


class Reading:
    """What a transaction knows, read once for a group of claims.

    Parameters
    ----------
    tx
        A transaction of the store, reading or writing.
    history
        The features that are wanted.
    policy
        Capacities.
    before
        The last reading; if nothing but decisions was written since, its pages need not be read again.
    """

    def __init__(self, tx: Connection, history: OnlineHistory, policy: Policy, before: Reading | None = None) -> None:
        self.driver = Driver(tx)
        self.head = audit.head(self.driver)
        self.pages: StorePages = StorePages(tx)
        if before is not None and audit.only_decided(self.driver, before.head, self.head):
            self.pages.recall(before.pages)
        self.history = history.within(self.pages)
        self.watermark = self.history.watermark()
        self._policy = policy
        self._capacity: dict[int, Capacity] = {}

    def capacity_on(self, day: int) -> Capacity:
        """Return what the experts can still take on a day, less what drafts of this reading have taken."""
        if day not in self._capacity:
            self._capacity[day] = capacity(self.driver, self._policy, day)
        return self._capacity[day]

    def took(self, decision: Decision, day: int) -> None:
        """Count a draft against the experts' day."""
        if takes_capacity(decision.action.value, decision.route.value):
            left = self._capacity[day]
            desk = decision.action.value == "DESK"
            self._capacity[day] = Capacity(max(0, left.desk - desk), max(0, left.investigations - (not desk)))


@dataclass(frozen=True, slots=True)
class Around:
    """What is known around a group of claims: rows by name, answers by claim, claims and prints by idempotency key."""

    rows: Mapping[str, KnownRow]
    answers: Mapping[str, bytes]
    keys: Mapping[str, tuple[str, bytes]]

    @classmethod
    def of(cls, driver: Driver, group: Sequence[Asked]) -> Around:
        """Look everything up with one statement of each kind."""
        names = [name for asked in group for name in names_of(asked)]
        keys = [asked.key for asked in group if asked.key is not None]
        text = "SELECT key, claim_id, print FROM idempotency_keys WHERE key IN {keys}"
        held = {key: (claim, bytes(mark)) for key, claim, mark in driver.among(text, keys)}
        return cls(look_up(driver, names), audit.answers(driver, [asked.claim.claim_id for asked in group]), held)


def names_of(asked: Asked) -> list[str]:
    """Name everything that is looked up for a claim."""
    own = [("claims", asked.claim.claim_id), (RESOLVED, asked.claim.claim_id), (STANDING, asked.claim.seller_id)]
    return [*referred(CLAIMS, asked.values), *(named(kind, key) for kind, key in own)]
