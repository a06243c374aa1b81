"""A challenger's decisions beside the champion's: where they differ, and what the difference would have been worth as far as is known.

The batch and the endpoint store what the challenger would have done with the same features, prices and capacity; nobody acts on it.
That needs no labels to show how many claimants it would treat otherwise, and with labels it shows money, before any promotion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.consequences import consequences
from models.decision import decide
from models.evaluation import PROBABILITIES
from models.metrics import Interval, cluster_bootstrap
from models.policy import Policy


@dataclass(frozen=True)
class Shadowed:
    """What a challenger would have done.

    Parameters
    ----------
    bundle
        Its hash.
    claims
        Claims that both decided.
    agree
        Share of them with the same action.
    moved
        How many claims went from an action of the champion (index) to one of the challenger (columns).
    labelled
        Examined claims among them.
    saved_cents
        Saving per claim by the challenger over all claims, from the labelled ones by weight, with its 95 % interval; NaN without any.
    """

    bundle: str
    claims: int
    agree: float
    moved: pd.DataFrame
    labelled: int
    saved_cents: Interval


def beside(
    policy: Policy,
    decisions: pd.DataFrame,
    shadows: pd.DataFrame,
    claims: pd.DataFrame,
    insured: np.ndarray,
    known: pd.DataFrame,
    rng: np.random.Generator,
    draws: int = 200,
) -> tuple[Shadowed, ...]:
    """Compare the decisions of every challenger with the champion's on the same claims.

    Parameters
    ----------
    policy
        Prices.
    decisions
        Rows of the decisions contract.
    shadows
        ``claim_id``, ``bundle``, ``action`` and the three probabilities, one row per claim and challenger.
    claims, insured
        ``claim_id``, ``customer_id`` and ``amount_cents`` of the decided claims, and whether each seller is known to be insured.
    known
        Labels, from :func:`models.labels.as_known`.
    rng, draws
        Of the bootstrap over customers.

    Returns
    -------
    tuple
        One :class:`Shadowed` per challenger that decided any of them, in the order of their hashes.

    Notes
    -----
    A reviewed claim is charged with fee, delay and what follows from an expert's answer on average, whoever sent it there. Which
    claims have labels was the champion's choice; the weights 1/propensity make up for that, as everywhere.
    """
    labels = known.loc[known["weight"] > 0, ["claim_id", "label", "weight"]]
    facts = claims[["claim_id", "customer_id", "amount_cents"]].assign(insured=insured)
    first = decisions[["claim_id", "action", "automatic_action", *PROBABILITIES]].merge(facts, on="claim_id", validate="one_to_one")
    rows = first.merge(labels, on="claim_id", how="left", validate="one_to_one")
    found = []
    for bundle, own in shadows.groupby("bundle", sort=True):
        both = rows.merge(own[["claim_id", "action", *PROBABILITIES]], on="claim_id", suffixes=("", "_beside"), validate="one_to_one")
        if len(both):
            found.append(_compared(policy, str(bundle), both, rng, draws))
    return tuple(found)


def _compared(policy: Policy, bundle: str, both: pd.DataFrame, rng: np.random.Generator, draws: int) -> Shadowed:
    theirs = both.assign(**{name: both[f"{name}_beside"] for name in ("action", *PROBABILITIES)})
    labelled = both["weight"].notna().to_numpy()
    saved = _costs(policy, both[labelled]) - _costs(policy, theirs[labelled])
    weight, groups = both.loc[labelled, "weight"].to_numpy(dtype=np.float64), both.loc[labelled, "customer_id"].to_numpy()

    def per_claim(rows: np.ndarray) -> float:
        return float(np.average(saved[rows], weights=weight[rows])) if len(rows) else float("nan")

    return Shadowed(
        bundle,
        len(both),
        float((both["action"] == theirs["action"]).mean()),
        pd.crosstab(both["action"], theirs["action"].rename("beside")),
        int(labelled.sum()),
        cluster_bootstrap(per_claim, groups, rng, draws),
    )


def _costs(policy: Policy, rows: pd.DataFrame) -> np.ndarray:
    """Return what labelled claims cost as decided; what would follow without experts is of no interest here and only filled in."""
    amount, insured = rows["amount_cents"].to_numpy(), rows["insured"].to_numpy(dtype=bool)
    proba = rows[PROBABILITIES].to_numpy(dtype=np.float64)
    whole = rows.assign(automatic_action=decide(policy, proba, amount, insured)["automatic_action"].to_numpy())
    automatic = ~rows["action"].isin(("DESK", "INVESTIGATE"))
    whole["automatic_action"] = whole["action"].where(automatic, whole["automatic_action"])
    return consequences(policy, whole, rows["label"].to_numpy(dtype=object), amount, insured).cost_cents
