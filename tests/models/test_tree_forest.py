"""The flat trees: the library's margin to the last bit, whatever a value looks like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from models.tree_forest import margins
from models.tree_text import read_forest
from tests.models.forests import KINDS, grown, with_edges


@settings(max_examples=60, deadline=None)
@given(kind=KINDS)
def test_margins_are_those_of_the_library_to_the_last_bit(kind: dict[str, Any]) -> None:
    booster, values = grown(**kind)
    rows = with_edges(values, kind["seed"])
    found = margins(read_forest(booster.model_to_string()), rows)
    assert np.array_equal(found, booster.predict(rows, raw_score=True, num_threads=1))


def test_every_treatment_of_what_is_missing_occurs_in_these_models() -> None:
    kinds: set[int] = set()
    for more in ({}, {"zero_as_missing": True}, {"use_missing": False}, {"categorical": True}):
        booster, _ = grown(1, **more)  # type: ignore[arg-type]
        kinds |= set(read_forest(booster.model_to_string()).slot_kinds.tolist())
    assert kinds == {0, 1, 2, 3}


def test_a_row_alone_has_the_bits_it_has_among_others() -> None:
    booster, values = grown(3, rounds=20)
    forest = read_forest(booster.model_to_string())
    together = margins(forest, values)
    assert [margins(forest, values[i : i + 1])[0] for i in range(20)] == together[:20].tolist()


def test_rows_of_another_width_are_refused_before_they_are_read() -> None:
    booster, values = grown(3)
    forest = read_forest(booster.model_to_string())
    for wrong in (values[:, :-1], values[0]):
        with pytest.raises(ValueError, match=r"expected the shape \(rows, 6\), found"):
            margins(forest, wrong)


def test_rows_in_any_layout_are_read_alike() -> None:
    booster, values = grown(4)
    forest = read_forest(booster.model_to_string())
    assert np.array_equal(margins(forest, np.asfortranarray(values)), margins(forest, values))
    assert np.array_equal(margins(forest, values[::2]), margins(forest, values)[::2])
