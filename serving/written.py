"""Rows as plain values and as bytes: the one way in which the service writes a row down, so that equal rows are equal bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any

from data_contracts.contract import Contract, Row
from serving.instants import micros

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


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
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


@cache
def _names(contract: Contract) -> tuple[tuple[str, bool], ...]:
    return tuple((column.name, column.kind == "instant") for column in contract.columns)


def written(instant: int) -> str:
    """Return microseconds since 1970 as ISO 8601.

    >>> written(86_400_000_000)
    '1970-01-02T00:00:00Z'
    """
    return (_ZERO + timedelta(microseconds=instant)).isoformat().replace("+00:00", "Z")
