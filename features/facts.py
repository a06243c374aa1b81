"""The tables as integers: identifiers as codes shared by all tables, money as cents, instants as microseconds.

Every module of the package reads the world through :class:`Facts`, so a column is converted once however many features
use it. The claims asked about are one more table, ``probes``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts import CONTRACTS
from features.history import NEVER, Floats, Ints
from features.names import Names, different
from features.spec import ENTITIES, Selection
from features.words import buffers_of, count_words

Tables = Mapping[str, pd.DataFrame]
_Found = TypeVar("_Found")

PROBES = "probes"
"""Name under which the claims asked about are read."""

RECORDED = "recorded_at"
"""The column that says when the marketplace's own system learned of a row, where that was later than the row itself says."""

_EVENT_TABLES = (PROBES, "claims", "orders", "returns", "resolutions", "seller_events")


class FeatureError(ValueError):
    """Tables from which features cannot be computed."""


@dataclass(frozen=True, eq=False)
class Facts:
    """Tables, and the claims asked about, readable as integers.

    Parameters
    ----------
    tables
        Frames by contract name; tables and columns may be missing, which :meth:`has` tells.
    probes
        Claims, one row each, with at least ``claim_id`` and ``filed_at``.
    sources
        Sources of history that a catalogue brings, by name.

    Raises
    ------
    FeatureError
        If a probe has no identity or no time of filing, or an identity twice.

    Examples
    --------
    >>> claims = pd.DataFrame({"claim_id": ["C1", "C2"], "customer_id": ["A", None],
    ...                        "filed_at": pd.to_datetime(["2025-01-01", "2025-01-02"], utc=True)})
    >>> facts = Facts({"claims": claims}, claims)
    >>> facts.codes("probes", "customer_id").tolist(), facts.has("orders.device_id")
    ([0, -1], False)
    """

    tables: Tables
    probes: pd.DataFrame
    sources: Mapping[str, Selection] = field(default_factory=dict)
    _seen: dict[tuple[str, ...], Ints] = field(default_factory=dict, repr=False)
    _found: dict[object, Any] = field(default_factory=dict, repr=False)
    _locks: dict[object, RLock] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        for column in ("claim_id", "filed_at"):
            if column not in self.probes.columns:
                raise FeatureError(f"probes: expected the columns claim_id and filed_at, found {list(self.probes.columns)}")
            if self.probes[column].isna().any():
                raise FeatureError(f"probes.{column}: expected a value in every row, found {int(self.probes[column].isna().sum())} missing")
        if different(self.texts(PROBES, "claim_id")) < len(self.probes):
            repeated = self.probes["claim_id"][self.probes["claim_id"].duplicated()].iloc[0]
            raise FeatureError(f"probes.claim_id: expected every claim once, found {repeated!r} twice; remove the repetition")

    def frame(self, table: str) -> pd.DataFrame:
        """Return a table as it was given."""
        return self.probes if table == PROBES else self.tables[table]

    def has(self, *needs: str) -> bool:
        """Tell whether every ``"table.column"`` is there."""
        pairs = (need.partition(".")[::2] for need in needs)
        return all((table == PROBES or table in self.tables) and column in self.frame(table).columns for table, column in pairs)

    def keys(self, table: str) -> tuple[str, ...]:
        """Name the identifier columns of a table; an order's number in the table of orders is no history and not among them."""
        return tuple(e for e in ENTITIES if self.has(f"{table}.{e}") and (table, e) != ("orders", "order_id"))

    def instants(self, table: str, column: str) -> Ints:
        """Read a column of times as microseconds since 1970, ``NEVER`` where missing."""
        return self._once((table, column), _microseconds)

    def integers(self, table: str, column: str) -> Ints:
        """Read a column of whole numbers or of truths (0, 1); ``NEVER`` where missing."""
        return self._once((table, column), _whole)

    def numbers(self, table: str, column: str) -> Ints:
        """Read a column of whole numbers, truths or instants, whichever it holds; ``NEVER`` where missing."""
        if pd.api.types.is_datetime64_any_dtype(self.frame(table)[column]):
            return self.instants(table, column)
        return self.integers(table, column)

    def known(self, table: str, at: str | None = None) -> Ints:
        """Read the instant from which on each row may be used, ``NEVER`` where unknown.

        It is that of column ``at``, by default the one its contract names, or ``recorded_at`` if that is later.
        """
        if at is None and table not in CONTRACTS:
            raise FeatureError(f"known: expected a table with a contract or a column of instants, found {table!r} alone")
        known = self.instants(table, at or CONTRACTS[table].known_at)
        if not self.has(f"{table}.{RECORDED}"):
            return known
        return np.where(known == NEVER, NEVER, np.maximum(known, self.instants(table, RECORDED)))

    def remember(self, what: str, compute: Callable[[], _Found]) -> _Found:
        """Return what was computed under this name, computing it the first time."""
        with self._alone(what):
            if what not in self._found:
                self._found[what] = compute()
        found: _Found = self._found[what]
        return found

    def _alone(self, what: object) -> RLock:
        """Return the lock of one thing: who wants what somebody else is computing waits for it instead of computing it as well."""
        return self._locks.setdefault(what, RLock())

    def _once(self, where: tuple[str, str], convert: Callable[[pd.Series], Ints]) -> Ints:
        with self._alone(where):
            if where not in self._seen:
                table, column = where
                self._seen[where] = convert(self.frame(table)[column])
        return self._seen[where]

    def texts(self, table: str, column: str) -> pa.ChunkedArray:
        """Read a column of text as Arrow strings."""
        return _strings(self.frame(table)[column])

    def words(self, table: str, column: str) -> Ints:
        """Count the words between white space of each text; a missing one has none."""
        text = self.texts(table, column).combine_chunks().fill_null("")
        data, offsets = buffers_of(text)
        found = np.empty(len(text), dtype=np.int64)
        count_words(data, offsets, found)
        if (beyond := found < 0).any():
            others = pc.utf8_trim_whitespace(text.filter(pa.array(beyond)))
            words = np.asarray(pc.list_value_length(pc.utf8_split_whitespace(others)).to_numpy(), dtype=np.int64)
            found[beyond] = np.where(np.asarray(pc.binary_length(others).to_numpy()) > 0, words, 0)
        return found

    def equals(self, table: str, column: str, value: str) -> npt.NDArray[np.bool_]:
        """Tell which rows hold a value; missing ones do not."""
        same = pc.equal(self.texts(table, column), value).fill_null(False)
        return np.asarray(same.to_numpy(), dtype=bool)

    def codes(self, table: str, column: str) -> Ints:
        """Read a column of identifiers as codes; the same identifier has the same code in all tables, a missing one −1."""
        with self._alone(("codes", column)):
            if ("codes", table, column) not in self._seen:
                self._encode(column)
        return self._seen["codes", table, column]

    def vocabulary(self, column: str) -> int:
        """How many codes an identifier column uses over all tables."""
        with self._alone(("codes", column)):
            if ("size", column) not in self._seen:
                self._encode(column)
        return int(self._seen["size", column][0])

    def _encode(self, column: str) -> None:
        """Factorise one identifier column jointly over all tables that have it."""
        alias = self.tables.get("claims") is self.probes
        tables = dict.fromkeys((*_EVENT_TABLES, *(source.table for source in self.sources.values())))
        holders = [t for t in tables if column in self.keys(t) and not (alias and t == PROBES)]
        names = self._found["names", column] = Names()
        for table in holders:
            self._seen["codes", table, column] = names.number(self.texts(table, column))
        self._seen["size", column] = np.array([len(names)], dtype=np.int64)
        if alias and ("codes", "claims", column) in self._seen:
            self._seen["codes", PROBES, column] = self._seen["codes", "claims", column]

    def rows(self, table: str, key: str, parent: str) -> Ints:
        """Find, for each row of a table, the row of ``parent`` with the same key; −1 where there is none."""
        where = ("rows", table, key, parent)
        with self._alone(where):
            if where not in self._seen:
                self._seen[where] = self._rows(table, key, parent)
        return self._seen[where]

    def _rows(self, table: str, key: str, parent: str) -> Ints:
        wanted = self.codes(table, key) if key in self.keys(table) else None
        names = self._found.get(("names", key))
        if wanted is None or names is None:  # no identifier of events, or one whose numbers a subclass brings
            names = Names()
            wanted = names.number(self.texts(table, key))
        place = names.find(self.texts(parent, key))
        row_of = np.full(len(names) + 1, -1, dtype=np.int64)
        held = np.flatnonzero(place >= 0)[::-1]
        row_of[place[held]] = held
        return take(row_of, wanted, -1)

    def ranks(self, table: str, column: str) -> Ints:
        """Rank a column of text in the order of its characters: ties in time are broken by identity, never by place."""
        rank = pc.rank(self.texts(table, column).combine_chunks(), tiebreaker="dense")
        return np.asarray(rank.to_numpy(zero_copy_only=False), dtype=np.int64)


def take(values: Ints, rows: Ints, otherwise: int) -> Ints:
    """Gather values by row; rows of −1 give ``otherwise``.

    >>> take(np.array([7, 8]), np.array([1, -1]), 0).tolist()
    [8, 0]
    """
    found = np.full(len(rows), otherwise, dtype=np.int64)
    known = rows >= 0
    found[known] = values[rows[known]]
    return found


def ratio(top: Floats | Ints, bottom: Floats | Ints) -> Floats:
    """Divide, once and at the end; undefined (NaN) where the lower number is not positive or either is undefined.

    >>> ratio(np.array([1, 1]), np.array([4, 0])).tolist()
    [0.25, nan]
    """
    found = np.full(len(top), np.nan)
    np.divide(top, bottom, out=found, where=bottom > 0)
    return found


def _strings(column: pd.Series) -> pa.ChunkedArray:
    held = pa.array(column, from_pandas=True)
    chunks = held if isinstance(held, pa.ChunkedArray) else pa.chunked_array([held])
    return chunks.cast(pa.large_string())


def _microseconds(column: pd.Series) -> Ints:
    if not pd.api.types.is_datetime64_any_dtype(column):
        if len(column) and not column.isna().all():
            raise FeatureError(f"{column.name}: expected times in UTC, found {column.dtype} such as {str(column.iloc[0])[:40]!r}")
        return np.full(len(column), NEVER, dtype=np.int64)
    return np.asarray(column.dt.as_unit("us").astype("int64"), dtype=np.int64)


def _whole(column: pd.Series) -> Ints:
    if pd.api.types.is_string_dtype(column) and column.notna().any():
        raise _not_whole(column, column.notna())
    if pd.api.types.is_float_dtype(column) and bool((broken := column % 1 != 0)[column.notna()].any()):
        raise _not_whole(column, broken & column.notna())
    if column.isna().any() or column.dtype == object:
        return np.asarray(column.astype("Int64").fillna(NEVER).to_numpy(dtype=np.int64), dtype=np.int64)
    return np.asarray(column.to_numpy(), dtype=np.int64)


def _not_whole(column: pd.Series, where: pd.Series) -> FeatureError:
    return FeatureError(
        f"{column.name}: expected whole numbers or truths, found {column.dtype} such as {str(column[where].iloc[0])[:40]!r}"
    )
