"""The as-of kernel: every window of every key from one sweep over the events, exact and linear.

1. *Deal.* Keys that nobody asks about are dropped. The others are cut into blocks of whole keys with about as many events
   each as the processor's cache holds, and every column is dealt to the blocks in one sequential pass, times in order.
2. *Sweep.* Inside a block the events of each key are laid side by side, their values summed up as they are, and one
   pointer per window edge runs over the events of a key while its probes advance: ``pointer`` events were strictly before
   the edge. A count is the difference of two pointers, a sum the difference of two running ``int64`` sums, the latest
   event is one step back. A value is *new* where no event of the key had it before; it is *distinct* in a window where
   its previous event lies outside, so both follow from a link to the previous (and the next) event of equal value.
   Extremes slide along in a monotone queue. No float is ever added; there is one division, at the end.

Cost: O(events + probes + keys) steps per window edge and per aggregate, whatever the skew: pointers never go back. What lies
far apart (rows of the result, the table of values seen) is asked of memory ahead of time, so that an event costs the same
when these outgrow the cache. Blocks are independent, so any number of threads gives the same bits. Beside the result, memory
holds the dealt columns (8 bytes per event and column read), which :class:`Desk` lends to one group of aggregates after the
other.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from features import sweep_kernel as kernel
from features.history import Floats, Ints
from features.spec import Aggregate, How

_KIND: dict[How, int] = {
    **{"count": kernel.COUNT, "sum": kernel.SUM, "first_seen": kernel.SUM, "mean": kernel.MEAN, "last": kernel.LAST},
    **{"since_last": kernel.SINCE_LAST, "since_first": kernel.SINCE_FIRST},
    **{"max": kernel.MAX, "min": kernel.MIN, "distinct": kernel.DISTINCT},
}
_CARRIED: dict[How, int] = {"sum": kernel.ADD, "mean": kernel.ADD, "first_seen": kernel.NEW, "last": kernel.TIED}


@dataclass(eq=False)
class Desk:
    """Arrays lent to one sweep after the other, since memory touched for the first time costs more than the sweep itself.

    Parameters
    ----------
    threads
        How many threads may work at once.
    block
        Events and probes of a block, unless one key alone has more; about what a core's cache holds.
    """

    threads: int = 1
    block: int = 32_768
    _held: dict[str, npt.NDArray[Any]] = field(default_factory=dict, repr=False)
    _pool: ThreadPoolExecutor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.threads)  # starts no thread before there is work, and ends with the desk

    def lend(self, name: str, size: int, dtype: type = np.int64) -> npt.NDArray[Any]:
        """Return an array of that size with anything in it; the one lent by this name before is taken back."""
        if name not in self._held or len(self._held[name]) < size or self._held[name].dtype != dtype:
            self._held[name] = np.empty(size, dtype=dtype)
        return self._held[name][:size]

    def share(self, work: Callable[..., Any], jobs: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Do independent jobs, at most as many at once as there are threads; return what they return."""
        if self.threads == 1 or len(jobs) == 1:
            return [work(*job) for job in jobs]
        return [done.result() for done in [self._pool.submit(work, *job) for job in jobs]]

    def shares(self, n: int) -> list[slice]:
        """Cut n lines into as many runs as there are threads."""
        return [slice(n * i // self.threads, n * (i + 1) // self.threads) for i in range(self.threads)]


@dataclass(frozen=True, eq=False)
class Lines:
    """Events, or probes, in time order: whose they are, when, and what they say.

    Parameters
    ----------
    keys
        (n,) codes; negative ones belong to nobody.
    times
        (n,) microseconds, never decreasing.
    columns
        (n,) integers each.
    """

    keys: Ints
    times: Ints
    columns: tuple[Ints, ...] = ()


def sweep(
    parts: Sequence[Aggregate], events: Lines, columns: Sequence[str], probes: Lines, sizes: Mapping[str, int], n_keys: int, desk: Desk
) -> Floats:
    """Compute aggregates of one source and key.

    Parameters
    ----------
    parts
        What to compute; ``on`` and ``by`` have been seen to already.
    events, columns
        The events and the names of their columns; no value is missing except in columns of codes (negative).
    probes
        Who asks, and as of when; their only column is the row of the result that is theirs.
    sizes
        For each column of codes that is counted (``first_seen``, ``distinct``), how many codes there are.
    n_keys
        How many keys there are; keys of events and probes are below.
    desk
        Where to work, and with how many threads.

    Returns
    -------
    ndarray
        (probes, parts) float64, a row per probe; undefined (NaN) where a probe has no key.

    Examples
    --------
    >>> from features.spec import DAY_US, Window
    >>> told = Lines(np.array([0, 1, 0]), np.array([1, 2, 3]) * DAY_US)
    >>> asked = Lines(np.array([0, 1]), np.array([3, 9]) * DAY_US, (np.array([1, 0]),))
    >>> day = [Aggregate("claims", ("customer_id",), how, Window(30)) for how in ("count", "since_last")]
    >>> sweep(day, told, (), asked, {}, 2, Desk()).tolist()
    [[1.0, 7.0], [1.0, 2.0]]
    """
    found = np.empty((len(probes.keys), len(parts)), dtype=np.float64)
    found[probes.columns[0][probes.keys < 0]] = np.nan
    plan = _plan(parts, columns, sizes)
    blocks = _cut(_tally(events.keys, n_keys, desk), _tally(probes.keys, n_keys, desk), desk.block)
    past, asked = _deal(events, blocks, blocks.events, desk, "events"), _deal(probes, blocks, blocks.probes, desk, "probes")
    turns = blocks.turns(desk.threads)
    benches = [_bench(blocks, plan, mine, f"thread {i}", desk) for i, mine in enumerate(turns)]
    desk.share(
        kernel.sweep_blocks, [(mine, blocks.first, past, asked, plan, bench, found) for mine, bench in zip(turns, benches, strict=True)]
    )
    return found


def _plan(parts: Sequence[Aggregate], columns: Sequence[str], sizes: Mapping[str, int]) -> tuple[Ints, ...]:
    """Say in numbers what to do: edges; carried (kind, column); aggregates (kind, carried or column, lower, upper); code sizes."""
    edges = sorted({edge for part in parts for edge in part.over.edges if edge is not None})
    slot: dict[int | None, int] = {None: 0} | {edge: 1 + i for i, edge in enumerate(edges)}
    carried = list(dict.fromkeys((_CARRIED[part.how], part.column) for part in parts if part.how in _CARRIED))
    steps = []
    for part in parts:
        lower, upper = part.over.edges
        read = 0 if part.column is None else columns.index(part.column)
        read = carried.index((_CARRIED[part.how], part.column)) if part.how in _CARRIED else read
        steps.append((_KIND[part.how], read, slot[lower], slot[upper]))
    counted = {part.column for part in parts if part.how in ("first_seen", "distinct")}
    return (
        np.array(edges, dtype=np.int64),
        np.array([(kind, columns.index(str(column))) for kind, column in carried], dtype=np.int64).reshape(-1, 2),
        np.array(steps, dtype=np.int64).reshape(-1, 4),
        # A column that is counted is marked by its size, even where no code of it occurs at all.
        np.array([max(sizes[name], 1) if name in counted else 0 for name in columns], dtype=np.int64),
    )


@dataclass(frozen=True, eq=False)
class _Blocks:
    """Keys somebody asks about, numbered: where each begins among ``events`` and ``probes``, and ``first``, which opens each block.

    ``table`` says of every key its block and its number, −1 where nobody asks.
    """

    table: npt.NDArray[np.int32]
    events: Ints
    probes: Ints
    first: Ints

    def turns(self, threads: int) -> list[Ints]:
        """Give each thread blocks, the largest first to whoever has least to do; blocks of one thread come in order."""
        work = np.diff((self.events + self.probes)[self.first])
        loads, whose = [(0, thread) for thread in range(threads)], np.empty(len(work), dtype=np.int64)
        for block in np.argsort(-work, kind="stable").tolist():
            load, whose[block] = loads[0]
            heapq.heapreplace(loads, (load + int(work[block]), int(whose[block])))
        return [mine for thread in range(threads) if len(mine := np.flatnonzero(whose == thread))]


def _tally(keys: Ints, n_keys: int, desk: Desk) -> Ints:
    """Count the lines of each key."""
    counts: Ints = sum(desk.share(kernel.tally, [(keys[part], n_keys) for part in desk.shares(len(keys))]))
    return counts


def _cut(events: Ints, probes: Ints, size: int) -> _Blocks:
    """Give numbers to the keys that are asked about and cut them into blocks, by how many events and probes each key has."""
    asked = np.flatnonzero(probes)
    starts = [np.concatenate([[0], np.cumsum(counts[asked])]) for counts in (events, probes)]
    block = (starts[0] + starts[1])[:-1] // size
    first = np.append(np.flatnonzero(np.diff(block, prepend=-1)), len(asked))
    table = np.full((len(probes), 2), -1, dtype=np.int32)
    table[asked, 0] = np.repeat(np.arange(len(first) - 1, dtype=np.int32), np.diff(first))
    table[asked, 1] = np.arange(len(asked), dtype=np.int32)
    return _Blocks(table, starts[0], starts[1], first)


def _deal(lines: Lines, blocks: _Blocks, starts: Ints, desk: Desk, name: str) -> tuple[Any, ...]:
    """Bring keys, times and columns into the order of blocks; return them after where each key begins.

    Each thread deals a run of the lines, to places behind those of the runs before it.
    """
    parts, total = desk.shares(len(lines.keys)), int(starts[-1])
    home, number = (desk.lend(what, len(lines.keys), np.int32) for what in ("home", "number"))
    counts = np.zeros((len(parts), len(blocks.first) - 1), dtype=np.int64)
    desk.share(
        kernel.look_up,
        [(lines.keys[part], blocks.table, home[part], number[part], found) for part, found in zip(parts, counts, strict=True)],
    )
    begins = starts[blocks.first[:-1]] + np.cumsum(counts, axis=0) - counts
    keys, times = desk.lend(f"{name} keys", total, np.int32), desk.lend(f"{name} times", total)
    columns = desk.lend(f"{name} columns", total * len(lines.columns)).reshape(len(lines.columns), total)
    dealt = [(number, keys), (lines.times, times), *zip(lines.columns, columns, strict=True)]
    desk.share(kernel.deal, [(column[p], home[p], at, place) for column, place in dealt for p, at in zip(parts, begins, strict=True)])
    return starts, keys, times, columns


def _bench(blocks: _Blocks, plan: tuple[Ints, ...], turns: Ints, name: str, desk: Desk) -> tuple[Any, ...]:
    """Lend a thread the room that its largest block needs."""
    edges, carried, _, sizes = plan
    events, probes = (int(np.diff(starts[blocks.first])[turns].max()) for starts in (blocks.events, blocks.probes))
    shapes = {
        "place": (max(events, probes),),
        "times": (events,),
        "values": (len(sizes), events),
        "running": (len(carried), events + 1),
        "links": (2, events),
        "moments": (probes,),
        "rows": (1, probes),
        "at": (probes, len(edges) + 1),
        "latest": (int(sizes.sum()),),
    }
    return tuple(desk.lend(f"{name} {what}", math.prod(shape)).reshape(shape) for what, shape in shapes.items())
