"""From answers by bucket to rows in the order of the claims: what is waiting lies on disk, chunk by chunk.

Buckets answer in an order of their own. Their answers are dealt to *chunks* of :data:`CHUNK` claims that follow each other
in the matrix; a chunk fits into memory, so the matrix is written from the first row to the last without ever being held.
The kept file looks the same whichever engine made it, to the last byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.history import Floats, Ints

CHUNK = 65_536
"""Rows of a chunk, and of a row group of the kept file (65,536 rows of 250 numbers are 131 MB)."""

_QUICK = {"use_dictionary": False, "compression": "lz4"}
"""How the kept file is written: numbers as they are, which takes half the time of Parquet's own choices, and an eighth more of disk."""


@dataclass(frozen=True)
class Waiting:
    """Answers on disk, waiting for the others of their claims.

    Parameters
    ----------
    folder
        An existing folder of their own.
    widths
        How many numbers each question has for every claim.

    Examples
    --------
    >>> import tempfile
    >>> waiting = Waiting(Path(tempfile.mkdtemp()), (2,))
    >>> waiting.put(0, np.array([1]), np.array([[3.0, 4.0]]))
    >>> waiting.put(0, np.array([0]), np.array([[1.0, 2.0]]))
    >>> waiting.take(0, 0, 2).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """

    folder: Path
    widths: tuple[int, ...]

    def put(self, question: int, rows: Ints, answers: Floats) -> None:
        """Add answers (n, width) of some claims, by their numbers; each claim is answered once."""
        order = np.argsort(rows, kind="stable")
        bounds = np.searchsorted(rows[order], np.arange(rows.min(initial=0) // CHUNK, rows.max(initial=0) // CHUNK + 2) * CHUNK)
        for start, end in pairwise(bounds):
            if end > start:
                mine = order[start:end]
                lines = np.column_stack([rows[mine].astype(np.float64), answers[mine]])  # a number below 2⁵³ is exact as a float
                with self._file(question, int(rows[mine[0]]) // CHUNK).open("ab") as file:
                    lines.tofile(file)

    def take(self, question: int, chunk: int, size: int) -> Floats:
        """Return the answers (size, width) of a chunk in the order of its claims, and forget them.

        Raises
        ------
        ValueError
            If not every claim of the chunk was answered once.
        """
        path, width = self._file(question, chunk), self.widths[question]
        if not width:
            return np.empty((size, 0))
        lines = (np.fromfile(path) if path.exists() else np.empty(0)).reshape(-1, width + 1)
        rows = lines[:, 0].astype(np.int64) - chunk * CHUNK
        if len(lines) != size or not np.array_equal(np.bincount(rows, minlength=size), np.ones(size)):
            raise ValueError(f"question {question}, chunk {chunk}: expected one answer for each of {size} claims, found {len(lines)}")
        path.unlink(missing_ok=True)
        found = np.empty((size, width), dtype=np.float64)
        found[rows] = lines[:, 1:]
        return found

    def _file(self, question: int, chunk: int) -> Path:
        return self.folder / f"{question}-{chunk}.waiting"


def chunks(files: Sequence[Path], columns: Sequence[str]) -> Iterator[pa.Table]:
    """Read some columns of Parquet files one after the other, as tables of :data:`CHUNK` rows; the last may be shorter."""
    held: list[pa.RecordBatch] = []
    for path in files:
        with pq.ParquetFile(path, pre_buffer=False) as file:  # else all of a file is read before its first rows
            for batch in file.iter_batches(CHUNK, columns=list(columns)):
                held.append(batch)
                if sum(map(len, held)) >= CHUNK:
                    whole = pa.Table.from_batches([b.cast(held[0].schema) for b in held])
                    yield whole.slice(0, CHUNK)
                    held = whole.slice(CHUNK).combine_chunks().to_batches()
    if held:
        yield pa.Table.from_batches([b.cast(held[0].schema) for b in held])


def slices(matrix: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Cut a matrix at hand into chunks; an empty one is one empty chunk."""
    for start in range(0, max(len(matrix), 1), CHUNK):
        yield matrix.iloc[start : start + CHUNK]


def write(matrix: Iterable[pd.DataFrame], path: Path, metadata: Mapping[bytes, bytes]) -> tuple[int, int]:
    """Write chunks of a matrix as one Parquet file, one row group each; a chunk is written while the next one is made.

    Parameters
    ----------
    matrix
        At least one chunk; all with the same columns.
    path
        The file.
    metadata
        What the file says about itself, beside what pandas adds.

    Returns
    -------
    tuple of int
        How many rows and features were written.
    """
    writer, rows, columns, writing = None, 0, 0, None
    with ThreadPoolExecutor(1) as beside:
        try:
            for chunk in matrix:
                table = pa.Table.from_pandas(chunk)
                table = table.replace_schema_metadata({**(table.schema.metadata or {}), **metadata})
                writer = writer or pq.ParquetWriter(path, table.schema, **_QUICK)
                if writing is not None:
                    writing.result()
                writing = beside.submit(writer.write_table, table, row_group_size=CHUNK)
                rows, columns = rows + len(chunk), chunk.shape[1]
            if writing is not None:
                writing.result()
        finally:
            beside.shutdown()
            if writer is not None:
                writer.close()
    return rows, columns
