"""Claims of a group have the rows that each has alone, and leave the pages that the general way leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_contracts import CONTRACTS
from features import page_rows
from features.arena_loading import Arena
from features.facts import FeatureError
from features.online import OnlineHistory
from features.online_groups import in_rounds
from features.online_rows import Rows
from features.pages import MemoryPages
from pipelines.simulate import simulate

HISTORY = OnlineHistory(MemoryPages())


def plain(claim: dict[str, Any]) -> dict[str, Any]:
    return {name: None if pd.isna(value) else value for name, value in claim.items()}


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_rows, "PAGE_ROWS", 12)


@pytest.fixture
def world() -> tuple[dict[str, pd.DataFrame], list[dict[str, Any]]]:
    tables = simulate(orders=1_500, claims=200, seed=8, dirt=0.0).tables
    claims = tables["claims"].sort_values("filed_at").tail(30)
    cut = claims.filed_at.min()
    past = {name: frame[frame[CONTRACTS[name].known_at] < cut] for name, frame in tables.items()}
    return past, [plain(claim) for claim in claims.to_dict("records")]


def test_claims_read_together_have_the_rows_that_each_has_alone(world: tuple[dict[str, pd.DataFrame], list[dict[str, Any]]]) -> None:
    past, claims = world
    pages = MemoryPages()
    HISTORY.within(pages).append(past)
    together = [read.vector for read in HISTORY.within(pages).read_many(claims)]
    for claim, row in zip(claims, together, strict=True):
        pages.arena().forget()
        np.testing.assert_array_equal(HISTORY.within(pages).vector(claim), row)
    assert HISTORY.within(pages).read_many([]) == []


def test_claims_appended_together_leave_the_pages_of_the_general_way_also_where_a_resolution_waits(
    world: tuple[dict[str, pd.DataFrame], list[dict[str, Any]]],
) -> None:
    past, claims = world
    waited_for = claims[7]["claim_id"]
    early = past["resolutions"].head(1).assign(resolution_id="early", claim_id=waited_for)
    early["known_at"] = max(frame[CONTRACTS[name].known_at].max() for name, frame in past.items()) + pd.Timedelta(1, "us")
    compiled, general = MemoryPages(), MemoryPages()
    for pages in (compiled, general):
        HISTORY.within(pages).append(past)
        HISTORY.within(pages).append({"resolutions": early})
    ours, theirs = HISTORY.within(compiled), HISTORY.within(general)
    reads = ours.read_many(claims)
    for at, claim in zip(ours.append_reads(reads), claims, strict=True):
        watermark = theirs.watermark()
        rows = Rows({"claims": {name: (value,) for name, value in {**claim, "recorded_at": at}.items()}})
        theirs._append_any(rows, watermark, at)
    assert compiled._held == general._held


def test_who_misses_something_and_asks_for_nothing_is_found_out() -> None:
    def misses(arena: Arena) -> bool:
        return True

    with pytest.raises(FeatureError, match="expected compiled functions that miss something to ask for it"):
        in_rounds(misses, MemoryPages())
