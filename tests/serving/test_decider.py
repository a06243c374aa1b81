"""Trees walked beside other work say what they say alone, whoever walks them."""

from __future__ import annotations

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
    vector, go_on = np.zeros(len(HISTORY.names)), Event()
    busy = decider.beside.submit(go_on.wait, 20.0)
    walks = Walks(decider)
    waiting = walks.add(vector)
    walks.begin()
    seen = waiting()
    assert not busy.done()
    go_on.set()
    assert waiting() is seen  # and only once
    np.testing.assert_array_equal(seen.scores, decider.scorer.see([vector])[0].scores)
