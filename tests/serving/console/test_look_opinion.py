"""The model's opinion beside what became of claims like it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts import LABELS
from serving.console.look_opinion import FEWEST, _alike, _interval, opinion_of, reasons_of, verdicts_of
from serving.instants import micros
from tests.serving.console.houses import House


def test_every_reason_that_a_decision_keeps_is_read_whole(shown: House) -> None:
    decisions = shown.store.read("decisions")
    for text in decisions.loc[decisions["claim_id"].isin(shown.market.live["claim_id"]), "reasons"]:
        found = reasons_of(text)
        assert len(found) == len(text.split("; ")) and all(one.group and one.text and one.feature and one.value for one in found)
        told = [f"{one.group} {one.share:+.2f}: {one.text} [{one.feature}={one.value}" for one in found]
        assert all(start in text for start in told)


@given(st.text(alphabet="ab +-.:;[]=,10", max_size=60))
def test_whatever_stands_there_is_shown_and_nothing_breaks(text: str) -> None:
    assert all(isinstance(one.share, float) for one in reasons_of(text))
    assert len(reasons_of(text)) == sum(bool(part.strip()) for part in text.split(";"))


def test_rules_that_hit_are_named_first(shown: House) -> None:
    rules = shown.store.read("decisions")["rules"].dropna()
    assert len(rules)
    for text in rules:
        found = verdicts_of(text)
        assert found is not None and found["verdicts"]
        hits = [verdict == "hit" for _, verdict in found["verdicts"]]
        assert hits == sorted(hits, reverse=True)


def test_with_few_labels_there_is_no_comparison(shown: House) -> None:
    with shown.store.view() as view:
        found = opinion_of(view, shown.market.live["claim_id"].iloc[0], micros(shown.now))
    assert found["alike"] == dict.fromkeys(LABELS) and found["ordinary"] == {}
    assert sum(found["proba"].values()) == pytest.approx(1)


def test_of_like_claims_the_share_is_the_weighted_one_of_the_nearest() -> None:
    rng = np.random.default_rng(0)
    given_, weight = rng.uniform(0, 1, 4_000), rng.uniform(1, 5, 4_000)
    hit = rng.uniform(0, 1, 4_000) < given_
    for at in (0.1, 0.5, 0.9):
        found = _alike(given_, hit, weight, at)
        assert found.low <= at <= found.high and found.high - found.low < 0.12
        assert found.interval[0] <= found.observed <= found.interval[1]
        assert found.interval[0] <= at <= found.interval[1]  # a calibrated model is not contradicted


def test_unequal_weights_make_the_interval_wider_never_narrower() -> None:
    even = _interval(0.3, np.ones(100))
    odd = _interval(0.3, np.array([1.0] * 99 + [50.0]))
    assert even[0] > odd[0] and even[1] < odd[1] and FEWEST > 1
