"""One table checked by Spark: the rows of a key go to one worker, which runs the check of the contracts on them.

A worker is given, beside each row, what the rows say that it refers to, so that it judges references as well. Whatever the judgement
needs of the whole file is said to every worker: which columns have gaps. The two halves come back to the driver, table by table, and are
published as ever; the rules themselves stand in :mod:`data_contracts.check` alone.

Spark checks Parquet files in the types of their contract. Any other file (CSV, numbers as text) says only as a whole whether it can be
read by its contract at all, and is checked here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_contracts import CONTRACTS, Contract
from data_contracts.check import REASONS, Checked, check
from data_contracts.contract import Reference
from pipelines.lake import frame_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_ROW, _BUCKET, _SOUND, _TAKEN, _TALLY, _AS_READ = "_row", "_bucket", "_sound", "_taken", "_tally", "_as_read"
_BUCKET_ROWS = 1_000_000
_WORDS = {"string": "string", "integer": "bigint", "number": "double", "boolean": "boolean", "instant": "timestamp"}


def can(path: Path, contract: Contract) -> bool:
    """Tell whether Spark can check a file: Parquet with the columns and types of the contract, and a count of the gaps in each."""
    if path.suffix != ".parquet":
        return False
    metadata = pq.read_metadata(path)
    found = metadata.schema.to_arrow_schema()
    if sorted(found.names) != sorted(contract.arrow.names):
        return False
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    counted = all(
        (seen := group.column(number).statistics) is not None and seen.has_null_count
        for group in groups
        for number in range(metadata.num_columns)
    )
    return counted and all(_plain_text(found.field(field.name).type) == field.type for field in contract.arrow)


def _plain_text(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_large_string(kind) else kind


@dataclass(frozen=True, eq=False)
class SparkCheck:
    """Checks files of one batch by Spark.

    Parameters
    ----------
    session
        An open session, classic or of Spark Connect, with its time zone in UTC.
    lake
        Files of accepted rows of every other batch, by table.
    near
        A folder that workers and driver share, for what was accepted of this batch.
    """

    session: SparkSession
    lake: Mapping[str, Sequence[Path]]
    near: Path

    def halves(self, path: Path, contract: Contract, accepted: Mapping[str, pd.DataFrame]) -> Checked:
        """Split a file into accepted and quarantined rows, as :func:`data_contracts.check.check` does it with the whole of it.

        Parameters
        ----------
        path
            A file for which :func:`can` holds.
        contract
            What a row must be.
        accepted
            What was accepted of this batch, by table.
        """
        from pyspark.sql import functions as f

        rows = self.session.read.parquet(str(path)).withColumn(_ROW, f.col("_metadata.row_index"))
        for rule in contract.references:
            rows = rows.join(self._parents(rule, accepted), rule.column, "left")
        rows = self._with_taken(rows, contract)
        buckets = max(2, -(-pq.read_metadata(path).num_rows // _BUCKET_ROWS))
        dealt = rows.withColumn(_BUCKET, f.pmod(f.xxhash64(f.col(contract.key)), f.lit(buckets)))
        task = _task(contract.name, tuple(pq.read_schema(path).names), gaps(path))
        found = dealt.groupBy(_BUCKET).applyInArrow(task, _ddl(contract)).toArrow().sort_by(_ROW)
        return _together(found, contract, pq.read_schema(path).names)

    def _parents(self, rule: Reference, accepted: Mapping[str, pd.DataFrame]) -> DataFrame:
        """Return the rows of a table that is referred to: its key as it is, what is compared under names of its own."""
        from pyspark.sql import functions as f

        columns = compared(rule)
        files = [*self.lake.get(rule.table, ())]
        if rule.table in accepted:
            files.append(self.near / f"{rule.table}.parquet")
            pq.write_table(pa.Table.from_pandas(accepted[rule.table][columns], preserve_index=False), files[-1])
        named = [f.col(name).alias(name if name == rule.column else _theirs(rule.table, name)) for name in columns]
        parts = [self.session.read.parquet(str(file)).select(*named) for file in files]
        return (reduce(_union, parts) if parts else self._nobody(rule)).withColumn(_theirs(rule.table, rule.column), f.lit(True))

    def _nobody(self, rule: Reference) -> DataFrame:
        kinds = {name: _WORDS[CONTRACTS[rule.table].column(name).kind] for name in compared(rule)}
        names = (f"`{name if name == rule.column else _theirs(rule.table, name)}` {kind}" for name, kind in kinds.items())
        return self.session.createDataFrame([], ", ".join(names))

    def _with_taken(self, rows: DataFrame, contract: Contract) -> DataFrame:
        """Mark the rows whose key is in the lake already."""
        from pyspark.sql import functions as f

        files = self.lake.get(contract.name, ())
        if not files:
            return rows.withColumn(_TAKEN, f.lit(None).cast("boolean"))
        held = reduce(_union, [self.session.read.parquet(str(file)).select(contract.key) for file in files])
        return rows.join(held.withColumn(_TAKEN, f.lit(True)), contract.key, "left")


def compared(rule: Reference) -> list[str]:
    """Name the columns of the table referred to that a reference looks at, its key first."""
    theirs = CONTRACTS[rule.table].arrow.names
    return list(dict.fromkeys([rule.column, *(name for name in rule.agree if name in theirs), *(name for _, name in rule.not_before)]))


def gaps(path: Path) -> frozenset[str]:
    """Name the columns of a file in which a value is missing."""
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    columns = [group.column(number) for group in groups for number in range(metadata.num_columns)]
    return frozenset(column.path_in_schema for column in columns if column.statistics.null_count)


def judged(contract: Contract, names: Sequence[str], missing: frozenset[str], rows: pa.Table) -> pa.Table:
    """Check the rows of one bucket; what a worker does.

    Parameters
    ----------
    contract
        What a row must be.
    names
        Columns of the file, in its order.
    missing
        Those in which the file has gaps: pandas reads their whole numbers as floats, here as there.
    rows
        The rows with their number in the file, what they refer to, and whether their key is taken.

    Returns
    -------
    pyarrow.Table
        A line for each row: its number, whether it is sound, its accepted form, its form as read with the reasons; in one of them how
        often each rule was broken in this bucket.
    """
    rows = rows.sort_by(_ROW)
    frame = rows.select(list(names)).to_pandas(date_as_object=False)
    frame = frame.astype({name: "float64" for name in missing if pd.api.types.is_integer_dtype(frame[name])})
    parents = {rule.table: _referred(rows, rule) for rule in contract.references}
    taken = pd.Index(rows.filter(rows[_TAKEN])[contract.key].to_pandas())
    found = check(frame, contract, parents, taken)
    tally = [json.dumps(dict(found.tally)), *[None] * (len(rows) - 1)]
    good = pa.Table.from_pandas(found.accepted, schema=contract.arrow, preserve_index=False)
    bad = pa.Table.from_pandas(found.quarantined, preserve_index=False)
    bad = bad.rename_columns([REASONS if name == REASONS else _read(name) for name in bad.column_names])
    sound = pa.array(found.sound)
    halves = pa.concat_tables(
        [
            good.append_column(_ROW, rows[_ROW].filter(sound)).append_column(_SOUND, pa.array([True] * len(good), pa.bool_())),
            bad.append_column(_ROW, rows[_ROW].filter(pc.invert(sound))).append_column(_SOUND, pa.array([False] * len(bad), pa.bool_())),
        ],
        promote_options="permissive",
    )
    return halves.append_column(_TALLY, pa.array(tally, pa.string())).select(_schema(contract).names).cast(_schema(contract))


def _referred(rows: pa.Table, rule: Reference) -> pd.DataFrame:
    """Return the rows of another table that these refer to, each once."""
    there = rows.filter(rows[_theirs(rule.table, rule.column)])
    columns = {name: there[name if name == rule.column else _theirs(rule.table, name)] for name in compared(rule)}
    return pa.table(columns).to_pandas(date_as_object=False).drop_duplicates(rule.column, ignore_index=True)


def _together(found: pa.Table, contract: Contract, names: Sequence[str]) -> Checked:
    """Put the halves together again in the order of the file."""
    tally: Counter[str] = Counter()
    for told in found[_TALLY].drop_null().to_pylist():
        tally.update(json.loads(told))
    sound = found[_SOUND]
    good = found.filter(sound).select(contract.arrow.names).cast(contract.arrow)
    bad = found.filter(pc.invert(sound)).select([*map(_read, names), REASONS])
    quarantined = bad.rename_columns([*names, REASONS]).to_pandas().astype("str")
    ordered = dict(sorted(tally.items(), key=lambda item: (-item[1], item[0])))
    return Checked(frame_of(good, contract), quarantined, ordered, sound.to_numpy())


def _task(name: str, names: tuple[str, ...], missing: frozenset[str]) -> Any:
    """Return the work on a bucket without type hints, which Spark would read; workers find the contract by its name."""

    def run(rows):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return judged(CONTRACTS[name], names, missing, rows)

    return run


def _schema(contract: Contract) -> pa.Schema:
    read = [(_read(name), pa.string()) for name in contract.arrow.names]
    head = [(_ROW, pa.int64()), (_SOUND, pa.bool_()), (_TALLY, pa.string()), (REASONS, pa.string())]
    return pa.schema([*head, *(field.with_nullable(True) for field in contract.arrow), *read])


def _ddl(contract: Contract) -> str:
    head = [f"{_ROW} bigint", f"{_SOUND} boolean", f"{_TALLY} string", f"{REASONS} string"]
    good = [f"`{column.name}` {_WORDS[column.kind]}" for column in contract.columns]
    return ", ".join([*head, *good, *(f"`{_read(name)}` string" for name in contract.arrow.names)])


def _theirs(table: str, column: str) -> str:
    return f"_{table}_{column}"


def _read(column: str) -> str:
    return f"{_AS_READ}_{column}"


def _union(one: DataFrame, other: DataFrame) -> DataFrame:
    return one.unionByName(other)
