"""Everything that experts have answered, beside what the model said and what came to light: what their quality is learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, select

from data_contracts import LABELS
from data_contracts.resolutions import Source
from models.quality_checks import Checks, draw
from serving import second_looks
from serving.schema import CASES, DECISIONS_TABLE, EXPERT_ANSWERS, RESOLUTIONS_TABLE

SURER: tuple[Source, ...] = (Source.APPEAL, Source.REVEALED, Source.EVIDENCE)
"""Where a truth comes from that does not rest on the experts whom it measures."""


def answers_of(tx: Connection, checks: Checks, most: int, before: int | None = None) -> pd.DataFrame:
    """Return the latest answers of all experts, the latest first.

    Parameters
    ----------
    tx
        A transaction of the store.
    checks
        Drew whom the model's opinion was hidden from.
    most
        At most so many.
    before
        Only answers given before this instant, microseconds UTC.

    Returns
    -------
    DataFrame
        ``claim_id, expert, label, minutes, fee_cents, answered_at, tier, due_at, p_valid, p_unsubstantiated, p_abusive, hidden, truth``;
        instants in microseconds UTC. ``truth`` is that of gold answers, which were given after it had come to light, and missing for all
        others: on whose cases a truth comes to light depends on what was answered.
    """
    columns: dict[str, Any] = {
        name: EXPERT_ANSWERS.c[name] for name in ("answer_id", "claim_id", "expert", "label", "minutes", "fee_cents", "answered_at")
    }
    columns |= {name: CASES.c[name] for name in ("tier", "due_at")}
    columns |= {f"p_{label}": DECISIONS_TABLE.c[f"p_{label}"] for label in LABELS}
    source = EXPERT_ANSWERS.join(CASES, CASES.c.claim_id == EXPERT_ANSWERS.c.claim_id)
    source = source.join(DECISIONS_TABLE, DECISIONS_TABLE.c.claim_id == CASES.c.claim_id)
    query = (
        select(*columns.values()).select_from(source).order_by(EXPERT_ANSWERS.c.answered_at.desc(), EXPERT_ANSWERS.c.answer_id).limit(most)
    )
    if before is not None:
        query = query.where(EXPERT_ANSWERS.c.answered_at < before)
    frame = pd.DataFrame([tuple(row) for row in tx.execute(query)], columns=list(columns))
    hidden = draw(checks, frame["claim_id"].astype("str")).hidden if len(frame) else np.zeros(0, dtype=bool)
    measured = second_looks.measured(tx)
    known = truths(tx, before) if measured else {}
    truth = [known.get(row.claim_id) if row.answer_id in measured else None for row in frame.itertuples()]
    return frame.assign(hidden=hidden, truth=pd.array(truth, dtype="str")).drop(columns="answer_id")


def truths(tx: Connection, before: int | None = None) -> dict[str, str]:
    """Return claim → label of the claims whose truth came to light otherwise than by an expert (:data:`SURER`), before an instant."""
    columns = RESOLUTIONS_TABLE.c
    told = select(columns.claim_id, columns.label).where(columns.source.in_([source.value for source in SURER]), columns.label.is_not(None))
    if before is not None:
        told = told.where(columns.known_at < before)
    return {row.claim_id: row.label for row in tx.execute(told.order_by(columns.known_at, columns.resolution_id))}
