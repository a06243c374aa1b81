"""Sets forbid mistakes and nothing else; what they bound holds as often as stated; a stricter bound never settles more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts import LABELS
from models.costs import AUTOMATIC
from models.policy import Harm, Policy, PolicyError, default_policy
from models.risk import NEVER, Guarantee
from models.sets import MISTAKES, certified_sets, forbidden
from models.stages import Priced, priced_by
from tests.models.test_policy import TEXT

POLICY = default_policy()
FREE = Guarantee(0.0, 1.0, 0.95, 0, 0.0, 0.0)
"""Lets everybody be accused, so that only sets forbid."""


def drawn(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    proba = rng.dirichlet((2, 1, 0.6), n)
    return proba, np.array(LABELS)[(proba.cumsum(axis=1)[:, :-1] < rng.random((n, 1))).sum(axis=1)]


def bounds(shares: tuple[float, float, float]) -> Harm:
    return Harm(0.01, 0.95, 1.0, *shares)


def priced(proba: np.ndarray, amount: np.ndarray, guarantee: Guarantee) -> Priced:
    return priced_by(POLICY, guarantee, proba, amount, np.ones(len(proba), dtype=bool), (f"C{k}" for k in range(len(proba))))


def by_hand(proba: np.ndarray, thresholds: tuple[float, ...]) -> list[list[str]]:
    """What remains, claim by claim, in the words of the rule."""
    left = []
    for row in proba:
        held = [label for label, p, least in zip(LABELS, row, thresholds, strict=True) if p >= least]
        left.append([action for action in AUTOMATIC if not any(action in MISTAKES[label] for label in held)])
    return left


@given(st.integers(0, 10_000), st.tuples(*[st.sampled_from((0.0, 0.1, 0.3, 0.6, NEVER))] * 3))
def test_an_action_is_forbidden_exactly_where_it_would_be_a_mistake_on_a_class_of_the_set(seed: int, sets: tuple[float, ...]) -> None:
    proba, _ = drawn(np.random.default_rng(seed), 20)
    assert [np.array(AUTOMATIC)[~row].tolist() for row in forbidden(proba, sets)] == by_hand(proba, sets)


def test_every_set_leads_where_its_meaning_says() -> None:
    every = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)], dtype=float)
    left = [np.array(AUTOMATIC)[~row].tolist() for row in forbidden(every, (0.5, 0.5, 0.5))]
    names = ["+".join(label for label, held in zip(LABELS, row, strict=True) if held) for row in every]
    pay, ask, deny, accuse = AUTOMATIC
    assert dict(zip(names, left, strict=True)) == {
        "": [pay, ask, deny, accuse],
        "valid": [pay, ask],
        "unsubstantiated": [ask, deny],
        "abusive": [ask, deny, accuse],
        "valid+unsubstantiated": [ask],
        "valid+abusive": [ask],
        "unsubstantiated+abusive": [ask, deny],
        "valid+unsubstantiated+abusive": [ask],
    }


@pytest.mark.parametrize("weighted", [False, True])
def test_of_the_claims_of_a_class_no_larger_share_is_settled_as_another_than_stated(weighted: bool) -> None:
    """Over many draws of labels the mean share is within the bound: that is what the conformal quantile promises."""
    shares, found = (0.02, 0.2, 0.3), []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        proba, truth = drawn(rng, 3_000)
        # Claims that look abusive are examined more often; weights put that right.
        seen = rng.random(3_000) < (np.where(proba[:, 2] > 0.2, 0.9, 0.3) if weighted else 0.5)
        weight = 1 / np.where(proba[seen, 2] > 0.2, 0.9, 0.3) if weighted else np.ones(seen.sum())
        sets = certified_sets(proba[seen], truth[seen], weight, bounds(shares))
        later, classes = drawn(rng, 3_000)
        action = priced(later, rng.lognormal(10.3, 1.2, 3_000).astype(np.int64), replace(FREE, sets=sets)).automatic
        found.append([np.isin(action[classes == label], MISTAKES[label]).mean() for label in LABELS])
    assert (np.mean(found, axis=0) <= np.array(shares)).all()


@given(st.integers(0, 10_000), st.integers(0, 2), st.floats(0.01, 0.9), st.floats(0.01, 0.9))
def test_a_stricter_bound_never_lets_more_be_settled_nor_lowers_the_value_of_a_look(
    seed: int, place: int, one: float, other: float
) -> None:
    rng = np.random.default_rng(seed)
    proba, truth = drawn(rng, 300)
    amount = rng.lognormal(10.3, 1.2, 300).astype(np.int64)
    harms = (Harm(0.01, 0.95, 1.0, **{f"mistaken_{LABELS[place]}_share": share}) for share in sorted((one, other)))
    sets = [certified_sets(proba, truth, np.ones(300), harm) for harm in harms]
    tight, free = (priced(proba, amount, replace(FREE, sets=found)) for found in sets)
    assert (np.isinf(tight.expected) | ~np.isinf(free.expected)).all()
    assert (tight.values >= free.values - 1e-6).all()
    assert not np.isinf(tight.expected[:, AUTOMATIC.index("REQUEST_EVIDENCE")]).any()


def test_where_payment_and_denial_are_out_of_reach_price_chooses_between_proof_and_an_expert() -> None:
    proba, amount = np.tile([0.45, 0.05, 0.5], (2, 1)), np.array([2_000, 95_000])
    found = priced(proba, amount, replace(FREE, sets=(0.3, 0.3, 0.3)))
    assert found.automatic.tolist() == ["REQUEST_EVIDENCE"] * 2
    assert (found.values[0] < 0).all() and found.values[1, 0] > 0


def test_a_policy_that_binds_nothing_has_no_sets_and_too_few_labels_let_nothing_be_settled() -> None:
    rng = np.random.default_rng(0)
    proba, truth = drawn(rng, 500)
    assert certified_sets(proba, truth, np.ones(500), bounds((1.0, 1.0, 1.0))) is None
    # Each weighs as 50, so 500 labels say no more about the lowest fiftieth than ten would.
    sets = certified_sets(proba[:20], truth[:20], np.full(20, 50.0), bounds((0.02, 1.0, 1.0)))
    assert sets == (0.0, NEVER, NEVER)
    action = priced(proba, np.full(500, 40_000), replace(FREE, sets=sets)).automatic
    assert set(action) == {"PAY", "REQUEST_EVIDENCE"}


def test_a_guarantee_with_sets_is_read_back_as_it_was_written() -> None:
    promised = replace(FREE, sets=(0.25, NEVER, NEVER))
    assert Guarantee.from_json(promised.to_json()) == promised and Guarantee.from_json(FREE.to_json()) == FREE
    older = {name: value for name, value in FREE.to_json().items() if name not in ("sets", "pays_up_to_cents")}
    assert Guarantee.from_json(older) == FREE


def test_a_policy_may_leave_the_bounds_out_and_a_share_beyond_one_is_refused() -> None:
    older = "\n".join(line for line in TEXT.splitlines() if not line.startswith("mistaken_"))
    assert Policy.parse(older).harm.mistaken_shares == (1.0, 1.0, 1.0)
    assert Policy.parse(TEXT.replace("mistaken_valid_share = 0.02", "mistaken_valid_share = 0.05")).harm.mistaken_shares == (0.05, 1.0, 1.0)
    with pytest.raises(PolicyError, match="mistaken_abusive_share: expected a share between 0 and 1"):
        Policy.parse(TEXT.replace("mistaken_abusive_share = 1.0", "mistaken_abusive_share = 1.5"))
