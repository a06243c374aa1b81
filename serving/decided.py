"""Decisions written down: the row, the expert's case where one is needed, what that takes of the experts' day, the audit entry.

Batch and endpoint write decisions through here, in the transaction of everything else that belongs to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from data_contracts import DECISIONS, Action, Route
from models.policy import Policy
from models.review import Capacity
from serving import audit
from serving.attachments import TOGETHER, attach, body_of, packed, span
from serving.audit import DECISION, Entry, Head
from serving.driver import Driver
from serving.instants import DAY
from serving.opening import Parties, open_cases
from serving.schema import DECISIONS_TABLE
from serving.written import bodies_of
from serving.written_columns import plain_columns, shared_values

_REVIEWED = (Action.DESK.value, Action.INVESTIGATE.value)
_NAMES = tuple(column.name for column in DECISIONS.columns)
_VALUES = itemgetter(*_NAMES)
_OWN = [column.name for column in DECISIONS.columns if column.name == DECISIONS.key or column.kind == "instant"]
_COUNT = (
    "INSERT INTO experts_taken (day, action, cases) VALUES (?, ?, ?) "
    "ON CONFLICT (day, action) DO UPDATE SET cases = experts_taken.cases + excluded.cases"
)


def write_decisions(
    tx: Connection,
    rows: Sequence[Mapping[str, Any]],
    minutes: Mapping[str, int],
    after: Head | None = None,
    parties: Parties | None = None,
) -> tuple[list[bytes], Head]:
    """Write decisions on claims that have none.

    Parameters
    ----------
    tx
        A write transaction.
    rows
        Plain values of the decisions contract.
    minutes
        Expected expert minutes per case by tier.
    after
        The head of the audit log, if the caller holds its lock and has read it.
    parties
        Claim → (customer, seller) of claims that the store has not received itself.

    Returns
    -------
    tuple
        The answer to each as it is in the audit log, and the log's new head.
    """
    driver = Driver(tx)
    driver.add(DECISIONS_TABLE, map(_VALUES, rows))
    open_cases(tx, [row for row in rows if row["action"] in _REVIEWED], minutes, parties)
    return record(tx, rows, after)


def write_table(
    tx: Connection,
    decisions: pa.Table,
    minutes: Mapping[str, int],
    parties: Parties | None = None,
    after: Head | None = None,
    content: bytes | None = None,
) -> Head:
    """Write decisions as :func:`write_decisions` does, from columns, and as one entry of the audit log: the way of a batch.

    Parameters
    ----------
    tx
        A write transaction that holds the audit log's lock.
    decisions
        In the Arrow types of the decisions contract, at least one; none of the claims has one yet.
    minutes, parties, after
        As there.
    content
        What :func:`serving.attachments.packed` makes of the decisions, if that is at hand.

    Returns
    -------
    Head
        The audit log's new head.
    """
    driver = Driver(tx)
    shared = shared_values(decisions.drop_columns(_OWN))
    own = [name for name in _NAMES if name not in shared]
    driver.load(DECISIONS_TABLE, dict(zip(own, plain_columns(DECISIONS, decisions, own), strict=True)), shared)
    reviewed = decisions.filter(pc.is_in(decisions["action"], pa.array(_REVIEWED)))
    names = ("claim_id", "action", "route", "review_value_cents", "decided_at")
    cases = [dict(zip(names, row, strict=True)) for row in zip(*plain_columns(DECISIONS, reviewed, names), strict=True)]
    open_cases(tx, cases, minutes, parties)
    _take(driver, cases)
    content = packed(decisions) if content is None else content
    entry = Entry(TOGETHER, f"{len(decisions)} claims", span(decisions)[1], body_of(decisions, content))
    head = audit.append(driver, [entry], after)
    attach(driver, head.seq, decisions, content)
    return head


def record(tx: Connection, rows: Sequence[Mapping[str, Any]], after: Head | None = None) -> tuple[list[bytes], Head]:
    """Count what decisions took of the experts' days, and enter them into the audit log; returns as :func:`write_decisions`."""
    driver = Driver(tx)
    _take(driver, rows)
    bodies = bodies_of(DECISIONS, dict(zip(_NAMES, zip(*map(_VALUES, rows), strict=True), strict=True))) if rows else []
    entries = [Entry(DECISION, row["claim_id"], row["decided_at"], body) for row, body in zip(rows, bodies, strict=True)]
    return bodies, audit.append(driver, entries, after)


def _take(driver: Driver, rows: Iterable[Mapping[str, Any]]) -> None:
    taken = Counter((day_of(row["decided_at"]), row["action"]) for row in rows if takes_capacity(row["action"], row["route"]))
    if taken:
        driver.run(_COUNT, [(*key, cases) for key, cases in sorted(taken.items())])


def takes_capacity(action: str, route: str) -> bool:
    """Tell whether a decision took an expert's capacity: what rules send to experts comes on top of it."""
    return action in _REVIEWED and route != Route.RULE.value


def day_of(decided_at: int) -> int:
    """Return the beginning of the day that an instant belongs to; midnight belongs to the day that ends with it.

    >>> day_of(DAY), day_of(DAY + 1)
    (0, 86400000000)
    """
    return (decided_at - 1) // DAY * DAY


def capacity(driver: Driver, policy: Policy, day: int) -> Capacity:
    """Return what the experts can still take on a day, as :func:`models.review.capacity_left` counts it.

    Parameters
    ----------
    driver
        Of a transaction.
    policy
        Capacities.
    day
        Its beginning, as :func:`day_of` says.
    """
    date = datetime.fromtimestamp(day // 1_000_000, UTC)
    first = day - (date.day - 1) * DAY
    taken = driver.rows("SELECT day, action, cases FROM experts_taken WHERE day BETWEEN ? AND ?", (first, day))
    desk = sum(cases for at, action, cases in taken if at == day and action == Action.DESK.value)
    begun = sum(cases for _, action, cases in taken if action == Action.INVESTIGATE.value)
    today, month = Capacity.of(policy, days=1), Capacity.of(policy, days=date.day)
    return Capacity(max(0, today.desk - desk), max(0, month.investigations - begun))
