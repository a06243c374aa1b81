"""What waits for experts on a morning, priced: cases of the queue with their claims, what was found before, and who may see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sqlalchemy import ColumnElement, Connection, select

from data_contracts import LABELS
from models.dispatch import Open
from models.policy import Policy
from models.quality_checks import Checks, draw
from serving import handover, queue
from serving.instants import DAY
from serving.schema import CASES, DECISIONS_TABLE, EXPERT_ANSWERS
from serving.standing import Standing

READ = ("claim_id", "customer_id", "seller_id", "filed_at", "amount_cents", "device_id", "address_id", "payment_id", "phone_id")
"""Columns of the claims that assigning reads, apart from what experts are shown."""


@dataclass(frozen=True, eq=False)
class Waiting:
    """Cases of the queue, row by row, and what their looks are worth.

    Parameters
    ----------
    rows
        ``claim_id, tier, state, due_at, opened_at, token`` and the decision's probabilities; instants in microseconds UTC.
    priced
        The same cases as :mod:`models.dispatch` takes them, with earlier findings worked in.
    """

    rows: pd.DataFrame
    priced: Open

    def only(self, which: np.ndarray) -> Waiting:
        """Return some of the cases: a boolean mask."""
        one = self.priced
        priced = Open(one.proba[which], one.costs[which], one.automatic[which], one.hidden[which])
        return Waiting(self.rows[which].reset_index(drop=True), priced)

    def allowed(self, tx: Connection, names: Sequence[str]) -> np.ndarray:
        """Tell whom each case may be given to, shape (cases, experts): nobody is tied to a party or has answered it."""
        claims = self.rows["claim_id"].tolist()
        kept = [handover.barred(tx, name, claims) for name in names]
        return np.array([[claim not in barred for barred in kept] for claim in claims], dtype=bool).reshape(len(claims), len(names))

    def due_in_days(self, now: int) -> np.ndarray:
        """Return whole days until each deadline, shape (cases,)."""
        days: np.ndarray = (self.rows["due_at"].to_numpy() - now) // DAY
        return days


def waiting(tx: Connection, claims: pd.DataFrame, standing: Standing, policy: Policy, checks: Checks, now: int) -> Waiting:
    """Return every case that waits for an expert at an instant.

    Parameters
    ----------
    tx
        A transaction of the store.
    claims
        Claims with at least the columns :data:`READ`; cases of others are left out.
    standing
        Of the sellers, on which prices depend.
    policy, checks
        Prices, and whom the model's opinion is hidden from.
    now
        The present instant, microseconds UTC.
    """
    open_ = (queue.waiting(now), CASES.c.opened_at <= now, CASES.c.due_at > now)
    return cases_of(tx, open_, claims, standing, policy, checks)


def cases_of(
    tx: Connection,
    wanted: Sequence[ColumnElement[bool]],
    claims: pd.DataFrame,
    standing: Standing,
    policy: Policy,
    checks: Checks,
    worked_in: bool = True,
) -> Waiting:
    """Return the cases that meet conditions on a row of the cases; the rest as in :func:`waiting`.

    ``worked_in``: whether probabilities are those after what experts have found already, or as the claims were decided.
    """
    columns = [CASES.c[name] for name in ("claim_id", "tier", "state", "due_at", "opened_at", "token")]
    proba = [DECISIONS_TABLE.c[f"p_{label}"] for label in LABELS]
    joined = CASES.join(DECISIONS_TABLE, DECISIONS_TABLE.c.claim_id == CASES.c.claim_id)
    found = tx.execute(select(*columns, *proba).select_from(joined).where(*wanted).order_by(CASES.c.claim_id)).all()
    rows = pd.DataFrame([tuple(row) for row in found], columns=[column.name for column in (*columns, *proba)])
    rows = rows.merge(claims[list(READ)], on="claim_id", validate="one_to_one") if len(rows) else rows
    if rows.empty:
        none = np.zeros(0)
        return Waiting(rows, Open(np.zeros((0, 3)), np.zeros((0, 4, 3)), none, none.astype(bool)))
    insured = standing.insured(rows["seller_id"], rows["filed_at"])
    hidden = draw(checks, rows["claim_id"]).hidden
    priced = Open.of(
        policy, rows[[f"p_{label}" for label in LABELS]].to_numpy(dtype=np.float64), rows["amount_cents"].to_numpy(), insured, hidden
    )
    said = _said_before(tx, rows) if worked_in else []
    return Waiting(rows, priced.after(said, np.array(policy.desk.confusion)) if said else priced)


def _said_before(tx: Connection, rows: pd.DataFrame) -> list[tuple[int, str]]:
    """Return what was found by earlier experts: (place of the case, label)."""
    places: Mapping[str, int] = {claim: place for place, claim in enumerate(rows["claim_id"])}
    again = rows.loc[rows["token"] > 0, "claim_id"].tolist()
    query = select(EXPERT_ANSWERS.c.claim_id, EXPERT_ANSWERS.c.label).where(EXPERT_ANSWERS.c.claim_id.in_(again))
    return [(places[claim], label) for claim, label in tx.execute(query.order_by(EXPERT_ANSWERS.c.answer_id))]
