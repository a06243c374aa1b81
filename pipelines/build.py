"""Tables → the feature matrix of every claim as of its filing, kept as one Parquet file.

Three engines make the same file, to the last byte: *local* from arrays in memory, *bounded* within a stated memory, *spark*
on Apache Spark; *auto* is the first where it fits, else the second. The file remembers the catalogue and the lake it was made
from; when either has changed, it is made again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from data_contracts import CONTRACTS
from features.catalog import CATALOG
from features.facts import Tables
from features.matrix import build_matrix
from features.ordered import slices, write
from features.stored import Report, Stored, silent
from pipelines.engine import Carrier, Engine
from pipelines.home import Home
from pipelines.lake import Lake, schema_of
from pipelines.memory import SHARE, available, needed_by_arrays
from pipelines.replacing import replacing

_FILE, _MADE_FROM = "matrix.parquet", b"touchstone_made_from"
_NOT_READ = ("decisions", "answers")  # features never read them


@dataclass(frozen=True)
class Built:
    """What was built: rows, columns, and the hash of the catalogue."""

    claims: int
    features: int
    catalog_hash: str


def build(home: Home, tables: Tables | None = None, carrier: Carrier | None = None, report: Report = silent) -> Built:
    """Compute and keep the matrix of all claims in the lake; a matrix that is still right is left as it is.

    Parameters
    ----------
    home
        Where the lake is; the matrix goes to ``features/matrix.parquet``.
    tables
        The lake's tables, if they are at hand already; only the local engine uses them.
    carrier
        What computes it; by default the local engine.
    report
        Called with what is being done, how many steps of it are done, and how many there are.

    Raises
    ------
    ValueError
        If there are no claims, or the engine cannot do it with what it was given.
    """
    source, path, carrier = _made_from(home), home.features / _FILE, carrier or Carrier()
    if _kept_from(path) == source:
        kept = pq.read_metadata(path)
        return Built(kept.num_rows, kept.num_columns - 1, CATALOG.hash)
    lake = Lake.of(home)
    if not any(lake.count("claims", batch) for batch in lake.batches("claims")):
        raise ValueError(f"{home.root}: expected claims in the lake, found none; run touchstone validate first")
    carrier = _chosen(lake, carrier)
    with replacing(path) as draft:
        if carrier.engine is Engine.LOCAL:
            read = lake.tables(name for name in CONTRACTS if name not in _NOT_READ) if tables is None else tables
            matrix = build_matrix(read, threads=carrier.threads)
            rows, columns = write(slices(matrix), draft, {_MADE_FROM: source})
        else:
            rows, columns = _carried(lake, draft, carrier, {_MADE_FROM: source}, report)
    return Built(rows, columns, CATALOG.hash)


def _chosen(lake: Lake, carrier: Carrier) -> Carrier:
    """Choose between arrays in memory and a bounded memory, if that is left to us."""
    if carrier.engine is not Engine.AUTO:
        return carrier
    memory = available() // SHARE if carrier.memory is None else carrier.memory
    fits = needed_by_arrays(_stored(lake), len(CATALOG.names)) <= memory
    return replace(carrier, engine=Engine.LOCAL if fits else Engine.BOUNDED, memory=memory)


def _stored(lake: Lake) -> dict[str, Stored]:
    """Return the tables that features read, as files."""
    files = {name: lake.files(name) for name in CONTRACTS if name not in _NOT_READ}
    for file in (file for held in files.values() for file in held):
        schema_of(file)  # a broken one is named, with what to do
    return {name: Stored.of(held) if held else Stored((), lake.contract(name).arrow) for name, held in files.items()}


def _carried(lake: Lake, draft: Path, carrier: Carrier, metadata: dict[bytes, bytes], report: Report) -> tuple[int, int]:
    """Let another engine than the local one make the matrix from the lake's files."""
    stored = _stored(lake)
    features = [entry.feature for entry in CATALOG]
    if carrier.engine is Engine.BOUNDED:
        from features import bounded  # DuckDB, which the local engine does without

        return bounded.build(stored, draft, features, CATALOG.sources, carrier.bound, metadata, report, threads=carrier.threads)
    from features import spark, spark_session  # an extra

    with spark_session.session(carrier.master, carrier.bound) as session:
        return spark.build(session, stored, draft, features, CATALOG.sources, metadata, report)


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
    path = kept_matrix(home)
    return build_matrix(tables, claims) if path is None else pq.read_table(path).to_pandas().loc[claims["claim_id"]]


def kept_matrix(home: Home) -> Path | None:
    """Return the file of the kept matrix if catalogue and lake are still those that it was made from: a row per claim, in their order."""
    path = home.features / _FILE
    return path if _kept_from(path) == _made_from(home) else None


def _kept_from(path: Path) -> bytes | None:
    return (pq.read_schema(path).metadata or {}).get(_MADE_FROM) if path.is_file() else None


def _made_from(home: Home) -> bytes:
    """Name the catalogue and every batch of the lake with its size and time of writing."""
    lake = Lake.of(home)
    files = [file for table in sorted(CONTRACTS) if table not in _NOT_READ for file in lake.files(table)]
    batches = [f"{file.parent.name}/{file.name} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in files]
    return hashlib.sha256("\n".join([CATALOG.hash, *batches]).encode()).hexdigest().encode()
