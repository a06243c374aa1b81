"""What claims and events may refer to, by name: the few columns that references look at, found by one indexed look-up.

A row is named ``<table>/<key>``. Beside the values it has a *print*: four bytes per column of its contract, by which the same
row sent again is told from another one under the same key, and by which the columns that differ can be named. What the
marketplace itself adds to a row (when it was recorded) is no part of its print.

Two further kinds of name are kept: ``standing/<seller>``, what is known of a seller's conduct and insurance in order of
knowledge, and ``resolved/<claim>``, a claim that somebody has resolved.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from zlib import crc32

from data_contracts import CONTRACTS
from data_contracts.contract import Contract
from features.facts import RECORDED
from serving.driver import Driver
from serving.instants import micros
from serving.refusals import Violation, shown
from serving.schema import KNOWN_ROWS

STANDING, RESOLVED = "standing", "resolved"
"""Kinds of name beside the tables."""

_WIDTH = 4
_NOTHING = bytes(_WIDTH)


class KnownRow(NamedTuple):
    """What is kept of a row: its values in the order of :data:`KEPT`, instants in microseconds, and its print."""

    held: list[Any]
    print: bytes


def _kept() -> dict[str, tuple[str, ...]]:
    rules = [rule for contract in CONTRACTS.values() for rule in contract.references]
    kept: dict[str, dict[str, None]] = {name: {} for name in CONTRACTS}
    for rule in rules:
        kept[rule.table] |= dict.fromkeys((*rule.agree, *(theirs for _, theirs in rule.not_before)))
    kept["orders"] |= dict.fromkeys(("ordered_at", "delivered_at"))
    return {name: tuple(columns) for name, columns in kept.items()}


KEPT = _kept()
"""By table, the columns that somebody's reference to it looks at; of orders also what a delivery is checked against."""


def named(table: str, key: str) -> str:
    """Return the name of a row.

    >>> named("orders", "O1")
    'orders/O1'
    """
    return f"{table}/{key}"


def referred(contract: Contract, values: Mapping[str, Any]) -> list[str]:
    """Name the rows that a row refers to."""
    return [named(rule.table, values[rule.column]) for rule in contract.references if isinstance(values.get(rule.column), str)]


def look_up(driver: Driver, names: Iterable[str]) -> dict[str, KnownRow]:
    """Return those of the named rows that are there."""
    asked = list(dict.fromkeys(names))
    found = driver.among("SELECT name, held, print FROM known_rows WHERE name IN {keys}", asked)
    return {name: KnownRow(json.loads(held), bytes(mark)) for name, held, mark in found}


def keep(driver: Driver, rows: Iterable[tuple[str, Sequence[Any], bytes]]) -> None:
    """Keep rows that are not there yet: name, values, print."""
    driver.add(KNOWN_ROWS, ((name, json.dumps(held), mark) for name, held, mark in rows))


def change(driver: Driver, rows: Iterable[tuple[str, Sequence[Any], bytes]]) -> None:
    """Keep rows, in the place of those that are there."""
    driver.replace(KNOWN_ROWS, ((name, json.dumps(held), mark) for name, held, mark in rows))


def kept_of(table: str, values: Mapping[str, Any]) -> list[Any]:
    """Return what is kept of a row's plain values."""
    return [values[column] for column in KEPT[table]]


def print_of(contract: Contract, values: Mapping[str, Any]) -> bytes:
    """Return the print of a row's plain values (instants in microseconds).

    Two rows that differ in one column share a print by a chance of one in four thousand million.
    """
    return b"".join([_NOTHING if kind is None else _marks((values[name],), kind)[0] for name, kind in _printed(contract)])


def prints_of(contract: Contract, columns: Mapping[str, Sequence[Any]]) -> list[bytes]:
    """Return the prints of many rows, given as columns of plain values."""
    nothing = [_NOTHING] * len(columns[contract.key])
    marks = [nothing if kind is None else _marks(columns[name], kind) for name, kind in _printed(contract)]
    return [b"".join(row) for row in zip(*marks, strict=True)]


@cache
def _printed(contract: Contract) -> tuple[tuple[str, str | None], ...]:
    """Name the columns of a print and their kinds; no kind where nothing is shown of a column."""
    own = stamped(contract)
    return tuple((column.name, None if column.name in own else column.kind) for column in contract.columns)


def _marks(values: Sequence[Any], kind: str) -> list[bytes]:
    if kind == "string":
        told = [b"\0" if value is None else value.encode() for value in values]
    else:
        told = [b"\0" if value is None else b"%r" % (value,) for value in values]
    return [crc32(text).to_bytes(_WIDTH, "big") for text in told]


def differing(contract: Contract, one: bytes, other: bytes) -> list[str]:
    """Name the columns in which two prints differ."""
    places = range(0, _WIDTH * len(contract.columns), _WIDTH)
    return [c.name for c, at in zip(contract.columns, places, strict=True) if one[at : at + _WIDTH] != other[at : at + _WIDTH]]


def stamped(contract: Contract) -> frozenset[str]:
    """Name the columns in which the marketplace notes when it learned of a row, and which no sender is held to."""
    own = {contract.known_at} if contract.known_at != contract.event_time else set()
    return frozenset(own | {RECORDED})


def broken_references(contract: Contract, values: Mapping[str, Any], known: Mapping[str, KnownRow]) -> list[Violation]:
    """Judge what a row refers to, as :func:`data_contracts.check.check` does it for whole tables.

    Parameters
    ----------
    contract
        Of the row.
    values
        Its values; instants as datetimes or microseconds. A column that could not be read is left out and not judged.
    known
        The rows it refers to, as far as they are known.

    Returns
    -------
    list of Violation
        In the words of the batch's check.
    """
    found = []
    for rule in contract.references:
        named_key = values.get(rule.column)
        if named_key is None:
            continue
        row = known.get(named(rule.table, named_key))
        if row is None:
            found.append(Violation(rule.column, f"a row of {rule.table}", shown(named_key)))
            continue
        parent = dict(zip(KEPT[rule.table], row.held, strict=True))
        differ = [name for name in rule.agree if values.get(name) is not None and values[name] != parent[name]]
        found += [Violation(n, f"the {n} of the row of {rule.table} that {rule.column} names", shown(values[n])) for n in differ]
        for own, theirs in rule.not_before:
            at = values.get(own)
            if at is None or parent[theirs] is None:
                continue
            if (micros(at) if isinstance(at, datetime) else at) < parent[theirs]:
                found.append(Violation(own, f"not before {theirs} of {rule.table}", shown(at)))
    return found
