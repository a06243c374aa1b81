"""Champion against challenger: promoted only if later claims would have cost less money, beyond chance, and no gate refuses.

Both bundles decide the same claims, filed after everything either of them learned from. The difference of what their automatic
decisions really cost is weighted by one over the propensity of the label, so that it speaks for all claims, reviewed or not;
the other gates (:mod:`models.gates`, :mod:`models.slices`) make sure that money is not saved at somebody's expense.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from data_contracts import Action
from models import calibration_gate, slices
from models import gates as gate
from models.calibration_gate import calibrated
from models.classifier import ABUSIVE
from models.costs import least_cost, realised_cost
from models.experts import stated_probabilities
from models.gates import Fitness, Gate, Gates
from models.metrics import Interval, auc, average_precision, cluster_bootstrap, cluster_bootstraps, log_loss, summary
from models.policy import Policy
from models.risk import Guarantee
from models.slices import Slice


@dataclass(frozen=True)
class Later:
    """Claims filed after both models were trained; every array is by claim.

    Parameters
    ----------
    labels, sources
        Class as known, and who stated it; empty text where nobody did.
    weights, stands_for
        Weight of the label, and how many claims it was drawn for; 0 where nobody examined: such a claim has no say, except in how
        many are accused.
    amount_cents, insured
        As in :func:`models.costs.cost_matrix`.
    groups
        Which claims belong together (customers), for the intervals.
    sliced
        Slices by attribute, from :func:`models.slices.attributes`.
    """

    labels: np.ndarray
    sources: np.ndarray
    weights: np.ndarray
    stands_for: np.ndarray
    amount_cents: np.ndarray
    insured: np.ndarray
    groups: np.ndarray
    sliced: pd.DataFrame


@dataclass(frozen=True)
class Opinion:
    """What a model makes of the claims: probabilities, shape (claims, 3), automatic actions, shape (claims,), and its guarantee."""

    proba: np.ndarray
    action: np.ndarray
    guarantee: Guarantee | None = None


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
    costs
        Cents a claim loses: everything paid, champion, challenger, class known.
    gates
        What every gate said, money first.
    slices
        Every slice of the valid labelled claims.
    """

    promote: bool
    why: str
    claims: int
    saving_cents: Interval
    champion: Mapping[str, float]
    challenger: Mapping[str, float]
    costs: Mapping[str, float] = field(default_factory=dict)
    gates: tuple[Gate, ...] = ()
    slices: tuple[Slice, ...] = ()


def judge(
    policy: Policy,
    later: Later,
    champion: Opinion,
    challenger: Opinion,
    fitness: Fitness,
    rng: np.random.Generator,
    limits: Gates | None = None,
    confusions: Mapping[str, np.ndarray] | None = None,
    draws: int = 400,
) -> Verdict:
    """Let every gate speak about two models that decided the same later claims.

    Parameters
    ----------
    policy
        Prices, and the bound on accusing.
    later
        The claims.
    champion, challenger
        What each model makes of them.
    fitness
        What it takes to run them.
    rng, draws
        Of the bootstrap.
    limits
        Of the gates; the defaults where left out.
    confusions
        How each source of labels errs (:func:`models.policy.label_confusions`): probabilities of the truth are then compared with what
        each source would have stated. Without it labels are taken for the truth.

    Returns
    -------
    Verdict
        ``promote`` is true only if every gate lets the challenger pass; the money gate refuses equals, so equals never do.
    """
    limits = limits or Gates()
    known = np.flatnonzero(later.weights > 0)
    lost = _losses(policy, later, known, {"champion": champion, "challenger": challenger})
    saving = _saving(lost["champion"] - lost["challenger"], later, known, rng, limits, draws)
    labels, weights = later.labels[known], later.weights[known]
    stated = [stated_probabilities(one.proba[known], later.sources[known], confusions or {}) for one in (champion, challenger)]
    metrics = [summary(labels, proba, weights) for proba in stated]
    # The same draws for both, so that equal models are equal.
    luck = int(rng.integers(2**32))
    before, after = (
        calibrated(labels, p, weights, later.groups[known], np.random.default_rng(luck), limits.ece_confidence, draws) for p in stated
    )
    sliced, gaps = slices.compare(
        later.sliced, later.labels, later.weights, champion.action, challenger.action, later.groups, limits, rng, draws
    )
    accused = [gate.accused(opinion.action) for opinion in (champion, challenger)]
    found = (
        gate.money(saving, len(known), limits),
        gate.accusations(later.labels, later.stands_for, accused[0], accused[1], challenger.guarantee, policy.harm),
        calibration_gate.gate(before, after, limits),
        gate.latency(fitness, limits),
        gate.size(fitness, limits),
        gate.parity(fitness.parity),
        *(slices.gate(gap, sliced, limits) for gap in gaps),
    )
    costs = {name: float(np.average(cents, weights=weights)) for name, cents in lost.items()} if len(known) else {}
    return Verdict(
        all(one.passed for one in found), _why(found), len(known), saving, metrics[0], metrics[1], costs, gates=found, slices=sliced
    )


def compared(
    later: Later,
    champion: Opinion,
    challenger: Opinion,
    rng: np.random.Generator,
    confusions: Mapping[str, np.ndarray] | None = None,
    draws: int = 100,
) -> dict[str, tuple[Interval, Interval, Interval]]:
    """Return metrics of champion and challenger and their difference (challenger − champion), with 95 % intervals of the same resamples.

    Parameters
    ----------
    later, champion, challenger, rng, confusions, draws
        As in :func:`judge`.
    """
    known = np.flatnonzero(later.weights > 0)
    labels, weights = later.labels[known], later.weights[known]
    stated = [stated_probabilities(one.proba[known], later.sources[known], confusions or {}) for one in (champion, challenger)]

    def everything(rows: np.ndarray) -> dict[str, float]:
        found: dict[str, float] = {}
        for name, metric in _COMPARED.items():
            values = [metric(labels[rows], proba[rows], weights[rows]) for proba in stated]
            found |= {f"{name}\n{k}": value for k, value in enumerate((*values, values[1] - values[0]))}
        return found

    drawn = cluster_bootstraps(everything, later.groups[known], rng, draws)
    return {name: (drawn[f"{name}\n0"], drawn[f"{name}\n1"], drawn[f"{name}\n2"]) for name in _COMPARED}


_COMPARED: Mapping[str, Callable[[np.ndarray, np.ndarray, np.ndarray], float]] = {
    "log-loss": log_loss,
    "AUC, abusive against the rest": lambda labels, proba, weights: auc(labels, proba[:, ABUSIVE], weights),
    "average precision, abusive": lambda labels, proba, weights: average_precision(labels, proba[:, ABUSIVE], weights),
}


def _losses(policy: Policy, later: Later, known: np.ndarray, opinions: Mapping[str, Opinion]) -> dict[str, np.ndarray]:
    """Return what each labelled claim would have cost under every way of deciding."""
    labels, amount, insured = later.labels[known], later.amount_cents[known], later.insured[known]
    paid = np.full(len(known), Action.PAY.value, dtype=object)
    actions = {"everything paid": paid, **{name: opinion.action[known] for name, opinion in opinions.items()}}
    lost = {name: realised_cost(policy, action, labels, amount, insured) for name, action in actions.items()}
    return {**lost, "class known": least_cost(policy, labels, amount, insured)}


def _saving(saved: np.ndarray, later: Later, known: np.ndarray, rng: np.random.Generator, limits: Gates, draws: int) -> Interval:
    weights = later.weights[known]

    def per_claim(rows: np.ndarray) -> float:
        total = weights[rows].sum()
        return float((weights[rows] * saved[rows]).sum() / total) if total > 0 else float("nan")

    return cluster_bootstrap(per_claim, later.groups[known], rng, draws, limits.money_confidence)


def _why(found: tuple[Gate, ...]) -> str:
    first = found[0]
    refused = [one for one in found[1:] if not one.passed]
    if not first.passed:
        return f"{first.why}, the champion stays"
    if refused:
        return f"{first.why}, but {'; '.join(f'{one.name}: {one.why}' for one in refused)}; the champion stays"
    return f"{first.why}: promoted"
