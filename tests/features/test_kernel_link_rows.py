"""What one claim adds to the logs of links, compiled, is what the general way adds for many."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import pages as pages_module
from features.catalog import Catalog
from features.entries_links import LINK_ENTRIES
from features.links import GRAPHS
from features.online import OnlineHistory
from features.online_link_logs import TOTALS, log_of
from features.online_rows import whole
from features.pages import Key, MemoryPages, rows
from features.spec import Direct
from tests.features.claims_read import appended, copied, plain
from tests.features.tables import random_tables, some_missing
from tests.strategies import FEW

LINKS = Catalog(tuple(entry for entry in LINK_ENTRIES if isinstance(entry.feature, Direct)))
_TOTALS = {log_of(graph, TOTALS) & 0xFFFF for graph in GRAPHS}
_NETWORK = (log_of("claimants", TOTALS) >> 16).to_bytes(2, "big")
_OTHERS = (b"\x10\x00", b"\xff\xff")  # claims by name, and how far the history reaches


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let logs run over many pages, of just the customers that an entity has at most."""
    monkeypatch.setattr(pages_module, "PAGE_ROWS", 12)


def written(pages: MemoryPages) -> dict[Key, object]:
    """Return the pages of links; of totals the last row of each instant, for a meeting that joins nothing need not repeat them."""
    found: dict[Key, object] = {}
    for key, (firsts, held) in pages._held.items():
        if isinstance(key[0], bytes) and key[0][:2] == _NETWORK and key[1] in _TOTALS:
            found[key] = {int(row[0]): row[1:].tolist() for page in held for row in rows(page, 4)[1:]}
        elif not isinstance(key[0], bytes) or key[0][:2] not in (
            b"\x10\x00",
            b"\xff\xff",
        ):  # claims by name, and how far the history reaches
            found[key] = firsts, held
    return found


@settings(FEW, max_examples=10)
@given(st.integers(0, 10_000), st.sampled_from([3, 12, 60]), st.booleans())
def test_rows_of_one_claim_after_the_other_are_those_of_the_general_way(seed: int, entities: int, forgets: bool) -> None:
    rng = np.random.default_rng(seed)
    claims = random_tables(seed, claims=90, customers=25, entities=entities)["claims"]
    claims = claims.assign(**{name: some_missing(rng, claims[name], 0.1) for name in ("customer_id", "device_id")})
    before = claims.head(30)
    general = OnlineHistory(MemoryPages(), LINKS)
    general.append({"claims": before})
    ours = OnlineHistory(copied(general.pages), LINKS)
    at = general.watermark()
    for i in range(30, 90):
        at += 1 + int(rng.integers(0, 2))
        one = claims.iloc[[i]].assign(filed_at=pd.Timestamp(at, unit="us", tz="UTC"))
        general.append({"claims": one})
        (claim,) = plain(one)
        appended(ours, claim, whole(claim["filed_at"]))
        if forgets and i % 7 == 0:
            ours.pages.flush()
            ours.pages.arena().forget()
    ours.pages.flush()
    assert written(ours.pages) == written(general.pages)
