"""What a rule would have done: counts by hand, money by the difference of two ways of deciding, weights as the audit says."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from models.consequences import consequences
from models.policy import default_policy
from models.rule_worth import worth
from models.rules import Rule, Rules, evaluate

POLICY = default_policy()
SINCE = datetime(2025, 1, 1, tzinfo=UTC)
AT = datetime(2025, 6, 1, tzinfo=UTC)

ROWS = pd.DataFrame(
    [  # n, action, automatic, route, label, weight
        (9, "PAY", "PAY", "automatic", None, np.nan),
        (9, "DESK", "PAY", "audit", "abusive", 50.0),
        (9, "DESK", "REQUEST_EVIDENCE", "value_of_review", "abusive", 1.0),
        (9, "DESK", "PAY", "value_of_review", "valid", 1.0),
        (0, "DESK", "PAY", "audit", "valid", 50.0),
        (0, "DESK", "PAY", "value_of_review", "abusive", 1.0),
        (9, "DENY_UNSUBSTANTIATED", "DENY_UNSUBSTANTIATED", "automatic", None, np.nan),
    ],
    columns=["n", "action", "automatic_action", "route", "label", "weight"],
).assign(claim_id=list("abcdefg"), p_valid=0.6, p_unsubstantiated=0.3, p_abusive=0.1)
AMOUNT, INSURED = np.full(7, 90_000), np.full(7, True)


def judged(effect: str) -> pd.Series:
    rules = Rules("1", (Rule("r", "x", SINCE, "", "n > 5", effect),))
    matrix = ROWS.set_index("claim_id")[["n"]].astype(float)
    verdicts = evaluate(rules, matrix, ROWS[["claim_id"]], AT)
    known = ROWS.dropna(subset="label").set_index("claim_id")
    return worth(POLICY, rules, verdicts, ROWS, known["label"], known["weight"], AMOUNT, INSURED).iloc[0]


def test_counts_shares_and_overlap_are_those_found_by_hand() -> None:
    row = judged("forbid_payment")
    assert (row["claims"], row["hits"], row["errors"], row["snoozed"], row["examined"]) == (7, 5, 0, 0, 3)
    # a and b would have been paid; c and d go to the desk already, g is denied.
    assert row["changed"] == 2
    assert row["overlap"] == pytest.approx(3 / 5)
    assert row["precision"] == row["precision_abusive"] == pytest.approx(51 / 52)
    assert row["recall_abusive"] == pytest.approx(51 / 52)


def test_the_saving_is_the_weighted_difference_of_what_both_ways_cost() -> None:
    row = judged("forbid_payment")
    one = ROWS.iloc[[1]]
    args = (np.array(["abusive"]), AMOUNT[:1], INSURED[:1])
    paid = consequences(POLICY, one.assign(action="PAY"), *args).cost_cents[0]
    looked = consequences(POLICY, one.assign(action="DESK", automatic_action="REQUEST_EVIDENCE"), *args).cost_cents[0]
    assert row["saving_cents"] == pytest.approx(50 * (paid - looked)) and row["saving_cents"] > 0


def test_a_rule_that_changes_nothing_saves_nothing_and_one_that_is_silent_has_no_precision() -> None:
    same = judged("request_evidence")
    assert same["changed"] == 2
    rules = Rules("1", (Rule("r", "x", SINCE, "", "n > 99", "desk"),))
    matrix = ROWS.set_index("claim_id")[["n"]].astype(float)
    verdicts = evaluate(rules, matrix, ROWS[["claim_id"]], AT)
    row = worth(POLICY, rules, verdicts, ROWS, pd.Series(dtype=object), pd.Series(dtype=float), AMOUNT, INSURED).iloc[0]
    assert row["hits"] == row["changed"] == 0
    assert row[["overlap", "precision", "recall_abusive", "saving_cents"]].isna().all()
