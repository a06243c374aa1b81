"""The frozen columns of a model: order, categories, directions."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from models.inputs import Feature, Inputs

FRAME = pd.DataFrame({"a": [1.0, np.nan], "b": [True, False], "c": pd.Categorical(["x", None], categories=["y", "x"])})


def test_columns_keep_their_order_and_categories_their_codes_whatever_the_order_of_the_frame() -> None:
    inputs = Inputs.of(FRAME)
    assert inputs.names == ("a", "b", "c")
    assert inputs.categorical == (2,)
    expected = [[1.0, 1.0, 0.0], [np.nan, 0.0, np.nan]]
    np.testing.assert_array_equal(inputs.encode(FRAME), expected)
    np.testing.assert_array_equal(inputs.encode(FRAME[["c", "b", "a"]].assign(c=["x", None], d=5)), expected)


def test_directions_and_reasons_come_from_the_catalogue_and_are_absent_otherwise() -> None:
    inputs = Inputs.of(FRAME, [Feature("a", -1, "history", "few"), Feature("c", 0, "claim", "channel"), Feature("unused", 1)])
    assert inputs.directions == (-1, 0, 0)
    assert [feature.group for feature in inputs.features] == ["history", "other", "claim"]


def test_inputs_survive_json() -> None:
    inputs = Inputs.of(FRAME, [Feature("a", 1, "history", "few")])
    assert Inputs.from_json(json.loads(json.dumps(inputs.to_json()))) == inputs


def test_every_missing_column_is_named() -> None:
    with pytest.raises(ValueError, match="missing: a, c"):
        Inputs.of(FRAME).encode(FRAME[["b"]])


def test_text_that_is_not_declared_categorical_and_impossible_directions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"matrix\.t: expected numbers or pandas categories, found str"):
        Inputs.of(pd.DataFrame({"t": ["x"]}))
    with pytest.raises(ValueError, match="expected a direction of -1, 0 or 1, found 2"):
        Feature("a", 2)
    with pytest.raises(ValueError, match="a categorical column has no order"):
        Feature("a", 1, categories=("x",))
