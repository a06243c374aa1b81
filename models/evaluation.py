"""Decisions against the truth: how good the probabilities were, and what each way of deciding would have cost.

Needs the true class of every claim, so it judges simulations (and any set of claims that was examined in full).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_contracts import Action
from models.costs import cost_matrix, least_cost, realised_cost, review_cost
from models.experts import after_answer
from models.metrics import Interval, auc, average_precision, classwise_ece, cluster_bootstrap
from models.policy import Policy
from models.review import TIERS, Capacity, action_after, review_values, route

PROBABILITIES = ["p_valid", "p_unsubstantiated", "p_abusive"]
"""The probability columns of a decision, in the order of the labels."""


@dataclass(frozen=True)
class Quality:
    """How good probabilities were against the truth: abusive against the rest, and calibration, with 95 % intervals."""

    auc_abusive: Interval
    ap_abusive: Interval
    ece: Interval


@dataclass(frozen=True)
class Costs:
    """What the same claims cost under four ways of deciding, in whole cents.

    Parameters
    ----------
    pay_everything
        Every claim is paid.
    model
        The automatic action of least expected cost, no experts.
    model_experts
        As decided: automatic actions, and for reviewed claims fee, delay and the action after the expert's answer.
    perfect
        The best automatic action with the truth known.
    """

    pay_everything: int
    model: int
    model_experts: int
    perfect: int


def quality(truth: np.ndarray, proba: np.ndarray, groups: np.ndarray, rng: np.random.Generator, draws: int = 200) -> Quality:
    """Judge probabilities against the truth.

    Parameters
    ----------
    truth
        True class per claim, shape (claims,).
    proba
        Calibrated probabilities, shape (claims, 3).
    groups
        Which claims belong together, for the intervals (customers), shape (claims,).
    rng, draws
        Of the bootstrap.
    """
    one = np.ones(len(truth))

    def interval(metric: str) -> Interval:
        measures = {
            "auc": lambda rows: auc(truth[rows], proba[rows, 2], one[rows]),
            "ap": lambda rows: average_precision(truth[rows], proba[rows, 2], one[rows]),
            "ece": lambda rows: classwise_ece(truth[rows], proba[rows], one[rows]),
        }
        return cluster_bootstrap(measures[metric], groups, rng, draws)

    return Quality(interval("auc"), interval("ap"), interval("ece"))


def final_actions(
    policy: Policy, decisions: pd.DataFrame, answers: pd.DataFrame, amount_cents: np.ndarray, insured: np.ndarray
) -> np.ndarray:
    """Return the automatic action that each decision came down to.

    Parameters
    ----------
    policy
        Prices and confusions.
    decisions
        Rows of the decisions contract.
    answers
        ``claim_id`` and ``label``: what experts found of reviewed claims, in the order in which they answered, where there is anything yet.
    amount_cents, insured
        As in :func:`models.costs.cost_matrix`, in the order of ``decisions``.

    Returns
    -------
    ndarray
        One of the four automatic actions per decision: a reviewed claim's after the answer, by Bayes' rule; without an answer
        the automatic action it would have had.
    """
    final: np.ndarray = decisions["automatic_action"].to_numpy(dtype=object).copy()
    proba, turn = np.array(decisions[PROBABILITIES]), answers.groupby("claim_id").cumcount().to_numpy()
    for number in range(int(turn.max(initial=-1)) + 1):
        found = decisions["claim_id"].map(answers[turn == number].set_index("claim_id")["label"])
        for place, tier in enumerate(TIERS):
            rows = ((decisions["action"] == tier) & found.notna()).to_numpy()
            if rows.any():
                said = found[rows].to_numpy()
                after = action_after(policy, proba[rows], tier, said, amount_cents[rows], insured[rows])
                final[rows] = after["automatic_action"].to_numpy(dtype=object)
                proba[rows] = after_answer(proba[rows], said, np.array(policy.tiers[place].confusion))
    return final


def costs(
    policy: Policy,
    decisions: pd.DataFrame,
    answers: pd.DataFrame,
    truth: np.ndarray,
    amount_cents: np.ndarray,
    insured: np.ndarray,
    measuring_cents: int = 0,
) -> Costs:
    """Price the same claims under four ways of deciding; parameters as in :func:`final_actions`, ``truth`` by decision.

    Every answer costs its fee and delay; ``measuring_cents`` are the fees of those that only measured the experts.
    """
    many = decisions["claim_id"].map(answers["claim_id"].value_counts()).fillna(0).to_numpy()
    fees = (review_cost(policy, decisions["action"].to_numpy()) * many).sum()
    final = final_actions(policy, decisions, answers, amount_cents, insured)

    def total(action: np.ndarray) -> int:
        return int(realised_cost(policy, action, truth, amount_cents, insured).sum())

    return Costs(
        pay_everything=total(np.full(len(truth), Action.PAY.value)),
        model=total(decisions["automatic_action"].to_numpy()),
        model_experts=total(final) + int(fees) + measuring_cents,
        perfect=int(least_cost(policy, truth, amount_cents, insured).sum()),
    )


def expected_cost_by_capacity(
    policy: Policy, decisions: pd.DataFrame, amount_cents: np.ndarray, insured: np.ndarray, desk_cases: Sequence[int]
) -> np.ndarray:
    """Return what the decided claims would be expected to cost under other capacities of the desk.

    Parameters
    ----------
    policy
        Prices; its investigations are shared out evenly over the days.
    decisions
        Rows of the decisions contract.
    amount_cents, insured
        As in :func:`models.costs.cost_matrix`, in the order of ``decisions``.
    desk_cases
        Cases a day to try.

    Returns
    -------
    ndarray
        Expected cents for each capacity, fees and delays included; never rising with capacity.
    """
    table = cost_matrix(policy, amount_cents, insured)
    proba = decisions[PROBABILITIES].to_numpy()
    automatic = decisions["automatic_cost_cents"].to_numpy(dtype=np.float64)
    values = review_values(policy, proba, table, automatic=automatic)
    # Claims of one day share its capacity, whether a batch decided them together or the endpoint one by one; midnight ends a day.
    day = (decisions["decided_at"] - pd.Timedelta(microseconds=1)).dt.floor("D")
    days = [np.asarray(rows) for rows in decisions.groupby(day).indices.values()]
    minutes = [tier.minutes for tier in policy.tiers]
    accrued = [Capacity.of(policy, days=d + 1).investigations - Capacity.of(policy, days=d).investigations for d in range(len(days))]
    totals = []
    for cases in desk_cases:
        saved = 0.0
        for rows, investigations in zip(days, accrued, strict=True):
            tier = route(values[rows], minutes, Capacity(cases, investigations))
            saved += values[rows[tier >= 0], tier[tier >= 0]].sum()
        totals.append(automatic.sum() - saved)
    return np.array(totals)
