"""Links that compiled functions read from pages are those of the batch, to the last bit, whatever was loaded before."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import kernel_links, page_rows
from features.arena import Pool
from features.catalog import Catalog
from features.entries_links import LINK_ENTRIES
from features.facts import FeatureError
from features.history import Floats
from features.matrix import build_matrix
from features.online import OnlineHistory
from features.online_link_logs import CLAIMANTS
from features.online_rows import code_of, key_of
from features.pages import MemoryPages
from features.spec import Direct
from tests.features.claims_read import codes_of, filed, measured, plain
from tests.features.tables import random_tables, some_missing
from tests.strategies import FEW, marketplaces

LINKS = Catalog(tuple(entry for entry in LINK_ENTRIES if isinstance(entry.feature, Direct)))
Tables = dict[str, pd.DataFrame]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let logs run over many pages, of just the customers that an entity has at most."""
    monkeypatch.setattr(page_rows, "PAGE_ROWS", 12)


def read(history: OnlineHistory, asked: pd.DataFrame) -> Floats:
    claims, plan = plain(asked), history.plans.links
    codes, now, rules = codes_of(claims), filed(claims), plan.rules.compiled

    def step(pool: Pool, done: npt.NDArray[np.bool_], found: Floats) -> None:
        kernel_links.measure_all(pool, plan.compiled, rules, codes, now, done, found)

    return measured(history.pages, len(plan.graphs), 11, len(claims), step)[:, plan.places]


def must_be_of_the_batch(history: OnlineHistory, tables: Tables, asked: pd.DataFrame) -> None:
    expected = build_matrix(tables, asked, LINKS)
    found = pd.DataFrame(read(history, asked), index=expected.index, columns=list(history.names))
    pd.testing.assert_frame_equal(found[list(expected)], expected, check_exact=True)


@settings(FEW, max_examples=8)
@given(marketplaces(max_claims=40, late=0.2), st.integers(0, 10_000))
def test_links_of_any_claim_at_any_time_are_those_of_the_batch(tables: Tables, seed: int) -> None:
    history = OnlineHistory(MemoryPages(), LINKS)
    history.append(tables)
    for part in np.array_split(np.random.default_rng(seed).permutation(len(tables["claims"])), 3):
        must_be_of_the_batch(history, tables, tables["claims"].iloc[part])


@pytest.mark.parametrize("entities", [4, 25, 120])
def test_crowded_and_lonely_graphs_with_bursts_are_those_of_the_batch(entities: int) -> None:
    tables = random_tables(entities, orders=200, claims=300, customers=40, entities=entities)
    rng, claims = np.random.default_rng(1), tables["claims"]
    names = ("customer_id", "product_id", "device_id")
    tables["claims"] = claims.assign(**{name: some_missing(rng, claims[name], 0.1) for name in names})
    history = OnlineHistory(MemoryPages(), LINKS)
    history.append(tables)
    must_be_of_the_batch(history, tables, tables["claims"])


def test_a_neighbours_neighbour_is_looked_for_only_where_the_component_holds_an_abusive_claim() -> None:
    at, names = pd.Timestamp("2025-01-01", tz="UTC"), [f"link_claimants_{what}" for what in ("neighbours", "abusive_distance")]
    chain = [("A", "D1"), ("B", "D1"), ("B", "D2"), ("C", "D2"), ("C", "D3"), ("E", "D3")]
    own = {"claim_id": [f"C{i}" for i in range(6)], "customer_id": [who for who, _ in chain], "device_id": [which for _, which in chain]}
    claims = pd.DataFrame({**own, "filed_at": [at + pd.Timedelta(i, "D") for i in range(6)]})
    told = {"resolution_id": ["R1"], "claim_id": ["C3"], "label": ["abusive"], "outcome": ["denied_abusive"], "paid_cents": [0]}
    resolutions = pd.DataFrame({**told, "known_at": [at + pd.Timedelta(9, "D")]})
    history = OnlineHistory(MemoryPages(), LINKS)
    history.append({"claims": claims, "resolutions": resolutions})
    asked = pd.DataFrame({"claim_id": ["P", "Q"], "customer_id": ["A", "E"], "filed_at": [at + pd.Timedelta(10, "D")] * 2})
    found = pd.DataFrame(read(history, asked), columns=list(history.names))[names].to_numpy()
    assert found.tolist() == [[1, 2], [1, 1]]  # C is abusive: two steps from A, a neighbour of E


def test_a_log_whose_earlier_page_is_gone_is_an_error_and_not_a_shorter_log() -> None:
    at, n = pd.Timestamp("2025-01-01", tz="UTC"), 30
    own = {"claim_id": [f"C{i}" for i in range(n)], "customer_id": [f"A{i}" for i in range(n)], "product_id": ["P"] * n}
    claims = pd.DataFrame({**own, "filed_at": [at + pd.Timedelta(i, "h") for i in range(n)]})
    history = OnlineHistory(pages := MemoryPages(), LINKS)
    history.append({"claims": claims})
    firsts, held = pages._held[key_of(CLAIMANTS, (code_of("P"),))]
    assert len(firsts) == 3
    del firsts[:2], held[:2]
    with pytest.raises((FeatureError, AssertionError), match=r"expected a page before|^$"):
        read(history, claims.assign(customer_id="B", filed_at=at + pd.Timedelta(2, "D")).tail(1))
