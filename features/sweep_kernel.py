"""The compiled half of :mod:`features.sweep`: dealing keys to blocks, and the sweep over one block after the other.

Compiled code knows no names, so what to compute comes as numbers; :func:`features.sweep.sweep` writes them. All functions
release Python's lock, and write only to arrays they were given.
"""

# Compiled functions take arrays and tuples of arrays, which annotations cannot say.
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

import numpy as np
from numba import njit

from features.prefetch import AHEAD, prefetch
from features.spec import DAY_US

COUNT, SUM, MEAN, LAST, SINCE_LAST, SINCE_FIRST, MAX, MIN, DISTINCT = range(9)
"""Kinds of aggregates, by what they do with their window's two ends; those from ``MAX`` on have to slide along."""

ADD, NEW, TIED = range(3)
"""What is carried along a key's events: a running sum, how many values were new, the largest value at that instant."""

_compiled = njit(cache=True, nogil=True, error_model="numpy")
_FAR = np.iinfo(np.int64).max


@_compiled
def tally(keys, size):
    """Count the lines of each key."""
    counts = np.zeros(size, dtype=np.int64)
    for key in keys:
        if key >= 0:
            counts[key] += 1
    return counts


@_compiled
def look_up(keys, table, home, number, lines):
    """Put each line's block and its key's number, which the table says of each key, and count the lines of each block."""
    for i in range(len(keys)):
        home[i], number[i] = -1, -1
        if keys[i] >= 0:
            home[i], number[i] = table[keys[i], 0], table[keys[i], 1]
        if home[i] >= 0:
            lines[home[i]] += 1


@_compiled
def deal(column, home, begins, dealt):
    """Bring a column into the order of blocks, and leave the order as it is within each."""
    place = begins.copy()
    for i in range(len(home)):
        block = home[i]
        if block >= 0:
            dealt[place[block]] = column[i]
            place[block] += 1


@_compiled
def sweep_blocks(turns, first, past, asked, plan, bench, found):
    """Compute all aggregates for the probes of some blocks; the arguments are explained where they are made."""
    edges, carried, steps, sizes = plan
    place, times, values, running, links, moments, rows, at, latest = bench
    latest[:] = -1
    for block in turns:
        key, stop = first[block], first[block + 1]
        base = past[0][key]
        starts, probe_starts = past[0][key : stop + 1] - base, asked[0][key : stop + 1] - asked[0][key]
        _lay(key, stop, past, place, times, values)
        _lay(key, stop, asked, place, moments, rows)
        _advance(starts, times, probe_starts, moments, edges, at)
        mine, ends, offset = rows[0, : probe_starts[-1]], at[: probe_starts[-1]], 0
        for column in range(len(sizes)):
            if sizes[column] > 0:
                _link(starts, values[column], base, latest[offset : offset + sizes[column]], links)
                offset += sizes[column]
                for c in range(len(carried)):
                    if carried[c, 0] == NEW and carried[c, 1] == column:
                        _count_new(starts[-1], links, running[c])
                _count_distinct(column, starts[-1], links, ends, steps, mine, found)
        for c in range(len(carried)):
            if carried[c, 0] == ADD:
                _add_up(starts[-1], values[carried[c, 1]], running[c])
            elif carried[c, 0] == TIED:
                _tie(starts, times, values[carried[c, 1]], running[c])
        _answer(times, running, moments, mine, ends, steps, found)
        for step in range(len(steps)):
            if steps[step, 0] in (MAX, MIN):
                _slide_extreme(values[steps[step, 1]], links[0], ends, steps[step], mine, found[:, step])


@_compiled
def _lay(key, stop, dealt, place, times, values):
    """Lay the lines of each key side by side, times in order."""
    starts, keys, moments, columns = dealt
    base, lines = starts[key], starts[stop] - starts[key]
    free = starts[key:stop] - base
    for i in range(lines):
        number = keys[base + i] - key
        place[i] = free[number]
        free[number] += 1
    for i in range(lines):
        times[place[i]] = moments[base + i]
    for column in range(len(columns)):
        source, laid = columns[column, base : base + lines], values[column]
        for i in range(lines):
            laid[place[i]] = source[i]


@_compiled
def _advance(starts, times, probe_starts, moments, edges, at):
    """For each probe: where its key begins, then how many events came before each edge."""
    pointers = np.empty(len(edges), dtype=np.int64)
    for key in range(len(starts) - 1):
        end = starts[key + 1]
        pointers[:] = starts[key]
        for probe in range(probe_starts[key], probe_starts[key + 1]):
            at[probe, 0] = starts[key]
            for edge in range(len(edges)):
                pointer, limit = pointers[edge], moments[probe] - edges[edge]
                while pointer < end and times[pointer] < limit:
                    pointer += 1
                pointers[edge] = pointer
                at[probe, edge + 1] = pointer


@_compiled
def _link(starts, values, base, latest, links):
    """Link each event to the previous one of its key with the same value: −1 without one, ``_FAR`` where the value is missing.

    ``latest`` holds the latest event of each value over all blocks so far: older than the key's first event, it is another
    key's.
    """
    for key in range(len(starts) - 1):
        for event in range(starts[key], starts[key + 1]):
            if event + AHEAD < starts[-1]:
                prefetch(latest, values[event + AHEAD])
            value = values[event]
            if value < 0:
                links[0, event] = _FAR
                continue
            before = latest[value] - base
            latest[value] = base + event
            links[0, event] = before if before >= starts[key] else -1


@_compiled
def _link_back(events, links):
    """Link each event to the next one likewise: ``_FAR`` without one, −1 where the value is missing, so that it never counts."""
    for event in range(events):
        before = links[0, event]
        links[1, event] = _FAR if before < _FAR else -1
        if 0 <= before < _FAR:
            links[1, before] = event


@_compiled
def _count_new(events, links, running):
    running[0] = 0
    for event in range(events):
        running[event + 1] = running[event] + (links[0, event] < 0)


@_compiled
def _add_up(events, values, running):
    """Sum values from event to event, on through all keys of the block: a window needs only differences."""
    running[0] = 0
    for event in range(events):
        running[event + 1] = running[event] + values[event]


@_compiled
def _tie(starts, times, values, running):
    """Put after each event the largest value of its key at its instant so far."""
    for key in range(len(starts) - 1):
        for event in range(starts[key], starts[key + 1]):
            tied = event > starts[key] and times[event] == times[event - 1]
            running[event + 1] = max(values[event], running[event]) if tied else values[event]


@_compiled
def _answer(times, running, moments, rows, at, steps, found):
    """Turn the two ends of each window into a number, all those of a probe at once."""
    width, flat = found.shape[1], found.ravel()
    for probe in range(len(at)):
        if probe + AHEAD < len(at):
            for line in range(0, width + 7, 8):  # a cache line holds eight numbers
                prefetch(flat, rows[probe + AHEAD] * width + min(line, width - 1))
        row = found[rows[probe]]
        for step in range(len(steps)):
            kind, place = steps[step, 0], steps[step, 1]
            lower, upper = at[probe, steps[step, 2]], at[probe, steps[step, 3]]
            if kind == COUNT:
                row[step] = upper - lower
            elif kind == SUM:
                row[step] = running[place, upper] - running[place, lower]
            elif kind >= MAX:
                continue
            elif upper == lower:
                row[step] = np.nan
            elif kind == MEAN:
                row[step] = (running[place, upper] - running[place, lower]) / (upper - lower)
            elif kind == LAST:
                row[step] = running[place, upper]
            elif kind == SINCE_LAST:
                row[step] = (moments[probe] - times[upper - 1]) / DAY_US
            elif kind == SINCE_FIRST:
                row[step] = (moments[probe] - times[lower]) / DAY_US


@_compiled
def _count_distinct(column, events, links, at, steps, rows, found):
    """Count the distinct values of a column in every window that asks for them."""
    linked_back = False
    for step in range(len(steps)):
        if steps[step, 0] == DISTINCT and steps[step, 1] == column:
            if not linked_back:
                _link_back(events, links)
                linked_back = True
            _slide_distinct(links, at, steps[step], rows, found[:, step])


@_compiled
def _slide_distinct(links, at, step, rows, found):
    """Each event enters and leaves once: as a value not inside so far, and as one of which nothing is left inside."""
    left, right, present = 0, 0, 0
    for probe in range(len(at)):
        lower, upper = at[probe, step[2]], at[probe, step[3]]
        if lower > right:  # nothing between: a new key, or a window past everything held
            left, right, present = lower, lower, 0
        while right < upper:
            present += links[0, right] < left
            right += 1
        while left < lower:
            present -= links[1, left] >= right
            left += 1
        found[rows[probe]] = present


@_compiled
def _slide_extreme(values, queue, at, step, rows, found):
    """Keep a queue of events, each larger (for a minimum, smaller) than all later ones; undefined over nothing."""
    sign = 1 if step[0] == MAX else -1
    head, tail, right = 0, 0, 0
    for probe in range(len(at)):
        lower, upper = at[probe, step[2]], at[probe, step[3]]
        if lower > right:
            head, tail, right = 0, 0, lower
        while right < upper:
            while tail > head and sign * values[queue[tail - 1]] <= sign * values[right]:
                tail -= 1
            queue[tail] = right
            tail += 1
            right += 1
        while head < tail and queue[head] < lower:
            head += 1
        found[rows[probe]] = values[queue[head]] if head < tail else np.nan
