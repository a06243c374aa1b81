"""Declared aggregates → numbers: which events and keys an aggregate is over, and features made of aggregates.

:mod:`features.sweep` does the arithmetic, all windows of a source and key at once. A claim whose key is missing has no
history to speak of: its feature is undefined (NaN), not zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from features.compound import shared_codes
from features.facts import PROBES, Facts, ratio
from features.history import NEVER, Floats, Ints
from features.sources import Events, select
from features.spec import ENTITIES, Aggregate, Ratio, Windowed
from features.sweep import Desk, Lines, sweep


def evaluate(features: Sequence[Windowed], facts: Facts, threads: int = 1) -> dict[str, Floats]:
    """Compute windowed features for the claims asked about.

    Parameters
    ----------
    features
        Aggregates, ratios and differences.
    facts
        The tables.
    threads
        How many threads may work; the result does not depend on it.

    Returns
    -------
    dict
        (probes,) float64 by name, in the order of the probes; features whose source or key is missing are left out.
    """
    parts = list(dict.fromkeys(part for feature in features for part in feature.parts))
    return combine(features, measure(parts, facts, threads))


def measure(parts: Sequence[Aggregate], facts: Facts, threads: int = 1) -> dict[Aggregate, Floats]:
    """Compute aggregates for the claims asked about; those whose source or key is missing are left out; see :func:`evaluate`.

    Returns
    -------
    dict
        (probes,) float64 by aggregate, in the order of the probes.
    """
    values: dict[Aggregate, Floats] = {}
    parts = list(dict.fromkeys(measured for part in parts for measured in part.parts))
    keys = [key for key in dict.fromkeys(key for part in parts for key in part.by) if facts.has(f"{PROBES}.{key}")]
    asked = Events(facts.instants(PROBES, "filed_at"), {key: facts.codes(PROBES, key) for key in keys})
    sizes = {key: facts.vocabulary(key) for key in ENTITIES}
    desk = Desk(threads)
    for source in dict.fromkeys(part.source for part in parts):
        mine = [part for part in parts if part.source == source]
        events = select(facts, source, dict.fromkeys(part.column for part in mine if part.column))
        if events is not None:
            for held, usable in _with_values(events, mine):
                values |= answer(usable, held, asked, sizes, desk)
    return values


def answer(parts: Sequence[Aggregate], events: Events, asked: Events, sizes: Mapping[str, int], desk: Desk) -> dict[Aggregate, Floats]:
    """Compute aggregates over one source from integers alone; :func:`measure` does it for all sources of the tables.

    Parameters
    ----------
    parts
        Aggregates on this source (whose name is not looked at); those that need a column which is not there are left out.
    events
        The source. Times in any order, known; numbers without gaps; codes negative where missing.
    asked
        Keys and instants of the probes, in any order.
    sizes
        How many codes there are of each key and of each column of codes.
    desk
        Where to work, and with how many threads; the result does not depend on it.

    Returns
    -------
    dict
        (probes,) float64 by aggregate, in the order of the probes; all columns of a key lie in one array, row by row.

    Examples
    --------
    >>> from features.spec import DAY_US, Window
    >>> orders = Events(np.array([0, 5, 9]) * DAY_US, {"customer_id": np.array([0, 1, 0]), "cents": np.array([2, 5, 3])})
    >>> spent = Aggregate("orders.cents", ("customer_id",), "sum", Window(30))
    >>> answer([spent], orders, orders, {"customer_id": 2}, Desk())[spent].tolist()
    [0.0, 0.0, 2.0]
    """
    values: dict[Aggregate, Floats] = {}
    events, _ = _in_time_order(events)
    asked, rows = _in_time_order(asked)
    for by in dict.fromkeys(part.by for part in parts):
        usable = [part for part in parts if part.by == by and (part.column is None or part.column in events.columns)]
        if not usable or any(key not in asked.columns or key not in events.columns for key in by):
            continue
        names = list(dict.fromkeys(part.column for part in usable if part.column))
        whose = [asked.columns[key] for key in by]
        asking, held, n_keys = shared_codes(whose, [events.columns[key] for key in by], [sizes[key] for key in by])
        past = Lines(held, events.times, tuple(events.columns[name] for name in names))
        found = sweep(usable, past, names, Lines(asking, asked.times, (rows,)), sizes, n_keys, desk)
        values |= {part: found[:, i] for i, part in enumerate(usable)}
    return values


def _in_time_order(events: Events) -> tuple[Events, Ints]:
    """Order by time, unless they are; which of several at one instant comes first, no window can tell."""
    if bool(np.all(events.times[1:] >= events.times[:-1])):
        return events, np.arange(len(events.times))
    order = np.argsort(events.times)
    return events.only(order), order


def _with_values(events: Events, parts: list[Aggregate]) -> Iterator[tuple[Events, list[Aggregate]]]:
    """Pair aggregates with the events they are over: one that reads a column passes over events without a value in it."""
    gaps = {p.column: np.flatnonzero(events.columns[p.column] != NEVER) for p in parts if p.column and p.column in events.columns}
    gaps = {column: rows for column, rows in gaps.items() if len(rows) < len(events.times)}
    yield events, [part for part in parts if part.column not in gaps]
    for column, rows in gaps.items():
        yield events.only(rows), [part for part in parts if part.column == column]


def combine(features: Iterable[Windowed], values: Mapping[Aggregate, Floats]) -> dict[str, Floats]:
    """Make features of their aggregates, wherever those were measured; features that lack one are left out."""
    return {f.name: _combine(f, values) for f in features if all(part in values for part in f.parts)}


def _combine(feature: Windowed, values: Mapping[Aggregate, Floats]) -> Floats:
    if isinstance(feature, Aggregate):
        return values[feature] if feature.measured is feature else _combine(feature.measured, values)
    first, second = (_combine(operand, values) for operand in feature.operands)
    value = ratio(first, second) if isinstance(feature, Ratio) else first - second
    return np.where(np.isfinite(value), value, np.nan)
