"""One claim in plain numbers: whatever it is worth, it is sent and told as an array of one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.costs import AUTOMATIC
from models.one_claim import Sent, figures_one, of_arrays, sent_one
from models.policy import default_policy
from models.review import Capacity
from models.stages import Priced, Routed, ruled, sent

POLICY = default_policy()
CENTS = st.one_of(st.sampled_from([0.0, -0.0, 0.5, 1.5, 2.5, -0.5, 1e9]), st.floats(-1e7, 1e7))
CAPACITY = st.builds(Capacity, st.integers(0, 3), st.integers(0, 2))


@st.composite
def priced(draw: st.DrawFn) -> Priced:
    shares = np.array(draw(st.tuples(*[st.floats(0.001, 1.0)] * 3)))
    expected = np.abs(draw(st.tuples(*[CENTS] * 4)))
    values = np.array([draw(st.tuples(CENTS, CENTS))])
    automatic = np.array([AUTOMATIC[int(np.argmin(expected))]], dtype=object)
    return Priced(shares[None] / shares.sum(), expected[None], values, automatic, np.array([draw(st.booleans())]))


def plain(routed: Routed) -> Sent:
    return Sent(str(routed.action[0]), str(routed.automatic[0]), str(routed.route[0]))


@given(claim=priced(), capacity=CAPACITY)
def test_a_claim_is_sent_where_the_arrays_send_it_and_tells_the_same_numbers(claim: Priced, capacity: Capacity) -> None:
    routed = sent(POLICY, claim, capacity)
    found = sent_one(claim, capacity)
    assert found == plain(routed)
    both, numbers = of_arrays(POLICY, claim, routed)
    told = figures_one(POLICY, claim, found)
    assert (
        both == found
        and told == numbers
        and {name: type(value) for name, value in told.items()} == {name: type(value) for name, value in numbers.items()}
    )


@given(claim=priced(), capacity=CAPACITY)
def test_rules_that_do_not_speak_change_nothing(claim: Priced, capacity: Capacity) -> None:
    routed = ruled(sent(POLICY, claim, capacity), np.array([-1]), [None])
    assert plain(routed) == sent_one(claim, capacity)


def test_an_audited_claim_takes_no_place_that_the_desk_keeps_for_it() -> None:
    one = Priced(np.full((1, 3), 1 / 3), np.ones((1, 4)), np.array([[5.0, -1.0]]), np.array(["PAY"], dtype=object), np.array([True]))
    assert sent_one(one, Capacity(1, 0)).route == "audit" and sent_one(one, Capacity(2, 0)).route == "value_of_review"
    assert sent_one(replace(one, drawn=np.array([False])), Capacity(1, 0)).route == "value_of_review"
