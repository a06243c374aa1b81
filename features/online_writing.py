"""New events into the logs of the windows: grouped by key, run on from where each log stood.

Each source is read once; each log takes the events whose key is complete, in time order. Whether a key meets a value for the
first time is asked of the log of their meetings, which therefore is written first.
"""

from __future__ import annotations

import numpy as np

from features.facts import FeatureError
from features.history import NEVER, Ints
from features.online_logs import ONCE, Layout, Log
from features.online_rows import keys_of, log_on
from features.online_sources import Batch
from features.pages import END, FIRST, SUM, Pages, append
from features.sources import Events


def write(batch: Batch, layout: Layout, pages: Pages) -> None:
    """Add a batch to all logs of a layout."""
    by_source: dict[str, list[int]] = {}
    for number, log in enumerate(layout.logs):
        by_source.setdefault(log.source, []).append(number)
    for source, numbers in by_source.items():
        columns = {column for number in numbers for _, column in layout.logs[number].columns}
        wanted = sorted({*columns, *(own for number in numbers if (own := layout.logs[number].own))} - {ONCE, "time"})
        events = batch.select(source, [column for column in wanted if not column.startswith("seen:")])
        if events is None or not len(events.times):
            continue
        met: dict[int, Ints] = {}
        for number in numbers:
            log = layout.logs[number]
            flags = {column: met.get(layout.meeting(log, column[5:])) for _, column in log.columns if column.startswith("seen:")}
            met[number] = _write(events, log, number, flags, pages, batch.watermark == NEVER)


def _write(events: Events, log: Log, number: int, flags: dict[str, Ints | None], pages: Pages, fresh: bool) -> Ints:
    """Add a source's new events to one log; return (events,) whether each is the first of its key."""
    first = np.zeros(len(events.times), dtype=np.int64)
    if any(name not in events.columns for name in log.by) or (log.own and log.own not in events.columns):
        return first
    codes = np.stack([events.columns[name] for name in log.by], axis=1)
    held = codes.min(axis=1) >= 0
    if log.own:
        held &= events.columns[log.own] != NEVER
    kept = np.flatnonzero(held)
    order = kept[np.lexsort(codes[kept].T[::-1])]
    starts = _starts(codes[order])
    if (SUM, ONCE) in log.columns and len(order):
        begins = order[starts[:-1]]
        keys = [] if fresh else pages.latest(keys_of(log_on(log.by, number), codes[begins]), [END] * len(begins))
        first[begins if fresh else begins[[page is None for page in keys]]] = 1
    columns = [_column(kind, name, events, flags, first)[order] for kind, name in log.columns]
    values = np.stack(columns, axis=1) if columns else np.empty((len(order), 0), dtype=np.int64)
    must_be_whole(log, values)
    if not log.dense:
        changing = np.flatnonzero(np.any(values != 0, axis=1))
        order, values = order[changing], values[changing]
        starts = _starts(codes[order])
    if len(order):
        kinds = np.array([kind for kind, _ in log.columns], dtype=np.int64)
        append(pages, keys_of(log_on(log.by, number), codes[order[starts[:-1]]]), starts, events.times[order], values, kinds, fresh)
    return first


def must_be_whole(log: Log, values: Ints) -> None:
    """Refuse (rows, columns) with a number missing."""
    missing = (values == NEVER).any(axis=0)
    if missing.any():
        name = log.columns[int(np.flatnonzero(missing)[0])][1]
        raise FeatureError(f"{log.source}.{name}: expected a number in every row, as its contract says, found one missing")


def _starts(codes: Ints) -> Ints:
    """Where each key begins in rows sorted by key, and where the last ends."""
    begins = np.ones(len(codes), dtype=bool)
    begins[1:] = np.any(codes[1:] != codes[:-1], axis=1)
    return np.append(np.flatnonzero(begins), len(codes))


def _column(kind: int, name: str, events: Events, flags: dict[str, Ints | None], first: Ints) -> Ints:
    """Return what each event adds to a column of a log; a column that the events lack adds nothing."""
    if name == ONCE:
        return first
    if kind == FIRST:
        return events.times
    found = flags[name] if name.startswith("seen:") else events.columns.get(name)
    return np.zeros(len(events.times), dtype=np.int64) if found is None else found
