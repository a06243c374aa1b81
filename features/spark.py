"""The Spark carrier: the same buckets, the same kernel, the same bits, on any Apache Spark by master URL or Spark Connect.

Rows are put into buckets by a shuffle on the hash of the key; one group of ``applyInArrow`` is one bucket. Answers are
grouped by chunk of the matrix and assembled there, so neither the driver nor a worker ever holds the matrix. Links follow
one stream sorted by time and therefore run in a single task, whose state is proportional to customers and what they share;
duplicates run in a single task over the claims with the columns that they need. Everything else is parallel.

Only the DataFrame API is used, so that it works through Spark Connect as well. Workers need this package: with a remote
master install it there, or add it to the session (``session.addArtifacts("touchstone.zip", pyfile=True)``); tables and the
folder of the kept file must be on storage that workers and driver share.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features import spark_tasks as tasks
from features.facts import Facts
from features.ordered import CHUNK, write
from features.shares import Columns, Plan, Share, plan
from features.spark_tasks import BUCKET, CHUNK_NUMBER, QUESTION, TABLE
from features.spec import Feature, Selection
from features.stored import ROW, Report, Stored, frame, silent

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

_BUCKET_ROWS = 2_000_000
"""Rows that one group of ``applyInArrow`` is meant to hold."""


def build(
    session: SparkSession,
    tables: Mapping[str, Stored],
    path: Path,
    features: Sequence[Feature],
    sources: Mapping[str, Selection] | None = None,
    metadata: Mapping[bytes, bytes] | None = None,
    report: Report = silent,
    buckets: int | None = None,
) -> tuple[int, int]:
    """Compute the matrix of all claims and write it as one Parquet file.

    Parameters
    ----------
    session
        An open session, classic or of Spark Connect, with its time zone in UTC.
    tables
        The tables by contract name; ``claims`` are the claims asked about, and their order is the order of the matrix.
    path
        The file to write; what Spark writes lies in a folder beside it, which is removed whatever happens.
    features, sources
        Those of a catalogue.
    metadata
        What the file says about itself.
    report
        Called with what is being done, how many steps of it are done, and how many there are.
    buckets
        How many buckets to make for each key; by default one for every two million rows.

    Returns
    -------
    tuple of int
        How many rows and features were written.

    Raises
    ------
    FeatureError
        If claims lack identity or time of filing, or a feature needs the local engine.
    """
    found = plan(features, {name: table.schema for name, table in tables.items()}, sources)
    carrier = _Carrier(session, tables, found, buckets)
    carrier.check_claims()
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".spark-", dir=path.parent))
    try:
        report("spark", 0, 1)
        carrier.matrix().write.partitionBy(CHUNK_NUMBER).parquet(str(folder / "matrix"))
        report("spark", 1, 1)
        return write(_in_order(folder / "matrix", sum(tables["claims"].rows), found, report), path, metadata or {})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _in_order(folder: Path, rows: int, found: Plan, report: Report) -> Iterator[pd.DataFrame]:
    """Read what Spark wrote, chunk by chunk in the order of the claims."""
    total = max(-(-rows // CHUNK), 1)
    for number in range(total):
        report("writing", number, total)
        held = [pq.read_table(file, partitioning=None) for file in sorted((folder / f"{CHUNK_NUMBER}={number}").glob("*.parquet"))]
        chunk = pa.concat_tables(held or [tasks.matrix_schema(found).remove(0).empty_table()]).sort_by(ROW)
        yield chunk.drop_columns(ROW).to_pandas().set_index("claim_id")
    report("writing", total, total)


class _Carrier:
    """One run: the session, the tables, the plan, and the number of buckets if it was given."""

    def __init__(self, session: SparkSession, tables: Mapping[str, Stored], found: Plan, buckets: int | None) -> None:
        self.session, self.tables, self.plan, self.buckets = session, tables, found, buckets
        self.rows = {name: sum(table.rows) for name, table in tables.items()}
        self._opened: dict[str, DataFrame] = {}

    def read(self, table: str, columns: Sequence[str]) -> DataFrame:
        """Read columns of a table; claims are numbered in the order of the matrix."""
        if table not in self._opened:
            self._opened[table] = self._numbered() if table == "claims" else self._open(self.tables[table].files)
        return self._opened[table].select(*columns, *([ROW] if table == "claims" else []))

    def _open(self, files: Sequence[Path]) -> DataFrame:
        return self.session.read.option("mergeSchema", "true").parquet(*map(str, files))

    def _numbered(self) -> DataFrame:
        from pyspark.sql import functions as f

        claims = self.tables["claims"]
        before = [0, *np.cumsum(claims.rows).tolist()]
        parts = [
            self._open([file]).select("*", (f.col("_metadata.row_index") + first).alias(ROW))
            for file, first in zip(claims.files, before, strict=False)
        ]
        return reduce(_union_wide, parts)

    def check_claims(self) -> None:
        """Refuse claims without identity or time, and identities used twice, in the words of the local engine."""
        claims = self.read("claims", ["claim_id", "filed_at"])
        wrong = claims.where("claim_id IS NULL OR filed_at IS NULL").limit(1).toArrow()
        repeated = claims.groupBy("claim_id").count().where("count > 1").select("claim_id").limit(1)
        twice = claims.join(repeated, "claim_id", "leftsemi").limit(2).toArrow()
        for held in (wrong, twice):
            Facts({}, frame(held))

    def matrix(self) -> DataFrame:
        """Describe the whole matrix: nothing is computed yet."""
        from pyspark.sql import functions as f

        shares = self.plan.shares
        parts = [self._shared(share, number) for number, share in enumerate(shares)]
        parts += [self._linked(len(shares))] if self.plan.links else []
        parts += [self._duplicated(len(shares) + 1)] if self.plan.duplicates else []
        answers = reduce(_union, parts) if parts else None
        claims = self.read("claims", self.plan.own_columns["claims"]).withColumn(QUESTION, f.lit(-1))
        together = claims if answers is None else claims.unionByName(answers, allowMissingColumns=True)
        chunks = together.withColumn(CHUNK_NUMBER, f.floor(f.col(ROW) / CHUNK))
        return chunks.groupBy(CHUNK_NUMBER).applyInArrow(_plain(partial(tasks.assembled, self.plan)), _ddl(tasks.matrix_schema(self.plan)))

    def _shared(self, share: Share, question: int) -> DataFrame:
        schemas = self._schemas(share.columns)
        held = {table: self.read(table, columns) for table, columns in share.columns.items() if self.rows[table]}
        return self._dealt(share, held, schemas, partial(tasks.answered, share, question, self.plan.sources, schemas), tasks.ANSWERED)

    def _dealt(
        self, share: Share, held: Mapping[str, DataFrame], schemas: tasks.Schemas, task: Callable[[pa.Table], pa.Table], made: pa.Schema
    ) -> DataFrame:
        """Put rows into buckets and run a task on each."""
        from pyspark.sql import functions as f

        count = self.buckets or max(4, -(-sum(self.rows[table] for table in held) // _BUCKET_ROWS))
        place = f.pmod(f.xxhash64(f.col(share.key).cast("string")), f.lit(count)).cast("int")
        parts = []
        for table, rows in held.items():
            dealt = self._routed(share, table, rows, held["claims"], place)
            if dealt is not None:
                names = {field.name: tasks.wide(field.name, field.type) for field in schemas[table] if field.name in share.columns[table]}
                parts.append(dealt.withColumnsRenamed(names).withColumn(TABLE, f.lit(table)))
        return reduce(_union_wide, parts).groupBy(BUCKET).applyInArrow(_plain(task), _ddl(made))

    def _routed(self, share: Share, table: str, rows: DataFrame, claims: DataFrame, place: Column) -> DataFrame | None:
        """Send each row where its own key sends it, and where that of the claim does that it names."""
        from pyspark.sql import functions as f

        if table == "claims":
            return rows.withColumn(BUCKET, place)
        if table not in share.by_claim:
            if share.key not in share.columns[table]:
                return None
            few = self.rows[table] > 4 * self.rows["claims"]  # else what is not asked about may as well travel along
            return (rows.join(claims.select(share.key).distinct(), share.key, "leftsemi") if few else rows).withColumn(BUCKET, place)
        there = claims.where(f.col(share.key).isNotNull()).select("claim_id", place.alias("_there"))
        named = rows.join(there, "claim_id")
        if share.key not in share.columns[table]:
            return named.withColumnRenamed("_there", BUCKET)
        # Where the two differ a row goes to both buckets: what is not asked about does no harm.
        own = rows.withColumn(BUCKET, place)
        return own.unionByName(named.where(f.col("_there") != place).withColumnRenamed("_there", BUCKET))

    def _linked(self, question: int) -> DataFrame:
        """Turn the tables into one stream, and follow it in one task in the order of time."""
        found, columns = self.plan, self.plan.links_columns
        schemas = self._schemas(columns)
        held = {table: self.read(table, names) for table, names in columns.items() if self.rows[table]}
        parts = [
            held[table].mapInArrow(partial(tasks.events, table, schemas, found.sources), _ddl(tasks.WORDED))
            for table in ("orders", "claims")
            if table in held
        ]
        if "resolutions" in held:
            share = Share("claim_id", (), (), {table: columns[table] for table in ("claims", "resolutions")})
            task = partial(tasks.standing, schemas, found.sources)
            parts.append(self._dealt(share, {table: held[table] for table in share.columns}, schemas, task, tasks.WORDED))
        stream = reduce(_union, parts).repartition(1).sortWithinPartitions("time")
        return stream.mapInArrow(partial(tasks.followed, found.kinds, found.links, question), _ddl(tasks.ANSWERED))

    def _duplicated(self, question: int) -> DataFrame:
        from pyspark.sql import functions as f

        claims = self.read("claims", self.plan.duplicates_columns["claims"])
        return (
            claims.withColumn(BUCKET, f.lit(0))
            .groupBy(BUCKET)
            .applyInArrow(_plain(partial(tasks.duplicated, self.plan.duplicates, question, self.plan.sources)), _ddl(tasks.ANSWERED))
        )

    def _schemas(self, columns: Columns) -> dict[str, pa.Schema]:
        return {table: pa.schema([self.tables[table].schema.field(column) for column in held]) for table, held in columns.items()}


def _union(one: DataFrame, other: DataFrame) -> DataFrame:
    return one.unionByName(other)


def _union_wide(one: DataFrame, other: DataFrame) -> DataFrame:
    return one.unionByName(other, allowMissingColumns=True)


def _plain(task: Callable[[pa.Table], pa.Table]) -> Callable[[pa.Table], pa.Table]:
    """Hide a task from Spark's reading of type hints, which fails on partial functions."""

    def run(rows):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return task(rows)

    return run


def _ddl(schema: pa.Schema) -> str:
    """Name the columns of an Arrow schema in Spark's words."""
    words = {
        pa.binary(): "binary",
        pa.int64(): "bigint",
        pa.int32(): "int",
        pa.int8(): "tinyint",
        pa.string(): "string",
        pa.float64(): "double",
    }
    return ", ".join(f"`{field.name}` {words[field.type]}" for field in schema)
