"""Names: one per number, and none that tells its number."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from pipelines.simulate.frames import NEVER, identifiers, instants


@given(st.lists(st.integers(0, 2**40 - 1), min_size=2, max_size=50))
def test_equal_numbers_have_equal_names_and_different_ones_different_names(numbers: list[int]) -> None:
    names = list(identifiers("C", np.array(numbers, dtype=np.int64)))
    assert len(set(names)) == len(set(numbers))
    assert all(len(name) == 14 for name in names)


def test_a_name_does_not_tell_how_late_its_number_was_given() -> None:
    names = pd.Series(identifiers("D", np.arange(20_000)))
    assert abs(names.str[1:].astype("int64").corr(pd.Series(np.arange(20_000)))) < 0.03


def test_what_never_happened_is_missing() -> None:
    missing = np.array([NEVER, 0])
    assert pd.isna(identifiers("P", missing)).tolist() == [True, False]
    assert instants(missing).isna().tolist() == [True, False]
