"""What a challenger would have done is compared on the same claims; the saving speaks for all claims, not only the labelled ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.evaluation import PROBABILITIES
from models.policy import default_policy
from models.shadow import Shadowed, beside

POLICY = default_policy()
N = 200


def compared(actions: dict[str, np.ndarray], labels: np.ndarray, weights: np.ndarray) -> tuple[Shadowed, ...]:
    """Compare challengers by name; the champion pays everybody, and the claims of weight 0 have no label."""
    ids = [f"C{k:03}" for k in range(N)]
    base = pd.DataFrame({"claim_id": ids} | dict(zip(PROBABILITIES, (0.6, 0.2, 0.2), strict=True)))
    champion = base.assign(action="PAY", automatic_action="PAY")
    shadows = pd.concat([base.assign(bundle=name, action=action) for name, action in actions.items()], ignore_index=True)
    claims = pd.DataFrame({"claim_id": ids, "customer_id": ids, "amount_cents": 30_000})
    known = pd.DataFrame({"claim_id": ids, "label": labels, "weight": weights}).query("weight > 0")
    order = np.random.default_rng(0).permutation(len(shadows))
    return beside(POLICY, champion, shadows.iloc[order], claims, np.ones(N, dtype=bool), known, np.random.default_rng(0), 50)


def test_whoever_decides_the_same_agrees_and_saves_nothing() -> None:
    (found,) = compared({"same": np.full(N, "PAY")}, np.full(N, "abusive"), np.ones(N))
    assert (found.agree, found.claims, found.labelled) == (1.0, N, N)
    assert (found.saved_cents.estimate, found.saved_cents.low, found.saved_cents.high) == (0, 0, 0)


def test_the_saving_weighs_labels_and_moves_are_counted() -> None:
    labels = np.where(np.arange(N) < 20, "abusive", "valid")
    # Only the abusive claims and ten valid ones were examined; these ten stand for all 180.
    weights = np.where(np.arange(N) < 20, 1.0, np.where(np.arange(N) < 30, 18.0, 0.0))
    (found,) = compared({"strict": np.where(np.arange(N) < 20, "DENY_ABUSIVE", "PAY")}, labels, weights)
    # Paying abuse loses $350, naming it $3; a tenth of the claims is abusive.
    assert found.saved_cents.estimate == pytest.approx(0.1 * (35_000 - 300)) and found.labelled == 30
    assert found.agree == pytest.approx(0.9) and found.moved.loc["PAY", "DENY_ABUSIVE"] == 20


def test_a_review_is_charged_and_several_challengers_are_told_apart() -> None:
    actions = {"b-desk": np.full(N, "DESK"), "a-pay": np.full(N, "PAY")}
    pay, desk = compared(actions, np.full(N, "valid"), np.ones(N))
    assert (pay.bundle, desk.bundle) == ("a-pay", "b-desk") and pay.saved_cents.estimate == 0
    assert desk.saved_cents.estimate <= -(POLICY.desk.fee_cents + POLICY.desk.delay_cents)


def test_without_labels_there_is_no_saving_but_agreement() -> None:
    (found,) = compared({"x": np.full(N, "REQUEST_EVIDENCE")}, np.full(N, "valid"), np.zeros(N))
    assert np.isnan(found.saved_cents.estimate) and found.saved_cents.draws == 0 and found.agree == 0.0
