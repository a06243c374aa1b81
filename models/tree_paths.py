"""What exact contributions need beside the trees, found once per model: where each column was asked about before, and the vectors R and S.

:mod:`models.tree_shap` says what R and S are. Everything that a node needs while a row is explained lies in one word and one pair of
shares, in the order in which the nodes are visited; a tree's nodes and leaves have *spots*: the children of its k-th node are the spots
2k + 1 (right) and 2k + 2 (left), so that nobody has to look up where they are.
"""

# Compiled functions take arrays and tuples of arrays, which annotations cannot say.
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN202

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from models.tree_forest import Forest, ForestError
from models.tree_lanes import LANES, aligned

BITS_OF_SPOT, BITS_OF_COLUMN = 16, 24
"""How a node's word is cut: from below the spot, the column, and above them the row of R and S."""

_MOST = 2**16
"""Nodes and leaves of a tree, at most: children are numbered in 16 bits."""

_LEFT = 0
"""Row of R and S for a column at which the row already left the path."""

_compiled = njit(cache=True, nogil=True, error_model="numpy")


class Paths(NamedTuple):
    """What the contributions need beside the trees.

    Parameters
    ----------
    words
        Of each node: its spot, its column, and the row of R and S for its first eight points, uint64, shape (nodes,).
    leaf_spots
        Where each leaf is, uint16, shape (leaves,).
    again, again_starts
        Nodes whose column was asked about before on their path, int64, and where each tree's begin among them, shape (trees + 1,).
    after
        Of each of those twice the node that asked last, plus the side on which the path left it (0: right), int64.
    passes
        How often a tree is walked, eight points at a time, int64, shape (trees,).
    rules
        Row of ``weights`` for a tree's first eight points, int64, shape (trees,).
    factors
        R and S in turn, float64, shape (rows · 16,).
    weights
        Of the points, float64, shape (first rows · 8,).
    largest
        Nodes and leaves of the largest tree.
    """

    words: np.ndarray
    leaf_spots: np.ndarray
    again: np.ndarray
    again_starts: np.ndarray
    after: np.ndarray
    passes: np.ndarray
    rules: np.ndarray
    factors: np.ndarray
    weights: np.ndarray
    largest: int


def trace(forest: Forest) -> Paths:
    """Find for every node where its column was asked about before, and lay out the vectors R and S of its factor.

    Raises
    ------
    ForestError
        If there are more columns or repeated questions than a node's word can number.
    """
    nodes, trees = len(forest.features), len(forest.expected)
    spots, leaf_spots = np.zeros(nodes, dtype=np.uint16), np.zeros(len(forest.leaves), dtype=np.uint16)
    after, before, columns = np.full(nodes, -1, dtype=np.int64), np.ones(nodes), np.zeros(trees, dtype=np.int64)
    _trace(forest, spots, leaf_spots, after, before, columns)
    passes = np.maximum(1, -(-columns // (2 * LANES)))
    points, weights, starts = _rules(np.unique(passes).tolist())
    rules = np.array([starts[times] for times in passes.tolist()], dtype=np.int64)
    times, rows = (np.repeat(of_tree, np.diff(forest.node_starts)) for of_tree in (passes, rules))
    again = np.flatnonzero(after >= 0)
    vectors, ends = _vectors(points, rows[again], times[again], before[again])
    rows[again] = ends - times[again]
    if forest.columns >= 1 << BITS_OF_COLUMN or len(vectors) >= 1 << 64 - BITS_OF_SPOT - BITS_OF_COLUMN:
        raise ForestError(f"model: expected at most {1 << BITS_OF_COLUMN} columns and questions, found {forest.columns} and {len(vectors)}")
    words = (rows.astype(np.uint64) << np.uint64(BITS_OF_COLUMN) | forest.features) << np.uint64(BITS_OF_SPOT) | spots
    factors = aligned(vectors.size)
    factors[:] = vectors.ravel()
    largest = int(np.diff(forest.node_starts).max() + np.diff(forest.leaf_starts).max())
    again_starts = np.searchsorted(again, forest.node_starts)
    return Paths(words, leaf_spots, again, again_starts, after[again], passes, rules, factors, weights.ravel(), largest)


def _vectors(points: np.ndarray, firsts: np.ndarray, times: np.ndarray, before: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return R and S, (rows, 2, 8), and where the rows of each repeated question end: it has its own, as many as its tree has passes."""
    ends = len(points) + np.cumsum(times)
    block = np.arange(times.sum()) - np.repeat(ends - times - len(points), times)
    t, share = points[np.repeat(firsts, times) + block], np.repeat(before, times)[:, None]
    so_far = share + t * (1.0 - share)
    factors = np.concatenate([1.0 - points, (1.0 - t) * share / so_far])
    sums = np.concatenate([np.ones_like(points), share / so_far**2])
    sums[_LEFT] = 0.0
    return np.stack([factors, sums], axis=1), ends


def _rules(passes: list[int]) -> tuple[np.ndarray, np.ndarray, dict[int, int]]:
    """Return points and weights of Gauss and Legendre on [0, 1], eight to a row, and the first row for each number of passes."""
    points, weights, starts = [np.zeros((1, LANES))], [np.zeros((1, LANES))], {}
    for times in passes:
        starts[times] = sum(len(rows) for rows in points)
        at, weight = np.polynomial.legendre.leggauss(LANES * times)
        points.append((at.reshape(-1, LANES) + 1.0) / 2.0)
        weights.append(weight.reshape(-1, LANES) / 2.0)
    return np.concatenate(points), np.concatenate(weights), starts


@_compiled
def _trace(forest, spots, leaf_spots, after, before, columns):
    """Climb from each node to the last question about its column; count the different columns of each tree's longest path."""
    parents, different = np.zeros(_MOST, dtype=np.int64), np.zeros(_MOST, dtype=np.int64)
    for tree in range(len(columns)):
        start = forest.node_starts[tree]
        nodes = forest.node_starts[tree + 1] - start
        for place in range(nodes):
            node = start + np.int64(place)
            child, first = np.int64(place), True
            while child > 0 and first:
                above = start + parents[child]
                if forest.features[above] == forest.features[node]:
                    side = np.int64(forest.children[2 * above] != child)
                    before[node] = before[above] * forest.shares[2 * above + side]
                    after[node], first = 2 * above + side, False
                child = parents[child]
            for side in np.arange(2):
                below = np.int64(forest.children[2 * node + side])
                parents[below] = place
                different[below] = different[place] + first
                columns[tree] = max(columns[tree], different[below])
                if below < nodes:
                    spots[start + below] = 2 * place + 1 + side
                else:
                    leaf_spots[forest.leaf_starts[tree] + below - nodes] = 2 * place + 1 + side
