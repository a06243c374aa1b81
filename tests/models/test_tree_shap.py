"""Contributions: the library's values, the definition's values, and their laws."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from models.tree_forest import Forest, margins
from models.tree_paths import Paths, trace
from models.tree_shap import contributions, explained
from models.tree_text import read_forest
from tests.models.forests import KINDS, chained, grown, with_edges


def read(booster: Any) -> tuple[Forest, Paths]:
    forest = read_forest(booster.model_to_string())
    return forest, trace(forest)


@settings(max_examples=80, deadline=None)
@given(kind=KINDS)
def test_contributions_are_those_of_the_library(kind: dict[str, Any]) -> None:
    booster, values = grown(**kind)
    rows = with_edges(values, kind["seed"])
    forest, paths = read(booster)
    theirs = booster.predict(rows, pred_contrib=True, num_threads=1)
    np.testing.assert_allclose(contributions(forest, paths, rows), theirs[:, :-1], rtol=0, atol=1e-9)
    np.testing.assert_allclose(forest.expected.sum(), theirs[0, -1], rtol=0, atol=1e-9)


@pytest.mark.parametrize(("columns", "passes"), [(12, 1), (20, 2), (36, 3)])
def test_paths_over_more_columns_than_one_pass_integrates_are_as_exact(columns: int, passes: int) -> None:
    # The library's own recursion loses digits on such paths (4e-8 at 40 columns), so fractions of whole numbers are the judge.
    booster, values = chained(columns)
    forest, paths = read(booster)
    assert set(paths.passes.tolist()) == {passes}
    row = values[np.argmin(np.abs(values.sum(axis=1) - columns + 2))]
    np.testing.assert_allclose(contributions(forest, paths, row[None])[0], _in_fractions(forest, row), rtol=0, atol=1e-12)


def _in_fractions(forest: Forest, row: np.ndarray) -> list[float]:
    """Return Shapley values leaf by leaf without rounding: v·(o_i − z_i)·∫ ∏ (t·o_j + (1−t)·z_j) dt over the other columns."""
    found = [Fraction(0)] * forest.columns
    for tree in range(len(forest.expected)):
        for value, answers in _leaves(forest, tree, row):
            for column, (kept, share) in answers.items():
                product = [Fraction(1)]
                for other, (o, z) in answers.items():
                    if other != column:
                        product = [a * z + b * (o - z) for a, b in zip([*product, Fraction(0)], [Fraction(0), *product], strict=True)]
                found[column] += value * (kept - share) * sum(c / (k + 1) for k, c in enumerate(product))
    return [float(number) for number in found]


def _leaves(forest: Forest, tree: int, row: np.ndarray) -> Iterator[tuple[Fraction, dict[int, tuple[int, Fraction]]]]:
    """Walk to every leaf: its value, and per column asked on the way whether the row keeps to the way, and which share does."""
    start, end = forest.node_starts[tree : tree + 2].tolist()
    open_: list[tuple[int, dict[int, tuple[int, Fraction]]]] = [(0, {})]
    while open_:
        place, answers = open_.pop()
        if place >= end - start:
            yield Fraction(float(forest.leaves[forest.leaf_starts[tree] + place - (end - start)])), answers
            continue
        node = start + place
        column, left = int(forest.features[node]), _goes_left(forest, node, row)
        kept, share = answers.get(column, (1, Fraction(1)))
        for side in (0, 1):
            way = kept * (side == left), share * Fraction(float(forest.shares[2 * node + side]))
            open_.append((int(forest.children[2 * node + side]), answers | {column: way}))


def test_contributions_are_shapley_values_of_what_the_tree_is_expected_to_say() -> None:
    booster, values = grown(5, rounds=3, columns=5)
    forest, paths = read(booster)
    for row in values[:12]:
        np.testing.assert_allclose(contributions(forest, paths, row[None])[0], _shapley(forest, row), rtol=0, atol=1e-12)


def _shapley(forest: Forest, row: np.ndarray) -> np.ndarray:
    """Return Shapley values by their definition: over all sets of columns."""
    columns = range(forest.columns)
    found = np.zeros(forest.columns)
    for column in columns:
        others = [c for c in columns if c != column]
        for size in range(len(others) + 1):
            weight = math.factorial(size) * math.factorial(len(others) - size) / math.factorial(len(others) + 1)
            for known in itertools.combinations(others, size):
                found[column] += weight * (_expected(forest, row, {*known, column}) - _expected(forest, row, set(known)))
    return found


def _expected(forest: Forest, row: np.ndarray, known: set[int]) -> float:
    """Return what the trees are expected to say where some columns are known and the rest goes as the training rows went."""
    total = 0.0
    for tree in range(len(forest.expected)):
        start, end = forest.node_starts[tree : tree + 2]

        def below(place: int, tree: int = tree, start: int = start, nodes: int = end - start) -> float:
            if place >= nodes:
                return float(forest.leaves[forest.leaf_starts[tree] + place - nodes])
            node = start + place
            right, left = forest.children[2 * node : 2 * node + 2].tolist()
            if int(forest.features[node]) in known:
                return below(left if _goes_left(forest, node, row) else right)
            shares = forest.shares[2 * node : 2 * node + 2]
            return float(shares[0] * below(right) + shares[1] * below(left))

        total += below(0)
    return total


def _goes_left(forest: Forest, node: int, row: np.ndarray) -> bool:
    slot = forest.slots[node]
    value = row[forest.slot_columns[slot]]
    return bool(forest.slot_left[slot]) if np.isnan(value) else bool(value <= forest.thresholds[node])


@settings(max_examples=20, deadline=None)
@given(kind=KINDS)
def test_contributions_and_base_add_up_to_the_margin(kind: dict[str, Any]) -> None:
    booster, values = grown(**kind)
    forest, paths = read(booster)
    rows = with_edges(values, kind["seed"])
    total = contributions(forest, paths, rows).sum(axis=1) + forest.expected.sum()
    np.testing.assert_allclose(total, margins(forest, rows), rtol=0, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(kind=KINDS)
def test_margins_come_along_to_the_last_bit(kind: dict[str, Any]) -> None:
    booster, values = grown(**kind)
    forest, paths = read(booster)
    rows = with_edges(values, kind["seed"])
    assert np.array_equal(explained(forest, paths, rows)[1], margins(forest, rows))


def test_a_column_that_no_tree_asks_about_contributes_exactly_nothing() -> None:
    booster, values = grown(7, rounds=2, num_leaves=3)
    forest, paths = read(booster)
    unused = sorted(set(range(forest.columns)) - set(forest.features.tolist()))
    assert unused
    assert (contributions(forest, paths, values)[:, unused] == 0).all()


def test_a_row_alone_has_the_bits_it_has_among_others() -> None:
    booster, values = grown(8, rounds=20)
    forest, paths = read(booster)
    together = contributions(forest, paths, values)
    for row in range(0, len(values), 40):
        assert np.array_equal(contributions(forest, paths, values[row : row + 1])[0], together[row])


@pytest.mark.parametrize("rows", [1, 2, 7, 240])
def test_threads_share_the_rows_and_change_no_bit(rows: int) -> None:
    booster, values = grown(8)
    forest, paths = read(booster)
    shared = contributions(forest, paths, values[:rows], num_threads=3)
    assert np.array_equal(shared, contributions(forest, paths, values[:rows]))


def test_no_rows_and_a_model_without_questions_have_contributions_of_their_shape() -> None:
    booster, values = grown(9)
    forest, paths = read(booster)
    assert contributions(forest, paths, values[:0]).shape == (0, 6)
    constant, _ = grown(9, min_data_in_leaf=1000)
    assert (contributions(*read(constant), values[:3]) == np.zeros((3, 6))).all()
