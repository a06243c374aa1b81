"""From a claim to its decision before anything is written: what is known of it, its features, its price.

Drafts are made in a transaction that only reads, so that several processes work side by side; whoever writes checks that what a draft
was made from still holds, and makes it anew where it does not. Most drafts hold: a feature row as of an instant that the history
has passed can never change again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from data_contracts import CLAIMS
from data_contracts.claims import Claim
from data_contracts.decisions import Decision
from features.history import Floats
from features.online import OnlineHistory, Read
from models.policy import Policy
from models.review import Capacity
from models.scorer import Scorer, Seen
from serving import audit
from serving.decided import capacity, day_of, takes_capacity
from serving.driver import Driver
from serving.history import StorePages
from serving.instants import micros
from serving.known import RESOLVED, STANDING, KnownRow, broken_references, differing, look_up, named, print_of, referred
from serving.refusals import ConflictError, InvalidClaimError, Violation, shown
from serving.standing import is_insured
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


@dataclass(frozen=True, slots=True)
class Decider:
    """What decides: one model with prices and rules. Every decision is made by exactly one."""

    scorer: Scorer
    bundle: str
    beside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "trees"))

    def seeing(self, vector: Floats, beside: bool) -> Callable[[], Seen]:
        """Let the trees be walked, now or beside what else is to be done, and return what waits for it.

        What nobody has begun when it is asked for is done by who asks: both processors are at work then.
        """
        if not beside:
            seen = self.scorer.see(vector)
            return lambda: seen
        begun = self.beside.submit(self.scorer.see, vector)
        return lambda: self.scorer.see(vector) if begun.cancel() else begun.result()


@dataclass(frozen=True, slots=True)
class Draft:
    """A decision that is not written yet, and what it was made from."""

    asked: Asked
    decision: Decision
    read: Read
    seen: Seen
    insured: bool
    capacity: Capacity
    watermark: int
    decider: Decider
    is_known: bool

    @property
    def vector(self) -> Floats:
        """Its features."""
        return self.read.vector

    def holds_vector(self, watermark: int) -> bool:
        """Tell whether the features are still those of the claim: nothing can have become known before its filing since."""
        return watermark == self.watermark or self.asked.values["filed_at"] <= self.watermark + 1


Found = bytes | Exception | Draft
"""What a claim is answered: the first answer once more, why it is refused, or a draft."""


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
        The last reading; if nothing was written since, its pages need not be read again.
    """

    def __init__(self, tx: Connection, history: OnlineHistory, policy: Policy, before: Reading | None = None) -> None:
        self.driver = Driver(tx)
        self.head = audit.head(self.driver)
        self.pages: StorePages = StorePages(tx)
        if before is not None and before.head == self.head:
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


def draft(
    reading: Reading, group: Sequence[Asked], decider: Decider, now: datetime, skew: timedelta, before: Mapping[int, Draft]
) -> list[Found]:
    """Find each claim's answer, or draft its decision.

    Parameters
    ----------
    reading
        What the transaction knows.
    group
        Claims, no two of them with the same identity or key.
    decider
        Decides those that are new.
    now
        The present instant.
    skew
        How far in the future a claim may have been filed.
    before
        Drafts made earlier, by place; what still holds of them is used.

    Returns
    -------
    list
        In the order of the group. A claim that fails fails alone.
    """
    around = Around.of(reading.driver, group)
    found: dict[int, Found] = {}
    looks: list[_Look] = []
    for asked in group:
        try:
            first = answered(asked, around)
            if first is None:
                looks.append(_looked(reading, asked, around, decider, now, skew, before.get(asked.place), len(group) > 1))
            else:
                found[asked.place] = first
        except Exception as error:  # whatever it is concerns this claim alone
            found[asked.place] = error
    found |= zip((look.asked.place for look in looks), _drafted(reading, looks, around, decider, now), strict=True)
    return [found[asked.place] for asked in group]


def answered(asked: Asked, around: Around) -> bytes | None:
    """Return the first answer to a claim, ``None`` if it is new.

    Raises
    ------
    ConflictError
        If its key came with another claim, another claim was received under its identity, or others resolved it.
    """
    claim_id = asked.claim.claim_id
    under_key = around.keys.get(asked.key) if asked.key is not None else None
    if under_key is not None and under_key != (claim_id, asked.print):
        told = Violation("Idempotency-Key", "a key that is new, or the claim it came with first", shown(asked.key))
        raise ConflictError(f"claim {claim_id}", [told])
    held = around.rows.get(named("claims", claim_id))
    if held is not None and held.print != asked.print:
        first = "the value received first under this claim_id"
        names = differing(CLAIMS, held.print, asked.print)
        raise ConflictError(f"claim {claim_id}", [Violation(name, first, shown(getattr(asked.claim, name))) for name in names])
    answer = around.answers.get(claim_id)
    if answer is None and named(RESOLVED, claim_id) in around.rows:
        raise ConflictError(f"claim {claim_id}", [Violation("claim_id", "a claim that nobody has resolved yet", shown(claim_id))])
    return answer


@dataclass(frozen=True, slots=True)
class _Look:
    """A claim that was looked at: its features, whether its seller is insured, what the trees say, and an earlier draft if it may hold."""

    asked: Asked
    read: Read
    insured: bool
    seen: Callable[[], Seen]
    old: Draft | None


def _looked(
    reading: Reading, asked: Asked, around: Around, decider: Decider, now: datetime, skew: timedelta, old: Draft | None, in_company: bool
) -> _Look:
    """Read a claim's features; in company the trees are walked while the next claim is read."""
    _must_be_sound(asked, around, now, skew)
    standing = around.rows.get(named(STANDING, asked.claim.seller_id))
    insured = standing is not None and is_insured(standing.held, asked.values["filed_at"])
    keeps = old is not None and old.holds_vector(reading.watermark)
    read = old.read if old is not None and keeps else reading.history.read(asked.values)
    if old is not None and keeps and old.insured == insured and old.decider is decider:
        return _Look(asked, read, insured, lambda: old.seen, old)
    return _Look(asked, read, insured, decider.seeing(read.vector, in_company), None)


def _drafted(reading: Reading, looks: Sequence[_Look], around: Around, decider: Decider, now: datetime) -> list[Draft]:
    """Price claims together, and send one after the other where there is a place left."""
    if not looks:
        return []
    seen = [look.seen() for look in looks]
    claims = [vars(look.asked.claim) for look in looks]
    priced = decider.scorer.price(seen, claims, [look.insured for look in looks])
    drafts = []
    for look, mine, price, claim in zip(looks, seen, priced, claims, strict=True):
        decided_at = max(now, look.asked.claim.filed_at)
        day = day_of(micros(decided_at))
        left = reading.capacity_on(day)
        if look.old is not None and enough(look.old.capacity) == enough(left):
            decision = look.old.decision
        else:
            decision = decider.scorer.decide(mine, price, claim, left, decided_at)
        reading.took(decision, day)
        is_known = named("claims", look.asked.claim.claim_id) in around.rows
        drafts.append(Draft(look.asked, decision, look.read, mine, look.insured, left, reading.watermark, decider, is_known))
    return drafts


def enough(left: Capacity) -> tuple[int, int]:
    """Return what of a capacity can matter to one claim: a place at the desk, one more if the audit takes one, an investigation."""
    return min(left.desk, 2), min(left.investigations, 1)


def _must_be_sound(asked: Asked, around: Around, now: datetime, skew: timedelta) -> None:
    violations = broken_references(CLAIMS, vars(asked.claim), around.rows)
    latest = now + skew
    for name in ("filed_at", "recorded_at"):
        at = getattr(asked.claim, name)
        if at is not None and at > latest:
            violations.append(Violation(name, f"a time not after {now.isoformat()}", shown(at)))
    if violations:
        raise InvalidClaimError(f"claim {asked.claim.claim_id}", violations)
