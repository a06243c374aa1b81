"""Gates: limits bite where they should, bounds hold as often as they say, and few labels leave the burden to the challenger."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.gates import (
    Fitness,
    Gates,
    Parity,
    accusation_bound,
    accusations,
    accused,
    latency,
    money,
    parity,
    size,
)
from models.metrics import Interval
from models.policy import Harm
from models.risk import Guarantee

HARM = Harm(0.01, 0.95)
FINE = Parity(True, True, (), 10, ())


def claims(rows: int, wrong: int = 0, abusive: int = 10) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """So many examined claims: the last are abusive and accused, of the others the first so many are accused wrongly."""
    labels = np.full(rows, "valid", dtype=object)
    labels[rows - abusive :] = "abusive"
    accuses = labels == "abusive"
    accuses[:wrong] = True
    return labels, np.ones(rows), accuses


def test_many_labels_without_a_wrong_accusation_show_the_bound() -> None:
    labels, weights, accuses = claims(2_000)
    found = accusations(labels, weights, ~accuses, accuses, None, HARM)
    assert found.passed and found.value < 0.01 and "the labels show the limit of 1.00%" in found.why


def test_more_wrong_accusations_than_allowed_are_refused_whatever_else_holds() -> None:
    labels, weights, accuses = claims(2_000, wrong=60)
    generous = Guarantee(0.5, 0.01, 0.95, 1_000, 10.0, 0.0)
    found = accusations(labels, weights, np.ones(2_000, dtype=bool), accuses, generous, HARM)
    assert not found.passed and found.value > 0.03 and "is not shown" in found.why


@pytest.mark.parametrize(
    ("champion_too", "guarantee", "passed"),
    [
        (False, None, False),
        (True, None, True),
        (False, Guarantee(0.9, 0.01, 0.95, 900, 5.0, 0.0), True),
        (False, Guarantee(0.9, 0.02, 0.95, 900, 5.0, 0.0), False),
        (False, Guarantee(0.9, 0.01, 0.80, 900, 5.0, 0.0), False),
    ],
)
def test_with_few_labels_who_accuses_more_than_the_champion_needs_a_guarantee_as_strict(
    champion_too: bool, guarantee: Guarantee | None, passed: bool
) -> None:
    labels, weights, accuses = claims(150)
    champion = accuses if champion_too else np.zeros(150, dtype=bool)
    found = accusations(labels, weights, champion, accuses, guarantee, HARM)
    assert found.value > HARM.accused_share
    assert found.passed == passed and "too few labels" in found.why if passed else not found.passed


def test_accusations_of_claims_that_nobody_examined_count_against_a_challenger_with_few_labels() -> None:
    labels, weights, accuses = claims(150)
    weights[:40] = 0.0
    more = accuses.copy()
    more[:40] = True
    assert accusations(labels, weights, accuses, accuses, None, HARM).passed
    assert not accusations(labels, weights, accuses, more, None, HARM).passed


def test_without_any_label_nothing_is_shown() -> None:
    nobody = np.zeros(50, dtype=bool)
    found = accusations(np.full(50, ""), np.zeros(50), nobody, nobody, None, HARM)
    assert not found.passed and found.value == 1.0


@given(st.lists(st.floats(0.001, 0.2), min_size=2, max_size=5), st.integers(0, 30), st.booleans())
def test_a_tighter_bound_never_passes_what_a_laxer_one_refuses(limits: list[float], wrong: int, promised: bool) -> None:
    labels, weights, accuses = claims(300, wrong)
    guarantee = Guarantee(0.9, 0.01, 0.95, 900, 5.0, 0.0) if promised else None
    found = [accusations(labels, weights, accuses, accuses, guarantee, Harm(limit, 0.95)).passed for limit in sorted(limits)]
    assert found == sorted(found)


def test_the_bound_lies_above_the_true_share_in_95_of_100_draws() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        drawn = rng.random(600) < 0.5
        weights = np.where(drawn, 2.0, 1.0)
        _, bound = accusation_bound(rng.random(600) < 0.03, np.full(600, "valid"), weights, 0.95)
        covered += bound >= 0.03
    assert covered >= 57


def test_the_bound_is_above_the_share_and_falls_with_more_labels() -> None:
    found = [
        accusation_bound(*(np.tile(part, times) for part in (np.arange(100) < 2, np.full(100, "valid"))), np.ones(100 * times), 0.95)
        for times in (1, 4, 16)
    ]
    assert [share for share, _ in found] == [0.02] * 3
    bounds = [bound for _, bound in found]
    assert bounds == sorted(bounds, reverse=True) and bounds[-1] > 0.02


def test_a_claim_counts_as_often_as_it_was_drawn_for() -> None:
    labels, weights = np.array(["valid", "unsubstantiated", "abusive", "valid"]), np.array([30.0, 10.0, 5.0, 10.0])
    share, bound = accusation_bound(np.array([True, False, True, False]), labels, weights, 0.95)
    assert share == 0.6 and bound > 0.6


def test_only_calling_a_claim_abusive_is_an_accusation() -> None:
    actions = np.array(["PAY", "REQUEST_EVIDENCE", "DENY_UNSUBSTANTIATED", "DENY_ABUSIVE"], dtype=object)
    assert accused(actions).tolist() == [False, False, False, True]


def test_money_must_be_saved_beyond_chance() -> None:
    assert money(Interval(200.0, 1.0, 400.0, 100), 150, Gates()).passed
    refused = money(Interval(200.0, 0.0, 400.0, 100), 150, Gates())
    assert not refused.passed and "$2.00 a claim" in refused.why and "does not lie above zero" in refused.why


def test_time_and_size_are_judged_against_the_champion_above_what_is_free() -> None:
    fit, limits = Fitness(20.0, 40.0, 100, 200, FINE), Gates(free_ms=10.0, free_bytes=50)
    assert latency(fit, limits).passed and size(fit, limits).passed
    assert "2.00 times the champion's" in latency(fit, limits).why
    assert not latency(replace(fit, challenger_ms=40.1), limits).passed
    assert not size(replace(fit, challenger_bytes=201), limits).passed
    assert latency(replace(fit, champion_ms=1.0, challenger_ms=9.0), limits).passed
    assert not latency(replace(fit, challenger_ms=float("nan")), limits).passed


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (replace(FINE, same_catalog=False), "feature catalogue"),
        (replace(FINE, same_contracts=False), "data contracts"),
        (replace(FINE, unknown=("invented",)), "does not make invented"),
        (replace(FINE, differing=("claims.amount_cents",)), "claims.amount_cents differ"),
        (replace(FINE, rows=0), "no feature row"),
    ],
)
def test_whatever_breaks_parity_is_named(found: Parity, words: str) -> None:
    assert parity(FINE).passed
    assert not parity(found).passed and words in parity(found).why
