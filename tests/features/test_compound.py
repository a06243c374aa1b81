"""Compound keys: equal codes exactly where every part is equal and there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.compound import shared_codes
from tests.strategies import MANY

rows = st.lists(st.tuples(*[st.integers(-1, 3)] * 3), max_size=30)


@MANY
@given(rows, rows, st.integers(1, 3))
def test_codes_are_equal_exactly_where_all_parts_are(asked: list[tuple[int, ...]], held: list[tuple[int, ...]], width: int) -> None:
    columns = [np.array(lines, dtype=np.int64).reshape(-1, 3).T[:width].copy() for lines in (asked, held)]
    probes, events, n = shared_codes(*columns, [4] * width)
    wanted = {row[:width] for row in asked if min(row[:width]) >= 0}
    code = {asked[i][:width]: int(probes[i]) for i in range(len(asked)) if probes[i] >= 0}
    assert set(code) == wanted and len(set(code.values())) == len(wanted)
    assert all(0 <= c < n for c in code.values())
    for row, found in zip(held, events.tolist(), strict=True):
        complete = min(row[:width]) >= 0
        if row[:width] in wanted:
            assert found == code[row[:width]]
        elif width > 1 or not complete:
            assert found == -1


def test_codes_far_apart_and_many_pairs_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    left, right = rng.integers(0, 2**31, 50_000), rng.integers(0, 2**31, 50_000)
    probes, events, n = shared_codes([left, right], [left[::-1].copy(), right[::-1].copy()], [2**31, 2**31])
    assert n == len({*zip(left.tolist(), right.tolist(), strict=True)})
    np.testing.assert_array_equal(events, probes[::-1])


def test_more_combinations_than_an_integer_holds_are_refused() -> None:
    one = np.zeros(1, dtype=np.int64)
    with pytest.raises(OverflowError, match="at most 2⁶³"):
        shared_codes([one, one], [one, one], [2**40, 2**40])
