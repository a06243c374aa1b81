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
from features.history import NEVER, Floats, Ints
from features.online_logs import COUNTED, DISTINCT, EARLIEST, LARGEST, LATEST, SMALLEST, STANDS, TOLD, Layout
from features.online_rows import key_of, log_on
from features.pages import END, Key, Pages, join, rows
from features.spec import DAY_US, Aggregate, Ratio, Windowed

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
    hows: tuple[tuple[str, Ints], ...]
    shelves: tuple[tuple[bytes, tuple[str, ...]], ...]

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
        table = np.empty((len(parts), 5), dtype=np.int64)
        for i, (part, reading) in enumerate(zip(parts, readings, strict=True)):
            lower, upper = part.over.edges
            far, near = (place[reading.log, edge] if edge is not None else -1 for edge in (lower, upper))
            table[i] = reading.how, reading.column, layout.logs[reading.log].width, far, near
            if reading.how >= DISTINCT:
                walks[far, near] = None
        spans, begin = [], 0
        for log in sorted(wanted):
            spans.append((log, begin, begin + len(wanted[log])))
            begin += len(wanted[log])
        keys = tuple((*key_of(log_on(layout.logs[log].by, log), ()), layout.logs[log].by) for log, _, _ in spans)
        how_of = [part.how for part in parts]
        hows = tuple((how, np.array([i for i, mine in enumerate(how_of) if mine == how])) for how in dict.fromkeys(how_of))
        return cls(
            layout,
            tuple(parts),
            edges,
            tuple(spans),
            keys,
            table,
            tuple(walks),
            hows,
            tuple(dict.fromkeys((prefix, by) for prefix, _, by in keys)),
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
    shelves = {by: prefix + b"".join([packed[name] for name in by]) for prefix, by in plan.shelves if packed.keys() >= set(by)}
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
    limits = now - np.array([offset for _, offset in plan.edges], dtype=np.int64)
    absent = np.ones(len(plan.edges), dtype=bool)
    named: dict[int, Key | None] = {}
    for key, (log, begin, end) in zip(keys, plan.spans, strict=True):
        absent[begin:end] = key is None
        named[log] = key
    held = list(found)
    page_of = np.arange(len(plan.edges) + 1, dtype=np.int64)
    page_of[-1] = -1
    lower, upper = page_of[plan.table[:, 3]], page_of[plan.table[:, 4]]
    for far, near in plan.walks:
        joined = _joined(plan, found, far, near, named, now, pages)
        if joined is not None:
            mine = (plan.table[:, 3] == far) & (plan.table[:, 4] == near) & (plan.table[:, 0] >= DISTINCT)
            lower[mine & (lower >= 0)] = upper[mine] = len(held)
            held.append(joined)
    words, bounds = join(held)
    count, answer = _measure(words, bounds, plan.table, lower, upper, limits)
    values = np.empty(len(plan.parts), dtype=np.float64)
    for how, mine in plan.hows:
        values[mine] = number(how, count[mine], answer[mine], now)
    values[absent[plan.table[:, 4]]] = np.nan
    return values


def _joined(
    plan: WindowPlan, found: list[bytes | None], far: int, near: int, named: Mapping[int, Key | None], now: int, pages: Pages
) -> bytes | None:
    """Lay the pages of a window into one, ``None`` where one page holds it all."""
    log = plan.edges[near][0]
    key, last = named[log], found[near]
    first = found[far] if far >= 0 else None
    if key is None or last is None or first is last or memoryview(last).cast("q")[0] == 0:
        return None
    width = plan.layout.logs[log].width
    after = -END if first is None else int(rows(first, width)[1, 0])
    middle = pages.between(key, after, int(rows(last, width)[1, 0]))
    chain = [page for page in (first, *middle, last) if page is not None]
    return chain[0] + b"".join(page[8 * width :] for page in chain[1:])


def number(how: str, count: Ints, found: Ints, asked_at: int) -> Floats:
    """Turn what two rows of a log say into the number that :class:`features.spec.Aggregate` means; one division at the end.

    Parameters
    ----------
    how
        As in an aggregate.
    count
        (n,) rows in the window.
    found
        (n,) sum, number of values, extreme, value, or instant of an event.
    asked_at
        The instant of filing.

    Returns
    -------
    ndarray
        (n,) float64; undefined (NaN) over nothing, unless it is a count or a sum.

    Examples
    --------
    >>> number("mean", np.array([4, 0]), np.array([10, 0]), 0).tolist()
    [2.5, nan]
    """
    if how == "count":
        return count.astype(np.float64)
    if how in ("since_first", "since_last"):
        return np.where(count > 0, (asked_at - np.where(count > 0, found, asked_at)) / DAY_US, np.nan)
    if how in ("min", "max", "last"):
        return np.where(count > 0, found, np.nan)
    return ratio(found, count) if how == "mean" else found.astype(np.float64)


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
def _measure(words, bounds, table, lower, upper, limits):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """For each aggregate the number of rows in its window and what two rows, or those between, say of it."""
    count, answer = np.zeros(len(table), dtype=np.int64), np.full(len(table), NEVER)
    for part in range(len(table)):
        how, column, width, far, near = table[part]
        page = upper[part]
        begin, end = bounds[page], bounds[page + 1]
        if how == TOLD:
            answer[part] = 0
        if how == DISTINCT:
            answer[part] = 0
        if begin == end:
            continue
        row = begin + width * _before(words, begin, end, width, limits[near])
        held, told = words[begin] + (row - begin) // width, words[row + column]
        from_row = begin
        if far >= 0 and bounds[lower[part]] < bounds[lower[part] + 1]:
            start, stop = bounds[lower[part]], bounds[lower[part] + 1]
            from_row = start + width * _before(words, start, stop, width, limits[far])
            held -= words[start] + (from_row - start) // width
            told -= words[from_row + column]
        count[part] = held
        if how == TOLD:
            answer[part] = told
        elif held == 0:
            continue
        elif how == LATEST:
            answer[part] = words[row]
        elif how == STANDS:
            answer[part] = words[row + column]
        elif how == EARLIEST:
            answer[part] = words[from_row + width]
        elif how != COUNTED:
            inside = np.empty(held, dtype=np.int64)
            for i in range(held):
                inside[i] = words[from_row + (i + 1) * width + column]
            answer[part] = _between(inside, how)
    return count, answer


@njit(cache=True)
def _between(inside, how):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Largest, smallest or number of different values; negative codes are missing and not counted."""
    if how == LARGEST:
        return inside.max()
    if how == SMALLEST:
        return inside.min()
    inside.sort()
    found = 0
    for i in range(len(inside)):
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
