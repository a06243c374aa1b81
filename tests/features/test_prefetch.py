"""A hint to the processor has no consequences, wherever it points."""

from __future__ import annotations

import numpy as np
from numba import njit

from features.prefetch import AHEAD, prefetch


@njit
def doubled(values, places):  # type: ignore[no-untyped-def]
    for place in places:
        prefetch(values, place)
    return values * 2


def test_a_hint_changes_nothing_even_at_places_that_do_not_exist() -> None:
    values = np.arange(100)
    places = np.array([0, 99, -1, 100, 100 + AHEAD, 1 << 40, -(1 << 40)])
    assert doubled(values, places).tolist() == (np.arange(100) * 2).tolist()
    assert values.tolist() == list(range(100))


def test_a_hint_is_one_instruction_and_no_call() -> None:
    doubled(np.arange(3), np.arange(3))
    (code,) = doubled.inspect_llvm().values()
    assert "call void @llvm.prefetch" in code
