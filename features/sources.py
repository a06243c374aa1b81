"""Sources of history: selections of the tables whose time is when the marketplace *learned* the fact.

An order counts from ``ordered_at``, a claim from ``filed_at``, an outcome from ``known_at``. Because of that, the delay of
labels needs no special case anywhere else.

A fact that can be revised (a claim's label, a seller's insurance) is a *standing*: a source of changes, +1 when something
becomes true and −1 when it ceases to be, so that the sum of all changes before an instant is what stood at that instant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from features.facts import ENTITIES, Facts, FeatureError, take
from features.history import NEVER, Ints


@dataclass(frozen=True, eq=False)
class Events:
    """A source's events in time order.

    Parameters
    ----------
    times
        (n,) microseconds at which each became known.
    columns
        (n,) integers by name: codes of keys (−1 where missing), cents, changes.
    """

    times: Ints
    columns: dict[str, Ints]

    def only(self, kept: Ints) -> Events:
        """Return the events at these rows, in this order."""
        return Events(self.times[kept], {name: values[kept] for name, values in self.columns.items()})


@dataclass(frozen=True)
class Selection:
    """Rows of one table, perhaps only those whose ``column`` is one of ``values``, known at ``at``."""

    table: str
    at: str
    numbers: tuple[str, ...] = ()
    column: str | None = None
    values: tuple[str, ...] = ()

    def read(self, facts: Facts) -> Events | None:
        """Select; ``None`` where the table or a column that the selection itself needs is missing."""
        if not facts.has(f"{self.table}.{self.at}") or (self.column and not facts.has(f"{self.table}.{self.column}")):
            return None
        numbers = {n: facts.integers(self.table, n) for n in self.numbers if facts.has(f"{self.table}.{n}")}
        columns = _keys(facts, self.table) | {n: np.where(v == NEVER, 0, v) for n, v in numbers.items()}
        events = Events(facts.instants(self.table, self.at), columns)
        if self.column is None:
            return events
        matches = [facts.equals(self.table, self.column, value) for value in self.values]
        return events.only(np.flatnonzero(np.logical_or.reduce(matches)))


SELECTIONS: dict[str, Selection] = {
    "orders": Selection("orders", "ordered_at", ("amount_cents",)),
    "returns": Selection("returns", "returned_at", ("refund_cents",)),
    "claims": Selection("claims", "filed_at", ("amount_cents",)),
    "injuries": Selection("claims", "filed_at", ("amount_cents",), "kind", ("injury",)),
    "violations": Selection("seller_events", "known_at", (), "kind", ("policy_violation",)),
    "lapses": Selection("seller_events", "known_at", (), "kind", ("insurance_lapsed", "insurance_forged")),
    "recalls": Selection("seller_events", "known_at", (), "kind", ("recall",)),
}
"""Sources that are a plain selection."""

STANDING_COLUMNS = ("examined", "abusive", "unsubstantiated", "paid", "denied", "paid_cents")
"""What a resolution changes: whether the claim counts as examined, found abusive …, and the cents paid."""


def select(facts: Facts, name: str) -> Events | None:
    """Read a source in time order.

    Parameters
    ----------
    facts
        The tables.
    name
        One of :data:`SOURCES`.

    Returns
    -------
    Events or None
        ``None`` where the tables cannot provide it. Events of unknown time are left out.

    Raises
    ------
    FeatureError
        If there is no source of that name.
    """
    if name not in SOURCES:
        raise FeatureError(f"source: expected one of {', '.join(SOURCES)}, found {name!r}")
    events = SELECTIONS[name].read(facts) if name in SELECTIONS else _DERIVED[name](facts)
    if events is None:
        return None
    if len(events.times) == 0 or (events.times[0] != NEVER and bool(np.all(events.times[1:] >= events.times[:-1]))):
        return events
    order = np.argsort(events.times, kind="stable")
    return events.only(order[np.searchsorted(events.times[order], NEVER, side="right") :])


def _keys(facts: Facts, table: str) -> dict[str, Ints]:
    return {key: facts.codes(table, key) for key in facts.keys(table)}


def _sightings(facts: Facts) -> Events | None:
    """Read every time a customer was seen with a device, address, payment or phone: by an order or by a claim."""
    parts = [part for part in (SELECTIONS["orders"].read(facts), SELECTIONS["claims"].read(facts)) if part is not None]
    if not parts:
        return None
    names = {name for part in parts for name in part.columns if name in ENTITIES}
    columns = {n: np.concatenate([p.columns.get(n, np.full(len(p.times), -1, dtype=np.int64)) for p in parts]) for n in sorted(names)}
    return Events(np.concatenate([part.times for part in parts]), columns)


def _standing(facts: Facts) -> Events | None:
    """Read what each resolution changed in the standing of its claim.

    A later resolution replaces outcome and payment. A later one without a label leaves the label as it was: not having
    looked again says nothing about what was found.
    """
    needs = ("claim_id", "known_at", "resolution_id", "label", "outcome", "paid_cents")
    if not facts.has(*(f"resolutions.{name}" for name in needs), "claims.claim_id"):
        return None
    table = "resolutions"
    claim = facts.rows(table, "claim_id", "claims")
    order = np.lexsort((facts.ranks(table, "resolution_id"), facts.instants(table, "known_at"), claim))
    order = order[claim[order] >= 0]
    first = np.ones(len(order), dtype=bool)
    first[1:] = np.diff(claim[order]) != 0
    labelled = _latest_labelled(np.asarray(facts.frame(table)["label"].notna(), dtype=bool)[order], first)
    state: dict[str, Ints] = {"examined": (labelled >= 0).astype(np.int64)}
    for label in ("abusive", "unsubstantiated"):
        state[label] = take(facts.equals(table, "label", label)[order].astype(np.int64), labelled, 0)
    state["paid"] = facts.equals(table, "outcome", "paid")[order].astype(np.int64)
    state["denied"] = 1 - state["paid"]
    state["paid_cents"] = facts.integers(table, "paid_cents")[order]
    keys = {key: take(codes, claim[order], -1) for key, codes in _keys(facts, "claims").items()}
    return Events(facts.instants(table, "known_at")[order], keys | {name: _changes(values, first) for name, values in state.items()})


def _latest_labelled(labelled: np.ndarray, first: np.ndarray) -> Ints:
    """Position of the latest row with a label, up to each row and within its claim; −1 without one."""
    here = np.arange(len(labelled), dtype=np.int64)
    latest = np.maximum.accumulate(np.where(labelled, here, -1)) if len(here) else here
    begins = np.maximum.accumulate(np.where(first, here, 0)) if len(here) else here
    found: Ints = np.where(latest >= begins, latest, -1)
    return found


def _changes(values: Ints, first: np.ndarray) -> Ints:
    """Difference to the previous row; a first row changes from nothing."""
    before = np.zeros_like(values)
    before[1:] = values[:-1]
    before[first] = 0
    return values - before


def _turned(column: str) -> Callable[[Facts], Events | None]:
    """Make the source of the instants at which a column of the standing became true."""

    def read(facts: Facts) -> Events | None:
        events = _standing(facts)
        return events and events.only(np.flatnonzero(events.columns[column] > 0))

    return read


_INSURANCE = {"insurance_proven": 1, "insurance_lapsed": 0, "insurance_forged": 0}
_CONDUCT = {"policy_violation": 1, "policy_cleared": 0}


def _seller_standing(facts: Facts) -> Events | None:
    """Read changes of whether a seller is insured and of whether a violation of policy is open."""
    if not facts.has(*(f"seller_events.{name}" for name in ("event_id", "seller_id", "kind", "known_at"))):
        return None
    insured, violating = _switch(facts, _INSURANCE), _switch(facts, _CONDUCT)
    none = {"insured": np.zeros(len(violating.times), dtype=np.int64), "violating": np.zeros(len(insured.times), dtype=np.int64)}
    return Events(
        np.concatenate([insured.times, violating.times]),
        {
            "seller_id": np.concatenate([insured.columns["seller_id"], violating.columns["seller_id"]]),
            "insured": np.concatenate([insured.columns["change"], none["insured"]]),
            "violating": np.concatenate([none["violating"], violating.columns["change"]]),
        },
    )


def _switch(facts: Facts, kinds: dict[str, int]) -> Events:
    table = "seller_events"
    state = np.full(len(facts.frame(table)), -1, dtype=np.int64)
    for kind, value in kinds.items():
        state[facts.equals(table, "kind", kind)] = value
    seller, times = facts.codes(table, "seller_id"), facts.instants(table, "known_at")
    order = np.lexsort((facts.ranks(table, "event_id"), times, seller))
    order = order[state[order] >= 0]
    first = np.ones(len(order), dtype=bool)
    first[1:] = np.diff(seller[order]) != 0
    return Events(times[order], {"seller_id": seller[order], "change": _changes(state[order], first)})


_DERIVED: dict[str, Callable[[Facts], Events | None]] = {
    "sightings": _sightings,
    "standing": _standing,
    "findings": _turned("abusive"),
    "denials": _turned("denied"),
    "seller_standing": _seller_standing,
}

SOURCES: tuple[str, ...] = (*SELECTIONS, *_DERIVED)
"""Every source an aggregate can be on."""
