"""Declared aggregates → numbers: every window of a source and key from one sweep of the kernel.

The claims asked about decide which keys matter; events of other keys are dropped before anything is sorted. A claim whose
key is missing has no history to speak of: its feature is undefined (NaN), not zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features import history
from features.facts import PROBES, Facts, ratio, take
from features.history import NEVER, Floats, History, Ints
from features.sources import Events, select
from features.spec import DAY_US, Aggregate, Ratio, Windowed


@dataclass(frozen=True, eq=False)
class Keyed:
    """A source and the claims asked about, grouped by the same keys, with the position of every edge."""

    events: Events
    past: History
    probes: History
    at: dict[int, Ints]

    def between(self, aggregate: Aggregate) -> tuple[Ints, Ints]:
        """Return the positions (lower, upper) of a window's ends, by probe."""
        lower, upper = aggregate.over.edges
        return (self.past.starts[self.probes.keys] if lower is None else self.at[lower]), self.at[upper]


def evaluate(features: Sequence[Windowed], facts: Facts) -> dict[str, Floats]:
    """Compute windowed features for the claims asked about.

    Parameters
    ----------
    features
        Aggregates, ratios and differences.
    facts
        The tables.

    Returns
    -------
    dict
        (probes,) float64 by name, in the order of the probes; features whose source or key is missing are left out.
    """
    parts = list(dict.fromkeys(part for feature in features for part in feature.parts))
    return combine(features, measure(parts, facts))


def measure(parts: Sequence[Aggregate], facts: Facts) -> dict[Aggregate, Floats]:
    """Compute aggregates for the claims asked about; those whose source or key is missing are left out.

    Returns
    -------
    dict
        (probes,) float64 by aggregate, in the order of the probes.
    """
    values: dict[Aggregate, Floats] = {}
    parts = list(dict.fromkeys(measured for part in parts for measured in part.parts))
    for source in dict.fromkeys(part.source for part in parts):
        mine = [part for part in parts if part.source == source]
        events = select(facts, source, dict.fromkeys(part.column for part in mine if part.column))
        if events is not None:
            for held, usable in _with_values(events, mine):
                values |= _evaluate_source(held, usable, facts)
    return values


def _with_values(events: Events, parts: list[Aggregate]) -> Iterator[tuple[Events, list[Aggregate]]]:
    """Pair aggregates with the events they are over: one that reads a column passes over events without a value in it."""
    gaps = {p.column: np.flatnonzero(events.columns[p.column] != NEVER) for p in parts if p.column and p.column in events.columns}
    gaps = {column: rows for column, rows in gaps.items() if len(rows) < len(events.times)}
    yield events, [part for part in parts if part.column not in gaps]
    for column, rows in gaps.items():
        yield events.only(rows), [part for part in parts if part.column == column]


def combine(features: Iterable[Windowed], values: Mapping[Aggregate, Floats]) -> dict[str, Floats]:
    """Make features of their aggregates, wherever those were measured; features that lack one are left out."""
    found = {f.name: _combine(f, values) for f in features if all(part in values for part in f.parts)}
    return {name: np.where(np.isfinite(column), column, np.nan) for name, column in found.items()}


def _evaluate_source(events: Events, parts: list[Aggregate], facts: Facts) -> dict[Aggregate, Floats]:
    values: dict[Aggregate, Floats] = {}
    for by in dict.fromkeys(part.by for part in parts):
        usable = [p for p in parts if p.by == by and (p.column is None or p.column in events.columns)]
        if not usable or not facts.has(*(f"{PROBES}.{key}" for key in by)) or any(key not in events.columns for key in by):
            continue
        keyed = gather(events, by, usable, facts)
        for part in usable:
            value = np.full(len(facts.probes), np.nan)
            value[keyed.probes.order] = _measure(part, keyed)
            values[part] = value
    return values


def gather(events: Events, by: tuple[str, ...], parts: Iterable[Aggregate], facts: Facts) -> Keyed:
    """Group a source and the probes by a key and sweep once over every edge that the aggregates need."""
    asked, held, n_keys = _shared_keys(events, by, facts)
    probes = history.group(asked, facts.instants(PROBES, "filed_at"), n_keys)
    kept = np.flatnonzero(held >= 0)
    mine = events.only(kept)
    past = history.group(held[kept], mine.times, n_keys)
    offsets = sorted({edge for part in parts for edge in part.over.edges if edge is not None})
    found = history.positions(past, probes, np.array(offsets, dtype=np.int64))
    return Keyed(mine, past, probes, {edge: np.ascontiguousarray(found[:, i]) for i, edge in enumerate(offsets)})


def _shared_keys(events: Events, by: tuple[str, ...], facts: Facts) -> tuple[Ints, Ints, int]:
    """Give numbers to the keys that the probes ask about; −1 for every other key, and where a part of the key is missing."""
    asked, held, n_keys = _dense(facts.codes(PROBES, by[0]), events.columns[by[0]], facts.vocabulary(by[0]))
    for key in by[1:]:
        right, theirs, n_right = _dense(facts.codes(PROBES, key), events.columns[key], facts.vocabulary(key))
        pairs = np.where((asked >= 0) & (right >= 0), asked * n_right + right, -1)
        known = np.unique(pairs[pairs >= 0])
        n_keys = len(known)
        asked = np.where(pairs >= 0, np.searchsorted(known, pairs), -1)
        both = np.flatnonzero((held >= 0) & (theirs >= 0))
        wanted = held[both] * n_right + theirs[both]
        place = np.searchsorted(known, wanted)
        hit = np.take(known, place, mode="clip") == wanted if n_keys else np.zeros(len(both), dtype=bool)
        held = np.full(len(held), -1, dtype=np.int64)
        held[both[hit]] = place[hit]
    return asked, held, n_keys


def _dense(asked: Ints, held: Ints, size: int) -> tuple[Ints, Ints, int]:
    wanted = np.zeros(size + 1, dtype=bool)
    wanted[asked] = True
    wanted[size] = False  # where −1, a missing key, points
    number = np.where(wanted, np.cumsum(wanted) - 1, -1).astype(np.int64)
    return number[asked], number[held], int(wanted.sum())


def _measure(part: Aggregate, keyed: Keyed) -> Floats:
    """Turn the positions of a window's ends into its number; one division at the end, never a float sum."""
    lower, upper = keyed.between(part)
    count = upper - lower
    column = keyed.events.columns[part.column] if part.column else keyed.events.times
    if part.how == "count":
        return count.astype(np.float64)
    if part.how in ("since_first", "since_last"):
        place = lower if part.how == "since_first" else upper - 1
        moments = take(keyed.past.times, np.where(count > 0, place, -1), 0)
        return np.where(count > 0, (keyed.probes.times - moments) / DAY_US, np.nan)
    if part.how == "last":
        return np.where(count > 0, _last(keyed.past, column)[upper - 1], np.nan)
    if part.how == "distinct":
        return history.distinct(keyed.past, column, lower, upper).astype(np.float64)
    if part.how in ("min", "max"):
        sign = 1 if part.how == "max" else -1
        found = history.maximum(keyed.past, sign * column, lower, upper)
        return np.where(found == NEVER, np.nan, sign * found.astype(np.float64))
    added = history.first_seen(keyed.past, column) if part.how == "first_seen" else column
    running = keyed.past.running(added)
    total = (running[upper] - running[lower]).astype(np.float64)
    return total if part.how != "mean" else ratio(total, count)


def _last(past: History, values: Ints) -> Floats:
    """(events,) by position the value of the latest event up to there, the largest of those at its instant."""
    held = past.gather(values)
    begins = np.ones(len(held), dtype=bool)
    begins[1:] = (np.diff(past.times) != 0) | (np.diff(past.keys) != 0)
    if not len(held):
        return np.full(1, np.nan)  # position −1 of no events, never shown
    largest: Floats = np.maximum.reduceat(held, np.flatnonzero(begins)).astype(np.float64)[np.cumsum(begins) - 1]
    return largest


def _combine(feature: Windowed, values: Mapping[Aggregate, Floats]) -> Floats:
    if isinstance(feature, Aggregate):
        return values[feature] if feature.measured is feature else _combine(feature.measured, values)
    first, second = (_combine(operand, values) for operand in feature.operands)
    return ratio(first, second) if isinstance(feature, Ratio) else first - second
