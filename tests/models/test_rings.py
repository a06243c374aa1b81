"""One fee over many claims, and the test that clears a burst of honest ones."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.matrix import build_matrix
from models.rings import Burst, exculpate, ring_files
from pipelines.simulate import simulate

SEEDS = st.integers(0, 100_000)


def problem(seed: int) -> tuple[np.ndarray, np.ndarray, float, float]:
    rng = np.random.default_rng(seed)
    return rng.integers(-1, 3, 8), rng.exponential(60, 8).round(), float(rng.integers(20, 200)), float(rng.integers(0, 20))


@given(SEEDS)
def test_a_file_holds_the_best_of_all_subsets_of_its_component(seed: int) -> None:
    component, gains, fee, each = problem(seed)
    found = {file.component: file.value_cents for file in ring_files(component, gains, fee, each) if file.component >= 0}
    for key in range(3):
        rows = np.flatnonzero(component == key)
        subsets = (s for size in range(1, len(rows) + 1) for s in combinations(rows, size))
        best = max((float(sum(gains[i] - each for i in s)) - fee for s in subsets), default=0.0)
        assert found.get(key, 0.0) == pytest.approx(max(best, 0.0))


@given(SEEDS)
def test_no_claim_is_in_two_files_and_every_file_is_worth_its_fee(seed: int) -> None:
    files = ring_files(*problem(seed))
    claims = [claim for file in files for claim in file.claims]
    assert len(claims) == len(set(claims))
    assert all(file.value_cents > 0 for file in files)
    assert [file.value_cents for file in files] == sorted((file.value_cents for file in files), reverse=True)


@given(SEEDS)
def test_finding_that_two_components_are_one_never_loses(seed: int) -> None:
    component, gains, fee, each = problem(seed)
    apart = sum(file.value_cents for file in ring_files(component, gains, fee, each))
    joined = np.where(component == 1, 0, component)
    assert sum(file.value_cents for file in ring_files(joined, gains, fee, each)) >= apart - 1e-9


def test_eight_small_claims_pay_for_what_none_of_them_could() -> None:
    gains = np.full(8, 40_000.0)
    assert ring_files(np.arange(8), gains, 250_000, 4_000) == ()
    assert ring_files(np.zeros(8, dtype=int), gains, 250_000, 4_000)[0].value_cents == 8 * 36_000 - 250_000


def test_claims_without_a_component_share_nothing() -> None:
    assert ring_files(np.full(8, -1), np.full(8, 40_000.0), 250_000, 4_000) == ()
    assert ring_files(np.array([-1]), np.array([300_000.0]), 250_000, 4_000)[0].claims == (0,)


@given(st.integers(1, 40))
def test_the_more_strangers_the_more_a_burst_looks_like_a_defect(claimants: int) -> None:
    found = [exculpate(claimants, strangers, 0.95, 0.3) for strangers in range(claimants + 1)]
    order = {Burst.RING: 0, Burst.OPEN: 1, Burst.DEFECT: 2}
    places = [order[each.verdict] for each in found]
    assert places == sorted(places)
    assert np.all(np.diff([each.as_defect for each in found]) >= 0)
    assert np.all(np.diff([each.as_ring for each in found]) <= 0)


def test_strangers_are_cleared_a_clique_is_not_and_two_claimants_prove_nothing() -> None:
    assert exculpate(12, 12, 0.95, 0.3).verdict is Burst.DEFECT
    assert exculpate(12, 2, 0.95, 0.3).verdict is Burst.RING
    assert exculpate(2, 2, 0.95, 0.3).verdict is Burst.OPEN
    assert exculpate(0, 0, 0.95, 0.3).verdict is Burst.OPEN


def test_what_is_like_neither_stays_open() -> None:
    between = exculpate(40, 26, 0.95, 0.3)
    assert max(between.as_defect, between.as_ring) < 0.01
    assert between.verdict is Burst.OPEN


def test_honest_bursts_are_rarely_called_rings_and_rings_rarely_cleared() -> None:
    rng = np.random.default_rng(0)
    honest = [exculpate(15, int(s), 0.9, 0.3).verdict for s in rng.binomial(15, 0.9, 500)]
    rings = [exculpate(15, int(s), 0.9, 0.3).verdict for s in rng.binomial(15, 0.3, 500)]
    assert honest.count(Burst.RING) <= 25
    assert rings.count(Burst.DEFECT) <= 25
    assert honest.count(Burst.DEFECT) >= 400


@pytest.mark.parametrize(("claimants", "strangers", "honest", "ring"), [(2, 3, 0.9, 0.3), (5, 2, 0.3, 0.9), (5, 2, 1.0, 0.3)])
def test_contradictions_are_refused(claimants: int, strangers: int, honest: float, ring: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        exculpate(claimants, strangers, honest, ring)


def test_the_defects_of_a_simulated_market_are_cleared_and_none_is_called_a_ring() -> None:
    market = simulate(orders=40_000, claims=4_000, seed=0, dirt=0.0)
    features = build_matrix(market.tables)
    claimants = features["burst_claimants_product_30d"]
    strangers = (claimants * features["burst_unlinked_share_product_30d"]).round()
    defect = market.truth.set_index("claim_id")["is_defect_burst"].reindex(features.index)
    bursts = features.index[defect & (claimants >= 3)]
    verdicts = [exculpate(int(claimants[claim]), int(strangers[claim]), 0.97, 0.4).verdict for claim in bursts]
    assert len(bursts) > 100
    assert verdicts.count(Burst.RING) == 0
    assert verdicts.count(Burst.DEFECT) > 0.8 * len(bursts)
