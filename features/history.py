"""The as-of kernel: windows over integer histories, exact and linear.

Events of a key stand side by side in time order; so do the probes (the instants asked about). One pass with one pointer
per window edge finds, for every probe and edge, how many events of its key came before the edge. Everything else follows
from two such positions: counts by subtraction, sums from running ``int64`` sums, the latest event by looking one step
back. What cannot be subtracted (distinct values, extremes) slides along the same positions. No float is ever added.

Cost: one sort by time of the events, then O(events + probes) per key and edge; skew changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NEVER = np.iinfo(np.int64).min
"""The instant of an event that did not happen (NumPy's ``NaT``)."""


@dataclass(frozen=True, eq=False)
class History:
    """Events grouped by key, each group in time order.

    Parameters
    ----------
    starts
        (keys + 1,) position of each key's first event; key k owns positions ``starts[k]`` to ``starts[k + 1]``.
    order
        (events,) row of the source at each position.
    times
        (events,) instants in microseconds, by position.
    """

    starts: Ints
    order: Ints
    times: Ints

    def gather(self, values: Ints) -> Ints:
        """Bring a column of the source into the order of positions."""
        return np.ascontiguousarray(values[self.order], dtype=np.int64)

    def running(self, values: Ints) -> Ints:
        """Return (events + 1,) running sums of a column by position; a window's sum is the difference of two of them."""
        sums = np.zeros(len(self.order) + 1, dtype=np.int64)
        np.cumsum(values[self.order], out=sums[1:])
        return sums

    @property
    def keys(self) -> Ints:
        """(events,) key of each position."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def group(keys: Ints, times: Ints, n_keys: int) -> History:
    """Group events by key and put each group in time order.

    Parameters
    ----------
    keys
        (n,) integers from 0 to ``n_keys`` − 1; events with a negative key belong to nobody and are left out.
    times
        (n,) instants in microseconds.
    n_keys
        How many keys there are.

    Examples
    --------
    >>> found = group(np.array([1, 0, 1]), np.array([20, 5, 10]), 2)
    >>> found.starts.tolist(), found.order.tolist(), found.times.tolist()
    ([0, 1, 3], [1, 2, 0], [5, 10, 20])
    """
    kept = np.flatnonzero(keys >= 0)
    moments = times[kept]
    if not bool(np.all(moments[1:] >= moments[:-1])):
        by_time = np.argsort(moments, kind="stable")
        kept, moments = kept[by_time], moments[by_time]
    starts, places = _counting_sort(np.ascontiguousarray(keys[kept], dtype=np.int64), n_keys)
    return History(starts, kept[places], moments[places])


@njit(cache=True)
def _counting_sort(keys, n_keys):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Stable order by key in linear time, with the start of each key."""
    starts = np.zeros(n_keys + 1, dtype=np.int64)
    for key in keys:
        starts[key + 1] += 1
    for key in range(n_keys):
        starts[key + 1] += starts[key]
    place = starts[:-1].copy()
    order = np.empty(len(keys), dtype=np.int64)
    for row in range(len(keys)):
        order[place[keys[row]]] = row
        place[keys[row]] += 1
    return starts, order


@njit(cache=True)
def _sweep(starts, times, probe_starts, probe_times, offsets):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """For each key, let one pointer per edge run over its events while the probes advance."""
    found = np.empty((len(probe_times), len(offsets)), dtype=np.int64)
    for key in range(len(probe_starts) - 1):
        if probe_starts[key] == probe_starts[key + 1]:
            continue
        end = starts[key + 1]
        for edge in range(len(offsets)):
            pointer = starts[key]
            for probe in range(probe_starts[key], probe_starts[key + 1]):
                limit = probe_times[probe] - offsets[edge]
                while pointer < end and times[pointer] < limit:
                    pointer += 1
                found[probe, edge] = pointer
    return found


def positions(history: History, probes: History, offsets: Ints) -> Ints:
    """Find where each probe's edges fall in its key's history.

    Parameters
    ----------
    history
        The events.
    probes
        The instants asked about, grouped by the same keys.
    offsets
        (m,) microseconds: edge j of a probe at t lies at t − offsets[j].

    Returns
    -------
    ndarray
        (probes, m) positions, in the order of ``probes``: events of the key before the position are strictly before the edge.

    Examples
    --------
    >>> events = group(np.array([0, 0, 0]), np.array([10, 20, 20]), 1)
    >>> asked = group(np.array([0, 0]), np.array([20, 21]), 1)
    >>> positions(events, asked, np.array([0])).ravel().tolist()
    [1, 3]
    """
    if len(history.starts) != len(probes.starts):
        raise ValueError(f"positions: expected events and probes over the same keys, found {len(history.starts)} and {len(probes.starts)}")
    found: Ints = _sweep(history.starts, history.times, probes.starts, probes.times, np.asarray(offsets, dtype=np.int64))
    return found


def first_seen(history: History, values: Ints) -> Ints:
    """Flag (0 or 1, by row of the source) the events at which a key meets a value for the first time.

    Of several meetings at the same instant one is flagged; which one cannot matter, as no window tells them apart.
    Negative values are missing and never flagged.
    """
    pairs = _by_pair(history, values)
    flags = np.zeros(len(values), dtype=np.int64)
    flags[history.order[pairs.order[pairs.starts[:-1]]]] = 1
    return flags * (values >= 0)


def _by_pair(history: History, values: Ints) -> History:
    """Group positions by (key, value), each group in time order: two counting sorts, so linear."""
    held = history.gather(np.maximum(values, -1)) + 1
    keys = history.keys
    _, by_value = _counting_sort(held, int(held.max(initial=0)) + 1)
    _, by_key = _counting_sort(np.ascontiguousarray(keys[by_value]), len(history.starts) - 1)
    order = by_value[by_key]
    begins = np.ones(len(order), dtype=bool)
    begins[1:] = (np.diff(keys[order]) != 0) | (np.diff(held[order]) != 0)
    return History(np.append(np.flatnonzero(begins), len(order)), order, history.times[order])


def distinct(history: History, values: Ints, lower: Ints, upper: Ints) -> Ints:
    """Count the distinct values between two positions of each probe.

    Parameters
    ----------
    history, values
        The events and, by row of the source, a column of codes; negative ones are missing and not counted.
    lower, upper
        (probes,) positions from :func:`positions`, in its order: within a key neither ever goes back.
    """
    pairs = _by_pair(history, values)
    group_of = np.empty(len(history.order), dtype=np.int64)
    group_of[pairs.order] = pairs.keys
    group_of[history.gather(values) < 0] = -1
    found: Ints = _slide_distinct(group_of, len(pairs.starts) - 1, lower, upper)
    return found


@njit(cache=True)
def _slide_distinct(group_of, n_groups, lower, upper):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Each event enters and leaves once; a value is present while its number of events inside is positive."""
    inside = np.zeros(n_groups, dtype=np.int64)
    found = np.zeros(len(lower), dtype=np.int64)
    left, right, present = 0, 0, 0
    for probe in range(len(lower)):
        if lower[probe] > right:  # nothing between: a new key, or a window past everything held
            while left < right:
                inside[group_of[left]] = 0
                left += 1
            left, right, present = lower[probe], lower[probe], 0
        while right < upper[probe]:
            if group_of[right] >= 0:
                inside[group_of[right]] += 1
                present += inside[group_of[right]] == 1
            right += 1
        while left < lower[probe]:
            if group_of[left] >= 0:
                inside[group_of[left]] -= 1
                present -= inside[group_of[left]] == 0
            left += 1
        found[probe] = present
    return found


@njit(cache=True)
def _slide_maximum(values, lower, upper):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Sliding maximum by a monotone queue of positions; windows that hold nothing keep ``NEVER``."""
    queue = np.empty(len(values), dtype=np.int64)
    found = np.full(len(lower), NEVER)
    head, tail, right = 0, 0, 0
    for probe in range(len(lower)):
        if lower[probe] > right:
            head, tail, right = 0, 0, lower[probe]
        while right < upper[probe]:
            while tail > head and values[queue[tail - 1]] <= values[right]:
                tail -= 1
            queue[tail] = right
            tail += 1
            right += 1
        while head < tail and queue[head] < lower[probe]:
            head += 1
        if head < tail and queue[head] < upper[probe]:
            found[probe] = values[queue[head]]
    return found


def maximum(history: History, values: Ints, lower: Ints, upper: Ints) -> Ints:
    """Return the largest value between two positions of each probe, ``NEVER`` over nothing; see :func:`distinct`."""
    found: Ints = _slide_maximum(history.gather(values), lower, upper)
    return found
