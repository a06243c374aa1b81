"""How good the experts are, as far as their answers tell: right answers, confusions, following of the model, time and fees.

What each expert's answers amount to is :func:`models.consensus.consensus`: agreement with each other, with the model where it was hidden
and with what later became known, all at once. It is an estimate, and with few answers it says little more than what is expected of the
tier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, select

from data_contracts import LABELS
from models.automation import Bias, automation_bias, model_call
from models.consensus import consensus
from models.opinions import Answers, shown_with
from models.policy import Policy
from models.quality_checks import Checks, draw
from serving.console.visit import Answer, Office, Shown, Visit
from serving.queue import Tier
from serving.schema import CASES, DECISIONS_TABLE, EXPERT_ANSWERS

MOST = 20_000
"""Answers looked at, the latest."""


@dataclass(frozen=True)
class Quality:
    """One expert.

    Parameters
    ----------
    expert, tier
        Who.
    answers
        How many answers of theirs were looked at.
    minutes, fee_cents
        Median working time and what they were paid in all.
    late
        Share of the answers that came after the case was due.
    accuracy
        Estimated probability of a right answer on cases as they come.
    confusion
        Estimated P(answer | truth), truth by answer, in the order of the labels.
    sway
        Estimated pull of a shown probability: log-odds per unit; 0 follows it not at all.
    again
        Answers to cases that somebody else answered as well, and the share of those that agree.
    agree
        See ``again``.
    """

    expert: str
    tier: str
    answers: int
    minutes: float
    fee_cents: int
    late: float
    accuracy: float
    confusion: tuple[tuple[float, ...], ...]
    sway: float
    again: int
    agree: float


def show_experts(office: Office, visit: Visit) -> Answer:
    """Show every expert's quality."""
    with office.store.view() as view:
        answers = _answers(view, office.checks)
    found = [one for tier in Tier for one in qualities(answers[answers["tier"] == tier.value], tier, office.policy)]
    content = {"qualities": found, "bias": bias_of(answers), "labels": LABELS, "checks": office.checks, "total": len(answers)}
    return Shown("experts", content)


def _answers(tx: Connection, checks: Checks) -> pd.DataFrame:
    columns: dict[str, Any] = {
        name: EXPERT_ANSWERS.c[name] for name in ("claim_id", "expert", "label", "minutes", "fee_cents", "answered_at")
    }
    columns |= {name: CASES.c[name] for name in ("tier", "due_at")}
    columns |= {f"p_{label}": DECISIONS_TABLE.c[f"p_{label}"] for label in LABELS}
    source = EXPERT_ANSWERS.join(CASES, CASES.c.claim_id == EXPERT_ANSWERS.c.claim_id)
    source = source.join(DECISIONS_TABLE, DECISIONS_TABLE.c.claim_id == CASES.c.claim_id)
    query = (
        select(*columns.values()).select_from(source).order_by(EXPERT_ANSWERS.c.answered_at.desc(), EXPERT_ANSWERS.c.answer_id).limit(MOST)
    )
    frame = pd.DataFrame([tuple(row) for row in tx.execute(query)], columns=list(columns))
    return frame.assign(hidden=draw(checks, frame["claim_id"].astype("str")).hidden if len(frame) else np.zeros(0, dtype=bool))


def qualities(answers: pd.DataFrame, tier: Tier, policy: Policy) -> list[Quality]:
    """Return how good the experts of a tier are, those with most answers first.

    Parameters
    ----------
    answers
        One row per answer: ``claim_id, expert, label, minutes, fee_cents, answered_at, due_at, p_valid …, hidden``.
    tier
        Whose answers these are.
    policy
        What is expected of the tier.
    """
    if answers.empty:
        return []
    claims, case = np.unique(answers["claim_id"].to_numpy(dtype=object), return_inverse=True)
    names, expert = np.unique(answers["expert"].to_numpy(dtype=object), return_inverse=True)
    label = answers["label"].map({name: place for place, name in enumerate(LABELS)}).to_numpy(dtype=np.intp)
    proba = answers[[f"p_{name}" for name in LABELS]].to_numpy(dtype=np.float64)
    first = np.unique(case, return_index=True)[1]
    by_case = np.clip(proba[first], 1e-6, None)
    by_case /= by_case.sum(axis=1, keepdims=True)
    shown = shown_with(proba, answers["hidden"].to_numpy(), by_case.mean(axis=0))
    prior = np.clip(np.array((policy.desk if tier is Tier.DESK else policy.investigation).confusion), 1e-4, None)
    prior /= prior.sum(axis=1, keepdims=True)
    found = consensus(Answers(case, expert, label, by_case, np.full(len(claims), -1), len(names), shown), prior, rounds=100, tolerance=1e-6)
    accuracy = found.accuracy(by_case.mean(axis=0))
    several = np.bincount(case)[case] > 1
    agrees = _agrees(case, label)
    late = (answers["answered_at"] >= answers["due_at"]).to_numpy()
    told = [
        Quality(
            expert=str(name),
            tier=tier.value,
            answers=int(mine.sum()),
            minutes=float(answers["minutes"][mine].median()),
            fee_cents=int(answers["fee_cents"][mine].sum()),
            late=float(late[mine].mean()),
            accuracy=float(accuracy[place]),
            confusion=tuple(tuple(float(p) for p in row) for row in found.confusions[place]),
            sway=float(found.sway[place]),
            again=int((mine & several).sum()),
            agree=float(agrees[mine & several].mean()) if (mine & several).any() else float("nan"),
        )
        for place, name in enumerate(names)
        if (mine := expert == place).any()
    ]
    return sorted(told, key=lambda one: (-one.answers, one.expert))


def _agrees(case: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Tell of each answer whether every other answer to its case says the same."""
    low, high = np.full(case.max() + 1, len(LABELS)), np.full(case.max() + 1, -1)
    np.minimum.at(low, case, label)
    np.maximum.at(high, case, label)
    same: np.ndarray = low[case] == high[case]
    return same


def bias_of(answers: pd.DataFrame) -> Bias | None:
    """Return by how much answers follow the model where it is seen; ``None`` where nothing can be compared."""
    hidden = answers["hidden"].to_numpy(dtype=bool)
    if not hidden.any() or hidden.all():
        return None
    proba = answers[[f"p_{name}" for name in LABELS]].to_numpy(dtype=np.float64)
    label = answers["label"].map({name: place for place, name in enumerate(LABELS)}).to_numpy(dtype=np.intp)
    return automation_bias(label, model_call(proba, proba.mean(axis=0)), hidden)
