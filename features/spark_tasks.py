"""What Spark's workers do: Arrow tables in, Arrow tables out; importable wherever this package is, without Spark."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features import duplicates
from features.buckets import answer, assemble
from features.facts import Facts
from features.history import Floats, Ints
from features.link_stream import NUMBERED, STREAM, follow, known
from features.ordered import CHUNK
from features.shares import Plan, Share
from features.spec import Selection
from features.stored import ROW, frame

__all__ = ["ANSWERED", "BUCKET", "CHUNK_NUMBER", "QUESTION", "TABLE", "WORDED"]

TABLE, BUCKET, QUESTION, CHUNK_NUMBER = "_table", "_bucket", "_question", "_chunk"
_ANSWERS = "_answers"

ANSWERED = pa.schema([(ROW, pa.int64()), (QUESTION, pa.int32()), (_ANSWERS, pa.binary())])
"""Answers on their way: number of the claim, number of the question, and what was answered, as the bytes of 64-bit floats."""

WORDED = pa.schema([pa.field(field.name, pa.string() if field.name in NUMBERED else field.type) for field in STREAM])
"""The stream of :mod:`features.link_stream` before identifiers have numbers."""

_NO_LIMIT = 1 << 62

Schemas = Mapping[str, pa.Schema]
Sources = Mapping[str, Selection]


def wide(column: str, kind: pa.DataType) -> str:
    """Name a column where rows of all tables travel together: equal names of different types must not meet."""
    return f"{column}_as_{re.sub(r'[^a-zA-Z0-9]+', '_', str(kind))}"


def matrix_schema(found: Plan) -> pa.Schema:
    """Return the columns of the matrix as Spark writes it."""
    head = [(CHUNK_NUMBER, pa.int64()), (ROW, pa.int64()), ("claim_id", pa.string())]
    return pa.schema([*head, *((name, pa.float64()) for name in found.names)])


def answered(share: Share, question: int, sources: Sources, schemas: Schemas, rows: pa.Table) -> pa.Table:
    """Answer a share for one bucket."""
    tables = _tables(schemas, rows)
    return _answers(_numbers(tables), question, answer(share, tables, sources)) if len(tables["claims"]) else ANSWERED.empty_table()


def standing(schemas: Schemas, sources: Sources, rows: pa.Table) -> pa.Table:
    """Turn resolutions and their claims, in one bucket by claim, into rows of the stream."""
    nothing = {table: frame(schema.empty_table()) for table, schema in schemas.items()}
    tables = nothing | _tables({table: schemas[table] for table in ("claims", "resolutions")}, rows)
    return _worded(Facts(tables, tables["claims"], sources), ("standing",), None)


def events(table: str, schemas: Schemas, sources: Sources, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Turn orders or claims into rows of the stream."""
    nothing = {name: frame(schema.empty_table()) for name, schema in schemas.items()}
    for batch in batches:
        tables = {**nothing, table: frame(pa.Table.from_batches([batch]))}
        wanted, numbers = (("sightings", "claims"), _numbers(tables)) if table == "claims" else (("sightings",), None)
        yield from _worded(Facts(tables, tables["claims"], sources), wanted, numbers).to_batches()


def _worded(facts: Facts, wanted: tuple[str, ...], rows: Ints | None) -> pa.Table:
    """Return rows of the stream with identifiers as they are: codes of a piece mean nothing elsewhere."""
    stream = known(facts, wanted, rows)
    for name in NUMBERED:
        words = pa.nulls(0, pa.string())
        for table in (table for table in facts.tables if name in facts.keys(table) and len(facts.frame(table))):
            codes, first = np.unique(facts.codes(table, name), return_index=True)
            held = facts.texts(table, name).take(pa.array(first[codes >= 0])).combine_chunks().cast(pa.string())
            words = held if table == "claims" or not len(words) else words
        codes = stream[name].combine_chunks()
        place = pc.if_else(pc.less(codes, 0), pa.scalar(None, pa.int32()), codes)
        stream = stream.set_column(stream.schema.get_field_index(name), WORDED.field(name), words.take(place))
    return stream


def followed(
    kinds: Mapping[str, tuple[str, ...]], names: tuple[str, ...], question: int, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Follow the whole stream; identifiers get numbers as they come."""
    numbers: dict[str, dict[str, int]] = {name: {} for name in NUMBERED}
    for rows, answers in follow((_renumbered(batch, numbers) for batch in batches), kinds, names, _NO_LIMIT):
        yield from _answers(rows, question, answers).to_batches()


def _renumbered(batch: pa.RecordBatch, numbers: Mapping[str, dict[str, int]]) -> pa.RecordBatch:
    for name, seen in numbers.items():
        coded = batch[name].dictionary_encode()
        mine = np.array([*(seen.setdefault(word, len(seen)) for word in coded.dictionary.to_pylist()), -1], dtype=np.int32)
        codes = mine[coded.indices.fill_null(len(mine) - 1).to_numpy(zero_copy_only=False)]
        batch = batch.set_column(batch.schema.get_field_index(name), STREAM.field(name), pa.array(codes))
    return batch


def duplicated(names: tuple[str, ...], question: int, sources: Sources, claims: pa.Table) -> pa.Table:
    """Find re-used stories and pictures among all claims."""
    held = {"claims": frame(claims)}
    found = duplicates.compute(names, Facts(held, held["claims"], sources))
    return _answers(_numbers(held), question, np.column_stack([found[name] for name in names]))


def assembled(found: Plan, rows: pa.Table) -> pa.Table:
    """Assemble one chunk of the matrix from its claims and every answer about them.

    Raises
    ------
    ValueError
        If not every claim of the chunk was answered once.
    """
    widths = [*(share.width for share in found.shares), len(found.links), len(found.duplicates)]
    claims = rows.filter(pc.equal(rows[QUESTION], -1)).sort_by(ROW)
    answers = [_taken(rows.filter(pc.equal(rows[QUESTION], number)), claims[ROW], width) for number, width in enumerate(widths)]
    across = dict(zip((*found.links, *found.duplicates), np.column_stack(answers[-2:]).T, strict=True))
    matrix = assemble(found, frame(claims), answers[:-2], across)
    head = {CHUNK_NUMBER: claims[CHUNK_NUMBER], ROW: claims[ROW], "claim_id": claims["claim_id"]}
    return pa.table({**head, **{name: matrix[name].to_numpy() for name in matrix}}).cast(matrix_schema(found))


def _taken(rows: pa.Table, claims: pa.ChunkedArray, width: int) -> Floats:
    if not width:
        return np.empty((len(claims), 0))
    held = rows.sort_by(ROW)
    if not held[ROW].equals(claims):
        raise ValueError(f"chunk from claim {claims[0]} on: expected one answer for each of {len(claims)} claims, found {len(held)}")
    packed = held[_ANSWERS].combine_chunks()
    first = int(np.frombuffer(packed.buffers()[1], dtype=np.int32)[packed.offset]) // 8
    values: Floats = np.frombuffer(packed.buffers()[2], dtype=np.float64)[first : first + len(held) * width]
    return values.reshape(len(held), width)


def _answers(numbers: Ints, question: int, answers: Floats) -> pa.Table:
    """Pack answers, so many claims at a time that Arrow can still count their bytes."""
    parts = [_packed(numbers[at : at + CHUNK], question, answers[at : at + CHUNK]) for at in range(0, len(numbers), CHUNK)]
    return pa.concat_tables(parts or [ANSWERED.empty_table()])


def _packed(numbers: Ints, question: int, answers: Floats) -> pa.Table:
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * np.int32(8 * answers.shape[1])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(answers))]
    packed = pa.Array.from_buffers(pa.binary(), len(numbers), buffers)
    return pa.table([pa.array(numbers), pa.array(np.full(len(numbers), question), pa.int32()), packed], schema=ANSWERED)


def _tables(schemas: Schemas, rows: pa.Table) -> dict[str, pd.DataFrame]:
    """Take apart what travelled together; a table of which no row could travel has none."""
    found = {}
    for table, schema in schemas.items():
        mine = rows.filter(pc.equal(rows[TABLE], table))
        names = {field.name: wide(field.name, field.type) for field in schema}
        if set(names.values()) <= set(mine.column_names):
            columns = {name: mine[travelled] for name, travelled in names.items()}
        else:
            columns = {field.name: pa.array([], field.type) for field in schema}
        if table == "claims" and ROW in mine.column_names:
            columns[ROW] = mine[ROW]
        found[table] = frame(pa.table(columns))
    return found


def _numbers(tables: Mapping[str, pd.DataFrame]) -> Ints:
    numbers: Ints = tables["claims"][ROW].to_numpy(dtype=np.int64)
    return numbers
