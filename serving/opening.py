"""Cases opened: one per decision that needs an expert, with its priority, its clock and whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, insert

from data_contracts import Action
from serving.driver import Driver
from serving.queue import MINUTES, CaseState, Tier, priority
from serving.resolution import DEADLINES, State
from serving.schema import CASES
from serving.webhooks import announce, case_opened

Parties = Mapping[str, tuple[str, str]]
"""Claim → (customer, seller)."""

_TIER = {Action.DESK.value: Tier.DESK, Action.INVESTIGATE.value: Tier.INVESTIGATION}
_PATIENCE = {Tier.DESK: DEADLINES[State.UNDER_REVIEW], Tier.INVESTIGATION: DEADLINES[State.UNDER_INVESTIGATION]}


def open_cases(
    tx: Connection, decisions: Iterable[Mapping[str, Any]], minutes: Mapping[str, int] = MINUTES, parties: Parties | None = None
) -> None:
    """Open one case per decision that needs an expert.

    Parameters
    ----------
    tx
        A write transaction.
    decisions
        Rows with ``claim_id``, ``action`` (DESK or INVESTIGATE), ``review_value_cents`` and ``decided_at`` (microseconds).
    minutes
        Expected expert minutes by tier.
    parties
        Whose the claims are; those that the store has received itself need not be here.
    """
    rows, decided = [], list(decisions)
    whose = {**_parties(tx, [row["claim_id"] for row in decided]), **(parties or {})}
    for row in decided:
        tier = _TIER[row["action"]]
        customer, seller = whose.get(row["claim_id"], (None, None))
        value, effort, opened = row["review_value_cents"], minutes[tier.value], row["decided_at"]
        rows.append(
            {
                "claim_id": row["claim_id"],
                "tier": tier.value,
                "value_cents": value,
                "minutes": effort,
                "priority": priority(value, effort),
                "state": CaseState.OPEN.value,
                "opened_at": opened,
                "due_at": opened + _PATIENCE[tier],
                "holder": None,
                "leased_at": None,
                "lease_expires_at": None,
                "token": 0,
                "customer_id": customer,
                "seller_id": seller,
                "acknowledged_at": None,
            }
        )
    if rows:
        tx.execute(insert(CASES), rows)
        announce(tx, [case_opened(row["claim_id"], row["tier"], row["opened_at"], row["due_at"]) for row in rows])


def _parties(tx: Connection, claim_ids: list[str]) -> Parties:
    found = Driver(tx).among("SELECT claim_id, customer_id, seller_id FROM claims WHERE claim_id IN {keys}", claim_ids)
    return {claim_id: (customer, seller) for claim_id, customer, seller in found}
