"""What a bundle needs: turns are fair, bits are compared, and what the running code cannot feed is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from features.catalog import CATALOG
from models.classifier import Classifier
from models.gates import Gates
from models.inputs import Feature, Inputs
from models.shelf import Shelf
from pipelines.build import matrix_of
from pipelines.fitness import fitness, medians, parity, same_bits, size
from pipelines.lake import Lake
from tests.pipelines.conftest import Market


def test_equal_bundles_take_as_long_and_weigh_as_much_and_their_rows_are_equal_to_the_bit(small: Market) -> None:
    bundle, tables = Shelf(small.home.bundles).get("champion"), Lake(small.home.root).tables()
    claims = tables["claims"].iloc[-40:].reset_index(drop=True)
    matrix = matrix_of(small.home, tables, claims)
    ticks = iter(range(10_000))
    found = fitness(
        bundle, bundle, tables, claims, matrix, Gates(latency_rows=3, parity_rows=8), np.random.default_rng(0), lambda: float(next(ticks))
    )
    assert found.champion_ms == found.challenger_ms == 1000.0
    assert found.champion_bytes == found.challenger_bytes
    files = [path for path in Shelf(small.home.bundles).path(bundle.hash).iterdir() if path.name != "manifest.json"]
    assert size(bundle) == sum(path.stat().st_size for path in files)
    assert (found.parity.rows, found.parity.differing, found.parity.unknown) == (8, (), ())
    assert found.parity.same_catalog and found.parity.same_contracts


def test_a_kept_row_that_is_off_by_one_bit_is_found_by_its_column(small: Market) -> None:
    bundle, tables = Shelf(small.home.bundles).get("champion"), Lake(small.home.root).tables()
    claims = tables["claims"].iloc[-3:].reset_index(drop=True)
    matrix = matrix_of(small.home, tables, claims)
    name = next(n for n in bundle.inputs.names if matrix[n].dtype == np.float64 and matrix[n].iloc[0] > 0)
    stale = matrix.assign(**{name: np.nextafter(matrix[name].to_numpy(), np.inf)})
    assert parity(bundle, tables, claims, stale).differing == (name,)


def test_a_bundle_of_another_catalogue_or_other_contracts_and_a_column_nobody_makes_are_named(small: Market) -> None:
    bundle, tables = Shelf(small.home.bundles).get("champion"), Lake(small.home.root).tables()
    claims = tables["claims"].iloc[-2:].reset_index(drop=True)
    matrix = matrix_of(small.home, tables, claims)
    reads = Inputs((*bundle.inputs.features, Feature("invented")))
    other = replace(
        bundle,
        classifier=Classifier(reads, bundle.classifier.abusive, bundle.classifier.unsubstantiated),
        catalog_hash="0" * 64,
        contract_hash="0" * 64,
    )
    found = parity(other, tables, claims, matrix)
    assert CATALOG.hash != "0" * 64
    assert (found.same_catalog, found.same_contracts, found.unknown) == (False, False, ("invented",))


def test_without_claims_there_is_no_time() -> None:
    assert np.isnan(medians([], pd.DataFrame(), float)).all()


@pytest.mark.parametrize(
    ("kept", "anew", "same"),
    [
        ([1.0, np.nan], [1.0, np.nan], True),
        ([1.0, np.nan], [1.0, 0.0], False),
        ([0.0], [-0.0], False),
        (["a", None], ["a", None], True),
        (["a", None], ["a", "b"], False),
    ],
)
def test_columns_are_the_same_only_to_the_bit(kept: list[object], anew: list[object], same: bool) -> None:
    assert same_bits(pd.Series(kept), pd.Series(anew)) == same
