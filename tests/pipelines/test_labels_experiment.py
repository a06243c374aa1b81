"""Readings of the same history differ in their labels and in nothing else; taking the unexamined for valid costs money."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.judgement import judged
from models.policy import default_policy
from pipelines.evaluate import true_classes
from pipelines.history import History, history_of_home
from pipelines.labels_experiment import READINGS, SAVED, SHOWN, Reading, compare_readings, readings, savings
from tests.pipelines.conftest import Market
from tests.pipelines.test_train import QUICK

POLICY = default_policy()


@pytest.fixture(scope="module")
def history(small: Market) -> History:
    return history_of_home(small.home, POLICY)


@pytest.fixture(scope="module")
def read(small: Market, history: History) -> dict[str, Reading]:
    return readings(history, true_classes(small.home), small.simulation.live_from)


def test_naive_and_truth_label_every_claim_filed_by_then_the_others_only_examined_ones(
    small: Market, history: History, read: dict[str, Reading]
) -> None:
    at = pd.Timestamp(small.simulation.live_from)
    filed = history.claims[history.claims["filed_at"] < at]
    assert tuple(read) == READINGS
    for name in ("naive", "truth"):
        assert read[name].known["claim_id"].tolist() == filed["claim_id"].tolist() and (read[name].known["weight"] == 1.0).all()
    examined = read["reviewed only"].known
    assert examined["claim_id"].isin(filed["claim_id"]).all() and (examined["known_at"] < at).all() and len(examined) < len(filed) / 2
    weighted = read["weighted"].known.set_index("claim_id")["weight"]
    assert (read["matured"].known.set_index("claim_id")["weight"] >= weighted - 1e-12).all()


def test_naive_labels_are_those_known_and_valid_elsewhere_and_truth_is_the_truth(
    small: Market, history: History, read: dict[str, Reading]
) -> None:
    known = read["weighted"].known.set_index("claim_id")["label"]
    naive = read["naive"].known.set_index("claim_id")["label"]
    assert naive[known.index].equals(known) and (naive.drop(known.index) == "valid").all()
    truth = read["truth"].known.set_index("claim_id")["label"]
    assert (truth == true_classes(small.home)[truth.index]).all()
    # Where nobody looked, abuse passes for valid.
    assert (naive == "abusive").mean() < 0.6 * (truth == "abusive").mean()


def test_every_reading_is_judged_on_the_same_claims_by_the_truth(small: Market) -> None:
    start = pd.Timestamp(small.simulation.live_from)
    found = compare_readings(small.home, POLICY, start, start + pd.Timedelta(days=21), QUICK)
    assert found["reading"].tolist() == list(READINGS) and list(found.columns) == ["reading", "labels", "abusive", *SHOWN, *SAVED]
    table = found.set_index("reading")
    assert table["labels"]["naive"] == table["labels"]["truth"] > table["labels"]["weighted"] == table["labels"]["matured"]
    assert table["abusive"]["naive"] < table["abusive"]["truth"]
    assert (table[["automatic_cents", "cost_cents"]] > 0).all(axis=None) and table["auc_abusive"].between(0, 1).all()
    # What the weights save is the difference of two rows of the same table, and lies inside its own interval.
    assert np.allclose(table["saved_cents"], table["cost_cents"] - table["cost_cents"]["weighted"])
    assert table["saved_low"]["weighted"] == table["saved_high"]["weighted"] == 0
    assert (table["saved_low"] <= table["saved_cents"] + 1e-9).all() and (table["saved_cents"] <= table["saved_high"] + 1e-9).all()


def test_claims_that_stand_and_fall_together_widen_the_interval_of_a_saving() -> None:
    amount, rng = np.full(400, 30_000), np.random.default_rng(0)
    classes = np.where(np.arange(400) < 80, "abusive", "valid")
    row = {"p_valid": 0.5, "p_unsubstantiated": 0.2, "p_abusive": 0.3}
    ways = {name: pd.DataFrame([row | {"action": name, "automatic_action": name}] * 400) for name in ("PAY", "REQUEST_EVIDENCE")}
    outcomes = {name: judged(POLICY, decided, classes, np.ones(400), amount, np.ones(400, dtype=bool)) for name, decided in ways.items()}
    alone = savings(outcomes, "REQUEST_EVIDENCE", np.arange(400), rng, 200)["PAY"]
    blocks = savings(outcomes, "REQUEST_EVIDENCE", np.arange(400) // 40, rng, 200)["PAY"]
    paid, asked = (outcomes[name].after.cost_cents.mean() for name in ("PAY", "REQUEST_EVIDENCE"))
    assert alone.estimate == pytest.approx(paid - asked) == blocks.estimate
    assert blocks.high - blocks.low > 2 * (alone.high - alone.low)
