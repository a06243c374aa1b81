"""The lake: one folder of Parquet batches per table, written atomically and read in a stated order.

A batch is one file, ``lake/<table>/<batch>.parquet``. Writing a batch again replaces it, so every verb that names its
batch deterministically can be killed and run again. Nothing is ever visible half-written: a file is written beside its
place under a temporary name, flushed to disk and then renamed. A lake on object storage (:mod:`pipelines.far`) is read and
written in its copy on this machine, and what is written is committed there first.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts import CONTRACTS
from data_contracts.check import to_arrow
from data_contracts.contract import Contract, ContractError
from pipelines.far import Far
from pipelines.fetched import is_remote
from pipelines.home import Home
from pipelines.replacing import replacing

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+-]*")


@dataclass(frozen=True)
class Lake:
    """The accepted and quarantined tables of one home.

    Parameters
    ----------
    root
        The home's folder; the lake lives in ``root/lake`` and ``root/quarantine``.
    contracts
        The tables it can hold, by name (a real source brings its adapted contracts).
    far
        Object storage of which ``root`` is the copy, if it is one.

    Examples
    --------
    >>> import tempfile
    >>> lake = Lake(Path(tempfile.mkdtemp()))
    >>> lake.append("sellers", lake.read("sellers"), batch="nobody yet")
    Traceback (most recent call last):
    data_contracts.contract.ContractError: batch: expected letters, digits and _ . : + - only, found 'nobody yet'
    >>> lake.append("sellers", lake.read("sellers"), batch="first")
    >>> lake.batches("sellers"), len(lake.read("sellers"))
    (['first'], 0)
    """

    root: Path
    contracts: Mapping[str, Contract] | None = None
    far: Far | None = None

    @classmethod
    def of(cls, home: Home) -> Lake:
        """Return the lake of a home; one on object storage is brought near as it is now, and is seen so until it is asked for again.

        Raises
        ------
        ContractError
            If it lies on object storage and cannot be read there.
        """
        if not is_remote(home.lake):
            return cls(Path(home.lake) if home.lake else home.root)
        far = Far(home.lake, home.root / "near" / hashlib.sha256(home.lake.encode()).hexdigest()[:12])
        far.bring()
        return cls(far.near, far=far)

    def append(self, table: str, frame: pd.DataFrame, batch: str) -> None:
        """Write one batch of accepted rows; a batch of that name is replaced.

        Raises
        ------
        ContractError
            If the frame does not have the contract's columns and types, or the batch's name is no file name.
        """
        self.publish({table: frame}, {}, batch)

    def quarantine(self, table: str, frame: pd.DataFrame, batch: str) -> None:
        """Write one batch of quarantined rows (text as read, plus ``reasons``); a batch of that name is replaced."""
        self.publish({}, {table: frame}, batch)

    def publish(self, accepted: Mapping[str, pd.DataFrame | bytes], quarantined: Mapping[str, pd.DataFrame], batch: str) -> None:
        """Write a batch of several tables: every file is complete on disk before the first one takes its place.

        Accepted rows are a frame, or a Parquet file in the contract's columns already.

        An error leaves all tables as they were. A kill between two renames is mended by running the same batch again; on object storage
        all of them take their place at once.
        """
        if not _NAME.fullmatch(batch):
            raise ContractError(f"batch: expected letters, digits and _ . : + - only, found {batch!r}")
        with ExitStack() as stack:
            if self.far is not None:
                stack.enter_context(self.far.writing())
            drafts: dict[str, Path] = {}
            for table, frame in quarantined.items():
                draft = stack.enter_context(replacing(self._path("quarantine", table, batch)))
                pq.write_table(pa.Table.from_pandas(frame.astype("str"), preserve_index=False), draft)
                drafts[f"quarantine/{table}/{batch}"] = draft
            for table, rows in accepted.items():
                draft = stack.enter_context(replacing(self._path("lake", table, batch)))
                if isinstance(rows, bytes):
                    draft.write_bytes(rows)
                else:
                    pq.write_table(_arrow(rows, self.contract(table)), draft)
                drafts[f"lake/{table}/{batch}"] = draft
            if self.far is not None:
                self.far.commit(drafts)

    def read(
        self,
        table: str,
        columns: Sequence[str] | None = None,
        without: str | None = None,
        only: str | None = None,
        keys: tuple[str, str] | None = None,
    ) -> pd.DataFrame:
        """Return a table's accepted rows: batches by name, within a batch as written.

        Parameters
        ----------
        table
            Name of the contract.
        columns
            Columns to read; all by default.
        without
            Name of a batch to leave out (the one about to be written again).
        only
            Name of the one batch to read; no row if there is none of that name.
        keys
            Least and greatest key of interest: what files say holds no key between them is not read.

        Returns
        -------
        DataFrame
            Typed by the contract; without rows where nothing was accepted yet.

        Raises
        ------
        ContractError
            If a file is unreadable or was written under another contract.
        """
        contract = self.contract(table)
        names = list(columns) if columns is not None else contract.arrow.names
        empty = contract.arrow.empty_table().select(names)
        wanted = self.batches(table) if only is None else [batch for batch in (only,) if batch in self.batches(table)]
        parts = [_read_batch(self._path("lake", table, batch), contract, names, keys) for batch in wanted if batch != without]
        return frame_of(pa.concat_tables([empty, *parts]), contract)

    def tables(self, names: Iterable[str] | None = None) -> dict[str, pd.DataFrame]:
        """Return several tables by name; all of the lake's contracts by default."""
        return {name: self.read(name) for name in (self._contracts if names is None else names)}

    def quarantined(self, table: str) -> pd.DataFrame:
        """Return a table's quarantined rows of all batches, text, with the column ``batch`` in front."""
        folder = self.root / "quarantine" / table
        parts = []
        for path in sorted(folder.glob("*.parquet")):
            part = pq.read_table(path).to_pandas().astype("str")
            part.insert(0, "batch", path.stem)
            parts.append(part)
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"batch": pd.Series(dtype="str")})

    def batches(self, table: str) -> list[str]:
        """Return the names of a table's batches in reading order."""
        return sorted(path.stem for path in (self.root / "lake" / table).glob("*.parquet"))

    def files(self, table: str) -> list[Path]:
        """Return the files of a table's batches in reading order."""
        return [self._path("lake", table, batch) for batch in self.batches(table)]

    def count(self, table: str, batch: str) -> int:
        """Return how many rows a batch of accepted rows has; 0 if there is no such batch."""
        path = self._path("lake", table, batch)
        return int(pq.read_metadata(path).num_rows) if path.exists() else 0

    def manifest(self, name: str, payload: Mapping[str, Any]) -> Path:
        """Write what a run did as ``runs/<name>.json``, keys sorted; the same name is replaced."""
        path = self.root / "runs" / f"{name}.json"
        with replacing(path) as draft:
            draft.write_text(json.dumps(payload, indent=2, sort_keys=True, default=str) + "\n")
        return path

    def contract(self, table: str) -> Contract:
        """Return a table's contract; ``ContractError`` for a table the lake does not know."""
        if table not in self._contracts:
            raise ContractError(f"lake: expected one of the tables {', '.join(self._contracts)}, found {table!r}")
        return self._contracts[table]

    @property
    def _contracts(self) -> Mapping[str, Contract]:
        return CONTRACTS if self.contracts is None else self.contracts

    def _path(self, half: str, table: str, batch: str) -> Path:
        return self.root / half / table / f"{batch}.parquet"


def frame_of(table: pa.Table, contract: Contract) -> pd.DataFrame:
    """Return an Arrow table as a frame in the contract's pandas types."""
    frame = table.to_pandas(date_as_object=False)
    return frame.astype({name: contract.column(name).pandas for name in table.schema.names})


def _arrow(frame: pd.DataFrame, contract: Contract) -> pa.Table:
    if differ := sorted(set(map(str, frame.columns)) ^ set(contract.arrow.names)):
        raise ContractError(f"{contract.name}: expected accepted rows in the contract's columns, found a difference in {', '.join(differ)}")
    try:
        return to_arrow(frame, contract)
    except (pa.ArrowException, ValueError, KeyError) as error:
        raise ContractError(
            f"{contract.name}: expected accepted rows in the contract's columns and types, found {error}; check the frame first"
        ) from error


def schema_of(path: Path) -> pa.Schema:
    """Read the columns of a batch from its footer.

    Raises
    ------
    data_contracts.contract.ContractError
        If the file is no Parquet file, or broken.
    """
    try:
        return pq.read_schema(path).remove_metadata()
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ContractError:
    return ContractError(f"{path}: expected a readable Parquet file, found {error}; run the verb that writes this batch again")


def _read_batch(path: Path, contract: Contract, names: list[str], keys: tuple[str, str] | None = None) -> pa.Table:
    """Read columns of one batch; an optional one that the contract did not have when it was written is empty."""
    found = schema_of(path)
    try:
        newer = [c.name for c in contract.columns if c.optional and c.name not in found.names]
        expected = pa.schema([field for field in contract.arrow if field.name not in newer])
        held = [name for name in names if name not in newer]
        table = _read(path, contract.key, held, keys) if found.equals(expected) else None
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error
    if table is None:
        differ = sorted({str(f) for f in expected} ^ {str(f) for f in found})
        raise ContractError(f"{path}: expected the columns of the contract, found a difference in {differ}; write this batch again")
    for name in (name for name in names if name in newer):
        field = contract.arrow.field(name)
        table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.replace_schema_metadata().select(names)


def _read(path: Path, key: str, columns: list[str], keys: tuple[str, str] | None) -> pa.Table:
    """Read columns of a file, but for the groups of rows that by its own word hold no key between the two."""
    if keys is None:
        return pq.read_table(path, columns=columns, partitioning=None)
    with pq.ParquetFile(path) as file:
        metadata, place = file.metadata, file.schema_arrow.names.index(key)
        said = [metadata.row_group(group).column(place).statistics for group in range(metadata.num_row_groups)]
        held = [k for k, of in enumerate(said) if of is None or not of.has_min_max or (of.min <= keys[1] and of.max >= keys[0])]
        return file.read_row_groups(held, columns)
