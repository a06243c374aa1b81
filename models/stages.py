"""The stages of scoring: what a claim is worth by itself, who is sent to an expert, and the decision written down.

:func:`models.scorer.score_claims` does all three at once. A batch over many days does the first and the last for all of them together,
and only the second, in which claims compete for the same experts, day by day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts import DECISIONS, Action, Route
from data_contracts.check import check
from data_contracts.sound import is_sound
from models.bundle import Bundle
from models.classifier import ABUSIVE, UNSUBSTANTIATED, VALID
from models.costs import AUTOMATIC, cost_matrix, expected_costs
from models.decision import audited, cheapest_actions, expected_cents
from models.policy import Policy
from models.reasons import claimant_reasons, investigator_reasons
from models.review import TIERS, Capacity, review_values
from models.review import route as route_by_value
from models.risk import Guarantee
from models.rule_effects import fallback, outcome
from models.rules import Rules, evaluate, recorded, strictest
from models.sets import forbidden

ReasonsFor = Literal["all", "disputable"]
"""Whose reasons are written: everybody's, or those of claims that somebody will look at again."""

_TIERS = np.array(TIERS, dtype=object)
_ROUTES = np.array([Route.AUTOMATIC.value, Route.VALUE_OF_REVIEW.value, Route.AUDIT.value], dtype=object)
_DISPUTABLE = (*TIERS, Action.DENY_UNSUBSTANTIATED.value, Action.DENY_ABUSIVE.value)


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


@dataclass(frozen=True, eq=False)
class Priced:
    """What is known of claims before it is known how many an expert can take: arrays, one row per claim.

    Parameters
    ----------
    proba
        Calibrated probabilities, shape (claims, 3) in the order of ``LABELS``.
    expected
        Expected cost of each automatic action, cents, shape (claims, 4); infinite where the guarantee forbids it.
    values
        Value of review by each tier, cents, shape (claims, 2).
    automatic
        The action of least expected cost, text, shape (claims,).
    drawn
        Which claims the audit draws, boolean, shape (claims,).
    """

    proba: np.ndarray
    expected: np.ndarray
    values: np.ndarray
    automatic: np.ndarray
    drawn: np.ndarray

    def rows(self, which: slice) -> Priced:
        """Return some claims of them, without a copy."""
        return Priced(self.proba[which], self.expected[which], self.values[which], self.automatic[which], self.drawn[which])


@dataclass(frozen=True, eq=False)
class Routed:
    """What is done with each claim, what is done if no expert answers, why, and the verdicts of the rules if there are any."""

    action: np.ndarray
    automatic: np.ndarray
    route: np.ndarray
    verdicts: Sequence[str | None] = ()

    @classmethod
    def joined(cls, parts: Sequence[Routed]) -> Routed:
        """Put the claims of several days one after the other."""
        action, automatic, route = (np.concatenate([getattr(part, name) for part in parts]) for name in ("action", "automatic", "route"))
        return cls(action, automatic, route, [verdict for part in parts for verdict in part.verdicts])


def price(
    bundle: Model,
    policy: Policy,
    matrix: pd.DataFrame,
    claims: pd.DataFrame,
    seller_insured: np.ndarray,
    confusions: Sequence[np.ndarray] | None = None,
    num_threads: int = 1,
) -> Priced:
    """Do the part of :func:`models.scorer.score_claims` that looks at each claim by itself, for any number of days at once."""
    _must_belong_together(matrix, claims, seller_insured)
    proba = bundle.predict_proba(matrix, num_threads)
    asked = claims["amount_cents"].to_numpy(), seller_insured, claims["claim_id"]
    return priced_by(policy, bundle.guarantee, proba, *asked, confusions)


def priced_by(
    policy: Policy,
    guarantee: Guarantee | None,
    proba: np.ndarray,
    amount_cents: np.ndarray,
    seller_insured: np.ndarray,
    claim_ids: Iterable[str],
    confusions: Sequence[np.ndarray] | None = None,
) -> Priced:
    """Price claims of which the probabilities are known: arrays of any length, no frames."""
    costs = cost_matrix(policy, amount_cents, seller_insured)
    expected = _within_bounds(expected_costs(proba, costs), proba, amount_cents, guarantee)
    values = review_values(policy, proba, costs, confusions, expected.min(axis=1))
    return Priced(proba, expected, values, cheapest_actions(expected), audited(policy.audit, claim_ids))


def send(
    policy: Policy,
    priced: Priced,
    matrix: pd.DataFrame,
    claims: pd.DataFrame,
    capacity: Capacity,
    decided_at: datetime,
    rules: Rules | None = None,
) -> Routed:
    """Do the part of :func:`models.scorer.score_claims` in which claims compete: call it with those that share a capacity."""
    routed = sent(policy, priced, capacity)
    if rules is None:
        return replace(routed, verdicts=[None] * len(claims))
    verdicts = evaluate(rules, matrix, claims, decided_at)
    return ruled(routed, strictest(rules, verdicts), recorded(rules, verdicts))


def sent(policy: Policy, priced: Priced, capacity: Capacity) -> Routed:
    """Send claims to experts as far as there are any and a look is worth it, and where the audit draws them; rules have not spoken."""
    free = Capacity(max(0, capacity.desk - int(priced.drawn.sum())), capacity.investigations)
    tier = route_by_value(priced.values, [t.minutes for t in policy.tiers], free)
    by_audit = priced.drawn & (tier < 0)
    action = np.where(tier >= 0, _TIERS[tier], np.where(by_audit, Action.DESK.value, priced.automatic))
    return Routed(action, priced.automatic, _ROUTES[np.where(by_audit, 2, tier >= 0)])


def ruled(routed: Routed, effects: np.ndarray, verdicts: Sequence[str | None]) -> Routed:
    """Apply the strictest effect of the rules on each claim (a place in ``EFFECTS``, -1 for none)."""
    by_audit = routed.route == Route.AUDIT.value
    # An audit is drawn whatever a rule says: where the rule alone would have changed the outcome, the look was certain and no draw.
    undrawn = np.where(by_audit, routed.automatic, routed.action)
    stricter = outcome(undrawn, effects)
    changed = (stricter != undrawn) & (_by_expert(stricter) | ~by_audit)
    return Routed(
        np.where(changed, stricter, routed.action),
        fallback(routed.automatic, effects),
        np.where(changed, Route.RULE.value, routed.route),
        verdicts,
    )


def figures(policy: Policy, priced: Priced, routed: Routed) -> dict[str, np.ndarray]:
    """Return the numbers that a decision records, by column of its contract, each of shape (claims,)."""
    reviewed = _by_expert(routed.action) & (routed.route != Route.AUDIT.value)
    return {
        "p_valid": priced.proba[:, VALID],
        "p_unsubstantiated": priced.proba[:, UNSUBSTANTIATED],
        "p_abusive": priced.proba[:, ABUSIVE],
        "propensity": np.where(reviewed, 1.0, policy.audit.rate),
        "automatic_cost_cents": expected_cents(priced.expected, routed.automatic),
        "review_value_cents": np.rint(priced.values.max(axis=1)).astype(np.int64),
    }


def written(
    bundle: Model,
    policy: Policy,
    priced: Priced,
    routed: Routed,
    matrix: pd.DataFrame,
    claims: pd.DataFrame,
    decided_at: pd.Timestamp | pd.Series,
    most_reasons: int = 5,
    num_threads: int = 1,
    reasons_for: ReasonsFor = "all",
) -> pa.Table:
    """Write decisions down as their contract says, with the reasons of all claims or of those that somebody will look at again.

    Parameters
    ----------
    decided_at
        One instant for all claims, or one for each.
    reasons_for
        ``all``, or ``disputable``: claims that an expert will see or that are denied; the reasons of the others are empty.

    Other parameters and errors as in :func:`models.scorer.score_claims`; the result is in the Arrow types of the contract.
    """
    explained = np.ones(len(claims), dtype=bool) if reasons_for == "all" else np.isin(routed.action, _DISPUTABLE)
    found = {
        **figures(policy, priced, routed),
        "claim_id": claims["claim_id"],
        "decided_at": decided_at,
        "action": routed.action,
        "automatic_action": routed.automatic,
        "route": routed.route,
        "reasons": _reasons(bundle, matrix, explained, most_reasons, num_threads),
        "claimant_reason": claimant_reasons(routed.action, claims),
        "bundle": bundle.hash,
        "policy": policy.identifier,
        "rules": list(routed.verdicts),
    }
    columns = [_column(found[field.name], field.type, len(claims)) for field in DECISIONS.arrow]
    return _conforming(pa.Table.from_arrays(columns, schema=DECISIONS.arrow))


def framed(decisions: pa.Table) -> pd.DataFrame:
    """Return decisions as a frame in the pandas types of their contract."""
    frame: pd.DataFrame = decisions.to_pandas(date_as_object=False)
    return frame.astype({column.name: column.pandas for column in DECISIONS.columns})


def _within_bounds(expected: np.ndarray, proba: np.ndarray, amount_cents: np.ndarray, guarantee: Guarantee | None) -> np.ndarray:
    """Price actions that the guarantee does not cover out of reach; in place of a payment evidence is asked for."""
    if guarantee is None:
        return expected
    uncovered = ~guarantee.allows(proba)[:, None] & (np.array(AUTOMATIC) == Action.DENY_ABUSIVE.value)
    if guarantee.sets is not None:
        uncovered |= forbidden(proba, guarantee.sets)
    bounded = np.where(uncovered, np.inf, expected)
    if guarantee.pays_up_to_cents is None:
        return bounded
    unsure = (cheapest_actions(bounded) == Action.PAY.value) & (amount_cents > guarantee.pays_up_to_cents)
    return np.where(unsure[:, None] & (np.array(AUTOMATIC) != Action.REQUEST_EVIDENCE.value), np.inf, bounded)


def _by_expert(actions: np.ndarray) -> np.ndarray:
    """Return which actions are a look by an expert."""
    looked: np.ndarray = (actions == TIERS[0]) | (actions == TIERS[1])
    return looked


def _reasons(bundle: Model, matrix: pd.DataFrame, explained: np.ndarray, most: int, num_threads: int) -> np.ndarray:
    texts = np.full(len(matrix), "", dtype=object)
    if most > 0 and isinstance(bundle, Bundle) and explained.any():
        rows = matrix if explained.all() else matrix[explained]
        contributions, _ = bundle.classifier.contributions(rows, num_threads)
        texts[explained] = investigator_reasons(rows, contributions, bundle.inputs, most, bundle.reference)
    return texts


def _must_belong_together(matrix: pd.DataFrame, claims: pd.DataFrame, seller_insured: np.ndarray) -> None:
    if len(matrix) != len(claims) or len(seller_insured) != len(claims):
        raise ValueError(
            f"score: expected one row per claim, found {len(claims)} claims, {len(matrix)} rows, {len(seller_insured)} sellers"
        )
    differs = np.flatnonzero(matrix.index.to_numpy() != claims["claim_id"].to_numpy())
    if len(differs):
        row = int(differs[0])
        raise ValueError(f"score: expected row {row} of the matrix for claim {claims['claim_id'].iloc[row]!r}, found {matrix.index[row]!r}")


def _column(values: Any, kind: pa.DataType, rows: int) -> pa.Array:
    """Return a column of a table; one text or instant is that of all rows."""
    column = pa.repeat(pa.scalar(values), rows) if isinstance(values, str | pd.Timestamp) else pa.array(values)
    return (column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column).cast(kind)


def _conforming(decisions: pa.Table) -> pa.Table:
    """Return decisions that keep their contract; one that does not is an error."""
    if not is_sound(decisions, DECISIONS):
        worst = check(decisions.to_pandas(date_as_object=False), DECISIONS).quarantined.iloc[0]
        raise RuntimeError(f"decision on {worst['claim_id']} breaks its contract: {worst['reasons']}")
    return decisions
