"""Challengers learn what can be learned, on the same windows, and change nothing but the table."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.challengers import ABSENT, LEARNERS, absent, train_challenger
from models.metrics import auc
from models.training import Trained, train
from tests.models.conftest import SETTINGS, known_of
from tests.models.synthetic import START, Sample


@pytest.mark.parametrize("name", LEARNERS)
def test_a_challenger_ranks_later_claims_and_its_scores_are_out_of_time(name: str, trained: Trained, data: Sample) -> None:
    found = train_challenger(name, trained.material)
    scored = ~np.isnan(found.proba).any(axis=1)
    assert np.array_equal(scored, sum(fold.valid for fold in trained.material.folds).astype(bool))
    np.testing.assert_allclose(found.proba[scored].sum(axis=1), 1.0, atol=1e-6)
    assert auc(data.labels[scored], found.proba[scored, 2], data.weights[scored]) > 0.75
    grown = found.predict(data.matrix)
    # The last model has learned from these very rows, the scores have not.
    assert auc(data.labels, grown[:, 2], data.weights) > auc(data.labels[scored], found.proba[scored, 2], data.weights[scored])
    assert found.predict(data.matrix.iloc[:0]).shape == (0, 3)
    assert np.array_equal(grown, train_challenger(name, trained.material).predict(data.matrix))


@pytest.mark.parametrize("name", LEARNERS)
def test_a_class_that_training_lacks_has_probability_zero(name: str, data: Sample) -> None:
    known = known_of(data).assign(label=np.where(data.labels == "unsubstantiated", "valid", data.labels))
    material = train(data.matrix, data.claims, known, START, "c" * 64, data.inputs.features, SETTINGS).material
    assert (train_challenger(name, material).predict(data.matrix)[:, 1] == 0).all()


def test_challengers_add_rows_to_the_table_and_nothing_to_the_bundle(trained: Trained, data: Sample) -> None:
    at = START + pd.Timedelta(days=365)
    args = (data.matrix, data.claims, known_of(data), at, "c" * 64, data.inputs.features, SETTINGS, "d" * 64)
    both = train(*args, challengers=("xgboost",))
    assert both.bundle.hash == trained.bundle.hash
    pd.testing.assert_frame_equal(both.table.iloc[:-1], trained.table)
    assert both.table["model"].iloc[-1] == "xgboost" and both.table["auc_abusive"].iloc[-1] > 0.7


@pytest.mark.parametrize("name", LEARNERS)
def test_a_challenger_leaves_no_file_behind_and_copes_with_a_missing_category_and_an_empty_column(
    name: str, data: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    gaps = data.matrix.assign(channel=data.matrix["channel"].where(np.arange(len(data.matrix)) % 10 > 0), idle=np.nan)
    material = train(gaps, data.claims, known_of(data), START, "c", data.inputs.features, SETTINGS).material
    assert auc(data.labels, train_challenger(name, material).predict(gaps)[:, 2], data.weights) > 0.75
    assert not list(tmp_path.rglob("*"))


def test_a_missing_library_is_a_row_that_says_so(data: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "xgboost" else found(name))
    table = train(data.matrix, data.claims, known_of(data), START, "c", data.inputs.features, SETTINGS, challengers=("xgboost",)).table
    assert table["model"].iloc[-1] == f"xgboost ({ABSENT})" and table.iloc[-1].drop("model").isna().all()


def test_an_unknown_challenger_is_an_error_that_names_all() -> None:
    with pytest.raises(ValueError, match="hist gradient boosting, xgboost, catboost, found 'oracle'"):
        absent("oracle")
