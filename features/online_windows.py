"""Every window of one claim at once: two rows per window, found by bisection in pages, for all claims of a group.

First each log's page before filing is looked for in the arena. Most keys are young or quiet, and that page holds the far edges of
their windows too; for busy keys the pages of the far edges are asked for as well. Nothing grows with the length of a log
but the depth of the index, except where a bounded window wants extremes or distinct values: its rows are walked.

That the numbers are those of :mod:`features.windows` is the law that the tests check, for every aggregate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from features.arena import BEGIN, LENGTH, LOADED, MISSING, NONE, SHELF, STATE, ask_shelf, earlier, find, number_of, on_shelf
from features.history import NEVER, Floats, Ints
from features.online_logs import DISTINCT, EARLIEST, LARGEST, LATEST, SMALLEST, TOLD, Layout
from features.online_rows import log_on
from features.spec import DAY_US, ENTITIES, Aggregate, How, Ratio, Windowed

ROWS, SUMS, MEANS, DAYS, HELD = range(5)
"""What an aggregate's number is: how many rows · a sum · a sum per row · days since · a value that was held."""

_UNITS: dict[How, int] = {
    "count": ROWS,
    "sum": SUMS,
    "first_seen": SUMS,
    "distinct": SUMS,
    "mean": MEANS,
    "since_first": DAYS,
    "since_last": DAYS,
    "min": HELD,
    "max": HELD,
    "last": HELD,
}

ABSENT = -3
"""Instead of a page: the claim does not name whose it is."""


class WindowPlan(NamedTuple):
    """How to read all aggregates of a catalogue, prepared once, as compiled functions get it.

    Parameters
    ----------
    spans
        (spans, 3) logs: number with its shelf's (:func:`features.online_rows.log_on`), on which of the ``shelves``, and width.
    shelves, identifiers
        (shelves + 1,) where the identifiers of each begin in (…,) columns of a claim's codes.
    edges
        (edges, 2) span and offset: the rows strictly before ``now − offset``. Those of a span stand together, the latest first.
    table
        (parts, 7) of each aggregate: how two rows answer, column, width, far edge (−1: none), near edge, unit, walk (−1: none).
    walks
        (walks, 2) far and near edges between which rows are looked at one by one.
    """

    spans: Ints
    shelves: Ints
    identifiers: Ints
    edges: Ints
    table: Ints
    walks: Ints

    @classmethod
    def of(cls, layout: Layout, parts: Sequence[Aggregate]) -> WindowPlan:
        """Prepare the reading of aggregates."""
        readings = [layout.readings[part] for part in parts]
        wanted: dict[int, set[int]] = {}
        for part, reading in zip(parts, readings, strict=True):
            wanted.setdefault(reading.log, set()).update(offset for offset in part.over.edges if offset is not None)
        spans = {log: span for span, log in enumerate(sorted(wanted))}
        edges = [(log, offset) for log in spans for offset in sorted(wanted[log])]
        place = {edge: i for i, edge in enumerate(edges)}
        walks: dict[tuple[int, int], int] = {}
        table = np.empty((len(parts), 7), dtype=np.int64)
        for i, (part, reading) in enumerate(zip(parts, readings, strict=True)):
            lower, upper = part.over.edges
            far, near = (place[reading.log, edge] if edge is not None else -1 for edge in (lower, upper))
            walk = walks.setdefault((far, near), len(walks)) if reading.how >= DISTINCT else -1
            table[i] = reading.how, reading.column, layout.logs[reading.log].width, far, near, _UNITS[part.how], walk
        on = {by: shelf for shelf, by in enumerate(dict.fromkeys(layout.logs[log].by for log in spans))}
        told = [(log_on((mine := layout.logs[log]).by, log), on[mine.by], mine.width) for log in spans]
        return cls(
            np.array(told, dtype=np.int64).reshape(-1, 3),
            np.cumsum([0, *map(len, on)]),
            np.array([ENTITIES.index(name) for by in on for name in by], dtype=np.int64),
            np.array([(spans[log], offset) for log, offset in edges], dtype=np.int64).reshape(-1, 2),
            table,
            np.array([*walks], dtype=np.int64).reshape(-1, 2),
        )


@njit(cache=True)
def measure_all(pool, plan, codes, now, done, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Measure every aggregate for some claims, as far as what is needed is in the arena; the rest is asked for.

    Parameters
    ----------
    pool
        The arena's arrays.
    plan
        What to read.
    codes
        (claims, identifiers) as codes; one that is −1 makes what is counted by it undefined.
    now
        (claims,) the instants of filing: nothing known at one or later is read for it.
    done
        (claims,) which of them are measured; changed here.
    found
        (claims, parts) is filled.
    """
    for claim in range(len(now)):
        if not done[claim]:
            done[claim] = _measure_one(pool, plan, codes[claim], now[claim], found[claim])


@njit(cache=True)
def _measure_one(pool, plan, codes, now, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Measure one claim; tell whether everything was there, and only then look at what was found."""
    numbers, is_whole = _shelves(pool, plan, codes)
    slots = np.empty(len(plan.edges), dtype=np.int64)
    for edge in range(len(slots)):
        slots[edge] = _slot(pool, plan, slots, edge, numbers, now)
        is_whole &= slots[edge] != MISSING
    rows, bounds, all_there = _walked(pool, plan, slots)
    if not (is_whole and all_there):
        return False
    for part in range(len(plan.table)):
        near, walk = plan.table[part, 4], plan.table[part, 6]
        if slots[near] == ABSENT:
            found[part] = np.nan
        elif walk >= 0 and bounds[walk] < bounds[walk + 1]:
            found[part] = _answer(rows, bounds[walk], bounds[walk + 1], bounds[walk], bounds[walk + 1], plan, part, now)
        else:
            begin, end = _ends(pool, slots[near])
            start, stop = _ends(pool, slots[plan.table[part, 3]] if plan.table[part, 3] >= 0 else NONE)
            found[part] = _answer(pool.words, begin, end, start, stop, plan, part, now)
    return True


@njit(cache=True)
def _shelves(pool, plan, codes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the number of each shelf, :data:`ABSENT` where the claim lacks an identifier, and whether all are loaded."""
    numbers, is_whole = np.full(len(plan.shelves) - 1, ABSENT), True
    asked = np.full(len(numbers), False)
    for span in range(len(plan.spans)):
        log, on = plan.spans[span, 0], plan.spans[span, 1]
        mine = codes[plan.identifiers[plan.shelves[on] : plan.shelves[on + 1]]]
        if asked[on] or mine.min() < 0:
            continue
        asked[on], numbers[on] = True, number_of(log, mine)
        shelf = find(pool, numbers[on], SHELF)
        if shelf < 0 or pool.slots[shelf, STATE] != LOADED:
            ask_shelf(pool, shelf, numbers[on], log, mine)
            is_whole, numbers[on] = False, ABSENT
    return numbers, is_whole


@njit(cache=True)
def _slot(pool, plan, slots, edge, numbers, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find the page of an edge: that of the edge before it, unless it lies behind."""
    span, offset = plan.edges[edge]
    log, on, width = plan.spans[span]
    if numbers[on] == ABSENT:
        return np.int64(ABSENT)
    if edge == 0 or plan.edges[edge - 1, 0] != span:
        return on_shelf(pool, numbers[on], log & 0xFFFF, now - offset)
    later = slots[edge - 1]
    if later < 0 or pool.words[pool.slots[later, BEGIN]] == 0 or pool.words[pool.slots[later, BEGIN] + width] < now - offset:
        return later
    return earlier(pool, later, now - offset)


@njit(cache=True)
def _walked(pool, plan, slots):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Lay the pages of each window whose rows are walked into one, no words where one page holds it all; tell whether all are there."""
    rows, bounds, is_whole = np.empty(0, dtype=np.int64), np.zeros(len(plan.walks) + 1, dtype=np.int64), True
    for walk in range(len(plan.walks)):
        far, near = plan.walks[walk]
        width = plan.spans[plan.edges[near, 0], 2]
        slot = slots[near]
        until = pool.words[pool.slots[slots[far], BEGIN] + width] if far >= 0 and slots[far] >= 0 else np.int64(NEVER)
        joined = np.empty(0, dtype=np.int64)
        if slot >= 0 and (far < 0 or slots[far] != MISSING):
            while slot >= 0:
                begin, end = _ends(pool, slot)
                joined = np.concatenate((pool.words[begin:end], joined[width:]))
                if joined[0] == 0 or joined[width] <= until:
                    break
                slot = earlier(pool, slot, joined[width])
            is_whole &= slot != MISSING
        rows = np.concatenate((rows, joined))
        bounds[walk + 1] = len(rows)
    return rows, bounds, is_whole


@njit(cache=True)
def _ends(pool, slot):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return where a page begins and ends; one that is not there is empty."""
    if slot < 0:
        return np.int64(0), np.int64(0)
    return pool.slots[slot, BEGIN], pool.slots[slot, BEGIN] + pool.slots[slot, LENGTH]


@njit(cache=True)
def _number(unit, count, found, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Turn what two rows of a log say into the number that an aggregate means: one division, at the end; undefined over nothing."""
    if unit == ROWS:
        return float(count)
    if unit == SUMS:
        return float(found)
    if count == 0:
        return np.nan
    if unit == MEANS:
        return found / count
    return (now - found) / DAY_US if unit == DAYS else float(found)


@njit(cache=True)
def _before(words, begin, end, width, limit):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count the rows of a page strictly before an instant (bisection)."""
    low, high = 0, (end - begin) // width - 1
    while low < high:
        middle = (low + high) // 2
        if words[begin + (middle + 1) * width] < limit:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True)
def _answer(words, begin, end, start, stop, plan, part, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Compute an aggregate from the two rows at the ends of its window, in a late page and an early one, or from those between."""
    how, column, width, far, near, unit, _ = plan.table[part]
    count, answer = np.int64(0), np.int64(0)
    if begin < end:
        row = begin + width * _before(words, begin, end, width, now - plan.edges[near, 1])
        count, answer, from_row = words[begin] + (row - begin) // width, words[row + column], begin
        if far >= 0 and start < stop:
            from_row = start + width * _before(words, start, stop, width, now - plan.edges[far, 1])
            count -= words[start] + (from_row - start) // width
            if how == TOLD:
                answer -= words[from_row + column]
        if how == LATEST:
            answer = words[row]
        elif how == EARLIEST and count:
            answer = words[from_row + width]
        elif how >= DISTINCT:
            answer = _between(words, from_row + width + column, width, count, how)
    return _number(unit, count, answer, now)


@njit(cache=True)
def _between(words, begin, width, count, how):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Largest, smallest or number of different values of a column; negative codes are missing and not counted."""
    inside = np.empty(count, dtype=np.int64)
    for i in range(count):
        inside[i] = words[begin + i * width]
    if how in (LARGEST, SMALLEST):
        return 0 if count == 0 else inside.max() if how == LARGEST else inside.min()
    inside.sort()
    found = 0
    for i in range(count):
        found += inside[i] >= 0 and (i == 0 or inside[i] != inside[i - 1])
    return found


@dataclass(frozen=True, eq=False)
class Combining:
    """Ratios and differences of a catalogue as steps over one vector of numbers, prepared once.

    Parameters
    ----------
    steps
        (steps, 4) whether it divides, where the result goes, left, right: positions in the vector, deeper steps first.
    size
        Length of the vector.
    chosen
        (features,) where each feature's number stands in the end.
    """

    steps: Ints
    size: int
    chosen: Ints

    @classmethod
    def of(cls, features: Sequence[Windowed], parts: Sequence[Aggregate]) -> Combining:
        """Prepare features made of ``parts``."""
        place: dict[Windowed, int] = {part: i for i, part in enumerate(parts)}
        steps: list[tuple[int, int, int, int]] = []

        def enter(feature: Windowed) -> int:
            """Return where a feature's number will stand."""
            measured = feature.measured if isinstance(feature, Aggregate) else feature
            if isinstance(measured, Aggregate):
                return place[measured]
            left, right = (enter(operand) for operand in measured.operands)
            if measured not in place:
                place[measured] = len(place)
                steps.append((isinstance(measured, Ratio), place[measured], left, right))
            return place[measured]

        chosen = np.array([enter(feature) for feature in features], dtype=np.int64)
        return cls(np.array(steps, dtype=np.int64).reshape(-1, 4), len(place), chosen)

    def __call__(self, measured: Floats) -> Floats:
        """Return (claims, features) numbers from (claims, parts) ones; what is not finite is undefined."""
        values: Floats = _combine(measured, self.steps, self.size, self.chosen)
        return values


@njit(cache=True)
def _combine(measured, steps, size, chosen):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Take one step after the other, dividing as :func:`features.facts.ratio` does."""
    values, found = np.empty(size, dtype=np.float64), np.empty((len(measured), len(chosen)), dtype=np.float64)
    for claim in range(len(measured)):
        values[: measured.shape[1]] = measured[claim]
        for divides, out, left, right in steps:
            if not divides:
                values[out] = values[left] - values[right]
            else:
                values[out] = values[left] / values[right] if values[right] > 0 else np.nan
        for place in range(len(chosen)):
            value = values[chosen[place]]
            found[claim, place] = value if np.isfinite(value) else np.nan
    return found
