"""What Spark's workers do, without Spark: the links of a stream that was cut, shuffled and put together are those of the tables."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from features import links, spark_tasks
from features.catalog import CATALOG
from features.facts import Facts
from features.shares import Columns, Plan, plan
from features.spark_tasks import TABLE, WORDED
from features.stored import ROW
from tests.features.stored import FEATURES, with_gaps
from tests.features.tables import random_tables

Tables = dict[str, pa.Table]


def arrow(seed: int) -> tuple[Facts, Tables, Plan]:
    frames = with_gaps(random_tables(seed, orders=300, claims=120, customers=20), 7)
    tables = {name: pa.Table.from_pandas(frame, preserve_index=False) for name, frame in frames.items()}
    found = plan(FEATURES, {name: table.schema for name, table in tables.items()}, CATALOG.sources)
    return Facts(frames, frames["claims"], CATALOG.sources), tables, found


def together(tables: Tables, schemas: dict[str, pa.Schema]) -> pa.Table:
    """Rows of several tables as they travel: one wide table that says of each row where it belongs."""
    parts = []
    for name, table in tables.items():
        names = [spark_tasks.wide(c, schemas[name].field(c).type) if c in schemas[name].names else c for c in table.column_names]
        parts.append(table.rename_columns(names).append_column(TABLE, pa.array([name] * len(table), pa.string())))
    return pa.concat_tables(parts, promote_options="default")


def stream(tables: Tables, columns: Columns, piece: int) -> Iterator[pa.RecordBatch]:
    schemas = {table: pa.schema([tables[table].schema.field(column) for column in held]) for table, held in columns.items()}
    claims = tables["claims"].select(list(columns["claims"])).append_column(ROW, pa.array(np.arange(len(tables["claims"]))))
    orders = tables["orders"].select(list(columns["orders"]))
    for name, table in (("orders", orders), ("claims", claims)):
        yield from spark_tasks.events(name, schemas, CATALOG.sources, iter(table.to_batches(max_chunksize=piece)))
    resolutions = tables["resolutions"].select(list(columns["resolutions"]))
    rows = together({"claims": claims.drop_columns(ROW), "resolutions": resolutions}, schemas)
    yield from spark_tasks.standing(schemas, CATALOG.sources, rows).to_batches()


@pytest.mark.parametrize(("seed", "piece"), [(0, 7), (1, 37), (2, 1000)])
def test_links_of_the_stream_are_those_of_the_tables(seed: int, piece: int) -> None:
    facts, tables, found = arrow(seed)
    batches = [batch.cast(WORDED) for batch in stream(tables, found.links_columns, piece)]
    shuffled = np.random.default_rng(seed).permutation(len(batches))
    ordered = pa.Table.from_batches([batches[at] for at in shuffled]).sort_by("time")
    made = spark_tasks.followed(found.kinds, found.links, 9, iter(ordered.to_batches(max_chunksize=piece)))
    answers = pa.Table.from_batches(list(made)).sort_by(ROW)
    values = np.array([np.frombuffer(packed) for packed in answers["_answers"].to_pylist()])
    expected = links.compute(found.links, facts)
    assert answers[ROW].to_pylist() == list(range(len(facts.probes)))
    for at, name in enumerate(found.links):
        np.testing.assert_array_equal(values[:, at], expected[name], err_msg=name)


def test_a_chunk_without_every_answer_is_refused() -> None:
    _, tables, found = arrow(3)
    columns = list(found.own_columns["claims"])
    claims = tables["claims"].select(columns).append_column(ROW, pa.array(np.arange(120)))
    claims = claims.append_column("_question", pa.array(np.full(120, -1), pa.int32())).append_column("_chunk", pa.array(np.zeros(120, int)))
    rows = claims.append_column("_answers", pa.nulls(120, pa.binary()))
    with pytest.raises(ValueError, match="expected one answer for each of 120 claims, found 0"):
        spark_tasks.assembled(found, rows)
