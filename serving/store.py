"""The case store: one SQL database, short transactions, pandas frames in and out.

SQLite by default (write-ahead log, foreign keys on, writers begin immediately so that two of them never deadlock), any
other SQLAlchemy URL as well. Whoever writes opens one transaction per step of work: a process killed at any instant leaves
either the whole step or nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Double,
    LargeBinary,
    Table,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.exc import OperationalError

from data_contracts import ANSWERS, CLAIMS, DECISIONS, Contract
from data_contracts.check import to_arrow
from serving import (
    audit,
    migrations,
    queue,
    schema_attachments,  # noqa: F401  # its table belongs to the store
    schema_console,  # noqa: F401  # its tables belong to the store
)
from serving.database import Synchronous, carry, engine_of
from serving.decided import write_table
from serving.driver import Driver
from serving.instants import instants
from serving.opening import Parties
from serving.pending import Overlays
from serving.schema import ANSWERS_TABLE, CLAIMS_TABLE, DECISIONS_TABLE, MARKS, METADATA

CHUNK = 5_000
"""Keys per ``IN (…)``: below the bound on parameters of every database in use."""

_SCANNED = 8
"""Where a table has at most so many rows for each key asked about, all its keys are read."""

CARRY_SECONDS = 0.25
"""A service calls :meth:`Store.carry` so often."""


class Store:
    """Decisions, queue, answers, proceedings and ledger behind one database URL.

    Parameters
    ----------
    url
        SQLAlchemy URL such as ``sqlite:////var/touchstone/store.db``; the tables are created if they are missing.
    synchronous
        SQLite only. ``FULL``: a committed transaction survives a loss of power. ``NORMAL``: it survives a killed process; a
        loss of power may undo the last transactions, never half of one. Faster by far on ordinary disks.

    Examples
    --------
    >>> with Store("sqlite://") as store:
    ...     len(store.read("decisions"))
    0
    """

    def __init__(self, url: str, synchronous: Synchronous = "FULL") -> None:
        self._overlays = Overlays()
        self._engine = engine_of(url, synchronous, self._overlays)
        try:
            self._bring_up_to_date()
        except BaseException as error:
            self.close()  # nobody else could give back what was opened
            if isinstance(error, OperationalError) and self._engine.dialect.name != "sqlite":
                found = str(error.orig).partition("\n")[0]
                raise ConnectionError(f"{self._engine.url!r}: expected a server that lets us in, found: {found}; check the URL") from error
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _bring_up_to_date(self) -> None:
        with self.view() as view:
            is_current = migrations.version(view) == migrations.HEAD
        if not is_current:  # opening a store that is up to date waits for no writer
            with self.write() as tx:
                migrations.upgrade(tx)

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write transaction: committed at the end of the block, undone if it raises."""
        with self._engine.connect() as tx, self._remembering(tx), tx.begin():
            yield tx

    @contextmanager
    def view(self) -> Iterator[Connection]:
        """Open a transaction that only reads: it sees one state of the store and waits for nobody."""
        with self._engine.connect().execution_options(touchstone_reads=True) as tx, self._remembering(tx), tx.begin():
            yield tx

    @contextmanager
    def _remembering(self, tx: Connection) -> Iterator[None]:
        """Let the next transaction know what this one has learned of the history, unless it was undone."""
        try:
            yield
        except BaseException:
            self._overlays.end(tx, kept=False)
            raise
        self._overlays.end(tx, kept=True)

    def carry(self) -> None:
        """Carry what SQLite's log holds into the file, beside the writers; done now and then, no commit has to.

        Where somebody always writes, the log seldom begins anew by itself: once it is long, they wait for that, some milliseconds.
        """
        if self._engine.dialect.name == "sqlite":
            connection = self._engine.raw_connection()
            try:
                carry(connection.cursor())
            finally:
                connection.close()

    def read(self, table: str, where: Mapping[str, Iterable[str]] | None = None) -> pd.DataFrame:
        """Return a table in order of its key.

        Parameters
        ----------
        table
            Name of a table of :mod:`serving.schema`.
        where
            Column → wanted values; by default every row.

        Returns
        -------
        pandas.DataFrame
            Columns as in the table; instants as ``datetime64[us, UTC]``.

        Raises
        ------
        KeyError
            If there is no such table.
        """
        if table not in METADATA.tables:
            raise KeyError(f"no table {table!r} in the store; expected one of {', '.join(sorted(METADATA.tables))}")
        source = METADATA.tables[table]
        query = select(source).order_by(*source.primary_key.columns)
        for column, wanted in (where or {}).items():
            query = query.where(source.c[column].in_(list(wanted)))
        with self.view() as tx:
            return frame_of(source, tx.execute(query).all())

    def record_decisions(self, frame: pd.DataFrame, minutes: Mapping[str, int] | None = None, parties: Parties | None = None) -> int:
        """Keep decisions and open the queue cases of those that need an expert, all in one transaction.

        Parameters
        ----------
        frame
            Rows of the decisions contract. A claim that is already decided keeps its first decision.
        minutes
            Expected expert minutes per case by tier; default :data:`serving.queue.MINUTES`.
        parties
            Claim → (customer, seller) of claims that the store has not received itself: whose cases some experts must not see.

        Returns
        -------
        int
            How many decisions were new.
        """
        with self.write() as tx:
            return add_decisions(tx, to_arrow(frame, DECISIONS), minutes, parties)

    def undecided(self, claim_ids: pa.Array) -> np.ndarray:
        """Tell which of many claims are not decided yet, boolean, shape (claims,)."""
        with self.view() as tx:
            if not tx.execute(select(DECISIONS_TABLE.c.claim_id).limit(1)).first():
                return np.ones(len(claim_ids), dtype=bool)
            known = pa.array(_present(tx, DECISIONS_TABLE, claim_ids.to_pylist()), claim_ids.type)
        found: np.ndarray = pc.invert(pc.is_in(claim_ids, known)).to_numpy(zero_copy_only=False)
        return found

    def add_answers(self, frame: pd.DataFrame) -> int:
        """Put rows of the answers contract into the inbox; those already there are left alone. Returns how many were new."""
        rows = rows_of(ANSWERS, frame)
        with self.write() as tx:
            return len(_insert_new(tx, ANSWERS_TABLE, rows))


def add_decisions(tx: Connection, decisions: pa.Table, minutes: Mapping[str, int] | None = None, parties: Parties | None = None) -> int:
    """Keep decisions and open their cases inside the caller's transaction; see :meth:`Store.record_decisions`."""
    audit.lock(Driver(tx))
    new = _new_rows(tx, DECISIONS_TABLE, decisions)
    if len(new):
        write_table(tx, new, minutes or queue.MINUTES, parties)
    return len(new)


def add_claims(tx: Connection, frame: pd.DataFrame) -> int:
    """Keep claims as they were received; a claim that is there already keeps its first form. Returns how many were new."""
    return len(_insert_new(tx, CLAIMS_TABLE, rows_of(CLAIMS, frame)))


def find(tx: Connection, table: Table, key: str) -> dict[str, Any] | None:
    """Return one row by its key, as it is stored; ``None`` if it is not there."""
    row = tx.execute(select(table).where(next(iter(table.primary_key.columns)) == key)).mappings().one_or_none()
    return None if row is None else dict(row)


def mark(tx: Connection, name: str) -> int | None:
    """Return how far a batch has come (microseconds UTC), ``None`` if it never ran."""
    return tx.execute(select(MARKS.c.at).where(MARKS.c.name == name)).scalar_one_or_none()


def set_mark(tx: Connection, name: str, at: int) -> None:
    """Note, in the transaction of the work itself, how far a batch has come."""
    if tx.execute(update(MARKS).where(MARKS.c.name == name).values(at=at)).rowcount == 0:
        tx.execute(insert(MARKS).values(name=name, at=at))


def rows_of(contract: Contract, frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a contract's frame as rows for the store: instants in microseconds, missing values ``None``."""
    columns = columns_of(contract, frame)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def columns_of(contract: Contract, frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Return a contract's frame as columns of plain values for the store: instants in microseconds, missing values ``None``."""
    columns: dict[str, list[Any]] = {}
    for column in contract.columns:
        values, lost = frame[column.name], frame[column.name].isna()
        if column.kind == "instant":
            values = values.dt.as_unit("us").astype("int64")
        plain = values.tolist()
        columns[column.name] = [None if gone else value for value, gone in zip(plain, lost, strict=True)] if lost.any() else plain
    return columns


def frame_of(table: Table, rows: Iterable[Any]) -> pd.DataFrame:
    """Return rows of a table as a frame with the table's columns and types."""
    listed = list(rows)
    series: dict[str, pd.Series] = {}
    for place, column in enumerate(table.columns):
        values = [row[place] for row in listed]
        if column.info.get("instant"):
            series[column.name] = instants(values)
        elif isinstance(column.type, BigInteger):
            series[column.name] = pd.Series(values, dtype="Int64" if None in values else "int64")
        elif isinstance(column.type, Double):
            series[column.name] = pd.Series(values, dtype="float64")
        elif isinstance(column.type, LargeBinary):
            series[column.name] = pd.Series([bytes(value) for value in values], dtype="object")
        else:
            series[column.name] = pd.Series(values, dtype="bool" if isinstance(column.type, Boolean) else "str")
    return pd.DataFrame(series)


def _present(tx: Connection, table: Table, keys: list[str]) -> set[str]:
    key, driver = next(iter(table.primary_key.columns)), Driver(tx)
    if len(keys) > CHUNK and tx.execute(select(func.count()).select_from(table)).scalar_one() <= _SCANNED * len(keys):
        # A look-up takes as long as reading many keys in a row.
        return {row[0] for row in driver.rows(f"SELECT {key.name} FROM {table.name}")}.intersection(keys)
    return {row[0] for row in driver.among(f"SELECT {key.name} FROM {table.name} WHERE {key.name} IN {{keys}}", keys)}


def _new_rows(tx: Connection, table: Table, rows: pa.Table) -> pa.Table:
    """Return the rows whose key is not in the table yet; the first of equal keys."""
    keys = rows[next(iter(table.primary_key.columns)).name].combine_chunks()
    coded = keys.dictionary_encode()
    if len(coded.dictionary) < len(keys):
        _, first = np.unique(coded.indices.to_numpy(), return_index=True)
        rows, keys = rows.take(np.sort(first)), coded.dictionary  # which lists keys as they first come
    known = _present(tx, table, keys.to_pylist())
    return rows.filter(pc.invert(pc.is_in(keys, pa.array(known, keys.type)))) if known else rows


def _insert_new(tx: Connection, table: Table, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Insert the rows whose key is not there yet; the first of equal keys wins. Returns the rows inserted."""
    key = next(iter(table.primary_key.columns)).name
    first = {row[key]: row for row in reversed(rows)}
    known = _present(tx, table, list(first))
    new = [row for row in first.values() if row[key] not in known]
    if new:
        tx.execute(insert(table), new)
    return new


def is_busy(error: Exception) -> bool:
    """Tell whether others held the store for too long: nothing is wrong, and the same again may succeed."""
    return isinstance(error, OperationalError) and "locked" in str(error.orig)
