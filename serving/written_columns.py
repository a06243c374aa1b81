"""Many rows as bytes, column by column: what :func:`serving.written.json_of` writes of one row, to the last byte, for a batch of any size.

A batch writes down as many decisions in a second as an endpoint in an hour. Texts, numbers and instants become JSON as whole columns,
and only values that JSON writes in a way of its own (a quotation mark within a text, a very small number) are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import Contract
from serving.written import json_value, written

_ESCAPED = r'[\x00-\x1f"\\]'
"""Characters that JSON does not take as they are."""

_PLAIN = (1e-4, 1e15)
"""Between these, and where there is a fraction, Arrow and Python write the same shortest digits in the same way."""

_FEW = 4
"""A column is written by its distinct values where there is at most one for so many rows."""


def bodies_in(contract: Contract, table: pa.Table) -> pa.Array:
    """Write each row of a table as JSON, as :func:`serving.written.json_of` does.

    Parameters
    ----------
    contract
        Whose rows they are.
    table
        Its columns in its Arrow types.

    Returns
    -------
    pyarrow.Array
        The bytes of each row, ``large_binary``.

    Raises
    ------
    ValueError
        If a number is none (NaN or infinite): JSON has no word for it.

    Examples
    --------
    >>> from data_contracts import SELLERS
    >>> row = {"seller_id": "S", "joined_at": [1], "country": "US", "category": 'a "home"', "recorded_at": [None]}
    >>> columns = [pa.array([v] if isinstance(v, str) else v).cast(f.type) for v, f in zip(row.values(), SELLERS.arrow)]
    >>> bodies_in(SELLERS, pa.table(columns, schema=SELLERS.arrow))[0].as_py()[:69]
    b'{"seller_id":"S","joined_at":"1970-01-01T00:00:00.000001Z","country":'
    """
    if not len(table):
        return pa.array([], pa.large_binary())
    pieces: list[Any] = []
    for place, column in enumerate(contract.columns):
        pieces.append(f"{',' if place else '{'}{json_value(column.name)}:")
        pieces.append(_texts(table[column.name].combine_chunks(), column.kind))
    rows = [_large(piece) if isinstance(piece, pa.Array) else pa.scalar(piece, pa.large_string()) for piece in (*pieces, "}", "")]
    return pc.binary_join_element_wise(*rows).cast(pa.large_binary())


def _large(texts: pa.Array) -> pa.Array:
    """Count the bytes of a column in 64 bits, and write what is missing."""
    return pc.fill_null(texts.cast(pa.large_string()), "null")


def _texts(values: pa.Array, kind: str) -> pa.Array:
    """Write each value of a column as JSON; what is missing stays so."""
    if kind == "instant":
        return _each(values.cast(pa.int64()), lambda instant: json_value(written(instant)))
    if kind == "number":
        return _numbers(values)
    return _quoted(values) if kind == "string" else values.cast(pa.string())


def _quoted(values: pa.Array) -> pa.Array:
    coded = values.dictionary_encode()
    if len(coded.dictionary) * _FEW <= len(values):
        return _taken(coded, [json_value(text) for text in coded.dictionary.to_pylist()])
    escaped = pc.fill_null(pc.match_substring_regex(values, _ESCAPED), False)
    quoted = pc.binary_join_element_wise('"', values.cast(pa.string()), '"', "")
    return _replaced(quoted, escaped, values, json_value)


def _numbers(values: pa.Array) -> pa.Array:
    size = pc.abs(values)
    alike = pc.and_(pc.and_(pc.greater_equal(size, _PLAIN[0]), pc.less(size, _PLAIN[1])), pc.not_equal(values, pc.round(values)))
    return _replaced(values.cast(pa.string()), pc.fill_null(pc.invert(alike), False), values, json_value)


def _replaced(texts: pa.Array, where: pa.Array, values: pa.Array, write: Callable[[Any], str]) -> pa.Array:
    """Write some of the values by themselves."""
    if not pc.any(where).as_py():
        return texts
    return pc.replace_with_mask(texts, where, _each(values.filter(where), write).cast(texts.type))


def _each(values: pa.Array, write: Callable[[Any], str]) -> pa.Array:
    """Write each distinct value once."""
    coded = values.dictionary_encode()
    return _taken(coded, [write(value) for value in coded.dictionary.to_pylist()])


def _taken(coded: pa.DictionaryArray, texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.string()).take(coded.indices)


def plain_columns(contract: Contract, table: pa.Table, names: Sequence[str] | None = None) -> list[list[Any]]:
    """Return columns of a table as the store keeps them: instants in microseconds, what is missing ``None``.

    Parameters
    ----------
    contract
        Whose rows they are.
    table
        Its columns in its Arrow types.
    names
        Which of them; all of the contract, in its order, by default.

    Examples
    --------
    >>> from data_contracts import SELLERS
    >>> plain_columns(SELLERS, SELLERS.arrow.empty_table())
    [[], [], [], [], []]
    """
    wanted = contract.columns if names is None else [contract.column(name) for name in names]
    held = ((table[column.name], column.kind == "instant") for column in wanted)
    return [(values.cast(pa.int64()) if is_instant else values).to_pylist() for values, is_instant in held]
