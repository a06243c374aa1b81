"""Identifiers as hash codes, and tables of any size read with them, so that no dictionary has to be kept or asked.

A code is 63 bits of BLAKE2b. Among n identifiers of one column two share a code with probability of about n² / 2⁶⁴: 5 in a
million for ten million identifiers, 5 in ten thousand for a hundred million. If it happens, two histories count as one.

:class:`HashedFacts` reads frames, for many events at once; :class:`Rows` reads a few rows of plain Python values without a
frame, for the claim at hand. Both are read by the very functions that read :class:`features.facts.Facts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts import CONTRACTS
from features.facts import RECORDED, Facts
from features.history import NEVER, Ints
from features.pages import ALONE, ODD, Key
from features.spec import ENTITIES, Selection

NOBODY = -1
"""Code of a missing identifier."""

_WHOLE, _HALF = 1 << 64, 1 << 63
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def code(identifier: str) -> int:
    """Return the code of an identifier.

    >>> code("C1"), code("C2")
    (8270327145316094462, 4491311630679858452)
    """
    return int.from_bytes(blake2b(identifier.encode(), digest_size=8).digest(), "little") >> 1


def log_on(shelf: int | Iterable[str], log: int) -> int:
    """Return the number of a log that stands on a shelf: one of its own, or that of what is known by some identifiers.

    >>> log_on(("seller_id", "customer_id"), 7) == log_on(0b11, 7)
    True
    """
    return (shelf if isinstance(shelf, int) else sum(1 << ENTITIES.index(name) for name in shelf)) << 16 | log


def alone(log: int) -> int:
    """Return the number of a log that is read without others: it stands on no shelf but under a hash of itself and its identifiers.

    Two of them share a hash as rarely as two identifiers share a code.
    """
    return ALONE | log


def shelves_of(by: Iterable[str]) -> bytes:
    """Return what the names of the shelves of some identifiers begin with: their packed codes (:func:`packed`) follow.

    >>> shelves_of(["customer_id"]) + packed({"customer_id": 2})["customer_id"] == key_of(log_on(["customer_id"], 5), [2])[0]
    True
    """
    return (log_on(by, 0) >> 16).to_bytes(2, "big")


def packed(codes: Mapping[str, int]) -> dict[str, bytes]:
    """Pack identifiers as shelves are named after them; what is missing is left out."""
    return {name: code.to_bytes(8, "big") for name, code in codes.items() if code >= 0}


def key_of(log: int, codes: Sequence[int]) -> Key:
    """Return the key under which a log (:func:`log_on`, :func:`alone`) keeps the rows of these identifiers.

    >>> shelf, log = key_of(log_on(1, 5), [2])
    >>> shelf.hex(), log
    ('00010000000000000002', 5)
    >>> key_of(alone(5), [2])
    (-7611122177492620181, 0)
    """
    if log >= ALONE:
        number = log
        for mine in codes:
            number = number * ODD + mine
        return (number + _HALF) % _WHOLE - _HALF, 0
    return (log >> 16).to_bytes(2, "big") + b"".join([mine.to_bytes(8, "big", signed=True) for mine in codes]), log & 0xFFFF


def keys_of(log: int, codes: Ints) -> list[Key]:
    """Return the keys of many: (keys, identifiers) codes."""
    if log >= ALONE:
        numbers = np.full(len(codes), log, dtype=np.int64)
        for column in codes.T:
            numbers = numbers * np.int64(ODD) + column  # what runs over is cut off
        return [(mine, 0) for mine in numbers.tolist()]
    prefix, number, size = (log >> 16).to_bytes(2, "big"), log & 0xFFFF, 8 * codes.shape[1]
    packed = np.ascontiguousarray(codes, dtype=">i8").tobytes()
    return [(prefix + packed[at : at + size], number) for at in range(0, len(packed), size)]


@dataclass(frozen=True, eq=False)
class HashedFacts(Facts):
    """Frames whose identifiers are read as hash codes; a column of integers is taken for codes already."""

    def codes(self, table: str, column: str) -> Ints:
        """Read a column of identifiers as codes, a missing one −1."""
        where = ("codes", table, column)
        if where not in self._seen:
            held = self.frame(table)[column]
            whole = pd.api.types.is_integer_dtype(held)
            self._seen[where] = np.asarray(held, dtype=np.int64) if whole else hashed(self.texts(table, column))
        return self._seen[where]


def code_of(value: Any) -> int:
    """Return the code of an identifier, of a code itself, or of none.

    >>> code_of("C1") == code("C1"), code_of(5), code_of(None)
    (True, 5, -1)
    """
    return NOBODY if value is None else code(value) if isinstance(value, str) else int(value)


def hashed(texts: pa.ChunkedArray) -> Ints:
    """Return the codes of many identifiers, −1 where missing; each is hashed once."""
    coded = pc.dictionary_encode(texts.combine_chunks())
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    digests = b"".join([blake2b(name.encode(), digest_size=8).digest() for name in coded.dictionary.to_pylist()])
    codes = (np.frombuffer(digests, dtype="<u8") >> np.uint64(1)).astype(np.int64)
    places = np.asarray(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)
    return np.append(codes, NOBODY)[places]


@dataclass(frozen=True, eq=False)
class Table:
    """A table as plain columns, as far as the readers of facts look at one."""

    held: Mapping[str, Any]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.held)

    def __len__(self) -> int:
        return len(next(iter(self.held.values()), ()))


@dataclass(frozen=True, eq=False)
class Rows:
    """A few rows of some tables as plain Python values, readable as :class:`features.facts.Facts` are.

    Parameters
    ----------
    tables
        Columns by table: texts, whole numbers, truths, instants (as datetimes or as microseconds), codes of identifiers;
        ``None`` where missing. The claims asked about are the table ``probes``.
    sources
        Sources of history that a catalogue brings, by name.
    seen
        What was read before; rows that share it must agree on the tables they share.

    Examples
    --------
    >>> rows = Rows({"probes": {"customer_id": ["A", None], "amount_cents": [5, 6]}})
    >>> rows.codes("probes", "customer_id").tolist() == [code("A"), -1], rows.integers("probes", "amount_cents").tolist()
    (True, [5, 6])
    """

    tables: Mapping[str, Mapping[str, Any]]
    sources: Mapping[str, Selection] = field(default_factory=dict)
    seen: dict[tuple[str, str, str], Any] = field(default_factory=dict, repr=False)

    def frame(self, table: str) -> Table:
        """Return a table."""
        return Table(self.tables[table])

    def has(self, *needs: str) -> bool:
        """Tell whether every ``"table.column"`` is there."""
        return all(column in self.tables.get(table, ()) for table, column in (need.split(".") for need in needs))

    def keys(self, table: str) -> tuple[str, ...]:
        """Name the identifier columns of a table, as :meth:`features.facts.Facts.keys` does."""
        return tuple(e for e in ENTITIES if e in self.tables[table] and (table, e) != ("orders", "order_id"))

    def integers(self, table: str, column: str) -> Ints:
        """Read whole numbers, truths or instants; ``NEVER`` where missing."""
        found: Ints | None = self.seen.get(("integers", table, column))
        if found is None:
            held = self.tables[table][column]
            found = held if isinstance(held, np.ndarray) else np.array([whole(value) for value in held], dtype=np.int64)
            self.seen["integers", table, column] = found
        return found

    instants = integers
    numbers = integers

    def known(self, table: str, at: str | None = None) -> Ints:
        """Read the instant from which on each row may be used, as :meth:`features.facts.Facts.known` does."""
        known = self.instants(table, at or CONTRACTS[table].known_at)
        if RECORDED not in self.tables[table]:
            return known
        return np.where(known == NEVER, NEVER, np.maximum(known, self.instants(table, RECORDED)))

    def remember(self, what: str, compute: Callable[[], Ints]) -> Ints:
        """Return what was computed under this name, computing it the first time."""
        if ("", "", what) not in self.seen:
            self.seen["", "", what] = compute()
        return self.seen["", "", what]  # type: ignore[no-any-return]

    def texts(self, table: str, column: str) -> pa.ChunkedArray:
        """Read a column of text."""
        return pa.chunked_array([pa.array(self._texts(table, column), type=pa.large_string())])

    def words(self, table: str, column: str) -> Ints:
        """Count the words between white space of each text; a missing one has none."""
        return np.array([len((text or "").split()) for text in self._texts(table, column)], dtype=np.int64)

    def equals(self, table: str, column: str, value: str) -> npt.NDArray[np.bool_]:
        """Tell which rows hold a value; missing ones do not."""
        return np.array([held == value for held in self.tables[table][column]], dtype=bool)

    def codes(self, table: str, column: str) -> Ints:
        """Read a column of identifiers as codes, a missing one −1."""
        found: Ints | None = self.seen.get(("codes", table, column))
        if found is None:
            held = self.tables[table][column]
            codes = held if isinstance(held, np.ndarray) else [code_of(value) for value in held]
            found = np.asarray(codes, dtype=np.int64)
            self.seen["codes", table, column] = found
        return found

    def rows(self, table: str, key: str, parent: str) -> Ints:
        """Find, for each row of a table, the row of ``parent`` with the same key; −1 where there is none."""
        place = {mine: row for row, mine in reversed(list(enumerate(self._texts(parent, key))))}
        return np.array([-1 if mine is None else place.get(mine, -1) for mine in self._texts(table, key)], dtype=np.int64)

    def ranks(self, table: str, column: str) -> Ints:
        """Rank a column of text in the order of its characters."""
        held = self._texts(table, column)
        order = {text: rank for rank, text in enumerate(sorted({text for text in held if text is not None}), start=1)}
        return np.array([0 if text is None else order[text] for text in held], dtype=np.int64)

    def _texts(self, table: str, column: str) -> list[str | None]:
        return [value if value is None or isinstance(value, str) else str(value) for value in self.tables[table][column]]


def whole(value: Any) -> int:
    """Return a whole number, a truth or an instant as an integer; ``NEVER`` where it is missing."""
    if value is None:
        return NEVER
    if isinstance(value, datetime):
        since = value - _EPOCH
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return int(value)
