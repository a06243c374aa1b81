"""Histories as integers: what an instant and a column are, and events grouped by key in time order.

:mod:`features.sweep` computes the windows of the catalogue; what is here serves modules that walk through histories on
their own. Grouping costs one sort by time (none if they are sorted) and one counting sort; finding where the edges of
probes fall costs one pass with one pointer per edge, whatever the skew.
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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
