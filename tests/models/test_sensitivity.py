"""A price matters where another one would decide otherwise and the wrong one loses money; nothing is free, nothing negative."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.costs import AUTOMATIC
from models.policy import default_policy
from models.review import TIERS
from models.sensitivity import ACTIONS, Claims, sensitivity

POLICY = default_policy()


def drawn(seed: int, count: int = 300) -> Claims:
    rng = np.random.default_rng(seed)
    return Claims(rng.dirichlet((4, 1.5, 0.7), count), rng.lognormal(10.3, 1.5, count).astype(np.int64), rng.random(count) < 0.6)


@given(st.integers(0, 1_000))
def test_nobody_gains_by_deciding_with_the_wrong_price_and_only_changed_decisions_lose(seed: int) -> None:
    found = sensitivity(POLICY, drawn(seed, 60))
    assert (found["regret_cents"] >= -1e-6).all() and found["changed"].between(0, 1).all()
    assert (found.loc[found["changed"] == 0, "regret_cents"].abs() < 1e-6).all()
    # What one action loses another one gains.
    assert (
        np.allclose(found[list(ACTIONS)].sum(axis=1), 0) and (found[list(ACTIONS)].abs().sum(axis=1) <= 2 * found["changed"] + 1e-9).all()
    )


def test_every_price_of_the_policy_is_tried_at_half_and_at_double_and_nothing_that_is_no_price() -> None:
    found = sensitivity(POLICY, drawn(0))
    prices = set(found["price"])
    assert {"recovery.seller_share", "wrongful.customer_value_cents", "evidence.forged_share", "desk.fee_cents"} <= prices
    assert not any(name.split(".")[1] in ("minutes", "cases", "experts", "confusion", "corrected_share") for name in prices)
    doubled = found[found["price"] == "wrongful.customer_value_cents"]["tried"].tolist()
    assert doubled == [POLICY.wrongful.customer_value_cents * factor for factor in (0.5, 2)]
    # A share cannot exceed one, and what comes back of an absorbed payment is nothing either way.
    assert found.loc[found["price"] == "unsubstantiated.unowed_share", "tried"].max() == 1.0
    assert "recovery.absorbed_share" not in prices


def test_a_dearer_desk_is_asked_less_and_a_dearer_denial_denies_less() -> None:
    found = sensitivity(POLICY, drawn(1)).set_index(["price", "tried"])
    assert (
        found.loc[("desk.fee_cents", 2.0 * POLICY.desk.fee_cents), TIERS[0]]
        < 0
        < found.loc[("desk.fee_cents", POLICY.desk.fee_cents / 2), TIERS[0]]
    )
    denials = [AUTOMATIC[2], AUTOMATIC[3]]
    assert found.loc[("wrongful.customer_value_cents", 2.0 * POLICY.wrongful.customer_value_cents), denials].sum() <= 0


def test_the_regret_is_the_difference_of_the_two_decisions_under_the_tried_price() -> None:
    claims = drawn(2, 1)
    dear = replace(POLICY, desk=replace(POLICY.desk, fee_cents=2 * POLICY.desk.fee_cents))
    row = sensitivity(POLICY, claims).set_index(["price", "tried"]).loc[("desk.fee_cents", float(dear.desk.fee_cents))]
    back = sensitivity(dear, claims).set_index(["price", "tried"]).loc[("desk.fee_cents", float(POLICY.desk.fee_cents))]
    # Whoever changes a decision at the doubled fee changes it back at the declared one.
    assert row["changed"] == back["changed"] and row[TIERS[0]] == pytest.approx(-back[TIERS[0]])
