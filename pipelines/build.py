"""Tables → the feature matrix of every claim as of its filing, kept as one Parquet file.

The file remembers the catalogue and the lake it was made from; when either has changed, it is made again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.catalog import CATALOG
from features.facts import Tables
from features.matrix import build_matrix
from pipelines.home import Home
from pipelines.lake import Lake, replacing

_FILE, _MADE_FROM = "matrix.parquet", b"touchstone_made_from"
_NOT_READ = ("decisions", "answers")  # features never read them


@dataclass(frozen=True)
class Built:
    """What was built: rows, columns, and the hash of the catalogue."""

    claims: int
    features: int
    catalog_hash: str


def build(home: Home, tables: Tables | None = None) -> Built:
    """Compute and keep the matrix of all claims in the lake; a matrix that is still right is left as it is.

    Parameters
    ----------
    home
        Where the lake is; the matrix goes to ``features/matrix.parquet``.
    tables
        The lake's tables, if they are at hand already.

    Raises
    ------
    ValueError
        If there are no claims.
    """
    source, path = _made_from(home), home.features / _FILE
    if _kept_from(path) == source:
        kept = pq.read_metadata(path)
        return Built(kept.num_rows, kept.num_columns - 1, CATALOG.hash)
    tables = Lake(home.root).tables() if tables is None else tables
    if tables["claims"].empty:
        raise ValueError(f"{home.root}: expected claims in the lake, found none; run touchstone validate first")
    matrix = build_matrix(tables)
    content = pa.Table.from_pandas(matrix)
    content = content.replace_schema_metadata({**(content.schema.metadata or {}), _MADE_FROM: source})
    with replacing(path) as draft:
        pq.write_table(content, draft)
    return Built(len(matrix), matrix.shape[1], CATALOG.hash)


def matrix_of(home: Home, tables: Tables, claims: pd.DataFrame) -> pd.DataFrame:
    """Return the feature rows of some claims: the kept ones if catalogue and lake are still the same, else computed now.

    Parameters
    ----------
    home
        Where a matrix may be kept.
    tables
        The lake's tables.
    claims
        The claims wanted, in the order wanted.
    """
    path = home.features / _FILE
    if _kept_from(path) == _made_from(home):
        return pq.read_table(path).to_pandas().loc[claims["claim_id"]]
    return build_matrix(tables, claims)


def _kept_from(path: Path) -> bytes | None:
    return (pq.read_schema(path).metadata or {}).get(_MADE_FROM) if path.is_file() else None


def _made_from(home: Home) -> bytes:
    """Name the catalogue and every batch of the lake with its size and time of writing."""
    files = sorted(file for file in (home.root / "lake").glob("*/*.parquet") if file.parent.name not in _NOT_READ)
    batches = [f"{file.parent.name}/{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files]
    return hashlib.sha256("\n".join([CATALOG.hash, *batches]).encode()).hexdigest().encode()
