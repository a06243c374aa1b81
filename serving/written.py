"""Rows as plain values and as bytes: the one way in which the service writes a row down, so that equal rows are equal bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any

from data_contracts.contract import Contract, Row
from serving.instants import micros

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def plain(row: Row) -> dict[str, Any]:
    """Return a row's values as the store keeps them: instants in microseconds, choices as text, missing ones ``None``."""
    return {name: micros(v) if isinstance(v, datetime) else v.value if isinstance(v, Enum) else v for name, v in row}


def json_of(contract: Contract, values: Mapping[str, Any]) -> bytes:
    """Write plain values as JSON: the columns of the contract in its order, instants in ISO 8601.

    >>> from data_contracts import SELLERS
    >>> json_of(SELLERS, {"seller_id": "S", "joined_at": 1, "country": "US", "category": "home"} | {"recorded_at": None})
    b'{"seller_id":"S","joined_at":"1970-01-01T00:00:00.000001Z","country":"US","category":"home","recorded_at":null}'
    """
    told = {
        name: written(values[name]) if is_instant and values[name] is not None else values[name] for name, is_instant in _names(contract)
    }
    return _JSON.encode(told).encode()


def json_value(value: Any) -> str:
    """Write one plain value as JSON.

    >>> json_value("bike"), json_value(1e-5), json_value(None)
    ('"bike"', '1e-05', 'null')
    """
    return _JSON.encode(value)


def bodies_of(contract: Contract, columns: Mapping[str, Sequence[Any]]) -> list[bytes]:
    """Write many rows as :func:`json_of` writes each, column after column: a text or instant that repeats is written once.

    Parameters
    ----------
    contract
        Whose columns.
    columns
        Plain values, by name of the column; all equally long.

    Examples
    --------
    >>> from data_contracts import SELLERS
    >>> rows = [{"seller_id": name, "joined_at": 1, "country": "US", "category": None, "recorded_at": None} for name in "ab"]
    >>> columns = {name: [row[name] for row in rows] for name in rows[0]}
    >>> bodies_of(SELLERS, columns) == [json_of(SELLERS, row) for row in rows]
    True
    """
    if len(columns[contract.key]) == 1:
        return [json_of(contract, {name: value for name, (value,) in columns.items()})]
    names = _names(contract)
    line = "{" + ",".join(json.dumps(name).replace("%", "%%") + ":%s" for name, _ in names) + "}"
    texts = [_texts(columns[name], is_instant) for name, is_instant in names]
    return [(line % row).encode() for row in zip(*texts, strict=True)]


def _texts(values: Sequence[Any], is_instant: bool) -> list[str]:
    """Write each value as JSON."""
    if is_instant:
        known = {value: _JSON.encode(None if value is None else written(value)) for value in set(values)}
    elif str in set(map(type, values)):
        known = {value: _JSON.encode(value) for value in set(values)}
    else:  # no number holds a comma
        return _JSON.encode(values)[1:-1].split(",") if values else []
    return [known[value] for value in values]


@cache
def _names(contract: Contract) -> tuple[tuple[str, bool], ...]:
    return tuple((column.name, column.kind == "instant") for column in contract.columns)


def written(instant: int) -> str:
    """Return microseconds since 1970 as ISO 8601.

    >>> written(86_400_000_000)
    '1970-01-02T00:00:00Z'
    """
    return (_ZERO + timedelta(microseconds=instant)).isoformat().replace("+00:00", "Z")
