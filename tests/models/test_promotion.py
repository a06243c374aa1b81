"""Promotion: only money beyond chance moves the champion, and any gate can stop it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_contracts import LABELS
from models.costs import AUTOMATIC, cost_matrix
from models.decision import decide
from models.gates import Fitness, Gates, Parity
from models.policy import default_policy
from models.promotion import Later, Opinion, Verdict, compared, judge
from models.risk import NEVER, Guarantee
from tests.models.synthetic import sample

POLICY = default_policy()
FIT = Fitness(1.0, 1.0, 1_000, 1_000, Parity(True, True, (), 5, ()))
FEWEST = Gates().fewest
PROMISE = Guarantee(0.9, 0.01, 0.95, 1_000, 10.0, 0.0)
# Slices of this sample are drawn at random and few claims decide each; what slices say has tests of its own.
OPEN = Gates(gap=1.0)


@dataclass(frozen=True)
class Case:
    """Later claims and two opinions about them: what each claim's chances really are, and the same for all."""

    knowing: np.ndarray
    blind: np.ndarray
    later: Later

    def opinion(self, proba: np.ndarray, guarantee: Guarantee | None = PROMISE) -> Opinion:
        action = decide(POLICY, proba, self.later.amount_cents, self.later.insured)["automatic_action"].to_numpy(dtype=object)
        return Opinion(proba, action, guarantee)

    def judge(self, champion: np.ndarray, challenger: np.ndarray, fit: Fitness = FIT, limits: Gates = OPEN, **how: Any) -> Verdict:
        return judge(POLICY, self.later, self.opinion(champion), self.opinion(challenger), fit, np.random.default_rng(0), limits, **how)


def case(rows: int, seed: int = 0) -> Case:
    data, rng = sample(max(rows, 2), seed), np.random.default_rng(seed)
    weights = rng.choice([1.0, 20.0, 0.0], len(data.labels), p=[0.8, 0.15, 0.05])
    amount, groups = data.claims["amount_cents"].to_numpy(), data.claims["customer_id"].to_numpy()
    sliced = pd.DataFrame({"region": rng.choice(["north", "south"], len(amount)), "claim kind": data.claims["kind"].to_numpy()})
    sources = np.full(len(amount), "audit", dtype=object)
    columns = (data.labels, sources, weights, weights, amount, rng.random(len(amount)) < 0.5, groups)
    later = Later(*(values[:rows] for values in columns), sliced=sliced.iloc[:rows])
    return Case(data.truth[:rows], np.tile(data.truth.mean(axis=0), (rows, 1)), later)


def names(verdict: Verdict) -> list[str]:
    """The gates that refused."""
    return [gate.name for gate in verdict.gates if not gate.passed]


@pytest.mark.parametrize("seed", range(5))
def test_equal_models_are_never_promoted(seed: int) -> None:
    found = case(400, seed)
    verdict = found.judge(found.knowing, found.knowing.copy())
    assert not verdict.promote and "money" in names(verdict)
    assert (verdict.saving_cents.estimate, verdict.saving_cents.low, verdict.saving_cents.high) == (0.0, 0.0, 0.0)
    assert verdict.champion == verdict.challenger
    assert "the champion stays" in verdict.why


def test_a_clearly_better_challenger_is_promoted_and_a_worse_one_is_not() -> None:
    found = case(1200)
    better, worse = found.judge(found.blind, found.knowing), found.judge(found.knowing, found.blind)
    assert names(better) == []
    assert better.promote and better.saving_cents.low > 0 and better.why.endswith("promoted")
    assert not worse.promote and worse.saving_cents.high < 0
    assert better.saving_cents.estimate == pytest.approx(-worse.saving_cents.estimate)
    assert better.claims == (found.later.weights > 0).sum()
    assert better.challenger["log_loss"] < better.champion["log_loss"]
    costs = better.costs
    assert costs["class known"] < costs["challenger"] < costs["champion"]
    assert costs["champion"] - costs["challenger"] == pytest.approx(better.saving_cents.estimate)


@pytest.mark.parametrize("rows", [0, 1, FEWEST - 1])
def test_fewer_labels_than_the_fewest_promote_nobody_however_good(rows: int) -> None:
    found = case(rows)
    found = replace(found, later=replace(found.later, weights=np.ones(rows), stands_for=np.ones(rows)))
    verdict = found.judge(found.blind, found.knowing)
    assert not verdict.promote and verdict.claims == rows
    assert verdict.why == f"only {rows} labelled claims are later than both models, at least {FEWEST} are needed, the champion stays"


def test_the_saving_is_the_weighted_difference_of_what_the_decisions_cost() -> None:
    found = case(300, seed=3)
    later = found.later
    table = cost_matrix(POLICY, later.amount_cents, later.insured)
    total = []
    for proba in (found.blind, found.knowing):
        action = found.opinion(proba).action
        each = [table[i, AUTOMATIC.index(a), LABELS.index(y)] for i, (a, y) in enumerate(zip(action, later.labels, strict=True))]
        total.append((later.weights * each).sum() / later.weights.sum())
    assert found.judge(found.blind, found.knowing).saving_cents.estimate == pytest.approx(total[0] - total[1])


def test_a_stricter_confidence_never_promotes_what_a_laxer_one_refuses() -> None:
    found = case(250, seed=3)
    opinions = (found.blind, 0.9 * found.blind + 0.1 * found.knowing)
    verdicts = [found.judge(*opinions, limits=replace(OPEN, ece=1.0, money_confidence=level)) for level in (0.5, 0.8, 0.9, 0.99)]
    lows = [verdict.saving_cents.low for verdict in verdicts]
    assert lows == sorted(lows, reverse=True)
    assert [v.promote for v in verdicts] == sorted((v.promote for v in verdicts), reverse=True)
    assert verdicts[0].promote and not verdicts[-1].promote


def test_claims_that_nobody_examined_have_no_say_but_in_how_many_are_accused() -> None:
    found = case(600, seed=2)
    turned = np.where(found.later.weights == 0, "abusive", found.later.labels)
    other = replace(found, later=replace(found.later, labels=turned))
    assert other.judge(found.blind, found.knowing) == found.judge(found.blind, found.knowing)


@pytest.mark.parametrize(
    ("gate", "how"),
    [
        ("latency", {"fit": replace(FIT, challenger_ms=100.0)}),
        ("size", {"fit": replace(FIT, challenger_bytes=10**9)}),
        ("feature parity", {"fit": replace(FIT, parity=Parity(True, True, (), 5, ("claims.amount_cents",)))}),
        ("calibration", {"limits": replace(OPEN, ece=-1.0, ece_margin=-1.0)}),
        ("equal treatment by claim kind", {"limits": replace(OPEN, gap=-1.0, gap_margin=-2.0)}),
    ],
)
def test_every_gate_alone_turns_a_promotion_into_a_refusal_and_says_so(gate: str, how: dict[str, Any]) -> None:
    found = case(1200)
    verdict = found.judge(found.blind, found.knowing, **how)
    assert not verdict.promote and gate in names(verdict) and "money" not in names(verdict)
    assert gate in verdict.why and verdict.why.endswith("the champion stays")


def test_accusations_that_nothing_bounds_turn_a_promotion_into_a_refusal() -> None:
    found = case(1200)
    bold = replace(found.opinion(found.knowing, None), action=np.where(found.knowing[:, 2] > 0.5, "DENY_ABUSIVE", "PAY").astype(object))
    verdict = judge(POLICY, found.later, found.opinion(found.blind), bold, FIT, np.random.default_rng(0), OPEN)
    assert "wrongful accusations" in names(verdict) and not verdict.promote


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("fewest", (0, 100, 10_000)),
        ("ece", (0.2, 0.05, -1.0)),
        ("ece_margin", (0.5, 0.05, -1.0)),
        ("slower", (20.0, 2.0, 1.0)),
        ("free_ms", (20.0, 10.0, 1.0)),
        ("larger", (8.0, 2.0, 1.0)),
        ("free_bytes", (9_000_000, 5_000_000, 10)),
        ("gap", (1.0, 0.25, -1.0)),
        ("gap_margin", (1.0, 0.05, -2.0)),
    ],
)
def test_tightening_a_limit_never_turns_a_refusal_into_a_promotion(name: str, values: tuple[float, ...]) -> None:
    found = case(700, seed=4)
    fit = replace(FIT, challenger_ms=15.0, champion_bytes=500_000, challenger_bytes=3_900_000)
    # The partner of a limit, of which the larger counts, is out of the way.
    partner = {"ece": "ece_margin", "gap": "gap_margin", "slower": "free_ms", "larger": "free_bytes"}
    partner |= {b: a for a, b in partner.items()}
    low = {"ece": -1.0, "ece_margin": -1.0, "gap": -1.0, "gap_margin": -3.0, "slower": 0.0, "free_ms": 0.0, "larger": 0.0, "free_bytes": 0}
    open_gates = replace(OPEN, free_ms=1e9, free_bytes=10**12, ece=1.0)
    base = replace(open_gates, **{partner[name]: low[partner[name]]}) if name in partner else open_gates
    promoted = [
        found.judge(found.blind, found.knowing, fit, replace(base, **{name: value}), draws=40).promote  # type: ignore[arg-type]
        for value in values
    ]
    assert promoted == sorted(promoted, reverse=True)
    assert promoted[0] and not promoted[-1]


def test_a_model_compared_with_itself_differs_by_nothing_and_a_better_one_by_more_than_chance() -> None:
    found = case(800)
    knowing, blind = found.opinion(found.knowing), found.opinion(found.blind)
    for _, _, difference in compared(found.later, knowing, knowing, np.random.default_rng(0), draws=20).values():
        assert (difference.estimate, difference.low, difference.high) == (0.0, 0.0, 0.0)
    metrics = compared(found.later, blind, knowing, np.random.default_rng(0), draws=50)
    assert metrics["log-loss"][2].high < 0 < metrics["AUC, abusive against the rest"][2].low


def test_a_guarantee_that_never_accuses_is_as_good_as_any() -> None:
    found = case(1200)
    silent = replace(found.opinion(found.knowing, Guarantee(NEVER, 0.01, 0.95, 10, 0.0, 0.0)))
    silent = replace(silent, action=np.where(silent.action == "DENY_ABUSIVE", "DENY_UNSUBSTANTIATED", silent.action))
    verdict = judge(POLICY, found.later, found.opinion(found.blind), silent, FIT, np.random.default_rng(0), OPEN)
    assert "wrongful accusations" not in names(verdict)
