"""LightGBM's model text → flat arrays: read once, checked, and refused where a tree is of a kind that :mod:`models.tree_forest` lacks."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.tree_forest import CATEGORICAL, DEFAULT_LEFT, IN_SET, LARGEST, Forest, ForestError

_Slot = tuple[int, int, bool, int]
"""Column, treatment of what is missing, whether that goes left, and the number of a set of categories (−1: none)."""


def read_forest(text: str) -> Forest:
    """Read a model.

    Parameters
    ----------
    text
        What ``Booster.model_to_string`` writes, with or without its section of parameters.

    Raises
    ------
    ForestError
        If the text is no model with one margin, has linear leaves, averages its trees, or lacks the numbers of training rows.

    Examples
    --------
    >>> import lightgbm, numpy
    >>> rows = numpy.arange(40.0).reshape(20, 2)
    >>> data = lightgbm.Dataset(rows, numpy.arange(20) % 7 > 3, params={"min_data_in_leaf": 2, "verbosity": -1})
    >>> booster = lightgbm.train({"objective": "binary", "min_data_in_leaf": 2, "verbosity": -1, "num_threads": 1}, data, 3)
    >>> from models.tree_forest import margins
    >>> bool((margins(read_forest(booster.model_to_string()), rows) == booster.predict(rows, raw_score=True)).all())
    True
    """
    head, *blocks = text.split("\nTree=")
    header = _fields(head)
    if not head.startswith("tree") or header.get("num_tree_per_iteration") != "1" or "average_output" in head.splitlines():
        raise ForestError(f"model: expected LightGBM's text of a model with one margin, found {text[:60]!r}")
    reader = _Reader()
    for number, block in enumerate(blocks):
        reader.add(number, _fields(block.split("\n\n", 1)[0]))
    return reader.forest(int(header["max_feature_idx"]) + 1)


def _fields(block: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in block.splitlines() if "=" in line)


class _Reader:
    """Gathers trees; a slot is given out for each new way of looking at a column."""

    def __init__(self) -> None:
        self._trees: list[tuple[np.ndarray, ...]] = []
        self._expected: list[float] = []
        self._slots: dict[_Slot, int] = {}
        self._sets: list[np.ndarray] = []

    def add(self, number: int, fields: dict[str, str]) -> None:
        """Read one tree."""
        if fields.get("is_linear", "0") != "0":
            raise ForestError(f"model: expected trees with constant leaves, found linear ones in tree {number}")
        leaves = _numbers(fields, "leaf_value", number)
        if 2 * len(leaves) > np.iinfo(np.uint16).max:
            raise ForestError(f"model: expected trees of at most 32767 leaves, found {len(leaves)} in tree {number}")
        if len(leaves) == 1:
            none, no_pairs = np.empty(0), np.empty((0, 2))
            self._trees.append((none, none, none, no_pairs, no_pairs, leaves))
            self._expected.append(float(leaves[0]))
            return
        pairs: Any = np.stack([_numbers(fields, name, number) for name in ("right_child", "left_child")], axis=1).astype(np.int64)
        columns, slots, thresholds = self._questions(fields, number)
        _must_be_a_tree(pairs, len(columns), len(leaves), number)
        order = np.array(_in_breadth(pairs.tolist()), dtype=np.int64)
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        children = np.where(pairs >= 0, place[np.maximum(pairs, 0)], len(order) + ~pairs)
        shares, expected = _by_training_rows(fields, pairs, leaves, number)
        self._trees.append((columns[order], slots[order], thresholds[order], children[order], shares[order], leaves))
        self._expected.append(expected)

    def _questions(self, fields: dict[str, str], number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return each node's column, slot and threshold; a set of categories is a slot of its own that shows 0 (in it) or 1."""
        sets = (
            np.split(_numbers(fields, "cat_threshold", number), _numbers(fields, "cat_boundaries", number)[1:-1].astype(int))
            if (fields.get("num_cat", "0") != "0")
            else []
        )
        columns, kinds, thresholds = (_numbers(fields, name, number) for name in ("split_feature", "decision_type", "threshold"))
        slots = np.empty(len(columns))
        for node, (column, kind) in enumerate(zip(columns.astype(int).tolist(), kinds.astype(int).tolist(), strict=True)):
            if kind & CATEGORICAL:
                self._sets.append(sets[int(thresholds[node])])
                key, thresholds[node] = (column, IN_SET, False, len(self._sets) - 1), 0.5
            else:
                key = (column, kind >> 2 & 3, bool(kind & DEFAULT_LEFT), -1)
            slots[node] = self._slots.setdefault(key, len(self._slots))
        return columns, slots, np.minimum(thresholds, LARGEST)

    def forest(self, columns: int) -> Forest:
        """Lay all trees one after the other."""
        if not self._trees:
            raise ForestError("model: expected at least one tree, found none")
        features, slots, thresholds, children, shares, leaves = (np.concatenate(part) for part in zip(*self._trees, strict=True))
        if len(features) and features.max() >= columns:
            raise ForestError(f"model: expected questions about {columns} columns, found one about column {int(features.max())}")
        starts = [np.cumsum([0, *(len(tree[part]) for tree in self._trees)]) for part in (0, 5)]
        words = [self._sets[held] if held >= 0 else np.empty(0) for *_, held in self._slots]
        ends = np.cumsum([len(word) for word in words], dtype=np.int64)
        return Forest(
            columns=columns,
            node_starts=starts[0].astype(np.int64),
            leaf_starts=starts[1].astype(np.int64),
            features=features.astype(np.uint32),
            slots=slots.astype(np.uint32),
            thresholds=thresholds,
            children=children.astype(np.uint16).ravel(),
            shares=shares.ravel(),
            leaves=leaves,
            expected=np.array(self._expected),
            slot_columns=np.array([slot[0] for slot in self._slots], dtype=np.int64),
            slot_kinds=np.array([slot[1] for slot in self._slots], dtype=np.int64),
            slot_left=np.array([slot[2] for slot in self._slots], dtype=np.bool_),
            slot_sets=np.stack([ends - [len(word) for word in words], ends], axis=1).astype(np.int64).ravel(),
            bits=np.concatenate([*words, np.empty(0)]).astype(np.uint32),
        )


def _must_be_a_tree(pairs: np.ndarray, nodes: int, leaves: int, number: int) -> None:
    """Refuse children that are not each node but the root and each leaf, once: compiled code would follow them anywhere."""
    if len(pairs) != nodes or sorted(pairs.ravel().tolist()) != [*range(-leaves, 0), *range(1, nodes)]:
        raise ForestError(f"model: expected {nodes} nodes and {leaves} leaves, each the child of one node, found others in tree {number}")


def _in_breadth(pairs: Any) -> list[int]:
    order = [0]
    for node in order:
        order.extend(child for child in reversed(pairs[node]) if child >= 0)
    return order


def _by_training_rows(fields: dict[str, str], pairs: np.ndarray, leaves: np.ndarray, number: int) -> tuple[np.ndarray, float]:
    """Return which part of each node's training rows went right and left, and the mean leaf of all of them."""
    at_node, at_leaf = (_numbers(fields, name, number) for name in ("internal_count", "leaf_count"))
    below = np.where(pairs >= 0, at_node[np.maximum(pairs, 0)], at_leaf[np.maximum(~pairs, 0)])
    if (at_node <= 0).any() or (below.sum(axis=1) != at_node).any():
        raise ForestError(f"model: expected the training rows of every node to be those of its children, found others in tree {number}")
    return below / at_node[:, None], float(at_leaf / at_node[0] @ leaves)


def _numbers(fields: dict[str, str], name: str, number: int) -> np.ndarray:
    try:
        return np.array(fields[name].split(), dtype=np.float64)
    except (KeyError, ValueError) as error:
        raise ForestError(f"model: expected the numbers {name} in tree {number}, found {fields.get(name, 'none')[:60]!r}") from error
