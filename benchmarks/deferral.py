"""Who should look at which borderline claim: ways of deferring to experts under capacity, on the same claims and the same experts.

Claims come from simulated markets with a really trained model, experts from the generator of OpenL2D extended to three classes. Every way
has the same history of answers, the same capacity and, unless said, prices the answers with the same beliefs about experts (ours), so
that what is compared is who sees what. Except for *learned*, every way is told the truth of all cases in the history, as DeCCaF needs it.
*Confusions* is ours without features of the case: our linear leanings have the generator's own form, which flatters them.
Markets 51 and 52 served to choose settings; 0 to 4 are measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from benchmarks._deferral_cases import Cases, borderline
from benchmarks._deferral_trial import ANSWERS_EACH, EXPERTS, OVERLAP, Learned, Trial, capacities, history
from benchmarks._record import record
from benchmarks.peers import deccaf, one_vs_all
from data_contracts import LABELS
from models.assignment import assign
from models.consensus import consensus
from models.leanings import leanings
from models.looks import Look, look_values
from models.policy import Policy, default_policy
from pipelines.simulate.panel import answer_probabilities, hire_panel

SEEDS, PANELS = range(5), 3
ORDERS, CLAIMS, LIVE_MONTHS = 200_000, 36_000, 9

_PAIRS = {
    "cost_vs_deccaf": ("ours", "deccaf"),
    "cost_vs_deccaf_as_published": ("ours", "deccaf_as_published"),
    "cost_vs_one_vs_all": ("ours", "one_vs_all"),
    "cost_vs_random": ("ours", "random"),
    "cost_vs_score_ordered": ("ours", "score_ordered"),
    "cost_vs_first_in_first_out": ("ours", "first_in_first_out"),
    "cost_vs_oracle": ("ours", "oracle"),
    "cost_learned_vs_deccaf": ("ours_learned", "deccaf"),
    "cost_confusions_vs_deccaf": ("ours_confusions", "deccaf"),
    "cost_learned_confusions_vs_known": ("ours_confusions_learned", "ours_confusions_known"),
    "deccaf_vs_random": ("deccaf", "random"),
}


def main() -> int:
    """Run every market and panel, print the table and write ``results/deferral.json``."""
    policy, rows = default_policy(), []
    for seed in SEEDS:
        cases = borderline(seed, policy, ORDERS, CLAIMS, LIVE_MONTHS)
        for number in range(PANELS):
            rows.append({"seed": seed, "panel": number} | measure(cases, policy, np.random.default_rng([seed, number, 5])))
            print(f"   market {seed}, panel {number}: " + ", ".join(f"{k} {v:,.0f}" for k, v in rows[-1]["cost"].items()), flush=True)
    result = summary(rows) | {"rows": [{k: v for k, v in row.items() if k != "batches"} for row in rows]}
    result["metrics"] |= solve_times()
    record("deferral", result, ("numpy", "numba", "ortools", "lightgbm", "scikit-learn", "scipy"))
    for section in ("ratios", "metrics"):
        for key, value in sorted(result[section].items()):
            print(f"   {key:46s} {value if isinstance(value, list) else round(value, 3)}")
    return 0


def measure(cases: Cases, policy: Policy, rng: np.random.Generator) -> dict[str, Any]:
    """Hire a panel, let it build up a history on the earlier cases, and defer the later ones in every way."""
    panel = hire_panel(EXPERTS, cases.features, cases.shown, cases.truth, rng)
    past = min(len(cases) * 2 // 3, round(EXPERTS * ANSWERS_EACH / (1 + OVERLAP)))
    learned, later = history(panel, cases, past, rng), cases.only(slice(past, None))
    chances = answer_probabilities(panel, cases.features, cases.shown, cases.truth)
    price = float(policy.desk.fee_cents + policy.desk.delay_cents)
    trial = Trial(later, chances[past:], price, capacities(len(later), rng))
    known = np.stack([chances[:past][cases.truth[:past] == y].mean(axis=0) for y in range(len(LABELS))], axis=1)
    every = [answer_probabilities(panel, cases.features, cases.shown, np.full(len(cases), y))[past:] for y in range(len(LABELS))]
    beliefs = _beliefs(learned, cases, past, np.array(policy.desk.confusion))
    beliefs |= {"ours_confusions_known": np.broadcast_to(known, beliefs["ours"].shape), "oracle": np.stack(every, axis=2)}
    costs = ways(trial, learned, beliefs, cases, rng)
    shares = np.bincount(cases.truth, minlength=len(LABELS)) / len(cases)
    skill = np.einsum("eyy,y->e", known, shares)
    ranked = {name: np.einsum("neyy,y->e", beliefs[name], shares) for name in ("ours", "ours_learned", "ours_confusions_learned")}
    return {
        "cost": {name: float(cost.mean()) for name, cost in costs.items()},
        "batches": {name: [float(cost[rows].sum()) for rows in trial.batches()] for name, cost in costs.items()},
        "claims": len(later),
        "spearman": {name: float(spearmanr(skill, estimate).statistic) for name, estimate in ranked.items()},
    }


def _beliefs(learned: Learned, cases: Cases, past: int, prior: np.ndarray) -> dict[str, np.ndarray]:
    """Return what is believed of each expert on each later case, shape (cases, experts, 3, 3), by how it was learned."""
    taught = replace(learned.answers, gold=learned.truth)
    shown = cases.proba[past:] - cases.proba.mean(axis=0)
    found = {"ours": consensus(taught, prior), "ours_learned": consensus(learned.answers, prior)}
    swayed = {name: leanings(learned.answers, each, cases.features[:past]) for name, each in found.items()}
    beliefs = {name: each.on(cases.features[past:], shown) for name, each in swayed.items()}
    return beliefs | {"ours_confusions": found["ours"].on(shown), "ours_confusions_learned": found["ours_learned"].on(shown)}


def ways(trial: Trial, learned: Learned, beliefs: dict[str, np.ndarray], cases: Cases, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return what each claim costs under every way of deferring."""
    said, later = learned.answers, trial.cases
    ends = {name: trial.ends(belief) for name, belief in beliefs.items()}
    inputs = np.column_stack([cases.features, cases.proba])
    past, asked = inputs[said.case], inputs[-len(later) :]
    truth, score = learned.truth[said.case], later.proba[:, LABELS.index("abusive")]
    joint = deccaf.outcomes(past, said.expert, truth, said.label, asked, EXPERTS)
    right = one_vs_all.rightness(past, said.expert, said.label == truth, asked, EXPERTS)
    found = {
        "nobody": np.full(len(later), -1),
        "random": _slots(trial, rng, lambda rows: rng.permutation(len(rows))),
        "first_in_first_out": _slots(trial, rng, lambda rows: np.arange(len(rows))),
        "score_ordered": _slots(trial, rng, lambda rows: np.argsort(-score[rows], kind="stable")),
        "one_vs_all": trial.in_batches(lambda rows, room: one_vs_all.assign(score[rows], right[rows], room)),
        "deccaf": _deccaf(trial, joint, ends["ours"]),
        "deccaf_as_published": _deccaf(trial, joint, trial.obeyed()),
    }
    found |= {name: _ours(trial, belief) for name, belief in beliefs.items()}
    led_to = ends | {"deccaf_as_published": trial.obeyed()}
    return {name: trial.cost(expert, led_to.get(name, ends["ours"])) for name, expert in found.items()}


def _ours(trial: Trial, beliefs: np.ndarray) -> np.ndarray:
    looks = [Look(trial.price, beliefs[:, expert]) for expert in range(EXPERTS)]
    values = look_values(looks, trial.cases.proba, trial.cases.costs, trial.cases.automatic[1])
    return trial.in_batches(lambda rows, room: assign(values[rows], room).expert)


def _deccaf(trial: Trial, joint: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Assign by expected costs under the joint outcomes; the automatic action is the last agent and takes what is left."""
    everyone = np.arange(len(trial.cases))
    led_to = np.take_along_axis(trial.cases.costs[:, None], ends[..., None], axis=2)  # (cases, experts, answers, truths)
    looked = np.einsum("neya,neay->ne", joint, led_to) + trial.price
    alone = (joint.sum(axis=3).mean(axis=1) * trial.cases.costs[everyone, trial.cases.automatic[0]]).sum(axis=1)
    costs = np.column_stack([looked, alone])

    def solve(rows: np.ndarray, room: np.ndarray) -> np.ndarray:
        agent = deccaf.assign(costs[rows], np.append(room, len(rows) - room.sum()))
        return np.where(agent < EXPERTS, agent, -1)

    return trial.in_batches(solve)


def _slots(trial: Trial, rng: np.random.Generator, order: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Give the first cases of an order to experts drawn at random from those with room."""

    def choose(rows: np.ndarray, room: np.ndarray) -> np.ndarray:
        slots, expert = rng.permutation(np.repeat(np.arange(EXPERTS), room)), np.full(len(rows), -1)
        expert[order(rows)[: len(slots)]] = slots
        return expert

    return trial.in_batches(choose)


def summary(rows: list[dict[str, Any]], draws: int = 2000) -> dict[str, Any]:
    """Return ratios of ours to the others with paired 95 % intervals: markets, then batches, drawn with replacement."""
    names = list(rows[0]["cost"])
    sums = [np.array([row["batches"][name] for name in names]) for row in rows]
    markets, rng = sorted({row["seed"] for row in rows}), np.random.default_rng(0)

    def total(chosen: np.ndarray) -> np.ndarray:
        of = [batch for market in chosen for row, batch in zip(rows, sums, strict=True) if row["seed"] == market]
        return np.sum([batch[:, rng.integers(0, batch.shape[1], batch.shape[1])].sum(axis=1) for batch in of], axis=0)

    exact = np.sum([batch.sum(axis=1) for batch in sums], axis=0)
    drawn = np.array([total(rng.choice(markets, len(markets))) for _ in range(draws)])
    ratios, metrics = {}, {}
    for key, (top, bottom) in _PAIRS.items():
        above, below = names.index(top), names.index(bottom)
        ratios[key] = float(exact[above] / exact[below])
        metrics[f"{key}_interval"] = np.quantile(drawn[:, above] / drawn[:, below], [0.025, 0.975]).round(4).tolist()
    claims = sum(row["claims"] for row in rows)
    metrics |= {f"dollars_per_100_{name}": float(cents / claims) for name, cents in zip(names, exact, strict=True)}
    for name in rows[0]["spearman"]:
        ranked = [row["spearman"][name] for row in rows]
        metrics |= {f"spearman_{name}_mean": float(np.mean(ranked)), f"spearman_{name}_min": float(min(ranked))}
    return {"ratios": ratios, "metrics": metrics | {"claims": claims, "markets": len(markets)}}


def solve_times(cases: int = 10_000, experts: int = 50) -> dict[str, float]:
    """Time the assignment of one large batch: values made of lognormal stakes and uneven skill, room for three quarters."""
    rng = np.random.default_rng(0)
    skill = rng.uniform(0.3, 0.5, (cases, experts)) + rng.normal(0, 0.05, (1, experts))
    values = rng.lognormal(6, 1.2, (cases, 1)) * 100 * skill - 6_300
    room = np.full(experts, cases * 3 // 4 // experts)
    assign(values[:100], room)  # compiled
    began = time.perf_counter()
    found = assign(values, room)
    seconds = time.perf_counter() - began
    return {f"solve_seconds_{cases}x{experts}": seconds, f"solve_gap_cents_{cases}x{experts}": found.gap}
