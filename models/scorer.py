"""The one road from feature rows to decisions: called by training, backtest, batch scoring and the endpoint alike.

Nothing else in the project turns probabilities into actions. The service merely passes one row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import pandas as pd

from data_contracts import DECISIONS, Action, Route
from data_contracts.check import check
from data_contracts.decisions import Decision
from models.bundle import Bundle
from models.classifier import ABUSIVE, UNSUBSTANTIATED, VALID
from models.costs import AUTOMATIC, cost_matrix, expected_costs
from models.decision import audited, cheapest, expected_cents
from models.policy import Policy
from models.reasons import claimant_reasons, investigator_reasons
from models.review import TIERS, Capacity, review_values
from models.review import route as route_by_value
from models.risk import Guarantee
from models.rule_effects import fallback, outcome
from models.rules import Rules, evaluate, recorded, strictest


class Model(Protocol):
    """What the road needs of a model: a name for the record, and calibrated probabilities. A bundle is one; a backtest brings others."""

    @property
    def hash(self) -> str:
        """Name of the model in its decisions."""

    @property
    def guarantee(self) -> Guarantee | None:
        """From which probability on it may call a claim abusive; ``None``: prices alone say."""

    def predict_proba(self, matrix: pd.DataFrame, num_threads: int = 1) -> np.ndarray:
        """Return calibrated probabilities, shape (rows, 3) in the order of ``LABELS``."""


def probabilities(bundle: Bundle, matrix: pd.DataFrame, num_threads: int = 1) -> pd.DataFrame:
    """Return ``p_valid``, ``p_unsubstantiated`` and ``p_abusive`` with the index of the matrix."""
    proba = bundle.predict_proba(matrix, num_threads)
    columns = {"p_valid": proba[:, VALID], "p_unsubstantiated": proba[:, UNSUBSTANTIATED], "p_abusive": proba[:, ABUSIVE]}
    return pd.DataFrame(columns, index=matrix.index)


def score_claims(
    bundle: Model,
    policy: Policy,
    matrix: pd.DataFrame,
    claims: pd.DataFrame,
    seller_insured: np.ndarray,
    capacity: Capacity,
    decided_at: datetime,
    confusions: Sequence[np.ndarray] | None = None,
    most_reasons: int = 5,
    num_threads: int = 1,
    rules: Rules | None = None,
) -> pd.DataFrame:
    """Decide claims.

    Parameters
    ----------
    bundle
        The model. One that is no bundle has no exact contributions, and its decisions carry no reasons.
    policy
        The prices.
    matrix
        Feature rows, index ``claim_id`` in the order of ``claims``.
    claims
        The claims: ``claim_id``, ``amount_cents``, and what was filed as far as present.
    seller_insured
        Whether each claim's seller is known to be insured and compliant, boolean, shape (claims,).
    capacity
        Cases the experts can still take; shared by these claims.
    decided_at
        The instant of the decision, in UTC.
    confusions
        P(answer | truth) of desk and investigation as now estimated; the policy's where left out.
    most_reasons
        Reason groups named per claim; 0 spares the cost of explaining (a backtest).
    num_threads
        Threads for the boosters; results do not depend on it.
    rules
        Rules beside the model, if there are any.

    Returns
    -------
    DataFrame
        One row per claim in the order of ``claims``, as the decisions contract says.

    Raises
    ------
    ValueError
        If matrix, claims and ``seller_insured`` do not belong together.
    RuntimeError
        If a decision breaks its own contract: a bug here or a claim that its contract would not have accepted.

    Notes
    -----
    The audit comes on top of the value of review: of the desk's capacity as many places are kept free as the audit draws
    among these claims, claims worth a review take the rest, and each drawn claim among all others goes to the desk. So
    ``propensity`` is 1 for a claim routed by value and the audit's rate for every other one, whatever was drawn.

    Below the threshold that the model's guarantee certifies, DENY_ABUSIVE is not among the automatic actions, whatever it would
    save; an expert's answer may still lead to it.

    Rules come last and only make outcomes stricter (:mod:`models.rule_effects`). What they send to an expert comes on top of the
    capacity, so that no other claim is looked at less because of a rule; its propensity is 1, as the rule would always send it.
    Where a rule speaks, the automatic action that remains if no expert answers is at least a request for evidence.
    """
    _must_belong_together(matrix, claims, seller_insured)
    proba = bundle.predict_proba(matrix, num_threads)
    costs = cost_matrix(policy, claims["amount_cents"].to_numpy(), seller_insured)
    expected = _within_bounds(expected_costs(proba, costs), proba, bundle.guarantee)
    values = review_values(policy, proba, costs, confusions, expected.min(axis=1))
    decided = cheapest(expected)
    tier, by_audit = _routed(policy, values, claims["claim_id"], capacity)
    automatic = decided["automatic_action"].to_numpy(dtype=object)
    action = np.where(tier >= 0, np.array(TIERS, dtype=object)[tier], automatic)
    route = np.where(by_audit, Route.AUDIT.value, np.where(tier >= 0, Route.VALUE_OF_REVIEW.value, Route.AUTOMATIC.value))
    ruled = _ruled(rules, matrix, claims, decided_at, _Routed(action, automatic, route), expected)
    frame = pd.DataFrame(
        {
            "claim_id": claims["claim_id"].to_numpy(),
            "decided_at": pd.Timestamp(decided_at),
            "p_valid": proba[:, VALID],
            "p_unsubstantiated": proba[:, UNSUBSTANTIATED],
            "p_abusive": proba[:, ABUSIVE],
            "action": ruled.action,
            "automatic_action": ruled.automatic,
            "route": ruled.route,
            "propensity": np.where(np.isin(ruled.action, TIERS) & (ruled.route != Route.AUDIT.value), 1.0, policy.audit.rate),
            "automatic_cost_cents": expected_cents(expected, ruled.automatic),
            "review_value_cents": np.rint(values.max(axis=1)).astype(np.int64),
            "reasons": _reasons(bundle, matrix, most_reasons, num_threads),
            "claimant_reason": claimant_reasons(ruled.action, claims),
            "bundle": bundle.hash,
            "policy": policy.identifier,
            "rules": pd.array(ruled.verdicts, dtype="str"),
        }
    )
    return _conforming(frame)


class Scorer:
    """Decides one claim after the other with the same model, prices and rules; safe to call from several threads.

    Parameters
    ----------
    bundle
        The model.
    policy
        The prices.
    rules
        Rules beside the model, if there are any.
    columns
        Names of the numbers in a feature vector; the model's inputs in their order where left out.
    confusions, most_reasons
        As for :func:`score_claims`.
    """

    def __init__(
        self,
        bundle: Bundle,
        policy: Policy,
        rules: Rules | None = None,
        columns: Sequence[str] | None = None,
        confusions: Sequence[np.ndarray] | None = None,
        most_reasons: int = 5,
    ) -> None:
        self._bundle, self._policy, self._rules, self._confusions = bundle, policy, rules, confusions
        self._columns = tuple(bundle.inputs.names if columns is None else columns)
        self._most_reasons = most_reasons

    def score_one(
        self,
        vector: np.ndarray,
        claim: Mapping[str, Any],
        insured: bool,
        capacity: Capacity,
        decided_at: datetime,
        explain: bool = True,
    ) -> Decision:
        """Decide one claim exactly as :func:`score_claims` would among others, capacity being equal.

        Parameters
        ----------
        vector
            Its features, float64, shape (columns,); NaN where missing, a category by its place in the model's list.
        claim
            What was filed, by column of the claims contract: at least ``claim_id`` and ``amount_cents``.
        insured
            Whether the seller is known to be insured and compliant.
        capacity
            Cases the experts can still take.
        decided_at
            The instant of the decision, in UTC.
        explain
            Without, the decision has no reasons for the investigator.

        Raises
        ------
        ValueError
            If the vector is not one number per column.
        RuntimeError
            If the decision breaks its own contract.
        """
        row = pd.DataFrame(np.asarray(vector, dtype=np.float64)[None, :], columns=list(self._columns), index=[claim["claim_id"]])
        frame = pd.DataFrame([dict(claim)])
        most = self._most_reasons if explain else 0
        where = np.array([insured])
        found = score_claims(self._bundle, self._policy, row, frame, where, capacity, decided_at, self._confusions, most, 1, self._rules)
        values = {name: None if pd.isna(value) else value for name, value in found.to_dict(orient="records")[0].items()}
        return Decision(**values)


def _within_bounds(expected: np.ndarray, proba: np.ndarray, guarantee: Guarantee | None) -> np.ndarray:
    """Price accusations that the guarantee does not cover out of reach."""
    if guarantee is None:
        return expected
    forbidden = ~guarantee.allows(proba)[:, None] & (np.array(AUTOMATIC) == Action.DENY_ABUSIVE.value)
    return np.where(forbidden, np.inf, expected)


def _routed(policy: Policy, values: np.ndarray, claim_ids: pd.Series, capacity: Capacity) -> tuple[np.ndarray, np.ndarray]:
    """Return the tier of each claim (-1: none) and whether the audit sent it there."""
    drawn = audited(policy.audit, claim_ids)
    free = Capacity(max(0, capacity.desk - int(drawn.sum())), capacity.investigations)
    tier = route_by_value(values, [t.minutes for t in policy.tiers], free)
    by_audit = drawn & (tier < 0)
    return np.where(by_audit, TIERS.index(Action.DESK.value), tier), by_audit


@dataclass(frozen=True)
class _Routed:
    """What is done with each claim, what is done if no expert answers, why, and the verdicts of the rules if there are any."""

    action: np.ndarray
    automatic: np.ndarray
    route: np.ndarray
    verdicts: Sequence[str | None] = ()


def _ruled(rules: Rules | None, matrix: pd.DataFrame, claims: pd.DataFrame, at: datetime, routed: _Routed, expected: np.ndarray) -> _Routed:
    if rules is None:
        return replace(routed, verdicts=[None] * len(expected))
    verdicts = evaluate(rules, matrix, claims, at)
    effects = strictest(rules, verdicts)
    # An audit is drawn whatever a rule says: where the rule alone would have changed the outcome, the look was certain and no draw.
    undrawn = np.where(routed.route == Route.AUDIT.value, routed.automatic, routed.action)
    stricter = outcome(undrawn, effects)
    changed = (stricter != undrawn) & (np.isin(stricter, TIERS) | (routed.route != Route.AUDIT.value))
    return _Routed(
        np.where(changed, stricter, routed.action),
        fallback(routed.automatic, effects),
        np.where(changed, Route.RULE.value, routed.route),
        recorded(rules, verdicts),
    )


def _reasons(bundle: Model, matrix: pd.DataFrame, most: int, num_threads: int) -> list[str]:
    if most <= 0 or not isinstance(bundle, Bundle):
        return [""] * len(matrix)
    contributions, _ = bundle.classifier.contributions(matrix, num_threads)
    return investigator_reasons(matrix, contributions, bundle.inputs, most, bundle.reference)


def _must_belong_together(matrix: pd.DataFrame, claims: pd.DataFrame, seller_insured: np.ndarray) -> None:
    if len(matrix) != len(claims) or len(seller_insured) != len(claims):
        raise ValueError(
            f"score: expected one row per claim, found {len(claims)} claims, {len(matrix)} rows, {len(seller_insured)} sellers"
        )
    differs = np.flatnonzero(matrix.index.to_numpy() != claims["claim_id"].to_numpy())
    if len(differs):
        row = int(differs[0])
        raise ValueError(f"score: expected row {row} of the matrix for claim {claims['claim_id'].iloc[row]!r}, found {matrix.index[row]!r}")


def _conforming(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame in the contract's types; an empty one is given them without judging it."""
    if frame.empty:
        return DECISIONS.arrow.empty_table().to_pandas(strings_to_categorical=False)
    found = check(frame.astype({"decided_at": "datetime64[us, UTC]"}), DECISIONS)
    if len(found.quarantined):
        worst = found.quarantined.iloc[0]
        raise RuntimeError(f"decision on {worst['claim_id']} breaks its contract: {worst['reasons']}")
    return found.accepted
