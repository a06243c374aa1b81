"""Tables as Parquet files, in several pieces, as a lake holds them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.catalog import CATALOG
from features.matrix import build_matrix
from features.ordered import slices, write
from features.stored import Stored

FEATURES = [entry.feature for entry in CATALOG]


def stored(tables: Mapping[str, pd.DataFrame], folder: Path, pieces: int = 2) -> dict[str, Stored]:
    found = {}
    for name, frame in tables.items():
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata()
        cuts = [len(table) * piece // pieces for piece in range(pieces + 1)]
        files = [folder / f"{name}-{piece}.parquet" for piece in range(pieces)]
        for file, start, end in zip(files, cuts[:-1], cuts[1:], strict=True):
            pq.write_table(table.slice(start, end - start), file)
        found[name] = Stored(tuple(files), table.schema)
    return found


def local_file(tables: Mapping[str, pd.DataFrame], path: Path) -> bytes:
    """The kept file as the local engine makes it."""
    write(slices(build_matrix(tables)), path, {})
    return path.read_bytes()


def with_gaps(tables: dict[str, pd.DataFrame], every: int) -> dict[str, pd.DataFrame]:
    """Leave keys of claims and orders out now and then, and let some rows be recorded late."""
    found = dict(tables)
    for name in ("claims", "orders"):
        table = found[name]
        for at, column in enumerate(c for c in table.columns if c.endswith("_id") and c not in ("claim_id", "order_id")):
            table = table.assign(**{column: table[column].mask((table.index + at) % every == 0)})
        when = table["filed_at" if name == "claims" else "ordered_at"]
        found[name] = table.assign(recorded_at=(when + pd.Timedelta(days=9)).where(table.index % every == 1))
    return found
