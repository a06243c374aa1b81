"""Plain rows and hashed frames are read as facts are: the same values, the same relations between identifiers."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from features.facts import Facts
from features.online_rows import HashedFacts, Rows, code, key_of, keys_of
from tests.features.tables import random_tables
from tests.strategies import FEW, marketplaces

Tables = dict[str, pd.DataFrame]


def readers(tables: Tables) -> tuple[Facts, HashedFacts, Rows]:
    plain = {name: {c: [None if pd.isna(v) else v for v in frame[c].tolist()] for c in frame} for name, frame in tables.items()}
    return Facts(tables, tables["claims"]), HashedFacts(tables, tables["claims"]), Rows({**plain, "probes": plain["claims"]})


@FEW
@given(marketplaces(late=0.3))
def test_all_ways_of_reading_tables_agree(tables: Tables) -> None:
    facts, hashed, rows = readers(tables)
    for table, column in (("orders", "ordered_at"), ("orders", "delivered_at"), ("claims", "recorded_at"), ("resolutions", "known_at")):
        assert facts.instants(table, column).tolist() == rows.instants(table, column).tolist()
    for table, column in (("claims", "amount_cents"), ("claims", "has_receipt"), ("customers", "email_verified")):
        assert facts.integers(table, column).tolist() == rows.integers(table, column).tolist()
    for table in ("orders", "claims", "returns", "resolutions", "seller_events", "products"):
        assert facts.known(table).tolist() == rows.known(table).tolist()
        assert facts.keys(table) == rows.keys(table)
    assert facts.words("claims", "narrative").tolist() == rows.words("claims", "narrative").tolist()
    assert facts.texts("claims", "narrative").to_pylist() == rows.texts("claims", "narrative").to_pylist()
    assert facts.equals("resolutions", "label", "abusive").tolist() == rows.equals("resolutions", "label", "abusive").tolist()
    assert facts.rows("resolutions", "claim_id", "claims").tolist() == rows.rows("resolutions", "claim_id", "claims").tolist()
    assert (
        np.argsort(facts.ranks("resolutions", "resolution_id")).tolist() == np.argsort(rows.ranks("resolutions", "resolution_id")).tolist()
    )
    for table, column in (("orders", "device_id"), ("claims", "customer_id"), ("seller_events", "product_id")):
        assert hashed.codes(table, column).tolist() == rows.codes(table, column).tolist()
        assert ((facts.codes(table, column) < 0) == (rows.codes(table, column) < 0)).all()


def test_equal_codes_are_equal_identifiers_over_all_tables() -> None:
    tables = random_tables(2)
    facts, hashed, _ = readers(tables)
    held = [("orders", "device_id"), ("claims", "device_id"), ("orders", "customer_id"), ("resolutions", "customer_id")]
    for (one, column), (other, same) in combinations(held, 2):
        if column == same:
            numbered = facts.codes(one, column)[:, None] == facts.codes(other, column)[None, :]
            assert (numbered == (hashed.codes(one, column)[:, None] == hashed.codes(other, column)[None, :])).all()


def test_white_space_is_the_same_to_both_ways_of_counting_words() -> None:
    everything = [f"a{chr(i)}b" for i in range(0x11000) if not 0xD800 <= i < 0xE000]
    frame = pd.DataFrame({"claim_id": [str(i) for i in range(len(everything))], "narrative": everything})
    frame["filed_at"] = pd.Timestamp("2025-01-01", tz="UTC")
    facts, _, rows = readers({"claims": frame})
    assert (facts.words("claims", "narrative") == rows.words("claims", "narrative")).all()


def test_keys_of_many_are_the_keys_of_each_in_order_of_code() -> None:
    codes = sorted(code(str(i)) for i in range(50))
    keys = keys_of(7, np.array(codes)[:, None])
    assert keys == [key_of(7, [mine]) for mine in codes] == sorted(keys)


@pytest.mark.parametrize("column", ["label", "outcome"])
def test_a_column_of_integers_is_taken_for_codes(column: str) -> None:
    frame = pd.DataFrame({"claim_id": ["C1"], "customer_id": [5], "filed_at": pd.to_datetime(["2025-01-01"], utc=True), column: ["x"]})
    assert HashedFacts({"claims": frame}, frame).codes("claims", "customer_id").tolist() == [5]
