"""A LightGBM model as flat arrays, and its margin for one row: the same bits as the library, without its price per call.

LightGBM's Python call costs more than the trees for one row, and its faster single-row calls are not exposed. Here every question
of a tree becomes one comparison, ``value ≤ threshold``: what is special about a missing value is put into the value once per row
and not into every node. A column appears once for each way in which the trees treat what is missing in it.

References
----------
Ke et al., LightGBM: a highly efficient gradient boosting decision tree, NeurIPS 2017; the rules of missing and categorical values
are those of its ``tree.h`` (``NumericalDecision``, ``CategoricalDecision``).
"""

# Compiled functions take arrays and tuples of arrays, which annotations cannot say.
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN201, ANN202

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

CATEGORICAL, DEFAULT_LEFT = 1, 2
"""Bits of LightGBM's ``decision_type``; the next two bits tell what is missing in a column."""

NEVER_MISSING, ZERO_MISSING, NAN_MISSING, IN_SET = range(4)
"""Kinds of slots: NaN counts as 0; 0 and NaN are missing; NaN is missing; 0 for a category of a set and 1 for any other."""

LARGEST = float(np.finfo(np.float64).max)
"""What stands for +∞ in values and thresholds: only what is missing lies beyond every threshold."""

_NO_MORE_THAN_ZERO = float(np.float32(1e-35))
"""LightGBM takes smaller numbers for 0."""

_compiled = njit(cache=True, nogil=True, error_model="numpy")


class Forest(NamedTuple):
    """Trees one after the other; a tree's nodes in breadth, so that parents come before their children.

    Within a tree of m nodes a child is numbered k where it is the k-th node, and m + k where it is the k-th leaf.

    Parameters
    ----------
    columns
        Columns that a row has.
    node_starts, leaf_starts
        Where each tree's nodes and leaves begin, and the last one's end, int64, shape (trees + 1,).
    features
        The column a node asks about, uint32, shape (nodes,).
    slots, thresholds
        A row goes left where the value of the slot is at most the threshold, uint32 and float64, shape (nodes,).
    children
        Right and left child, uint16, shape (nodes · 2,).
    shares
        Which part of a node's training rows went right and left, float64, shape (nodes · 2,).
    leaves
        What a leaf adds to the margin, float64, shape (leaves,).
    expected
        The mean leaf of every tree, by training rows, float64, shape (trees,).
    slot_columns, slot_kinds, slot_left
        What a slot shows: a column, how what is missing in it is treated, and whether that goes left.
    slot_sets
        Of a set of categories: where its bits begin and end among ``bits``, int64, shape (slots · 2,).
    bits
        Sets of categories that go left, 32 to a word, uint32.
    """

    columns: int
    node_starts: np.ndarray
    leaf_starts: np.ndarray
    features: np.ndarray
    slots: np.ndarray
    thresholds: np.ndarray
    children: np.ndarray
    shares: np.ndarray
    leaves: np.ndarray
    expected: np.ndarray
    slot_columns: np.ndarray
    slot_kinds: np.ndarray
    slot_left: np.ndarray
    slot_sets: np.ndarray
    bits: np.ndarray


class ForestError(ValueError):
    """A model text that is none, or holds trees of a kind that is not known here."""


def margins(forest: Forest, rows: np.ndarray) -> np.ndarray:
    """Return the margin of each row: ``booster.predict(rows, raw_score=True)`` to the last bit.

    Parameters
    ----------
    forest
        The trees.
    rows
        float64, shape (rows, columns), C-contiguous; missing is NaN.

    Returns
    -------
    ndarray
        float64, shape (rows,).
    """
    found = np.empty(len(rows))
    _margins(forest, fitting(forest, rows), found)
    return found


def fitting(forest: Forest, rows: np.ndarray) -> np.ndarray:
    """Return rows as compiled code reads them: it would read beyond the end of rows that are too short."""
    if rows.ndim != 2 or rows.shape[1] != forest.columns:
        raise ValueError(f"rows: expected the shape (rows, {forest.columns}), found {rows.shape}")
    return np.ascontiguousarray(rows, dtype=np.float64)


@_compiled
def shown(forest, row, values):
    """Put what each slot shows of a row into ``values``."""
    for slot in range(len(values)):
        value = row[forest.slot_columns[slot]]
        kind = forest.slot_kinds[slot]
        if abs(value) <= _NO_MORE_THAN_ZERO:
            value = 0.0
        if kind == IN_SET:
            value = 0.0 if _in_set(forest, slot, value) else 1.0
        elif kind != NAN_MISSING and np.isnan(value):
            value = 0.0
        if np.isnan(value) or (kind == ZERO_MISSING and value == 0.0):
            value = -np.inf if forest.slot_left[slot] else np.inf
        elif value == np.inf:
            value = LARGEST
        values[slot] = value


@_compiled
def _in_set(forest, slot, value):
    if np.isnan(value) or value <= -1.0 or value >= 2147483648.0:
        return False
    category = int(value)
    begin, end = forest.slot_sets[2 * slot], forest.slot_sets[2 * slot + 1]
    return category < 32 * (end - begin) and (forest.bits[begin + category // 32] >> np.uint32(category % 32)) & np.uint32(1) == 1


@_compiled
def _margins(forest, rows, found):
    values = np.empty(len(forest.slot_columns))
    for r in range(len(rows)):
        shown(forest, rows[r], values)
        margin = 0.0
        for tree in range(len(forest.node_starts) - 1):
            start = forest.node_starts[tree]
            nodes = forest.node_starts[tree + 1] - start
            place = 0
            while place < nodes:
                node = start + place
                left = values[forest.slots[node]] <= forest.thresholds[node]
                place = forest.children[2 * node + left]
            margin += forest.leaves[forest.leaf_starts[tree] + place - nodes]
        found[r] = margin
