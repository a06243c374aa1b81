"""Every window of one claim at once: two rows per window, found by bisection in pages that are read in two rounds.

The first round asks each log for the page before filing. Most keys are young or quiet, and that page holds the far edges of
their windows too; for busy keys a second round asks for the pages of the far edges. Nothing grows with the length of a log
but the depth of the index, except where a bounded window wants extremes or distinct values: its rows are walked.

That the numbers are those of :mod:`features.windows` is the law that the tests check, for every aggregate.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from features.facts import ratio
from features.history import Floats, Ints
from features.online_logs import DISTINCT, EARLIEST, LARGEST, LATEST, SMALLEST, TOLD, Layout
from features.online_rows import key_of, log_on
from features.pages import END, Key, Pages, join, rows
from features.spec import DAY_US, Aggregate, How, Ratio, Windowed

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

_HOW, _FAR, _NEAR = 0, 3, 4

Asked = list[tuple[Key, int]]
"""Pages wanted: (key, strictly before which instant they begin)."""

Round = Generator[Asked, Sequence[bytes | None], Floats]
"""A reader that asks for pages, is sent them, asks again, and returns its numbers."""


@dataclass(frozen=True, eq=False)
class WindowPlan:
    """How to read all aggregates of a catalogue, prepared once.

    Parameters
    ----------
    layout
        The logs.
    parts
        The aggregates, in the order of the numbers returned.

    Notes
    -----
    An *edge* is a log and an offset: the rows strictly before ``now − offset``. The edges of a log stand together, the
    latest first; ``spans`` says of each log where, ``keys`` what its keys begin with and consist of.
    """

    layout: Layout
    parts: tuple[Aggregate, ...]
    edges: tuple[tuple[int, int], ...]
    spans: tuple[tuple[int, int, int], ...]
    keys: tuple[tuple[bytes, int, tuple[str, ...]], ...]
    table: Ints
    walks: tuple[tuple[int, int], ...]
    offsets: Ints
    span_of: Ints
    shelves: tuple[tuple[bytes, tuple[str, ...], frozenset[str]], ...]

    @classmethod
    def of(cls, layout: Layout, parts: Sequence[Aggregate]) -> WindowPlan:
        """Prepare the reading of aggregates."""
        readings = [layout.readings[part] for part in parts]
        wanted: dict[int, set[int]] = {}
        for part, reading in zip(parts, readings, strict=True):
            wanted.setdefault(reading.log, set()).update(offset for offset in part.over.edges if offset is not None)
        edges = tuple((log, offset) for log in sorted(wanted) for offset in sorted(wanted[log]))
        place = {edge: i for i, edge in enumerate(edges)}
        walks: dict[tuple[int, int], None] = {}
        table = np.empty((len(parts), 6), dtype=np.int64)
        for i, (part, reading) in enumerate(zip(parts, readings, strict=True)):
            lower, upper = part.over.edges
            far, near = (place[reading.log, edge] if edge is not None else -1 for edge in (lower, upper))
            table[i] = reading.how, reading.column, layout.logs[reading.log].width, far, near, _UNITS[part.how]
            if reading.how >= DISTINCT:
                walks[far, near] = None
        spans, begin = [], 0
        for log in sorted(wanted):
            spans.append((log, begin, begin + len(wanted[log])))
            begin += len(wanted[log])
        keys = tuple((*key_of(log_on(layout.logs[log].by, log), ()), layout.logs[log].by) for log, _, _ in spans)
        return cls(
            layout,
            tuple(parts),
            edges,
            tuple(spans),
            keys,
            table,
            tuple(walks),
            np.array([offset for _, offset in edges], dtype=np.int64),
            np.repeat(np.arange(len(spans)), [end - begin for _, begin, end in spans]),
            tuple(dict.fromkeys((prefix, by, frozenset(by)) for prefix, _, by in keys)),
        )


def read(plan: WindowPlan, codes: Mapping[str, int], now: int, pages: Pages) -> Round:
    """Measure every aggregate for one claim.

    Parameters
    ----------
    plan
        What to read.
    codes
        The claim's identifiers as codes; one that is missing or −1 makes what is counted by it undefined.
    now
        The instant of filing: nothing known at it or later is read.
    pages
        Where the pages of a window that spans several are found.

    Returns
    -------
    ndarray
        (parts,) float64 in the order of ``plan.parts``.
    """
    packed = {name: code.to_bytes(8, "big") for name, code in codes.items() if code >= 0}
    shelves = {by: prefix + b"".join([packed[name] for name in by]) for prefix, by, names in plan.shelves if packed.keys() >= names}
    keys = [(shelves[by], log) if by in shelves else None for _, log, by in plan.keys]
    found: list[bytes | None] = [None] * len(plan.edges)
    asked = [(key, now - plan.edges[begin][1], begin) for key, (_, begin, _) in zip(keys, plan.spans, strict=True) if key is not None]
    for (_, _, edge), page in zip(asked, (yield [(key, before) for key, before, _ in asked]), strict=True):
        found[edge] = page
    later: list[tuple[Key, int, int]] = []
    for key, (log, begin, end) in zip(keys, plan.spans, strict=True):
        page = found[begin]
        if key is None or page is None or end == begin + 1:
            continue
        words = memoryview(page).cast("q")
        whole, first = words[0] == 0, words[plan.layout.logs[log].width]
        for edge in range(begin + 1, end):
            before = now - plan.edges[edge][1]
            if whole or first < before:
                found[edge] = page
            else:
                later.append((key, before, edge))
    for (_, _, edge), page in zip(later, (yield [(key, before) for key, before, _ in later]) if later else (), strict=True):
        found[edge] = page
    return _numbers(plan, found, keys, now, pages)


def _numbers(plan: WindowPlan, found: list[bytes | None], keys: list[Key | None], now: int, pages: Pages) -> Floats:
    """Turn the pages of all edges into numbers."""
    absent = np.array([key is None for key in keys])
    held, lower, upper = found, plan.table[:, _FAR], plan.table[:, _NEAR]
    for far, near in plan.walks:
        joined = _joined(plan, found, far, near, keys[plan.span_of[near]], now, pages)
        if joined is not None:
            mine = (plan.table[:, _FAR] == far) & (plan.table[:, _NEAR] == near) & (plan.table[:, _HOW] >= DISTINCT)
            lower, upper, held = np.where(mine & (lower >= 0), len(held), lower), np.where(mine, len(held), upper), [*held, joined]
    values: Floats = _measure(*join(held), plan.table, lower, upper, plan.offsets, plan.span_of, absent, now)
    return values


def _joined(plan: WindowPlan, found: list[bytes | None], far: int, near: int, key: Key | None, now: int, pages: Pages) -> bytes | None:
    """Lay the pages of a window into one, ``None`` where one page holds it all."""
    log = plan.edges[near][0]
    last = found[near]
    first = found[far] if far >= 0 else None
    if key is None or last is None or first is last or memoryview(last).cast("q")[0] == 0:
        return None
    width = plan.layout.logs[log].width
    after = -END if first is None else int(rows(first, width)[1, 0])
    middle = pages.between(key, after, int(rows(last, width)[1, 0]))
    chain = [page for page in (first, *middle, last) if page is not None]
    return chain[0] + b"".join(page[8 * width :] for page in chain[1:])


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
def _measure(words, bounds, table, lower, upper, offsets, span_of, absent, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Compute each aggregate from the two rows at the ends of its window, or from those between."""
    values = np.empty(len(table), dtype=np.float64)
    for part in range(len(table)):
        how, column, width, far, near, unit = table[part]
        if absent[span_of[near]]:
            values[part] = np.nan
            continue
        count, answer = 0, 0
        begin, end = bounds[upper[part]], bounds[upper[part] + 1]
        if begin < end:
            row = begin + width * _before(words, begin, end, width, now - offsets[near])
            count, answer, from_row = words[begin] + (row - begin) // width, words[row + column], begin
            if far >= 0 and bounds[lower[part]] < bounds[lower[part] + 1]:
                start, stop = bounds[lower[part]], bounds[lower[part] + 1]
                from_row = start + width * _before(words, start, stop, width, now - offsets[far])
                count -= words[start] + (from_row - start) // width
                if how == TOLD:
                    answer -= words[from_row + column]
            if how == LATEST:
                answer = words[row]
            elif how == EARLIEST and count:
                answer = words[from_row + width]
            elif how >= DISTINCT:
                answer = _between(words, from_row + width + column, width, count, how)
        values[part] = _number(unit, count, answer, now)
    return values


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
        (divides, where the results go, left, right): positions in the vector, deeper steps first.
    size
        Length of the vector.
    chosen
        (features,) where each feature's number stands in the end.
    """

    steps: tuple[tuple[bool, Ints, Ints, Ints], ...]
    size: int
    chosen: Ints

    @classmethod
    def of(cls, features: Sequence[Windowed], parts: Sequence[Aggregate]) -> Combining:
        """Prepare features made of ``parts``."""
        place: dict[Windowed, int] = {part: i for i, part in enumerate(parts)}
        steps: dict[tuple[int, bool], list[tuple[int, int, int]]] = {}

        def enter(feature: Windowed) -> tuple[int, int]:
            """Return where a feature's number will stand, and after how many steps."""
            measured = feature.measured if isinstance(feature, Aggregate) else feature
            if isinstance(measured, Aggregate):
                return place[measured], 0
            (left, one), (right, other) = (enter(operand) for operand in measured.operands)
            if measured not in place:
                place[measured] = len(place)
                steps.setdefault((max(one, other), isinstance(measured, Ratio)), []).append((place[measured], left, right))
            return place[measured], 1 + max(one, other)

        chosen = np.array([enter(feature)[0] for feature in features], dtype=np.int64)
        ordered = (
            (divides, *(np.array(column) for column in zip(*steps[depth, divides], strict=True))) for depth, divides in sorted(steps)
        )
        return cls(tuple(ordered), len(place), chosen)  # type: ignore[arg-type]

    def __call__(self, measured: Floats) -> Floats:
        """Return (features,) numbers from (parts,) ones; what is not finite is undefined."""
        values = np.empty(self.size, dtype=np.float64)
        values[: len(measured)] = measured
        for divides, out, left, right in self.steps:
            values[out] = ratio(values[left], values[right]) if divides else values[left] - values[right]
        found = values[self.chosen]
        return np.where(np.isfinite(found), found, np.nan)
