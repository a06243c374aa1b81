"""The laws of probabilities that others compute: each claim's own, to the last bit, whoever sees it and with whom."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.catalog import CATALOG
from models.bundle import Bundle, BundleError
from models.shelf import Shelf
from pipelines.spark_score import Broadcast, Carried, _texts, predicted
from tests.pipelines.conftest import Market


@pytest.fixture(scope="module")
def bundle(small: Market) -> Bundle:
    return Shelf(small.home.bundles).get("champion", CATALOG.hash)


@pytest.fixture(scope="module")
def rows(small: Market) -> pa.Table:
    return pq.read_table(small.home.features / "matrix.parquet")


def answered(bundle: Bundle, rows: pa.Table, piece: int) -> pd.DataFrame:
    sent: Broadcast = pickle.loads(pickle.dumps(Broadcast(bundle.hash, _texts(bundle))))
    return pa.Table.from_batches(list(predicted(sent, iter(rows.to_batches(max_chunksize=piece))))).to_pandas()


@pytest.mark.parametrize("piece", [1_000, 77])
def test_a_worker_that_was_sent_a_bundle_finds_the_probabilities_of_this_process(bundle: Bundle, rows: pa.Table, piece: int) -> None:
    shuffled = rows.take(np.random.default_rng(piece).permutation(len(rows)))
    found = answered(bundle, shuffled, piece).set_index("claim_id")
    frame = rows.to_pandas()
    expected = bundle.predict_proba(frame)
    assert np.array_equal(found.loc[frame.index].to_numpy(), expected) and expected.std() > 0


def test_carried_probabilities_are_given_out_in_the_order_asked_for_and_none_is_made_up(bundle: Bundle, rows: pa.Table) -> None:
    frame = rows.to_pandas()
    carried = Carried(bundle, frame.index[::-1], bundle.predict_proba(frame)[::-1])
    assert np.array_equal(carried.predict_proba(frame.iloc[3:9]), bundle.predict_proba(frame.iloc[3:9]))
    assert (carried.hash, carried.guarantee) == (bundle.hash, bundle.guarantee)
    stranger = frame.head(2).rename(index={frame.index[1]: "C-nobody"})
    with pytest.raises(ValueError, match="found none of 'C-nobody'"):
        carried.predict_proba(stranger)


def test_a_worker_refuses_a_bundle_that_was_altered_on_its_way(bundle: Bundle, rows: pa.Table) -> None:
    texts = _texts(bundle)
    altered = Broadcast("another", {**texts, "calibration.json": texts["calibration.json"] + " "})
    with pytest.raises(BundleError, match="the file was altered"):
        list(predicted(altered, iter(rows.to_batches())))


def test_a_bundle_travels_as_text_alone(bundle: Bundle, small: Market) -> None:
    folder = next(path for path in Path(small.home.bundles).iterdir() if path.is_dir())
    assert _texts(bundle) == {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
