"""The one road from feature rows to decisions: called by training, backtest, batch scoring and the endpoint alike.

Nothing beside it and its :mod:`models.stages` turns probabilities into actions. The service merely passes one row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from data_contracts.decisions import Decision
from models.bundle import Bundle
from models.classifier import ABUSIVE, UNSUBSTANTIATED, VALID
from models.policy import Policy
from models.review import Capacity
from models.rules import Rules
from models.stages import Model, price, send, written

__all__ = ["Model", "Scorer", "probabilities", "score_claims"]


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
    return written(bundle, policy, priced, routed, matrix, claims, pd.Timestamp(decided_at), most_reasons, num_threads)


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
