"""Slices: planted unequal treatment is found, equal treatment is not accused, and few claims are not judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.gates import Gate, Gates
from models.slices import ATTRIBUTES, Slice, attributes, compare, gate

LIMITS = Gates()


THREE = ("east", "north", "south")


def treated(
    worse: float, rows: int = 900, seed: int = 0, champion_worse: float = 0.0, regions: tuple[str, ...] = THREE
) -> tuple[tuple[Slice, ...], Gate]:
    """Valid claims of some regions, 20 % of them not paid at once, in the east so many more by the challenger."""
    rng = np.random.default_rng(seed)
    region = rng.choice(regions, rows)
    draw = rng.random((2, rows))
    rate = 0.2 + np.array([[champion_worse], [worse]]) * (region == "east")
    champion, challenger = np.where(draw < rate, "REQUEST_EVIDENCE", "PAY").astype(object)
    weights = rng.choice([1.0, 3.0], rows)
    sliced = pd.DataFrame({"region": region})
    found, (gap,) = compare(
        sliced, np.full(rows, "valid"), weights, champion, challenger, np.arange(rows) // 2, LIMITS, np.random.default_rng(1), 200
    )
    return found, gate(gap, found, LIMITS)


@pytest.mark.parametrize("seed", range(4))
def test_a_slice_whose_honest_claimants_are_paid_less_often_is_found_and_named(seed: int) -> None:
    _, found = treated(0.6, seed=seed)
    assert not found.passed and found.name == "equal treatment by region"
    assert "where it is worst (east)" in found.why


@pytest.mark.parametrize("seed", range(10))
def test_slices_treated_alike_are_not_accused(seed: int) -> None:
    _, found = treated(0.0, rows=200, seed=seed)
    assert found.passed


def test_many_small_slices_that_differ_by_chance_are_not_accused() -> None:
    refused = [not treated(0.0, rows=600, seed=seed, regions=tuple("abcdefghijklmnop"))[1].passed for seed in range(20)]
    assert sum(refused) == 0


def test_a_gap_that_the_champion_has_as_well_is_no_reason_to_keep_it() -> None:
    _, found = treated(0.6, champion_worse=0.6)
    assert found.passed and found.value > LIMITS.gap


def test_a_slice_with_few_valid_claims_is_shown_and_not_judged() -> None:
    region = np.array(["north"] * 100 + ["south"] * 100 + ["east"] * (LIMITS.slice_fewest - 1))
    actions = np.where(region == "east", "DENY_ABUSIVE", "PAY").astype(object)
    sliced, one = pd.DataFrame({"region": region}), np.ones(len(region))
    found, (gap,) = compare(
        sliced, np.full(len(region), "valid"), one, actions, actions, np.arange(len(region)), LIMITS, np.random.default_rng(0), 20
    )
    by_name = {one.name: one for one in found}
    assert not by_name["east"].judged and by_name["east"].challenger == 1.0 and by_name["north"].judged
    judged = gate(gap, found, LIMITS)
    assert judged.passed and judged.value == 0.0 and "not judged: east" in judged.why


def test_with_one_slice_there_is_nothing_to_compare() -> None:
    sliced, actions = pd.DataFrame({"region": ["north"] * 50}), np.full(50, "PAY", dtype=object)
    found, (gap,) = compare(sliced, np.full(50, "valid"), np.ones(50), actions, actions, np.arange(50), LIMITS, np.random.default_rng(0), 5)
    assert gate(gap, found, LIMITS).passed and "fewer than two slices" in gate(gap, found, LIMITS).why


def test_only_valid_examined_claims_count_and_each_by_its_weight() -> None:
    labels = np.array(["valid", "valid", "abusive", "valid"])
    actions = np.array(["PAY", "DENY_ABUSIVE", "DENY_ABUSIVE", "DENY_ABUSIVE"], dtype=object)
    sliced = pd.DataFrame({"region": ["north"] * 4})
    (found,), _ = compare(
        sliced, labels, np.array([1.0, 3.0, 9.0, 0.0]), actions, actions, np.arange(4), LIMITS, np.random.default_rng(0), 5
    )
    assert (found.claims, found.challenger) == (2, 0.75)


def test_the_order_of_claims_changes_no_share() -> None:
    rng, rows = np.random.default_rng(0), 300
    sliced = pd.DataFrame({"region": rng.choice(["east", "north"], rows)})
    actions, weights = rng.choice(["PAY", "REQUEST_EVIDENCE"], rows).astype(object), rng.random(rows)
    labels, order = rng.choice(["valid", "abusive"], rows), rng.permutation(rows)

    def shares(at: np.ndarray) -> list[Slice]:
        found, _ = compare(sliced.iloc[at], labels[at], weights[at], actions[at], actions[at], at // 3, LIMITS, np.random.default_rng(0), 5)
        return [replace(one, champion=round(one.champion, 9), challenger=round(one.challenger, 9)) for one in found]

    assert shares(np.arange(rows)) == shares(order)


def test_every_claim_has_a_slice_of_every_attribute_and_edges_belong_to_the_slice_above() -> None:
    filed = pd.Timestamp("2025-06-01", tz="UTC")
    days = [0, 30, 180, 365, 4_000]
    claims = pd.DataFrame(
        {
            "customer_id": [f"U{d}" for d in days] + ["stranger"],
            "seller_id": ["S1"] * 5 + ["stranger"],
            "filed_at": filed,
            "kind": "property",
            "amount_cents": [9_999, 10_000, 30_000, 85_000, 100_001, 1],
        }
    )
    customers = pd.DataFrame(
        {"customer_id": [f"U{d}" for d in days], "region": "north", "created_at": [filed - pd.Timedelta(days=d) for d in days]}
    )
    found = attributes(claims, customers, pd.DataFrame({"seller_id": ["S1"], "country": ["CN"]}))
    assert tuple(found.columns) == ATTRIBUTES and len(found) == 6 and not found.isna().any().any()
    ages = ["under 30 days", "30 to 180 days", "180 days to a year", "a year and more", "a year and more", "unknown"]
    assert found["account age"].tolist() == ages
    assert found["seller country"].tolist() == ["CN"] * 5 + ["unknown"] and found["region"].iloc[-1] == "unknown"
    assert found["amount"].nunique() == 5
