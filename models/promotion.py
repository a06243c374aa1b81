"""Champion against challenger: promoted only if later claims would have cost less money, beyond chance.

Both bundles decide the same labelled claims, filed after everything either of them learned from; the difference of what
their automatic decisions really cost is weighted by one over the propensity of the label, so that it speaks for all claims,
reviewed or not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.costs import realised_cost
from models.decision import decide
from models.metrics import Interval, cluster_bootstrap, summary
from models.policy import Policy

FEWEST = 100
"""With fewer labelled claims the interval itself cannot be trusted, and nothing is promoted."""


@dataclass(frozen=True)
class Verdict:
    """The outcome of a comparison.

    Parameters
    ----------
    promote
        Whether the challenger becomes champion.
    why
        The reason in a sentence.
    claims
        Labelled claims compared.
    saving_cents
        Saving per claim by the challenger, in cents, with its interval; positive favours the challenger.
    champion, challenger
        Weighted metrics of both on the same claims.
    """

    promote: bool
    why: str
    claims: int
    saving_cents: Interval
    champion: dict[str, float]
    challenger: dict[str, float]


def judge(
    policy: Policy,
    champion: np.ndarray,
    challenger: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    amount_cents: np.ndarray,
    insured: np.ndarray,
    groups: np.ndarray,
    rng: np.random.Generator,
    confidence: float = 0.90,
    draws: int = 400,
) -> Verdict:
    """Compare two models on labelled claims that are later than both.

    Parameters
    ----------
    policy
        Prices.
    champion, challenger
        Calibrated probabilities of each, shape (claims, 3).
    labels, weights
        Class and weight of each claim, shape (claims,).
    amount_cents, insured
        As in :func:`models.costs.cost_matrix`.
    groups
        Which claims belong together (customers), for the interval.
    rng, confidence, draws
        Of the bootstrap.

    Returns
    -------
    Verdict
        ``promote`` is true only if the lower end of the interval of the saving is above zero.
    """
    cost = [
        realised_cost(policy, decide(policy, proba, amount_cents, insured)["automatic_action"].to_numpy(), labels, amount_cents, insured)
        for proba in (champion, challenger)
    ]
    saved = weights * (cost[0] - cost[1])

    def per_claim(rows: np.ndarray) -> float:
        total = weights[rows].sum()
        return float(saved[rows].sum() / total) if total > 0 else float("nan")

    saving = cluster_bootstrap(per_claim, groups, rng, draws, confidence)
    metrics = [summary(labels, proba, weights) if len(labels) else {} for proba in (champion, challenger)]
    promote, why = _verdict(saving, len(labels), confidence)
    return Verdict(promote, why, len(labels), saving, *metrics)


def _verdict(saving: Interval, claims: int, confidence: float) -> tuple[bool, str]:
    if claims < FEWEST:
        return False, f"only {claims} labelled claims are later than both models, at least {FEWEST} are needed"
    found = (
        f"the challenger saves ${saving.estimate / 100:,.2f} a claim "
        f"({confidence:.0%} interval ${saving.low / 100:,.2f} to ${saving.high / 100:,.2f}, {claims:,} labelled claims)"
    )
    if saving.low > 0:
        return True, f"{found}: promoted"
    return False, f"{found}: the interval does not lie above zero, the champion stays"
