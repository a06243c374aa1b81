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

from features.history import Floats, Ints
from features.online_logs import DISTINCT, EARLIEST, LARGEST, LATEST, SMALLEST, TOLD, Layout
from features.online_rows import packed, shelves_of
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

BEHIND, ABSENT = -1, -2
"""Instead of a page: it has to be asked for still, or the claim does not name whose it is."""

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
    An *edge* is a log and an offset: the rows strictly before ``now − offset``. The edges of a log are a *span*, the latest first;
    ``keys`` says of each span its log, on which of the ``shelves`` it stands, and the offset of its latest edge.
    """

    layout: Layout
    parts: tuple[Aggregate, ...]
    keys: tuple[tuple[int, int, int], ...]
    shelves: tuple[tuple[bytes, tuple[str, ...], frozenset[str]], ...]
    table: Ints
    walks: tuple[tuple[int, int], ...]
    offsets: Ints
    span_of: Ints
    widths: Ints

    @classmethod
    def of(cls, layout: Layout, parts: Sequence[Aggregate]) -> WindowPlan:
        """Prepare the reading of aggregates."""
        readings = [layout.readings[part] for part in parts]
        wanted: dict[int, set[int]] = {}
        for part, reading in zip(parts, readings, strict=True):
            wanted.setdefault(reading.log, set()).update(offset for offset in part.over.edges if offset is not None)
        edges = tuple((log, offset) for log in sorted(wanted) for offset in sorted(wanted[log]))
        place = {edge: i for i, edge in enumerate(edges)}
        walks: dict[tuple[int, int], int] = {}
        table = np.empty((len(parts), 7), dtype=np.int64)
        for i, (part, reading) in enumerate(zip(parts, readings, strict=True)):
            lower, upper = part.over.edges
            far, near = (place[reading.log, edge] if edge is not None else -1 for edge in (lower, upper))
            walk = walks.setdefault((far, near), len(walks)) if reading.how >= DISTINCT else -1
            table[i] = reading.how, reading.column, layout.logs[reading.log].width, far, near, _UNITS[part.how], walk
        spans = sorted(wanted)
        on = {by: shelf for shelf, by in enumerate(dict.fromkeys(layout.logs[log].by for log in spans))}
        return cls(
            layout,
            tuple(parts),
            tuple((log, on[layout.logs[log].by], min(wanted[log])) for log in spans),
            tuple((shelves_of(by), by, frozenset(by)) for by in on),
            table,
            tuple(walks),
            np.array([offset for _, offset in edges], dtype=np.int64),
            np.repeat(np.arange(len(spans)), [len(wanted[log]) for log in spans]),
            np.array([layout.logs[log].width for log in spans], dtype=np.int64),
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
    keys = _keys(plan, codes)
    held: list[bytes | None] = [None] * len(keys)
    present = [span for span, key in enumerate(keys) if key is not None]
    for span, page in zip(present, (yield [(keys[span], now - plan.keys[span][2]) for span in present]), strict=True):  # type: ignore[misc]
        held[span] = page
    absent = np.array([key is None for key in keys])
    words, bounds = join(held)
    slots, behind = _slots(words, bounds, plan.offsets, plan.span_of, plan.widths, absent, now)
    if behind:
        later = np.flatnonzero(slots == BEHIND)
        slots[later] = len(held) + np.arange(len(later))
        edges = zip(plan.span_of[later].tolist(), plan.offsets[later].tolist(), strict=True)
        held += yield [(keys[span], now - offset) for span, offset in edges]
    joined = [_joined(plan, held, slots, walk, keys, now, pages) for walk in plan.walks] if plan.walks else []
    walked = np.array([-1 if page is None else len(held) + i for i, page in enumerate(joined)], dtype=np.int64)
    if behind or (walked >= 0).any():
        words, bounds = join([*held, *joined])
    values: Floats = _measure(words, bounds, plan.table, slots, walked, plan.offsets, now)
    return values


def _keys(plan: WindowPlan, codes: Mapping[str, int]) -> list[Key | None]:
    """Name the log of every span, ``None`` where the claim lacks an identifier."""
    parts = packed(codes)
    shelves = [prefix + b"".join([parts[name] for name in by]) if parts.keys() >= names else None for prefix, by, names in plan.shelves]
    return [None if (shelf := shelves[on]) is None else (shelf, log) for log, on, _ in plan.keys]


def _joined(
    plan: WindowPlan, held: Sequence[bytes | None], slots: Ints, walk: tuple[int, int], keys: Sequence[Key | None], now: int, pages: Pages
) -> bytes | None:
    """Lay the pages of a window whose rows are walked into one, ``None`` where one page holds it all."""
    far, near = walk
    span = int(plan.span_of[near])
    key = keys[span]
    last = held[slots[near]] if key is not None else None
    first = held[slots[far]] if far >= 0 and key is not None else None
    if key is None or last is None or first is last or memoryview(last).cast("q")[0] == 0:
        return None
    width = int(plan.widths[span])
    after = -END if first is None else int(rows(first, width)[1, 0])
    middle = pages.between(key, after, int(rows(last, width)[1, 0]))
    chain = [page for page in (first, *middle, last) if page is not None]
    return b"".join([chain[0], *(page[8 * width :] for page in chain[1:])])


@njit(cache=True)
def _slots(words, bounds, offsets, span_of, widths, absent, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find the page of each edge: that of its span, unless the edge lies behind it; how many do."""
    slots = np.empty(len(offsets), dtype=np.int64)
    behind = 0
    for edge in range(len(offsets)):
        span = span_of[edge]
        begin = bounds[span]
        slots[edge] = ABSENT if absent[span] else span
        if edge == 0 or span_of[edge - 1] != span or begin == bounds[span + 1]:
            continue
        if words[begin] > 0 and words[begin + widths[span]] >= now - offsets[edge]:
            slots[edge] = BEHIND
            behind += 1
    return slots, behind


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
def _measure(words, bounds, table, slots, walked, offsets, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Compute each aggregate from the two rows at the ends of its window, or from those between."""
    values = np.empty(len(table), dtype=np.float64)
    for part in range(len(table)):
        how, column, width, far, near, unit, walk = table[part]
        if slots[near] == ABSENT:
            values[part] = np.nan
            continue
        upper, lower = slots[near], slots[far] if far >= 0 else -1
        if walk >= 0 and walked[walk] >= 0:
            upper, lower = walked[walk], walked[walk] if far >= 0 else -1
        count, answer = 0, 0
        begin, end = bounds[upper], bounds[upper + 1]
        if begin < end:
            row = begin + width * _before(words, begin, end, width, now - offsets[near])
            count, answer, from_row = words[begin] + (row - begin) // width, words[row + column], begin
            if lower >= 0 and bounds[lower] < bounds[lower + 1]:
                start, stop = bounds[lower], bounds[lower + 1]
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
        """Return (features,) numbers from (parts,) ones; what is not finite is undefined."""
        values: Floats = _combine(measured, self.steps, self.size, self.chosen)
        return values


@njit(cache=True)
def _combine(measured, steps, size, chosen):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Take one step after the other, dividing as :func:`features.facts.ratio` does."""
    values = np.empty(size, dtype=np.float64)
    values[: len(measured)] = measured
    for divides, out, left, right in steps:
        if not divides:
            values[out] = values[left] - values[right]
        else:
            values[out] = values[left] / values[right] if values[right] > 0 else np.nan
    found = values[chosen]
    found[~np.isfinite(found)] = np.nan
    return found
