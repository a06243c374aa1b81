"""How much memory there is, and how much the feature matrix of a lake takes as arrays: what ``--engine auto`` decides by."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.stored import Stored

SHARE = 2
"""Of the memory that is free, one part in so many may be taken unless somebody says otherwise."""

# Measured as the peak of a process on the log of ``make bench-batch`` (10,000 to 400,000 claims, 97 features) and rounded up: what
# Python and its libraries take; of a row and of each of its columns; of a feature of a claim; of a claim and of each byte of its text
# while stories are compared, as for the bounded engine.
_FLOOR, _ROW_BYTES, _CELL_BYTES, _FEATURE_BYTES, _CONTENT_BYTES = 400 << 20, 150, 50, 24, (1_000, 12)
_TEXT = "narrative"


def available(meminfo: Path = Path("/proc/meminfo"), control_group: Path = Path("/sys/fs/cgroup")) -> int:
    """Return the bytes of memory that are free for a process: the machine's, or those of its control group if that has fewer.

    Parameters
    ----------
    meminfo
        Linux's account of the machine's memory; elsewhere its free pages are counted.
    control_group
        Folder with the limit of the container (version 2 of control groups), if there is one.
    """
    lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines()) if meminfo.is_file() else {}
    if "MemAvailable" in lines:
        free = int(lines["MemAvailable"].split()[0]) << 10
    else:
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    limit, taken = control_group / "memory.max", control_group / "memory.current"
    if limit.is_file() and taken.is_file() and (allowed := limit.read_text().strip()).isdigit():
        free = min(free, max(0, int(allowed) - int(taken.read_text())))
    return free


def needed_by_arrays(tables: Mapping[str, Stored], features: int) -> int:
    """Estimate, on the safe side, the bytes that a process takes that computes the matrix of some tables from arrays in memory.

    Parameters
    ----------
    tables
        The tables that features read, by name.
    features
        How many features are wanted.

    Notes
    -----
    Rows are counted from the files' own account; only the stories of the claims are read, for their length.
    """
    needed = _FLOOR + sum(sum(table.rows) * (_ROW_BYTES + _CELL_BYTES * len(table.schema)) for table in tables.values())
    if "claims" not in tables:
        return needed
    claims = tables["claims"]
    text = sum(_length(file) for file in claims.files) if _TEXT in claims.schema.names else 0
    return needed + sum(claims.rows) * (_FEATURE_BYTES * features + _CONTENT_BYTES[0]) + text * _CONTENT_BYTES[1]


def _length(file: Path) -> int:
    """Return how many bytes the stories in a file have together."""
    with pq.ParquetFile(file, pre_buffer=False) as opened:
        batches = opened.iter_batches(columns=[_TEXT])
        return sum(pc.sum(pc.binary_length(batch.column(0)).cast(pa.int64())).as_py() or 0 for batch in batches)
