"""A client of Spark Connect, in a process of its own: ``python -m tests.features.connected ADDRESS FOLDER``.

A process in which a classic session was ever open cannot open one of Spark Connect. Tables are all ``NAME-*.parquet`` of the
folder; the matrix becomes ``connected.parquet`` there, and the kind of session is printed.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from data_contracts import CONTRACTS
from features import spark
from features.catalog import CATALOG
from features.spark_session import session
from features.stored import Stored
from tests.features.stored import FEATURES


def main(address: str, folder: Path) -> None:
    files = {name: sorted(folder.glob(f"{name}-*.parquet")) for name in CONTRACTS}
    tables = {name: Stored.of(held) for name, held in files.items() if held}
    with session(address, 1 << 30) as opened:
        sys.stdout.write(type(opened).__module__)
        spark.build(opened, tables, folder / "connected.parquet", FEATURES, CATALOG.sources, buckets=1)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(sys.argv[1], Path(sys.argv[2]))
