"""A single claim becomes history: one row behind each of its logs, noted by compiled functions and laid all at once.

What :mod:`features.online_writing`, :mod:`features.online_sources` and :mod:`features.online_claim` do for many events at once,
grouped and sorted, is for one claim a list of rows, some thirty, each behind a log of its own; :mod:`features.kernel_link_rows` and
:mod:`features.kernel_contents` note another forty. That what is read afterwards is the same either way is a law that the tests check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from features.arena import MISSING, NONE, look
from features.arena_rows import cell, row
from features.history import NEVER, Ints
from features.online_logs import ONCE, Layout, Log
from features.online_rows import log_on, whole
from features.online_sources import CLAIMS, RESOLUTIONS
from features.online_writing import must_be_whole
from features.pages import END, FIRST, RAW, SUM
from features.sources import SELECTIONS
from features.spec import ENTITIES, Selection

_TIME, _MEETING = -1, -2

NOTED, LACKS, WAITED_FOR = range(3)
"""What became of a claim's rows: they are noted · something has to be loaded · resolutions wait for it, which goes the general way."""


class SinglePlan(NamedTuple):
    """Which logs of the windows a claim feeds, prepared once, as compiled functions get it.

    Parameters
    ----------
    logs
        (lines, 5) of each log that a claim may add a row to: its number with its shelf's, source, column whose missing values are passed
        over (−1: none), whether every claim has a row, whether it tells first meetings.
    begins, identifiers
        (lines + 1,) where the identifiers of each line begin in (…,) columns of a claim's codes.
    cells, columns
        (lines + 1,) where the columns of each line begin in (…, 3): how it runs, what it takes (a value, or :data:`_TIME`, or
        :data:`_MEETING`), and the line whose first meeting it tells.
    """

    logs: Ints
    begins: Ints
    identifiers: Ints
    cells: Ints
    columns: Ints


class Told(NamedTuple):
    """What of a claim the windows' logs take.

    Parameters
    ----------
    numbers, has
        (names,) numbers, :data:`~features.history.NEVER` where missing, and whether the claim has such a column.
    selected
        (sources,) whether the source selects it.
    """

    numbers: Ints
    has: Ints
    selected: Ints


@dataclass(frozen=True, eq=False)
class Values:
    """Names of the columns that the logs take, the sources, and the logs themselves in the order of the lines."""

    names: tuple[str, ...]
    sources: tuple[Selection, ...]
    logs: tuple[Log, ...]

    def of(self, claim: Mapping[str, Any], codes: Mapping[str, int]) -> Told:
        """Read a claim: its columns as plain values, and its identifiers."""
        has = [name in claim for name in self.names]
        numbers = [
            NEVER if not held else codes[name] if name in ENTITIES else whole(claim[name])
            for name, held in zip(self.names, has, strict=True)
        ]
        selected = [one.column is None or claim.get(one.column) in one.values for one in self.sources]
        return Told(np.array(numbers, dtype=np.int64), np.array(has, dtype=np.int64), np.array(selected, dtype=np.int64))

    def must_be_whole(self, line: int, told: Told) -> None:
        """Refuse a claim that lacks a number of a line which its contract says is always there."""
        numbers = dict(zip(self.names, told.numbers.tolist(), strict=True))
        must_be_whole(self.logs[line], np.array([[numbers.get(name, 0) for _, name in self.logs[line].columns]], dtype=np.int64))


def plan_of(layout: Layout, sources: Mapping[str, Selection]) -> tuple[SinglePlan, Values]:
    """Prepare the logs of a layout that a claim feeds, and what of it they take."""
    known = {**SELECTIONS, **sources}
    fed = {log.source: known[log.source] for log in layout.logs if log.source in known and known[log.source].table == "claims"}
    fed |= {log.source: SELECTIONS["claims"] for log in layout.logs if log.source == "sightings"}
    lines = {number: log for number, log in enumerate(layout.logs) if log.source in fed}
    logs, order, place = [*lines.values()], [*fed], {number: line for line, number in enumerate(lines)}
    taken = [name for log in logs for name in (log.own, *(name for _, name in log.columns)) if name and name not in ("time", ONCE)]
    names = tuple(dict.fromkeys(name for name in taken if not name.startswith("seen:")))
    own = [-1 if log.own is None else names.index(log.own) for log in logs]
    told = [
        (log_on(log.by, number), order.index(log.source), mine, log.dense, (SUM, ONCE) in log.columns)
        for (number, log), mine in zip(lines.items(), own, strict=True)
    ]
    columns: list[tuple[int, int, int]] = []
    for number, log in lines.items():
        for kind, name in log.columns:
            if name == ONCE or name.startswith("seen:"):
                columns.append((kind, _MEETING, place[number if name == ONCE else layout.meeting(log, name[5:])]))
            else:
                columns.append((kind, _TIME if kind == FIRST else names.index(name), -1))
    plan = SinglePlan(
        np.array(told, dtype=np.int64).reshape(-1, 5),
        np.cumsum([0, *(len(log.by) for log in logs)]),
        np.array([ENTITIES.index(name) for log in logs for name in log.by], dtype=np.int64),
        np.cumsum([0, *(len(log.columns) for log in logs)]),
        np.array(columns, dtype=np.int64).reshape(-1, 3),
    )
    return plan, Values(names, tuple(fed.values()), tuple(logs))


@njit(cache=True)
def note(pool, added, plan, codes, values, name, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Note the rows that a claim adds to the logs of the windows, and that it is known now.

    Parameters
    ----------
    pool, added
        The arena's arrays, and the rows noted so far.
    plan
        Which logs it feeds.
    codes
        (identifiers,) of the claim, −1 where missing.
    values
        What :meth:`Values.of` read of it.
    name
        Its own identifier.
    at
        The instant from which it is known, after everything that is.

    Returns
    -------
    int
        :data:`NOTED`, :data:`LACKS` or :data:`WAITED_FOR`; −1 − line where a number is missing that must not be.
    """
    waiting = look(pool, RESOLUTIONS, (name,), END)
    if waiting >= 0:
        return WAITED_FOR
    row(pool, added, CLAIMS, (name,))
    for entity in range(len(codes)):
        cell(added, RAW, codes[entity])
    is_first, is_fed, is_whole = _fed(pool, plan, codes, values)
    is_whole &= waiting == NONE
    for line in range(len(plan.logs) if is_whole else 0):
        if not is_fed[line]:
            continue
        cells = plan.columns[plan.cells[line] : plan.cells[line + 1]]
        told = np.empty(len(cells), dtype=np.int64)
        for i in range(len(cells)):
            takes, meets = cells[i, 1], cells[i, 2]
            told[i] = at if takes == _TIME else values.numbers[takes] if takes >= 0 else is_fed[meets] and is_first[meets]
            if takes >= 0 and told[i] == NEVER:
                if values.has[takes]:
                    return -1 - line
                told[i] = 0
        if plan.logs[line, 3] or np.any(told != 0):
            row(pool, added, plan.logs[line, 0], codes[plan.identifiers[plan.begins[line] : plan.begins[line + 1]]])
            for i in range(len(cells)):
                cell(added, cells[i, 0], told[i])
    return NOTED if is_whole else LACKS


@njit(cache=True)
def _fed(pool, plan, codes, values):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Tell which logs a claim feeds, which of those that tell first meetings it is the first of, and whether all were there."""
    is_fed, is_first, is_whole = np.full(len(plan.logs), False), np.full(len(plan.logs), False), True
    for line in range(len(plan.logs)):
        log, source, own, _, meets = plan.logs[line]
        mine = codes[plan.identifiers[plan.begins[line] : plan.begins[line + 1]]]
        is_fed[line] = values.selected[source] and mine.min() >= 0 and (own < 0 or values.numbers[own] != NEVER)
        if is_fed[line]:
            slot = look(pool, log, mine, END)
            is_first[line] = meets and slot == NONE
            is_whole &= slot != MISSING
    return is_first, is_fed, is_whole
