"""What is usual: weighted shares exact where values are few, never overstated where they are many, and kept in the bundle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bundle import Bundle, BundleError, load, save
from models.inputs import Inputs
from models.reference import Reference, Usual
from models.training import Trained
from tests.models.synthetic import Sample

ROWS = st.lists(st.tuples(st.none() | st.integers(-5, 5).map(float), st.floats(0.1, 50)), min_size=1, max_size=40)


def usual_of(values: np.ndarray, weights: np.ndarray) -> Usual:
    frame = pd.DataFrame({"n": values}, dtype="float64")
    return Reference.of(frame, weights, Inputs.of(frame)).columns["n"]


@given(ROWS, st.floats(-6, 6) | st.integers(-6, 6).map(float))
def test_few_values_are_compared_exactly_by_weight(rows: list[tuple[float | None, float]], value: float) -> None:
    values, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    if np.isnan(values).all():
        frame = pd.DataFrame({"n": values})
        assert Reference.of(frame, weights, Inputs.of(frame)).columns == {}
        return
    below, above = usual_of(values, weights).compared(value)
    assert below == pytest.approx(weights[values < value].sum() / weights.sum(), abs=1e-8)
    assert above == pytest.approx(weights[values > value].sum() / weights.sum(), abs=1e-8)


def test_many_values_are_compared_to_within_a_fortieth_and_below_is_never_overstated() -> None:
    values = np.random.default_rng(0).lognormal(size=5000)
    usual = usual_of(values, np.ones(5000))
    assert len(usual.values) < 50
    for value in np.quantile(values, np.linspace(0, 1, 97)):
        below, true = usual.compared(value)[0], (values < value).mean()
        assert true - 1 / 39 <= below <= true + 1e-9
    assert usual.compared(values.max())[1] == 0
    assert usual.compared(values.max() + 1)[0] == 1


def test_the_commonest_value_is_found_with_its_share() -> None:
    assert usual_of(np.array([0.0, 0.0, 0.0, 2.0]), np.array([1.0, 1.0, 1.0, 1.0])).commonest == (0.0, 0.75)


def test_a_bundle_keeps_what_is_usual_under_its_hash_and_one_without_it_still_loads(trained: Trained, tmp_path: Path) -> None:
    bundle = trained.bundle
    assert bundle.reference is not None
    save(bundle, tmp_path / "new")
    assert load(tmp_path / "new").reference == bundle.reference
    old = replace(bundle, reference=None)
    assert old.hash != bundle.hash and "reference.json" not in old.files
    save(old, tmp_path / "old")
    assert load(tmp_path / "old").reference is None
    file = tmp_path / "new" / "reference.json"
    file.write_text(file.read_text().replace("0.", "1.", 1))
    with pytest.raises(BundleError):
        load(tmp_path / "new")


def test_categories_have_no_order_and_are_not_described(trained: Trained, data: Sample) -> None:
    bundle: Bundle = trained.bundle
    assert bundle.reference is not None
    assert set(bundle.reference.columns) == {f.name for f in bundle.inputs.features if not f.categories}
    shares = bundle.reference.columns["proof"]
    assert shares.known == pytest.approx(1 - data.matrix["proof"].isna().mean(), abs=0.02)
    assert Reference.from_json(bundle.reference.to_json()) == bundle.reference
