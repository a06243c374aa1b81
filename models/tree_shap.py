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

Neither paths nor sets of columns are enumerated: the work is nodes × points, the memory of a model about 60 bytes a node. Some trees
at a time are walked for all rows of a group, while they are in the processor's cache.

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

import numpy as np
from numba import njit

from models.tree_forest import Forest, fitting, shown
from models.tree_lanes import LANES, aligned, fma, load, mul, pick, splat, store, sub, total
from models.tree_paths import BITS_OF_COLUMN, BITS_OF_SPOT, Paths

_compiled = njit(cache=True, nogil=True, error_model="numpy")

_TREES, _ROWS = 16, 32
"""Trees walked for one row after the other, and rows: their words and sums stay in the processor's cache meanwhile."""

_TO_COLUMN, _TO_ROW = np.uint64(BITS_OF_SPOT), np.uint64(BITS_OF_SPOT + BITS_OF_COLUMN)
_SPOT, _COLUMN = np.uint64((1 << BITS_OF_SPOT) - 1), np.uint64((1 << BITS_OF_COLUMN) - 1)


def contributions(forest: Forest, paths: Paths, rows: np.ndarray, num_threads: int = 1) -> np.ndarray:
    """Return what each column adds to the margin of each row.

    Parameters
    ----------
    forest
        The trees.
    paths
        What :func:`models.tree_paths.trace` found in them.
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
    return explained(forest, paths, rows, num_threads)[0]


def explained(forest: Forest, paths: Paths, rows: np.ndarray, num_threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return what :func:`contributions` does, and the margins of :func:`models.tree_forest.margins`, which cost hardly more."""
    read = fitting(forest, rows)
    found, margins = np.empty(read.shape), np.zeros(len(read))
    ends = np.linspace(0, len(read), max(1, min(num_threads, len(read))) + 1).astype(int).tolist()

    def part(begin: int, end: int) -> None:
        scratch = aligned((paths.largest + min(end - begin, _ROWS) * forest.columns) * LANES)
        _explained(forest, paths, read[begin:end], found[begin:end], margins[begin:end], scratch)

    if len(ends) == 2:
        part(*ends)
        return found, margins
    with ThreadPoolExecutor(len(ends) - 1) as pool:
        done = [pool.submit(part, begin, end) for begin, end in pairwise(ends)]
    for one in done:
        one.result()
    return found, margins


@_compiled
def _explained(forest, paths, rows, found, margins, scratch):
    """Explain some rows at a time; what a column is given is gathered point by point and added up at the end."""
    trees, columns = len(paths.passes), forest.columns
    values = np.empty((min(len(rows), _ROWS), len(forest.slot_columns)))
    states = np.empty(_TREES * paths.largest, dtype=np.uint8)
    spots, gathered = scratch[: paths.largest * LANES], scratch[paths.largest * LANES :]
    for begin in range(0, len(rows), _ROWS):
        many = min(_ROWS, len(rows) - begin)
        gathered[:] = 0.0
        for r in range(many):
            shown(forest, rows[begin + r], values[r])
        for first in range(0, trees, _TREES):
            last = min(first + _TREES, trees)
            for r in range(many):
                mine = gathered[r * columns * LANES : (r + 1) * columns * LANES]
                _answer(forest, paths, values[r], first, last, states)
                margins[begin + r] = _walk(forest, paths, states, first, last, spots, mine, margins[begin + r])
        for r in range(many):
            for column in range(columns):
                found[begin + r, column] = total(load(gathered, r * columns + column))


@_compiled
def _answer(forest, paths, values, first, last, states):
    """Say of each node of some trees whether the row goes left (1), and whether it kept to the path at the node's column so far (2)."""
    start = forest.node_starts[first]
    for node in range(start, forest.node_starts[last]):
        states[node - start] = 2 + (values[forest.slots[node]] <= forest.thresholds[node])
    for k in range(paths.again_starts[first], paths.again_starts[last]):
        node, after = paths.again[k] - start, paths.after[k]
        before = states[(after >> 1) - start]
        states[node] = (states[node] & 1) | (before & 2 if before & 1 == after & 1 else 0)


@_compiled
def _walk(forest, paths, states, first, last, spots, gathered, margin):
    """Walk some trees down (products of factors) and up (what subtrees add), at eight points at a time; add up the leaves of the row."""
    words, shares, factors, leaves, leaf_spots = paths.words, forest.shares, paths.factors, forest.leaves, paths.leaf_spots
    begin = forest.node_starts[first]
    for tree in range(first, last):
        start, leaf = forest.node_starts[tree], forest.leaf_starts[tree]
        nodes, ends = forest.node_starts[tree + 1] - start, forest.leaf_starts[tree + 1] - leaf
        place = np.int64(0)
        while place < nodes:
            place = np.int64(forest.children[2 * (start + place) + (states[start - begin + place] & 1)])
        margin += leaves[leaf + place - nodes]
        for block in range(paths.passes[tree]):
            store(spots, 0, load(paths.weights, paths.rules[tree] + block))
            for k in range(nodes):
                word, state = pick(words, start + k), np.int64(pick(states, start - begin + k))
                side, row = state & 1, (state >> 1) * (np.int64(word >> _TO_ROW) + block)
                here = load(spots, np.int64(word & _SPOT))
                lost = mul(here, mul(splat(pick(shares, 2 * (start + k) + 1 - side)), load(factors, 2 * row)))
                store(spots, 2 * k + 2 - side, lost)
                store(spots, 2 * k + 1 + side, sub(here, lost))
            for k in range(ends):
                store(spots, np.int64(pick(leaf_spots, leaf + k)), splat(pick(leaves, leaf + k)))
            for k in range(nodes - 1, -1, -1):
                word, state = pick(words, start + k), np.int64(pick(states, start - begin + k))
                side, row = state & 1, (state >> 1) * (np.int64(word >> _TO_ROW) + block)
                spot, column = np.int64(word & _SPOT), np.int64(word >> _TO_COLUMN & _COLUMN)
                there = load(spots, 2 * k + 1 + side)
                gap = sub(there, load(spots, 2 * k + 2 - side))
                away = mul(splat(pick(shares, 2 * (start + k) + 1 - side)), gap)
                term = mul(load(spots, spot), load(factors, 2 * row + 1))
                store(spots, spot, sub(there, mul(away, load(factors, 2 * row))))
                store(gathered, column, fma(term, away, load(gathered, column)))
    return margin
