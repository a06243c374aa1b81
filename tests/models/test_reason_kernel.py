"""The strongest groups and features, found in one pass as a slow reader finds them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.reason_kernel import strongest

SHARES = st.one_of(st.sampled_from([0.0, -0.0, 0.5, -0.5, 1e-3]), st.floats(-3, 3))


@given(features=st.lists(st.tuples(SHARES, st.integers(0, 3)), min_size=1, max_size=12), most=st.integers(0, 6))
def test_groups_and_features_are_those_of_a_slow_reader(features: list[tuple[float, int]], most: int) -> None:
    shares, group_of = np.array([share for share, _ in features]), np.array([group for _, group in features], dtype=np.intp)
    group_of = np.unique(group_of, return_inverse=True)[1].astype(np.intp)  # no group is empty
    sums = np.bincount(group_of, weights=shares)
    expected = []
    for group in np.argsort(-np.abs(sums), kind="stable")[:most].tolist():
        members = np.flatnonzero(group_of == group)
        feature = members[np.argmax(shares[members] if sums[group] > 0 else -shares[members])]
        expected.append((group, float(sums[group]), int(feature)))
    assert strongest(shares, group_of, len(sums), most) == expected


def test_rows_of_any_layout_are_read_alike() -> None:
    rows, groups = np.random.default_rng(0).normal(size=(5, 3)), np.array([0, 1, 2, 1, 0], dtype=np.intp)
    assert strongest(rows[:, 1], groups, 3, 3) == strongest(rows[:, 1].copy(), groups, 3, 3)
