"""How a catalogue falls apart: nothing is lost, nothing is asked twice, and no key needs a column that it does not read."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from features.buckets import answer
from features.catalog import CATALOG
from features.facts import Facts, FeatureError
from features.matrix import build_matrix
from features.shares import plan
from features.spec import ALL, Aggregate, Computed, Direct
from features.windows import measure
from tests.features.stored import FEATURES, with_gaps
from tests.features.tables import random_tables

TABLES = with_gaps(random_tables(1), 9)
SCHEMAS = {name: pa.Table.from_pandas(frame, preserve_index=False).schema for name, frame in TABLES.items()}


def test_every_feature_of_the_catalogue_is_answered_somewhere_and_once() -> None:
    found = plan(FEATURES, SCHEMAS, CATALOG.sources)
    assert found.names == CATALOG.names
    names = [*found.own, *found.links, *found.duplicates, *(name for share in found.shares for name in share.names)]
    assert sorted(names) == sorted(f.name for f in FEATURES if isinstance(f, Direct))
    assert len({part for share in found.shares for part in share.parts}) == sum(len(share.parts) for share in found.shares)


@pytest.mark.parametrize("missing", ["orders", "resolutions", "customers", "sellers"])
def test_what_is_left_out_is_what_the_matrix_leaves_out(missing: str) -> None:
    schemas = {name: schema for name, schema in SCHEMAS.items() if name != missing}
    matrix = build_matrix({name: frame for name, frame in TABLES.items() if name != missing})
    assert plan(FEATURES, schemas, CATALOG.sources).names == tuple(matrix.columns)


def test_the_columns_named_are_enough_and_each_of_them_is_needed() -> None:
    for share in plan(FEATURES, SCHEMAS, CATALOG.sources).shares:
        less = {table: TABLES[table][list(columns)] for table, columns in share.columns.items()}
        whole = measure(share.parts, Facts(TABLES, TABLES["claims"], CATALOG.sources))
        answers = answer(share, less, CATALOG.sources)
        for at, part in enumerate(share.parts):
            np.testing.assert_array_equal(answers[:, at], whole[part], err_msg=part.name)
        assert "narrative" not in share.columns["claims"] and "quantity" not in share.columns.get("orders", ())


def test_a_feature_that_needs_a_key_alone_brings_no_other_column() -> None:
    found = plan([Aggregate("orders", ("seller_id",), "count", ALL)], SCHEMAS)
    (share,) = found.shares
    assert share.columns == {
        "claims": ("claim_id", "filed_at", "seller_id"),
        "orders": ("ordered_at", "recorded_at", "seller_id"),
    }


def ones(facts: Facts) -> np.ndarray:
    return np.ones(len(facts.probes))


def test_without_claims_or_with_a_function_there_is_no_plan() -> None:
    with pytest.raises(FeatureError, match=r"expected a table 'claims', found \['orders'\]"):
        plan(FEATURES, {"orders": SCHEMAS["orders"]})
    with pytest.raises(FeatureError, match=r"mine: computed by the function .* build with --engine local"):
        plan([Computed("mine", (), ones)], SCHEMAS)
