"""A seller's standing is what was known strictly before."""

from __future__ import annotations

import pandas as pd
import pytest

from serving.instants import DAY, micros
from serving.standing import Standing

DAY0 = pd.Timestamp("2025-01-01", tz="UTC")
AT = micros(DAY0)


def standing(*kinds: str) -> Standing:
    rows = [
        {"event_id": f"E{day}", "seller_id": "S1", "kind": kind, "occurred_at": DAY0, "known_at": DAY0 + pd.Timedelta(days=day)}
        for day, kind in enumerate(kinds)
    ]
    return Standing(pd.DataFrame(rows).sample(frac=1, random_state=0))


@pytest.mark.parametrize(
    ("kinds", "good"),
    [
        (["insurance_proven"], True),
        (["insurance_lapsed"], True),
        (["insurance_forged"], False),
        (["insurance_forged", "insurance_proven"], True),
        (["policy_violation"], False),
        (["policy_violation", "policy_cleared"], True),
        (["policy_cleared", "policy_violation", "insurance_proven"], False),
        (["recall"], True),
    ],
)
def test_an_open_violation_or_a_forgery_spoils_a_proof(kinds: list[str], good: bool) -> None:
    assert standing(*kinds).compliant("S1", AT + 100 * DAY) is good


def test_what_is_learned_at_the_same_instant_does_not_count_yet() -> None:
    seller = standing("policy_violation")
    assert seller.compliant("S1", AT)
    assert not seller.compliant("S1", AT + 1)


def test_nothing_speaks_against_a_seller_of_whom_nothing_is_known() -> None:
    assert standing("policy_violation").compliant("S2", AT + DAY)
    assert Standing(None).compliant("S1", 0)
    assert Standing(pd.DataFrame({"event_id": [], "seller_id": [], "kind": [], "occurred_at": [], "known_at": []})).compliant("S1", 0)


@pytest.mark.parametrize(
    ("kinds", "insured"),
    [
        ([], False),
        (["insurance_proven"], True),
        (["insurance_proven", "insurance_lapsed"], False),
        (["insurance_proven", "policy_violation"], False),
        (["insurance_proven", "policy_violation", "policy_cleared"], True),
    ],
)
def test_a_seller_counts_as_insured_only_with_a_proof_in_force_and_nothing_open(kinds: list[str], insured: bool) -> None:
    known = standing(*kinds, "recall")
    at = pd.Series([DAY0 + pd.Timedelta(days=50)] * 2)
    assert known.insured(pd.Series(["S1", "S2"]), at).tolist() == [insured, False]
