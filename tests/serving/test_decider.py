"""Trees walked beside other work say what they say alone, whoever walks them."""

from __future__ import annotations

import gc
from dataclasses import replace
from threading import Event

import numpy as np
import pytest

from models.scorer import Scorer
from serving.decider import BUNCH, CROWD, Decider, Walks
from tests.serving.homes import HISTORY, POLICY, Small


@pytest.fixture(scope="module")
def decider(market: Small) -> Decider:
    return Decider(Scorer(market.bundle, POLICY, None, HISTORY.names), market.bundle.hash)


@pytest.mark.parametrize("bunch", [BUNCH, CROWD])
@pytest.mark.parametrize("claims", [1, BUNCH, 2 * BUNCH + 1])
def test_each_claim_gets_what_the_trees_say_of_it_alone(decider: Decider, claims: int, bunch: int) -> None:
    decider = replace(decider, bunch=bunch)
    vectors = np.random.default_rng(0).normal(size=(claims, len(HISTORY.names)))
    walks = Walks(decider)
    waiting = [walks.add(vector) for vector in vectors]
    walks.begin()
    for vector, seen in zip(vectors, waiting, strict=True):
        (alone,) = decider.scorer.see([vector])
        np.testing.assert_array_equal(seen().row, vector)
        np.testing.assert_array_equal(seen().scores, alone.scores)
        np.testing.assert_array_equal(seen().contributions, alone.contributions)


def test_trees_that_nobody_has_begun_to_walk_are_walked_by_who_asks(decider: Decider) -> None:
    vector, go_on, freed = np.zeros(len(HISTORY.names)), Event(), Event()
    decider.beside.give(lambda: go_on.wait(20.0) and freed.set())
    walks = Walks(decider)
    waiting = walks.add(vector)
    walks.begin()
    seen = waiting()
    assert not freed.is_set()
    go_on.set()
    assert waiting() is seen  # and only once
    np.testing.assert_array_equal(seen.scores, decider.scorer.see([vector])[0].scores)


@pytest.mark.parametrize("by_thread", [True, False])
def test_what_walking_raises_is_raised_where_it_is_asked_for_and_harms_no_later_walk(decider: Decider, by_thread: bool) -> None:
    walks = Walks(decider)
    broken = walks.add(np.zeros(3))
    if by_thread:
        walks.begin()
    with pytest.raises(ValueError, match="expected"):
        broken()
    walks.begin()
    sound = walks.add(np.zeros(len(HISTORY.names)))
    walks.begin()
    assert sound().scores.shape == (3,)


def test_the_thread_ends_with_its_decider(decider: Decider) -> None:
    mine = Decider(decider.scorer, decider.bundle)
    walks = Walks(mine)
    walks.add(np.zeros(len(HISTORY.names)))
    walks.begin()
    thread = mine.beside._thread
    assert thread is not None and thread.is_alive()
    del walks, mine
    gc.collect()
    thread.join(10.0)
    assert not thread.is_alive()
