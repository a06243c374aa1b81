"""The one road from feature rows to decisions: called by training, backtest, batch scoring and the endpoint alike.

Nothing beside it and its :mod:`models.stages` turns probabilities into actions. The service merely passes one row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from data_contracts.decisions import Decision
from models.bundle import Bundle
from models.classifier import ABUSIVE, UNSUBSTANTIATED, VALID
from models.one_claim import Sent, figures_one, of_arrays, sent_one
from models.policy import Policy
from models.reasons import Words, claimant_reason, investigator_reason
from models.review import Capacity
from models.rule_judge import Judge
from models.rules import Rules
from models.stages import Model, Priced, framed, price, priced_by, ruled, send, sent, written

__all__ = ["Model", "Scorer", "Seen", "probabilities", "score_claims"]


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
    priced = price(bundle, policy, matrix, claims, seller_insured, confusions, num_threads)
    routed = send(policy, priced, matrix, claims, capacity, decided_at, rules)
    return framed(written(bundle, policy, priced, routed, matrix, claims, pd.Timestamp(decided_at), most_reasons, num_threads))


@dataclass(frozen=True, eq=False)
class Seen:
    """What the trees say of one claim.

    Parameters
    ----------
    row, encoded
        Its numbers, and those of them that are the model's inputs; float64.
    scores
        Log-probabilities before calibration, shape (3,).
    contributions
        What each input adds to the log-odds of abuse, shape (inputs,); ``None``: nobody asked why.
    """

    row: np.ndarray
    encoded: np.ndarray
    scores: np.ndarray
    contributions: np.ndarray | None


class Scorer:
    """Decides one claim after the other with the same model, prices and rules; safe to call from several threads.

    It is the same road: the arrays of one claim pass the functions that the arrays of a batch pass, without the frames around them. Trees,
    rules and words are prepared once, so that a claim takes less than a millisecond. Whoever has several claims takes the three steps of
    :meth:`score_one` for all of them: :meth:`see`, which may run beside other work, :meth:`price` for all at once, and :meth:`decide`
    one after the other.

    Parameters
    ----------
    bundle
        The model.
    policy
        The prices.
    rules
        Rules beside the model, if there are any.
    columns
        Names of the numbers in a feature vector, among them the model's inputs; these in their order where left out.
    confusions, most_reasons
        As for :func:`score_claims`.

    Raises
    ------
    ValueError
        If an input of the model is not among the columns.
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
        self._bundle, self._policy, self._confusions, self._most_reasons = bundle, policy, confusions, most_reasons
        names = bundle.inputs.names if columns is None else tuple(columns)
        place = {name: k for k, name in enumerate(names)}
        missing = [name for name in bundle.inputs.names if name not in place]
        if missing:
            raise ValueError(f"columns: expected the {len(bundle.inputs.names)} inputs of the model, missing: {', '.join(missing)}")
        self._columns = len(names)
        self._inputs = np.array([place[name] for name in bundle.inputs.names], dtype=np.intp)
        self._judge = None if rules is None else Judge(rules, names)
        self._words = Words()
        self._warm()

    def score_one(
        self,
        vector: np.ndarray,
        claim: Mapping[str, Any],
        insured: bool,
        capacity: Capacity,
        decided_at: datetime,
        explain: bool = True,
    ) -> Decision:
        """Decide one claim to the last bit as :func:`score_claims` would, had it the same capacity left.

        Parameters
        ----------
        vector
            Its features, float64, shape (columns,); NaN where missing, a category by its place in the model's list.
        claim
            What was filed, by column of the claims contract: ``claim_id``, ``amount_cents``, and the rest as far as present.
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
            If the decision breaks its own contract: a bug here or a claim that its contract would not have accepted.
        """
        (seen,) = self.see([vector], explain)
        (priced,) = self.price([seen], [claim], [insured])
        return self.decide(seen, priced, claim, capacity, decided_at)

    def see(self, vectors: Sequence[np.ndarray], explain: bool = True) -> list[Seen]:
        """Do the first step of :meth:`score_one`: walk the trees, each while it is near for all claims.

        It leaves the interpreter to other threads nearly all the time.
        """
        rows = np.array(vectors, dtype=np.float64)
        if rows.shape != (len(vectors), self._columns):
            raise ValueError(f"vector: expected {self._columns} numbers, found the shape {rows.shape[1:]}")
        encoded, classifier = rows[:, self._inputs], self._bundle.classifier
        if not explain or self._most_reasons <= 0:
            return [Seen(*each, None) for each in zip(rows, encoded, classifier.scores(encoded), strict=True)]
        return [Seen(*each) for each in zip(rows, encoded, *classifier.seen(encoded), strict=True)]

    def price(self, seen: Sequence[Seen], claims: Sequence[Mapping[str, Any]], insured: Sequence[bool]) -> list[Priced]:
        """Do the second step: price some claims, each by itself; together they cost little more than one."""
        proba = self._bundle.calibration.proba(np.array([one.scores for one in seen]))
        amounts = np.array([claim["amount_cents"] for claim in claims])
        ids = [claim["claim_id"] for claim in claims]
        priced = priced_by(self._policy, self._bundle.guarantee, proba, amounts, np.array(insured), ids, self._confusions)
        return [priced.rows(slice(place, place + 1)) for place in range(len(seen))]

    def decide(self, seen: Seen, priced: Priced, claim: Mapping[str, Any], capacity: Capacity, decided_at: datetime) -> Decision:
        """Do the last step: what is done with the claim as far as experts are free, and everything put into words."""
        verdicts = None if self._judge is None else self._judge.verdicts(seen.row, claim, decided_at)
        strictest = -1 if self._judge is None or verdicts is None else self._judge.strictest(verdicts)
        if strictest < 0:
            outcome = sent_one(priced, capacity)
            found = figures_one(self._policy, priced, outcome)
        else:
            routed = ruled(sent(self._policy, priced, capacity), np.array([strictest]), ())
            outcome, found = of_arrays(self._policy, priced, routed)
        recorded = None if self._judge is None or verdicts is None else self._judge.recorded(verdicts)
        return self._written(outcome, found | {"rules": recorded}, claim, decided_at, self._reasons(seen))

    def _reasons(self, seen: Seen) -> str:
        if seen.contributions is None:
            return ""
        bundle = self._bundle

        def value(place: int) -> object:
            categories, number = bundle.inputs.features[place].categories, float(seen.encoded[place])
            return categories[int(number)] if categories and number >= 0 else number

        return investigator_reason(value, seen.contributions, bundle.inputs, self._most_reasons, bundle.reference, self._words)

    def _written(self, outcome: Sent, found: dict[str, Any], claim: Mapping[str, Any], decided_at: datetime, reasons: str) -> Decision:
        found |= {
            "claim_id": claim["claim_id"],
            "decided_at": decided_at,
            "action": outcome.action,
            "automatic_action": outcome.automatic,
            "route": outcome.route,
            "reasons": reasons,
            "claimant_reason": claimant_reason(outcome.action, claim),
            "bundle": self._bundle.hash,
            "policy": self._policy.identifier,
        }
        try:
            return Decision(**found)
        except ValidationError as error:
            broken = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
            raise RuntimeError(f"decision on {claim['claim_id']} breaks its contract: {broken}") from error

    def _warm(self) -> None:
        """Read the trees and load what is compiled, so that the first claim does not wait for it."""
        (seen,) = self.see([np.full(self._columns, np.nan)])
        self.price([seen], [{"claim_id": "", "amount_cents": 0}], [False])
        self._reasons(seen)
