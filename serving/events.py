"""Events as they happen: checked by their contract, taken once, kept raw for the lake, and history for the claims that follow.

What comes late is taken all the same: it counts from just after everything that is known, and is stored with that instant
(``recorded_at``, or ``known_at`` where the contract has it), so that a batch run afterwards sees it from that instant as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationError
from sqlalchemy import Connection

from data_contracts import CONTRACTS
from data_contracts.contract import Contract, Identifier, Instant, Reference, Row
from features.facts import RECORDED
from features.history import NEVER
from features.online import OnlineHistory
from features.online_rows import Rows
from serving import audit, known
from serving.driver import Driver
from serving.filling import keep_received, keep_resolved, keep_standings, known_from
from serving.history import StorePages
from serving.instants import micros
from serving.known import KEPT, KnownRow, broken_references, differing, kept_of, look_up, named, print_of, referred
from serving.refusals import ConflictError, InvalidRowError, RefusedError, Violation, shown, violations_of
from serving.written import plain, written


class Delivery(Row):
    """The arrival of an order that is known already."""

    key_column: ClassVar[str] = "order_id"
    event_column: ClassVar[str] = "delivered_at"
    known_column: ClassVar[str] = "delivered_at"
    references = (Reference("order_id", "orders", not_before=(("delivered_at", "ordered_at"),)),)

    order_id: Identifier = Field(description="the order that arrived")
    delivered_at: Instant = Field(description="when it arrived")


DELIVERIES = Contract("deliveries", Delivery)

_TABLES = ("customers", "sellers", "products", "orders", "returns", "seller_events", "resolutions")

RECEIVES: dict[str, Contract] = {name: CONTRACTS[name] for name in _TABLES} | {DELIVERIES.name: DELIVERIES}
"""What can be received, referred tables before those that refer to them. Claims are scored instead."""


@dataclass(frozen=True)
class Outcome:
    """What became of an event: ``accepted``, or ``known`` because it came before; its key."""

    status: Literal["accepted", "known"]
    key: str


@dataclass(frozen=True, slots=True)
class _Sound:
    """A row that its contract accepts: its place, its plain values, its name, its print."""

    place: int
    values: dict[str, Any]
    name: str
    print: bytes


def receive(
    tx: Connection, history: OnlineHistory, table: str, rows: Sequence[Any], now: datetime, skew: timedelta = timedelta(minutes=1)
) -> list[Outcome | RefusedError]:
    """Take in events of one contract.

    Parameters
    ----------
    tx
        A write transaction of the store.
    history
        Prepared for the catalogue that is served.
    table
        One of :data:`RECEIVES`.
    rows
        As JSON gave them, in any order of time.
    now
        The present instant; nothing is taken that happens later.
    skew
        How far the sender's clock may be ahead of ours.

    Returns
    -------
    list
        In the order of the rows. Bad rows are told with every reason and leave the good ones alone; the same row again is known
        and changes nothing; another row under the same key is a conflict.

    Raises
    ------
    KeyError
        If events of this table are not taken.

    Examples
    --------
    >>> from features.catalog import CATALOG
    >>> from features.pages import MemoryPages
    >>> from serving.store import Store
    >>> seller = {"seller_id": "S", "joined_at": "2025-01-01T00:00:00Z", "country": "US", "category": "home"}
    >>> now = datetime.fromisoformat("2025-02-01T00:00:00+00:00")
    >>> with Store("sqlite://") as store, store.write() as tx:
    ...     [str(getattr(o, "status", o)) for o in receive(tx, OnlineHistory(MemoryPages()), "sellers", [seller, seller], now)]
    ['accepted', 'known']
    """
    if table not in RECEIVES:
        raise KeyError(f"events: expected one of {', '.join(RECEIVES)}, found {table!r}")
    contract, driver = RECEIVES[table], Driver(tx)
    audit.lock(driver)
    pages = StorePages(tx).alone()
    found: list[Outcome | RefusedError | None] = [None] * len(rows)
    read = [_read(contract, row, place) for place, row in enumerate(rows)]
    sound = [row for row in read if isinstance(row, _Sound)]
    around = look_up(driver, [name for row in sound for name in (row.name, *referred(contract, row.values))])
    taken: dict[str, _Sound] = {}
    for place, row in enumerate(read):
        found[place] = row if isinstance(row, RefusedError) else _judged(contract, row, around, taken, micros(now + skew), now)
        if found[place] is None and isinstance(row, _Sound):
            taken[row.name] = row
            found[place] = Outcome("accepted", row.values[contract.key])
    if taken:
        _take(driver, history.within(pages), contract, list(taken.values()), around, micros(now))
    return [outcome for outcome in found if outcome is not None]


def _read(contract: Contract, row: Any, place: int) -> _Sound | InvalidRowError:
    """Read one row by its contract."""
    try:
        values = plain(contract.model.model_validate(row))
    except ValidationError as error:
        told = violations_of(error, contract)
        key = row.get(contract.key) if isinstance(row, Mapping) else None
        return InvalidRowError(f"{contract.name} {shown(key)}", told)
    return _Sound(place, values, named(contract.name, values[contract.key]), print_of(contract, values))


def _judged(
    contract: Contract, row: _Sound, around: Mapping[str, KnownRow], taken: Mapping[str, _Sound], latest: int, now: datetime
) -> Outcome | RefusedError | None:
    """Tell what is wrong with a row, or that it is known; ``None`` if it is new and sound."""
    key = row.values[contract.key]
    earlier = taken[row.name].print if row.name in taken else around[row.name].print if row.name in around else None
    if earlier is None and contract is DELIVERIES:
        earlier = _arrived(row, around)
    if earlier == row.print:
        return Outcome("known", key)
    subject = f"{contract.name} {key}"
    if earlier is not None:
        first = f"the value received first under this {contract.key}"
        names = differing(contract, earlier, row.print)
        return ConflictError(subject, [Violation(name, first, _shown(contract, name, row.values[name])) for name in names])
    wrong = broken_references(contract, row.values, around)
    for column in contract.columns:
        at = row.values[column.name]
        if column.kind == "instant" and column.name != "delivered_at" and at is not None and at > latest:
            wrong.append(Violation(column.name, f"a time not after {now.isoformat()}", _shown(contract, column.name, at)))
    return InvalidRowError(subject, wrong) if wrong else None


def _arrived(row: _Sound, around: Mapping[str, KnownRow]) -> bytes | None:
    """Return the print of the delivery that an order came with."""
    order = around.get(named("orders", row.values["order_id"]))
    at = None if order is None else order.held[KEPT["orders"].index("delivered_at")]
    return None if at is None else print_of(DELIVERIES, {**row.values, "delivered_at": at})


def _shown(contract: Contract, name: str, value: Any) -> str:
    return written(value) if contract.column(name).kind == "instant" and value is not None else shown(value)


def _take(driver: Driver, history: OnlineHistory, contract: Contract, rows: list[_Sound], around: Mapping[str, KnownRow], now: int) -> None:
    """Keep new rows: for references, for the lake, in the audit log, and in the history."""
    stored = admitted(contract, [row.values for row in rows], history.watermark())
    kept = [] if contract is DELIVERIES else [kept_of(contract.name, values) for values in stored]
    known.keep(driver, zip((row.name for row in rows), kept or [[]] * len(rows), (row.print for row in rows), strict=True))
    if contract is DELIVERIES:
        _deliver(driver, rows, around)
    elif contract.name == "seller_events":
        keep_standings(driver, stored)
    elif contract.name == "resolutions":
        keep_resolved(driver, [values["claim_id"] for values in stored])
    bodies = keep_received(driver, contract, stored, now)
    audit.append(
        driver, [audit.Entry(audit.EVENT, row.name, now, body) for row, body in zip(rows, bodies, strict=True)], audit.head(driver)
    )
    columns = {name: tuple(values[name] for values in stored) for name in stored[0]}
    history.append(Rows({contract.name: columns}, history.catalog.sources))


def admitted(contract: Contract, rows: Sequence[dict[str, Any]], watermark: int) -> list[dict[str, Any]]:
    """Give late rows the instant from which they count, as :meth:`features.online.OnlineHistory.admit` does it for frames."""
    if watermark == NEVER:
        return list(rows)
    column = contract.known_at if contract is DELIVERIES or contract.known_at != contract.event_time else RECORDED
    return [{**row, column: watermark + 1} if known_from(contract, row) <= watermark else row for row in rows]


def _deliver(driver: Driver, rows: list[_Sound], around: Mapping[str, KnownRow]) -> None:
    """Note with the orders when they arrived, as the sender told it."""
    place = KEPT["orders"].index("delivered_at")
    changed = []
    for row in rows:
        name = named("orders", row.values["order_id"])
        held = [*around[name].held]
        held[place] = row.values["delivered_at"]
        changed.append((name, held, around[name].print))
    known.change(driver, changed)
