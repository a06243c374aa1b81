"""Who looks at what on a morning: the better expert gets the dearer case, what is not allowed is never given, and deadlines are kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models import dispatch
from models.dispatch import Open
from models.known_experts import KnownExperts, known_experts
from models.opinions import Consensus
from models.policy import default_policy

POLICY = default_policy()
GOOD, POOR = np.full((3, 3), 0.02) + 0.94 * np.eye(3), np.full((3, 3), 0.25) + 0.25 * np.eye(3)


def known(*confusions: np.ndarray) -> KnownExperts:
    many = len(confusions)
    found = Consensus(np.stack(confusions), np.zeros(many), np.zeros((0, 3)), ())
    ordinary = np.array([0.7, 0.2, 0.1])
    return KnownExperts(tuple("abcd"[:many]), found, np.zeros(0, int), np.zeros(0, int), ordinary, found.accuracy(ordinary))


def cases(*amounts: int, proba: tuple[float, float, float] = (0.55, 0.05, 0.4)) -> Open:
    many = len(amounts)
    return Open.of(POLICY, np.tile(proba, (many, 1)), np.array(amounts), np.ones(many, bool), np.ones(many, bool))


def test_who_errs_less_looks_at_the_dearer_case() -> None:
    two, free = cases(60_000, 95_000), np.ones((2, 2), bool)
    found = dispatch.plan(known(POOR, GOOD), two, POLICY.desk, free, np.array([1, 1]), np.array([30, 30]))
    assert found.expert.tolist()[1] == 1
    swapped = dispatch.plan(known(GOOD, POOR), two, POLICY.desk, free, np.array([1, 1]), np.array([30, 30]))
    assert swapped.expert.tolist()[1] == 0


def test_nobody_is_given_what_they_must_not_see_and_a_case_due_today_goes_first() -> None:
    two, free = cases(60_000, 95_000), np.array([[True, True], [False, False]])
    assert dispatch.plan(known(GOOD, GOOD), two, POLICY.desk, free, np.array([5, 5]), np.array([30, 30])).expert.tolist()[1] == -1
    due = dispatch.plan(known(GOOD), two, POLICY.desk, np.ones((2, 1), bool), np.array([1]), np.array([0, 9]))
    assert due.expert.tolist() == [0, -1]


def test_before_a_weekend_what_is_due_in_it_is_done_today() -> None:
    two, free = cases(60_000, 95_000), np.ones((2, 1), bool)
    days = np.array([2, 9])
    assert dispatch.plan(known(GOOD), two, POLICY.desk, free, np.array([1]), days, weekday=4).expert.tolist() == [0, -1]
    assert dispatch.plan(known(GOOD), two, POLICY.desk, free, np.array([1]), days, weekday=0).expert.tolist() == [-1, 0]


@pytest.mark.parametrize(("time_cents", "worth"), [(0, True), (10_000_000, False)])
def test_a_second_opinion_must_be_worth_the_time_it_takes_from_others(time_cents: int, worth: bool) -> None:
    torn = cases(95_000)
    found = dispatch.worth_a_second(known(POOR, GOOD), torn, POLICY.desk, np.array([0]), np.array([2]), np.full(2, time_cents))
    assert found.tolist() == [worth]
    sure = cases(95_000, proba=(0.999, 0.0005, 0.0005))
    assert not dispatch.worth_a_second(known(GOOD, GOOD), sure, POLICY.desk, np.array([0]), np.array([0]), np.zeros(2)).any()
    assert not dispatch.worth_a_second(known(GOOD), torn, POLICY.desk, np.array([0]), np.array([2]), np.zeros(1)).any()


def test_a_file_needs_two_claims_whose_joint_gain_exceeds_the_fee() -> None:
    assert dispatch.files_of_rings(POLICY, cases(90_000, 90_000, 90_000), lambda: pytest.fail("not worth a fee")) == ()
    dear = cases(*[4_000_000] * 3)
    (file,) = dispatch.files_of_rings(POLICY, dear, lambda: np.array([1, 1, 2]))
    assert file.claims == (0, 1) and file.value_cents > 0


def test_earlier_findings_move_probabilities_and_what_happens_without_a_look() -> None:
    two = cases(60_000, 95_000)
    after = two.after([(1, "abusive")], GOOD)
    assert after.proba[0].tolist() == two.proba[0].tolist() and after.proba[1, 2] > 0.9
    assert after.automatic[1] != two.automatic[1]


def test_a_gold_answer_is_apart_from_what_was_answered_before_the_truth_came_to_light() -> None:
    names = ["claim_id", "expert", "label", "p_valid", "p_unsubstantiated", "p_abusive", "hidden", "truth"]
    rows = [("C1", "ann", "valid", 0.6, 0.1, 0.3, True, None), ("C1", "bob", "valid", 0.6, 0.1, 0.3, True, "abusive")]
    found = known_experts(pd.DataFrame(rows, columns=names), GOOD)
    assert found.case.tolist() == [0, 1] or found.case.tolist() == [1, 0]
    ann, bob = found.found.posterior[found.case]
    assert bob.tolist() == [0.0, 0.0, 1.0] and ann[0] > 0.9
    both = known_experts(pd.DataFrame(rows, columns=names).drop(columns="truth"), GOOD)
    assert both.case.tolist() == [0, 0]


def test_a_policy_errs_as_its_experts_are_known_to() -> None:
    found = Consensus(np.stack([GOOD, POOR]), np.zeros(2), np.zeros((0, 3)), ())
    some = KnownExperts(("a", "b"), found, np.zeros(4, int), np.array([0, 0, 0, 1]), np.ones(3) / 3, np.ones(2))
    learned = dispatch.learned_policy(POLICY, some, None)
    assert np.allclose(learned.desk.confusion, 0.75 * GOOD + 0.25 * POOR)
    assert learned.investigation == POLICY.investigation
