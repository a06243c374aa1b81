"""How good the experts are, as far as their answers tell: right answers, confusions, following of the model, time and fees.

What each expert's answers amount to is :mod:`models.known_experts`: agreement with each other, with the model where it was hidden
and with what later became known, all at once. It is an estimate, and with few answers it says little more than what is expected of the
tier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_contracts import LABELS
from models.automation import Bias, automation_bias, model_call
from models.known_experts import known_experts
from models.policy import Policy
from serving.console.visit import Answer, Office, Shown, Visit
from serving.expert_answers import answers_of
from serving.queue import Tier

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
        answers = answers_of(view, office.checks, MOST)
    found = [one for tier in Tier for one in qualities(answers[answers["tier"] == tier.value], tier, office.policy)]
    content = {"qualities": found, "bias": bias_of(answers), "labels": LABELS, "checks": office.checks, "total": len(answers)}
    return Shown("experts", content)


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
    prior = np.array((policy.desk if tier is Tier.DESK else policy.investigation).confusion)
    known = known_experts(answers, prior)
    found, case, expert = known.found, known.case, known.expert
    label = answers["label"].map({name: place for place, name in enumerate(LABELS)}).to_numpy(dtype=np.intp)
    several = np.bincount(case)[case] > 1
    agrees = _agrees(case, label)
    late = (answers["answered_at"] >= answers["due_at"]).to_numpy()
    told = [
        Quality(
            expert=name,
            tier=tier.value,
            answers=int(mine.sum()),
            minutes=float(answers["minutes"][mine].median()),
            fee_cents=int(answers["fee_cents"][mine].sum()),
            late=float(late[mine].mean()),
            accuracy=float(known.accuracy[place]),
            confusion=tuple(tuple(float(p) for p in row) for row in found.confusions[place]),
            sway=float(found.sway[place]),
            again=int((mine & several).sum()),
            agree=float(agrees[mine & several].mean()) if (mine & several).any() else float("nan"),
        )
        for place, name in enumerate(known.names)
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
