"""Margins of many rows at once: every question of a tree is put to a block of rows, and what is left of its leaves is the answer.

Walking a tree, a processor waits at every node to learn where to go. Here nobody walks: each node asks a whole block of rows and strikes
the leaves of its left side from a word of 64 bits wherever the answer is no. Of the leaves that are left the first is the one that a
walk would have reached (Lucchese et al. 2015). Comparing and striking are the same for all rows, so eight are done by one
instruction. Leaves are added in the order of the trees: the bits are those of :func:`models.tree_forest.margins`.

References
----------
Lucchese, Nardini, Orlando, Perego, Tonellotto, Venturini (2015). QuickScorer: a fast algorithm to rank documents with additive
ensembles of regression trees. SIGIR.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit

from features.photographs import ones
from models.tree_forest import Forest, fitting, margins, shown

ROWS = 128
"""Rows of a block: what their slots show fits into a core's own cache."""

_MOST_LEAVES = 64


@dataclass(frozen=True, eq=False)
class Struck:
    """Trees as words of bits, the leaves of each numbered from left to right.

    Parameters
    ----------
    masks
        For each node of the forest the leaves that stay where its answer is no: all but those of its left side; uint64, shape (nodes,).
    leaves
        What the leaves add, those of each tree from left to right, in the places that the forest keeps for the tree's leaves.
    """

    masks: np.ndarray
    leaves: np.ndarray


def struck(forest: Forest) -> Struck | None:
    """Prepare trees for :func:`margins_of_many`; ``None`` if one of them has more leaves than a word has bits."""
    if len(forest.leaf_starts) > 1 and np.diff(forest.leaf_starts).max() > _MOST_LEAVES:
        return None
    masks, leaves = np.full(len(forest.features), np.iinfo(np.uint64).max), forest.leaves.copy()
    for tree in range(len(forest.node_starts) - 1):
        start, first = int(forest.node_starts[tree]), int(forest.leaf_starts[tree])
        nodes = int(forest.node_starts[tree + 1]) - start
        # Places to visit, left side first; a node comes back, negative, once its left side is numbered.
        waiting, numbered = [0], 0
        began: dict[int, int] = {}
        while waiting:
            place = waiting.pop()
            if place < 0:
                left = range(began[~place], numbered)
                masks[start + ~place] = np.uint64(np.iinfo(np.uint64).max ^ sum(1 << leaf for leaf in left))
            elif place >= nodes:
                leaves[first + numbered] = forest.leaves[first + place - nodes]
                numbered += 1
            else:
                began[place] = numbered
                right, left_side = (int(forest.children[2 * (start + place) + answer]) for answer in (0, 1))
                waiting += [right, ~place, left_side]
    return Struck(masks, leaves)


def margins_of_many(forest: Forest, trees: Struck | None, rows: np.ndarray, num_threads: int = 1) -> np.ndarray:
    """Return the margin of each row, as :func:`models.tree_forest.margins` does.

    Parameters
    ----------
    forest, trees
        The trees, and what :func:`struck` made of them; where that is nothing, trees are walked.
    rows
        float64, shape (rows, columns), C-contiguous; missing is NaN.
    num_threads
        How many threads may work; the result does not depend on it.
    """
    rows, found = fitting(forest, rows), np.empty(len(rows))

    def some(part: slice) -> None:
        if trees is None:
            found[part] = margins(forest, rows[part])
        else:
            _strike(forest, trees.masks, trees.leaves, rows[part], found[part])

    cuts = [len(rows) * k // num_threads for k in range(num_threads + 1)]
    parts = [slice(begin, end) for begin, end in pairwise(cuts)]
    if len(parts) == 1:
        some(parts[0])
    else:
        with ThreadPoolExecutor(num_threads) as pool:
            list(pool.map(some, parts))
    return found


@njit(cache=True, nogil=True)
def _strike(forest, masks, leaves, rows, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    values, one = np.zeros((len(forest.slot_columns), ROWS)), np.empty(len(forest.slot_columns))
    left, sums, none, every = np.empty(ROWS, np.uint64), np.empty(ROWS), np.uint64(0), np.uint64(0xFFFFFFFFFFFFFFFF)
    for begin in range(0, len(rows), ROWS):
        held = min(ROWS, len(rows) - begin)
        for row in range(held):
            shown(forest, rows[begin + row], one)
            values[:, row] = one
        sums[:] = 0.0
        for tree in range(len(forest.node_starts) - 1):
            left[:] = every
            for node in range(forest.node_starts[tree], forest.node_starts[tree + 1]):
                shows, threshold, mask = values[forest.slots[node]], forest.thresholds[node], masks[node]
                for row in range(ROWS):
                    left[row] &= mask | (every if shows[row] <= threshold else none)
            first = forest.leaf_starts[tree]
            for row in range(ROWS):
                sums[row] += leaves[first + ones((left[row] & (none - left[row])) - np.uint64(1))]
        found[begin : begin + held] = sums[:held]
