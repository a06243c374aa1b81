"""Trees that are asked in blocks: the library's margin to the last bit, as where they are walked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from models.tree_block import ROWS, margins_of_many, struck
from models.tree_forest import margins
from models.tree_text import read_forest
from tests.models.forests import KINDS, grown, with_edges


@settings(max_examples=40, deadline=None)
@given(kind=KINDS)
def test_margins_of_many_are_those_of_the_library_to_the_last_bit(kind: dict[str, Any]) -> None:
    booster, values = grown(**kind)
    rows, forest = with_edges(values, kind["seed"]), read_forest(booster.model_to_string())
    found = margins_of_many(forest, struck(forest), rows)
    assert np.array_equal(found, booster.predict(rows, raw_score=True, num_threads=1))


@pytest.mark.parametrize("rows", [0, 1, ROWS - 1, ROWS, ROWS + 1, 3 * ROWS + 7])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_neither_blocks_nor_threads_change_a_bit(rows: int, threads: int) -> None:
    booster, values = grown(3, rounds=20)
    forest, some = read_forest(booster.model_to_string()), np.resize(values, (rows, values.shape[1]))
    assert np.array_equal(margins_of_many(forest, struck(forest), some, threads), margins(forest, some))


def test_every_leaf_is_left_of_exactly_the_nodes_that_a_walk_to_it_leaves_on_the_left() -> None:
    booster, _ = grown(5, rounds=8)
    forest = read_forest(booster.model_to_string())
    trees = struck(forest)
    assert trees is not None
    for tree in range(len(forest.node_starts) - 1):
        first, last = forest.leaf_starts[tree], forest.leaf_starts[tree + 1]
        assert sorted(trees.leaves[first:last]) == sorted(forest.leaves[first:last])
        struck_out = [int(~mask) for mask in trees.masks[forest.node_starts[tree] : forest.node_starts[tree + 1]]]
        assert all(0 < bits < 1 << int(last - first) for bits in struck_out)


def test_trees_with_more_leaves_than_a_word_has_bits_are_walked() -> None:
    booster, values = grown(7, rounds=3, rows=900, num_leaves=90)
    forest = read_forest(booster.model_to_string())
    assert np.diff(forest.leaf_starts).max() > 64
    assert struck(forest) is None
    assert np.array_equal(margins_of_many(forest, None, values, 2), booster.predict(values, raw_score=True, num_threads=1))
