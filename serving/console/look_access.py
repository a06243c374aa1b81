"""Which cases somebody may see, and whether they may see what the model thinks of one.

Nobody sees a case whose customer or seller they are tied to. Experts see the cases that they hold. On the slice that is judged without
the model (:class:`models.quality_checks.Checks`) its opinion is shown to nobody while an answer is awaited, and to experts never.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pandas as pd
from sqlalchemy import ColumnElement, Connection, and_, select

from models.quality_checks import Checks, draw
from serving import ties
from serving.console.roles import EXPERTS, Role
from serving.console.visit import Visit, WrongError
from serving.queue import CaseState
from serving.schema import CASES

_IN_HAND = (CaseState.LEASED.value, CaseState.WITHDRAWN.value)


def must_see(tx: Connection, visit: Visit, claim_id: str) -> Any:
    """Return a case's row.

    Raises
    ------
    WrongError
        404 if there is no such case, or none for who asks: the two look the same.
    """
    row = tx.execute(select(CASES).where(CASES.c.claim_id == claim_id, visible(visit))).one_or_none()
    if row is None:
        raise WrongError(404, "There is no such case for you.")
    return row


def visible(visit: Visit) -> ColumnElement[bool]:
    """Return the condition, on a row of the cases, that a visitor may see it."""
    untied = ~ties.tied(visit.name)
    return and_(untied, _mine(visit)) if visit.role in EXPERTS else untied


def _mine(visit: Visit) -> ColumnElement[bool]:
    return and_(CASES.c.holder == visit.name, CASES.c.state.in_(_IN_HAND), CASES.c.lease_expires_at > visit.now)


def blind(checks: Checks, claim_ids: Collection[str]) -> dict[str, bool]:
    """Tell of each case whether it is judged without the model's opinion.

    >>> blind(Checks(hidden=1.0), ["C1"]), blind(Checks(hidden=0.0), ["C1"]), blind(Checks(), [])
    ({'C1': True}, {'C1': False}, {})
    """
    listed = list(claim_ids)
    return dict(zip(listed, draw(checks, pd.Series(listed, dtype="str")).hidden.tolist(), strict=True)) if listed else {}


def is_hidden(row: Any, is_blind: bool, role: Role, now: int) -> bool:
    """Tell whether the model's opinion on a case is kept from a role at an instant (microseconds UTC)."""
    held = row.state in _IN_HAND and row.lease_expires_at is not None and row.lease_expires_at > now
    awaited = held or row.state in (CaseState.OPEN, CaseState.LEASED)
    return is_blind and (awaited or role in EXPERTS)
