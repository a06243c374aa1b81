"""The law of the online features: whenever and however a claim is read, its row is the row of the batch, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts import CONTRACTS
from features import pages as pages_module
from features.catalog import CATALOG, Catalog
from features.entry import Entry
from features.facts import FeatureError
from features.matrix import build_matrix
from features.online import OnlineHistory
from features.online_rows import HashedFacts, Rows
from features.pages import MemoryPages
from features.spec import ALL, Aggregate, Computed, Ratio, Window
from tests.features.tables import random_tables
from tests.strategies import FEW, marketplaces

Tables = dict[str, pd.DataFrame]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let logs run over many pages, of just the customers that an entity has at most."""
    monkeypatch.setattr(pages_module, "PAGE_ROWS", 12)


def plain(claim: dict[str, Any]) -> dict[str, Any]:
    return {name: None if pd.isna(value) else value for name, value in claim.items()}


def known(tables: Tables, name: str) -> np.ndarray:
    return HashedFacts(tables, tables["claims"].head(0)).known(name)


def between(tables: Tables, begin: int, end: int) -> Tables:
    """Return what became known from one instant to, not including, another."""
    held = {name: known(tables, name) for name in tables}
    parts = {name: frame[(held[name] >= begin) & (held[name] < end)] for name, frame in tables.items()}
    return {name: frame for name, frame in parts.items() if len(frame)}


def must_equal(found: np.ndarray, expected: pd.DataFrame) -> None:
    index = expected.index
    pd.testing.assert_frame_equal(pd.DataFrame(found, index=index, columns=list(expected.columns)), expected, check_exact=True)


def replayed(history: OnlineHistory, tables: Tables, order: pd.DataFrame, step: int) -> Iterator[np.ndarray]:
    """Let time pass from claim to claim and read every ``step``-th instant's claims just before they become history."""
    begin = np.iinfo(np.int64).min
    for number, (filed, claims) in enumerate(order.groupby("filed_at", sort=True)):
        if number % step == 0:
            history.append(between(tables, begin, filed.value // 1000))
            begin = filed.value // 1000
        for claim in claims.to_dict("records"):
            yield history.vector(plain(claim))


@FEW
@given(marketplaces(max_claims=30))
def test_every_claim_replayed_in_order_has_its_batch_row(tables: Tables) -> None:
    order = tables["claims"].sort_values(["filed_at", "claim_id"])
    found = list(replayed(OnlineHistory(MemoryPages()), tables, order, 1))
    must_equal(np.array(found), build_matrix(tables, order))


@FEW
@given(marketplaces(max_claims=30, late=0.4))
def test_events_that_were_recorded_late_count_from_then(tables: Tables) -> None:
    order = tables["claims"].sort_values(["filed_at", "claim_id"])
    found = list(replayed(OnlineHistory(MemoryPages()), tables, order, 1))
    must_equal(np.array(found), build_matrix(tables, order))
