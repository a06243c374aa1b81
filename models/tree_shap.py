"""Exact path-dependent TreeSHAP for one row in a fraction of a millisecond: the values of LightGBM's ``pred_contrib``.

**The value as an integral.** On its way to a leaf a path asks about d columns. For column j let o_j be 1 if the row answers all its
questions on the path as the path does, else 0, and z_j the share of training rows that do. The Shapley weight of a set of
columns of size s is ∫₀¹ tˢ(1−t)^(d−1−s) dt, so the leaf v gives column i

    v·(o_i − z_i)·∫₀¹ ∏_{j≠i} (t·o_j + (1−t)·z_j) dt.

The integrand is a polynomial of degree d − 1, which Gauss–Legendre's rule with n ≥ d/2 points integrates exactly. Eight points do for
paths of 16 different columns, 8·b for 16·b; so a tree is walked once per eight points, all eight at a time.

**One term per node.** Let P be the product of the factors above a node, times the point's weight, and g what the subtree adds below.
Say the row goes on to child h and not to child c, which took shares z_h + z_c = 1. If the node is the first on its path to ask about
its column, the factors are z_h + t·z_c and (1−t)·z_c, and all leaves below give its column together

    z_c · Σ_points P·(g_h − g_c),        g = g_h − (1−t)·z_c·(g_h − g_c).

If the column was asked about before, with share z and factor F = z + t·(1−z) so far: where the row kept to the path, put
(1−t)·z_c·z/F for (1−t)·z_c, and P·z/F² for P in the sum. Where it left the path at this column, leaves below no longer depend on
it: z_c for the factor, 0 for the sum. So each node needs two vectors that do not depend on the row, R and S, of which there is one
pair per rule for first questions, one per repeated question, and one for paths already left. No branch is taken on data.

Neither paths nor sets of columns are enumerated: the work is nodes × points, the memory of a model about 60 bytes a node.

References
----------
Lundberg et al., From local explanations to global understanding with explainable AI for trees, Nature Machine Intelligence 2020 (the
values). Yu et al., Linear TreeSHAP, NeurIPS 2022 (summing over subtrees as polynomials; the quadrature takes the place of their
interpolation). Yang, Fast TreeSHAP, 2021.
"""

# Compiled functions take arrays and tuples of arrays, which annotations cannot say.
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN202

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numba import njit

from models.tree_forest import Forest, fitting, shown
from models.tree_lanes import LANES, fma, load, mul, splat, store, sub, total

_compiled = njit(cache=True, nogil=True, error_model="numpy")
_MOST = 2**16
"""Nodes and leaves of a tree, at most: children are numbered in 16 bits."""

_LEFT = 0
"""Row of R and S for a column at which the row already left the path."""


class Paths(NamedTuple):
    """What the contributions need beside the trees.

    Parameters
    ----------
    sources
        The child, numbered as in the forest, by which a node's path left the last question about the same column; 0 (the root)
        where there was none, uint16, shape (nodes,).
    vectors
        Row of R and S for a node's first eight points, uint32, shape (nodes,).
    passes
        How often a tree is walked, eight points at a time, int64, shape (trees,).
    rules
        Row of ``weights`` for a tree's first eight points, int64, shape (trees,).
    factors, sums
        R and S, float64, shape (rows · 8,).
    weights
        Of the points, float64, shape (first rows · 8,).
    largest
        Nodes and leaves of the largest tree.
    """

    sources: np.ndarray
    vectors: np.ndarray
    passes: np.ndarray
    rules: np.ndarray
    factors: np.ndarray
    sums: np.ndarray
    weights: np.ndarray
    largest: int


def contributions(forest: Forest, paths: Paths, rows: np.ndarray, num_threads: int = 1) -> np.ndarray:
    """Return what each column adds to the margin of each row.

    Parameters
    ----------
    forest
        The trees.
    paths
        What :func:`trace` found in them.
    rows
        float64, shape (rows, columns); missing is NaN.
    num_threads
        Threads that share the rows.

    Returns
    -------
    ndarray
        float64, shape (rows, columns): with ``forest.expected.sum()`` a row's contributions add up to its margin. A row's bits do not
        depend on the rows beside it.
    """
    read = fitting(forest, rows)
    found = np.empty(read.shape)
    if num_threads <= 1 or len(read) <= 1:
        _contributions(forest, paths, read, found)
        return found
    ends = np.linspace(0, len(read), num_threads + 1).astype(int).tolist()
    with ThreadPoolExecutor(num_threads) as pool:
        done = [pool.submit(_contributions, forest, paths, read[begin:end], found[begin:end]) for begin, end in pairwise(ends)]
    for part in done:
        part.result()
    return found


def trace(forest: Forest) -> Paths:
    """Find for every node where its column was asked about before, and lay out the vectors R and S of its factor."""
    nodes, trees = len(forest.features), len(forest.expected)
    sources, before, columns = np.zeros(nodes, dtype=np.uint16), np.ones(nodes), np.zeros(trees, dtype=np.int64)
    _trace(forest, sources, before, columns)
    passes = np.maximum(1, -(-columns // (2 * LANES)))
    points, weights, starts = _rules(np.unique(passes).tolist())
    rules = np.array([starts[times] for times in passes.tolist()], dtype=np.int64)
    of_tree = np.repeat(np.arange(trees), np.diff(forest.node_starts))
    times, vectors = passes[of_tree], rules[of_tree]
    again = np.flatnonzero(sources)
    ends = len(points) + np.cumsum(times[again])
    # A repeated question has rows of its own, as many as its tree has passes.
    rows = np.repeat(again, times[again])
    block = np.arange(len(rows)) - np.repeat(ends - times[again] - len(points), times[again])
    t, share = points[vectors[rows] + block], before[rows][:, None]
    vectors[again] = ends - times[again]
    so_far = share + t * (1.0 - share)
    factors = np.concatenate([1.0 - points, (1.0 - t) * share / so_far])
    sums = np.concatenate([np.ones_like(points), share / so_far**2])
    sums[_LEFT] = 0.0
    largest = int(np.diff(forest.node_starts).max() + np.diff(forest.leaf_starts).max())
    return Paths(sources, vectors.astype(np.uint32), passes, rules, factors.ravel(), sums.ravel(), weights.ravel(), largest)


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
def _trace(forest, sources, before, columns):
    """Climb from each node to the last question about its column; count the different columns of each tree's longest path."""
    parents, different = np.zeros(_MOST, dtype=np.int64), np.zeros(_MOST, dtype=np.int64)
    for tree in range(len(columns)):
        start = forest.node_starts[tree]
        for place in range(forest.node_starts[tree + 1] - start):
            node = start + place
            child, first = place, True
            while child > 0 and first:
                above = start + parents[child]
                if forest.features[above] == forest.features[node]:
                    side = np.int64(forest.children[2 * above] != child)
                    before[node] = before[above] * forest.shares[2 * above + side]
                    sources[node], first = child, False
                child = parents[child]
            for below in forest.children[2 * node : 2 * node + 2]:
                parents[below] = place
                different[below] = different[place] + first
                columns[tree] = max(columns[tree], different[below])


@_compiled
def _contributions(forest, paths, rows, found):
    """Explain row by row; what a column is given is gathered point by point and added up at the end."""
    values, left = np.empty(len(forest.slot_columns)), np.empty(len(forest.features), dtype=np.uint8)
    size = paths.largest * LANES
    vectors = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    places = np.empty(paths.largest, np.uint16), np.empty(paths.largest, np.uint16), np.empty(paths.largest, np.uint16)
    gathered = np.empty(forest.columns * LANES)
    for r in range(len(rows)):
        shown(forest, rows[r], values)
        for node in range(len(left)):
            left[node] = values[forest.slots[node]] <= forest.thresholds[node]
        gathered[:] = 0.0
        _walk(forest, paths, left, vectors, places, gathered)
        for column in range(forest.columns):
            found[r, column] = total(load(gathered, column))


@_compiled
def _walk(forest, paths, left, vectors, places, gathered):
    """Walk every tree down (products of factors) and up (what subtrees add), at eight points at a time."""
    product, below, factor, term = vectors
    kept, follow, leave = places
    children, shares, leaves, features = forest.children, forest.shares, forest.leaves, forest.features
    sources, rows, factors, sums = paths.sources, paths.vectors, paths.factors, paths.sums
    for tree in range(len(paths.passes)):
        start, first_leaf = forest.node_starts[tree], forest.leaf_starts[tree]
        nodes, ends = forest.node_starts[tree + 1] - start, forest.leaf_starts[tree + 1] - first_leaf
        for block in range(paths.passes[tree]):
            store(product, 0, load(paths.weights, paths.rules[tree] + block))
            kept[0] = 1
            for k in range(nodes):
                node = start + k
                hot, cold = 2 * node + left[node], 2 * node + 1 - left[node]
                follow[k], leave[k] = children[hot], children[cold]
                still = kept[sources[node]]
                kept[follow[k]], kept[leave[k]] = still, 0
                row = still * (rows[node] + block)
                away, here = splat(shares[cold]), load(product, k)
                change = mul(away, load(factors, row))
                lost = mul(here, change)
                store(factor, k, change)
                store(term, k, mul(mul(here, load(sums, row)), away))
                store(product, leave[k], lost)
                store(product, follow[k], sub(here, lost))
            for leaf in range(ends):
                store(below, nodes + leaf, splat(leaves[first_leaf + leaf]))
            for k in range(nodes - 1, -1, -1):
                there = load(below, follow[k])
                gap = sub(there, load(below, leave[k]))
                store(below, k, sub(there, mul(load(factor, k), gap)))
                column = features[start + k]
                store(gathered, column, fma(load(term, k), gap, load(gathered, column)))
