"""Sources of history: selections of the tables whose time is when the marketplace *learned* the fact.

An order counts from ``ordered_at``, a claim from ``filed_at``, an outcome from ``known_at``, and each of them from
``recorded_at`` where it reached the marketplace's own system only then. Because of that, the delay of labels and events
that arrive late need no special case anywhere else.

A fact that can be revised (a claim's label, a seller's insurance) is a *standing*: a source of changes, +1 when something
becomes true and −1 when it ceases to be, so that the sum of all changes before an instant is what stood at that instant.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from data_contracts import CONTRACTS
from features.facts import Facts, FeatureError, take
from features.history import NEVER, Ints
from features.spec import ENTITIES, Selection


@dataclass(frozen=True, eq=False)
class Events:
    """A source's events in time order.

    Parameters
    ----------
    times
        (n,) microseconds at which each became known.
    columns
        (n,) integers by name: codes of keys (−1 where missing); cents, truths, instants (``NEVER`` where missing); changes.
    """

    times: Ints
    columns: dict[str, Ints]

    def only(self, kept: Ints) -> Events:
        """Return the events at these rows, in this order."""
        return Events(self.times[kept], {name: values[kept] for name, values in self.columns.items()})


SELECTIONS: dict[str, Selection] = {
    "orders": Selection("orders", "ordered_at"),
    "returns": Selection("returns", "returned_at"),
    "claims": Selection("claims", "filed_at"),
    "injuries": Selection("claims", "filed_at", "kind", ("injury",)),
    "violations": Selection("seller_events", "known_at", "kind", ("policy_violation",)),
    "lapses": Selection("seller_events", "known_at", "kind", ("insurance_lapsed", "insurance_forged")),
    "recalls": Selection("seller_events", "known_at", "kind", ("recall",)),
}
"""Sources that are a plain selection."""

STANDING_COLUMNS = ("examined", "abusive", "unsubstantiated", "paid", "denied", "paid_cents")
"""What a resolution changes: whether the claim counts as examined, found abusive …, and the cents paid."""


def select(facts: Facts, name: str, numbers: Collection[str] = ()) -> Events | None:
    """Read a source in time order.

    Parameters
    ----------
    facts
        The tables, and the sources that a catalogue added.
    name
        One of :data:`SOURCES` or of ``facts.sources``.
    numbers
        Columns wanted besides the keys: whole numbers, truths or instants of the source's table. One that the table lacks
        although its contract has it is left out of the events.

    Returns
    -------
    Events or None
        ``None`` where the tables cannot provide it. Events of unknown time are left out.

    Raises
    ------
    FeatureError
        If there is no source of that name, or no such column in it.
    """
    if name in _DERIVED:
        _must_offer(name, _OFFERS[name], numbers)
        return facts.remember(f"events of {name}", lambda: _in_time(name, _DERIVED[name](facts), facts))  # links and windows read the same
    if name in SELECTIONS or name in facts.sources:
        events = _read(name, SELECTIONS.get(name) or facts.sources[name], facts, numbers)
    else:
        raise FeatureError(f"source: expected one of {', '.join((*SOURCES, *facts.sources))}, found {name!r}")
    return _in_time(name, events, facts)


def _in_time(name: str, events: Events | None, facts: Facts) -> Events | None:
    """Put events in order of time, without those whose time is unknown."""
    if events is None:
        return None
    if len(events.times) == 0 or (events.times[0] != NEVER and bool(np.all(events.times[1:] >= events.times[:-1]))):
        return events
    times = events.times
    return events.only(facts.remember(f"order of {name}", lambda: _order(times)))


def _order(times: Ints) -> Ints:
    """Order the events whose time is known."""
    order = np.argsort(times, kind="stable")
    return order[np.searchsorted(times[order], NEVER, side="right") :]


def _read(name: str, selection: Selection, facts: Facts, numbers: Collection[str] = ()) -> Events | None:
    """Read a selection; ``None`` where the table or a column that the selection itself needs is missing."""
    table = selection.table
    if not facts.has(f"{table}.{selection.at}") or (selection.column and not facts.has(f"{table}.{selection.column}")):
        return None
    contract = CONTRACTS[table].arrow.names if table in CONTRACTS else ()
    _must_offer(name, dict.fromkeys((*map(str, facts.frame(table).columns), *contract)), numbers)
    columns = _keys(facts, table) | {n: facts.numbers(table, n) for n in numbers if n not in ENTITIES and facts.has(f"{table}.{n}")}
    events = Events(facts.known(table, selection.at), columns)
    if selection.column is None:
        return events
    matches = [facts.equals(table, selection.column, value) for value in selection.values]
    return events.only(np.flatnonzero(np.logical_or.reduce(matches)))


def _must_offer(name: str, offered: Collection[str], numbers: Collection[str]) -> None:
    """Refuse a column that nobody knows; one that is merely absent from these tables is no mistake."""
    unknown = [number for number in numbers if number not in (*ENTITIES, *offered)]
    if unknown:
        raise FeatureError(f"source {name!r}: expected columns of {', '.join(offered)}; found {', '.join(map(repr, unknown))}")


def _keys(facts: Facts, table: str) -> dict[str, Ints]:
    return {key: facts.codes(table, key) for key in facts.keys(table)}


def _sightings(facts: Facts) -> Events | None:
    """Read every time a customer was seen with a device, address, payment or phone: by an order or by a claim."""
    parts = [part for part in (_read(name, SELECTIONS[name], facts) for name in ("orders", "claims")) if part is not None]
    if not parts:
        return None
    names = {name for part in parts for name in part.columns if name in ENTITIES}
    columns = {n: np.concatenate([p.columns.get(n, np.full(len(p.times), -1, dtype=np.int64)) for p in parts]) for n in sorted(names)}
    return Events(np.concatenate([part.times for part in parts]), columns)


def _standing(facts: Facts) -> Events | None:
    """Read what each resolution changed, which several sources need, once."""
    return facts.remember("standing", lambda: _resolved(facts))


def _resolved(facts: Facts) -> Events | None:
    """Read what each resolution changed in the standing of its claim.

    A later resolution replaces outcome and payment. A later one without a label leaves the label as it was: not having
    looked again says nothing about what was found. A resolution counts from when both it and its claim were known.
    """
    needs = ("claim_id", "known_at", "resolution_id", "label", "outcome", "paid_cents")
    if not facts.has(*(f"resolutions.{name}" for name in needs), "claims.claim_id"):
        return None
    table = "resolutions"
    claim = facts.rows(table, "claim_id", "claims")
    known = np.maximum(facts.known(table), take(facts.known("claims"), claim, NEVER))
    order = np.lexsort((facts.ranks(table, "resolution_id"), facts.instants(table, "known_at"), claim))
    order = order[claim[order] >= 0]
    first = np.ones(len(order), dtype=bool)
    first[1:] = np.diff(claim[order]) != 0
    labelled = _latest_labelled(np.asarray(facts.texts(table, "label").is_valid().to_numpy(), dtype=bool)[order], first)
    state: dict[str, Ints] = {"examined": (labelled >= 0).astype(np.int64)}
    for label in ("abusive", "unsubstantiated"):
        state[label] = take(facts.equals(table, "label", label)[order].astype(np.int64), labelled, 0)
    state["paid"] = facts.equals(table, "outcome", "paid")[order].astype(np.int64)
    state["denied"] = 1 - state["paid"]
    state["paid_cents"] = facts.integers(table, "paid_cents")[order]
    keys = {key: take(codes, claim[order], -1) for key, codes in _keys(facts, "claims").items()}
    return Events(known[order], keys | {name: _changes(values, first) for name, values in state.items()})


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

_OFFERS: dict[str, tuple[str, ...]] = {
    "sightings": (),
    **dict.fromkeys(("standing", "findings", "denials"), STANDING_COLUMNS),
    "seller_standing": ("insured", "violating"),
}

SOURCES: tuple[str, ...] = (*SELECTIONS, *_DERIVED)
"""Every source an aggregate can be on."""
