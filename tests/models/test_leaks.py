"""Leaks are bounded as often as stated, a stricter limit never pays more, and above what is certified nobody is paid automatically."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from models.decision import decide
from models.leaks import AMOUNTS_CENTS, Paid, certified_amount, leaks
from models.policy import Policy, PolicyError, default_policy
from models.risk import Guarantee
from models.stages import priced_by

POLICY = default_policy()
RATE = 0.05


def drawn(rng: np.random.Generator, n: int, leaking: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Amounts, validity and draw of n paid claims; larger ones leak more."""
    amount = np.exp(rng.normal(10.0, 1.2, n)).clip(100, 100_000_000).round()
    valid = rng.random(n) >= np.minimum(1, leaking * (0.5 + 0.5 * amount / 30_000))
    return amount, valid, rng.random(n) < RATE


def test_the_bound_is_below_the_true_share_no_oftener_than_stated() -> None:
    rng = np.random.default_rng(0)
    below = 0
    for _ in range(150):
        amount, valid, seen = drawn(rng, 6_000, 0.2)
        small = amount <= 30_000
        true = amount[small & ~valid].sum() / amount[small].sum()
        (found,) = leaks(Paid(amount[seen], valid[seen], np.full(seen.sum(), 1 / RATE)), 0.9, (30_000,))
        below += found.bound < true
    assert below <= binom.ppf(0.999, 150, 0.1)


@given(st.integers(0, 1_000), st.floats(0.05, 0.6), st.floats(0.05, 0.6))
def test_a_stricter_limit_never_pays_more_and_what_is_certified_has_a_bound_within_it(seed: int, one: float, other: float) -> None:
    rng = np.random.default_rng(seed)
    amount, valid, seen = drawn(rng, 4_000, 0.1)
    paid = Paid(amount[seen], valid[seen], np.full(seen.sum(), 1 / RATE))
    strict, loose = sorted((one, other))
    admitted = certified_amount(paid, strict, 0.9)
    assert admitted <= certified_amount(paid, loose, 0.9)
    for found in leaks(paid, 0.9, tuple(limit for limit in AMOUNTS_CENTS if limit <= admitted)):
        assert found.share <= found.bound <= strict + 1e-6


def test_without_examined_claims_nothing_is_known_and_nothing_certified() -> None:
    none = Paid(np.array([]), np.array([], dtype=bool), np.array([]))
    assert all(np.isnan(found.share) and found.bound == 1 for found in leaks(none, 0.95)) and certified_amount(none, 0.5, 0.95) == 0


def test_only_examined_claims_that_are_paid_count() -> None:
    actions, labels = np.array(["PAY", "PAY", "DENY_ABUSIVE", "PAY"]), np.array(["valid", "abusive", "abusive", ""])
    paid = Paid.of(actions, np.full(4, 100), labels, np.array([1.0, 50.0, 50.0, 0.0]))
    assert paid.valid.tolist() == [True, False] and paid.stands_for.tolist() == [1.0, 50.0]


def test_above_the_certified_amount_evidence_is_asked_for_instead_of_paying_and_nothing_else_changes() -> None:
    rng = np.random.default_rng(3)
    proba, amount = rng.dirichlet((6, 1, 0.5), 500), rng.lognormal(10.3, 1.2, 500).astype(np.int64)
    insured, ids = np.ones(500, dtype=bool), pd.Series([f"C{k}" for k in range(500)])
    promise = Guarantee(0.9, 0.01, 0.95, 100, 0.0, 0.0)
    before = priced_by(POLICY, promise, proba, amount, insured, ids)
    after = priced_by(POLICY, replace(promise, pays_up_to_cents=30_000), proba, amount, insured, ids)
    withheld = (before.automatic == "PAY") & (amount > 30_000)
    assert withheld.sum() > 20 and (after.automatic[withheld] == "REQUEST_EVIDENCE").all()
    assert (after.automatic[~withheld] == before.automatic[~withheld]).all()
    # An expert who may pay is worth more where the machine may not.
    assert (after.values >= before.values - 1e-6).all() and (after.values[withheld] > before.values[withheld]).any()
    assert (before.automatic == decide(POLICY, proba, amount, insured)["automatic_action"]).mean() > 0.9


def test_a_policy_states_a_limit_or_only_reports() -> None:
    text = files("models").joinpath("policy.toml").read_text(encoding="utf-8")
    assert POLICY.harm.leaked_share == 1.0
    assert Policy.parse(text.replace("leaked_share = 1.0", "leaked_share = 0.2")).harm.leaked_share == 0.2
    older = "\n".join(line for line in text.splitlines() if not line.startswith("leaked_share"))
    assert Policy.parse(older) == POLICY
    with pytest.raises(PolicyError, match="leaked_share: expected above 0"):
        Policy.parse(text.replace("leaked_share = 1.0", "leaked_share = 0.0"))
