"""Which logs a catalogue needs: one per source and key, with the running columns that its aggregates read.

Every aggregate becomes a difference of two rows of one log wherever that is possible: counts, sums, means, first-seen
values, the time of the latest event, and over the whole history also extremes and distinct values. Only extremes, distinct
values and first events of *bounded* windows have to walk through the rows of the window.

Whether a key has met a value before is itself a log, by key and value together: it holds the one row of their first meeting.
A log that is read for sums alone drops the rows that change none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from data_contracts import CONTRACTS
from features.pages import FIRST, LAST, MAX, MIN, RAW, SUM
from features.sources import SELECTIONS
from features.spec import ENTITIES, Aggregate, Selection

COUNTED, TOLD, LATEST, STANDS, DISTINCT, LARGEST, SMALLEST, EARLIEST = range(8)  # the last four walk
"""How two rows answer: number of rows · difference of a column · instant of the later row · its column · the rows between."""

ONCE = "once"
"""Column that is 1 at the first row of a key and 0 after: whether the key was ever met."""


@dataclass(frozen=True)
class Log:
    """Rows of one source by one key.

    Parameters
    ----------
    source, by
        What is logged by which identifiers (in order of name).
    own
        The column whose missing values are passed over; a log of its own, because its count differs.
    columns
        (kind, column) in the order of the rows' columns; a column is one of the source, ``"seen:<identifier>"``,
        ``"time"`` or :data:`ONCE`.
    dense
        Whether every event has a row; else only those that change a column.
    """

    source: str
    by: tuple[str, ...]
    own: str | None
    columns: tuple[tuple[int, str], ...]
    dense: bool

    @property
    def width(self) -> int:
        """Words of a row: its instant and its columns."""
        return 1 + len(self.columns)


@dataclass(frozen=True)
class Reading:
    """How an aggregate is read: from which log, how two of its rows answer, and at which column of a row."""

    log: int
    how: int
    column: int


@dataclass(frozen=True)
class Layout:
    """The logs of a catalogue, in order of writing, and how each aggregate reads them."""

    logs: tuple[Log, ...]
    readings: dict[Aggregate, Reading]

    def meeting(self, log: Log, identifier: str) -> int:
        """Find the log that knows which values of a column a key has met."""
        by = _together(log.by, identifier)
        return next(i for i, other in enumerate(self.logs) if (other.source, other.by, other.own) == (log.source, by, None))


def layout(parts: Iterable[Aggregate], sources: Mapping[str, Selection]) -> Layout:
    """Find the logs that aggregates need.

    Parameters
    ----------
    parts
        The aggregates to be measured (``Feature.parts``).
    sources
        What the catalogue brings besides the package's sources.

    Examples
    --------
    >>> from features.spec import ALL, Window
    >>> sold, latest = (Aggregate("orders", ("seller_id",), how, over) for how, over in (("count", Window(30)), ("since_last", ALL)))
    >>> found = layout([sold, latest], {})
    >>> len(found.logs), found.logs[0].columns, found.logs[0].dense
    (1, (), True)
    """
    needs: dict[tuple[str, tuple[str, ...], str | None], dict[tuple[int, str], None]] = {}
    dense: set[tuple[str, tuple[str, ...], str | None]] = set()
    asked: list[tuple[Aggregate, tuple[str, tuple[str, ...], str | None], int, tuple[int, str] | None]] = []
    for part in dict.fromkeys(parts):
        own = part.column if part.column and part.column not in ENTITIES and _may_miss(part, sources) else None
        where = (part.source, tuple(sorted(part.by)), own)
        how, column = _reading(part)
        columns = needs.setdefault(where, {})
        if column is not None:
            columns[column] = None
            if column[1].startswith("seen:"):
                met = (part.source, _together(part.by, column[1].removeprefix("seen:")), None)
                needs.setdefault(met, {})[SUM, ONCE] = None
        if how not in (TOLD, STANDS) or part.how == "mean" or (column and column[0] != SUM):
            dense.add(where)
        asked.append((part, where, how, column))
    meetings_first = sorted(needs, key=lambda where: (SUM, ONCE) not in needs[where])
    logs = tuple(Log(*where, tuple(needs[where]), where in dense) for where in meetings_first)
    number = {(log.source, log.by, log.own): i for i, log in enumerate(logs)}
    return Layout(
        logs,
        {p: Reading(number[w], how, logs[number[w]].columns.index(column) + 1 if column else 0) for p, w, how, column in asked},
    )


def _together(by: Iterable[str], identifier: str) -> tuple[str, ...]:
    return tuple(sorted({*by, identifier}))


def _reading(part: Aggregate) -> tuple[int, tuple[int, str] | None]:
    """Return how an aggregate is answered, and which running column it reads."""
    whole, column = part.over.days is None, part.column or ""
    if part.how in ("first_seen", "distinct") and (part.how == "first_seen" or whole):
        return TOLD, (SUM, ONCE if column in part.by else f"seen:{column}")
    return {
        "count": (COUNTED, None),
        "sum": (TOLD, (SUM, column)),
        "mean": (TOLD, (SUM, column)),
        "last": (STANDS, (LAST, column)),
        "since_last": (LATEST, None),
        "since_first": (STANDS, (FIRST, "time")) if whole else (EARLIEST, None),
        "max": (STANDS, (MAX, column)) if whole else (LARGEST, (RAW, column)),
        "min": (STANDS, (MIN, column)) if whole else (SMALLEST, (RAW, column)),
        "distinct": (DISTINCT, (RAW, column)),
    }[part.how]


def _may_miss(part: Aggregate, sources: Mapping[str, Selection]) -> bool:
    """Tell whether a column of numbers may lack values: those of a contract that forbids it, and changes, never do."""
    selection = SELECTIONS.get(part.source) or sources.get(part.source)
    if selection is None:
        return False
    columns = CONTRACTS[selection.table].columns if selection.table in CONTRACTS else ()
    return not any(column.name == part.column and not column.nullable for column in columns)
