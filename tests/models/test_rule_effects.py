"""Law 6: a rule, another rule, or a stricter one never loosens an outcome, and none ever denies."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from data_contracts import Action
from models.costs import AUTOMATIC
from models.rule_effects import EFFECTS, STRICTNESS, Effect, fallback, outcome

ACTIONS = np.array(STRICTNESS, dtype=object)


def places(actions: np.ndarray) -> np.ndarray:
    return np.array([STRICTNESS.index(str(action)) for action in actions])


def test_every_action_has_a_place_and_every_effect_too() -> None:
    assert set(STRICTNESS) == {action.value for action in Action}
    assert tuple(effect.value for effect in Effect) == EFFECTS


def test_no_effect_ever_loosens_an_outcome_and_a_stricter_one_never_loosens_it_against_a_milder() -> None:
    levels = [places(outcome(ACTIONS, np.full(6, effect))) for effect in range(-1, len(EFFECTS))]
    assert levels[0].tolist() == [0, 1, 2, 3, 4, 5]
    for milder, stricter in itertools.pairwise(levels):
        assert (stricter >= milder).all()


def test_one_more_rule_never_loosens_an_outcome() -> None:
    for size in range(len(EFFECTS) + 1):
        for some in itertools.combinations(range(len(EFFECTS)), size):
            for one_more in range(len(EFFECTS)):
                before = outcome(ACTIONS, np.full(6, max(some, default=-1)))
                after = outcome(ACTIONS, np.full(6, max((*some, one_more))))
                assert (places(after) >= places(before)).all()


@pytest.mark.parametrize("effect", range(len(EFFECTS)))
def test_no_effect_makes_a_denial_and_all_but_proof_end_with_a_person_or_stand(effect: int) -> None:
    for action, becomes in zip(ACTIONS, outcome(ACTIONS, np.full(6, effect)), strict=True):
        if becomes != action:
            assert becomes in ("REQUEST_EVIDENCE", "DESK", "INVESTIGATE")
    if EFFECTS[effect] != "request_evidence":
        assert not set(outcome(ACTIONS, np.full(6, effect))) & {"PAY", "REQUEST_EVIDENCE"}


def test_under_any_effect_silence_of_the_experts_pays_nobody_without_proof() -> None:
    automatic = np.array(AUTOMATIC, dtype=object)
    assert fallback(automatic, np.full(4, -1)).tolist() == list(AUTOMATIC)
    for effect in range(len(EFFECTS)):
        assert fallback(automatic, np.full(4, effect)).tolist() == ["REQUEST_EVIDENCE", "REQUEST_EVIDENCE", *AUTOMATIC[2:]]
