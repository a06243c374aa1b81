"""What one claim adds to the logs of links, compiled, is what the general way adds for many."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import page_rows
from features.catalog import Catalog
from features.entries_links import LINK_ENTRIES
from features.links import GRAPHS
from features.online import OnlineHistory
from features.online_link_logs import COMPONENT, TOTALS, log_of
from features.online_rows import code_of, key_of, whole
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
    monkeypatch.setattr(page_rows, "PAGE_ROWS", 12)


def pages_of(history: OnlineHistory) -> MemoryPages:
    assert isinstance(history.pages, MemoryPages)
    return history.pages


def written(history: OnlineHistory) -> dict[Key, object]:
    """Return the pages of links; of totals the last row of each instant, for a meeting that joins nothing need not repeat them."""
    found: dict[Key, object] = {}
    for key, (firsts, held) in pages_of(history)._held.items():
        if isinstance(key[0], bytes) and key[0][:2] == _NETWORK and key[1] in _TOTALS:
            found[key] = {int(row[0]): row[1:].tolist() for page in held for row in rows(page, 4)[1:]}
        elif not isinstance(key[0], bytes) or key[0][:2] not in (
            b"\x10\x00",
            b"\xff\xff",
        ):  # claims by name, and how far the history reaches
            found[key] = firsts, held
    return found


@settings(FEW, max_examples=10)
@given(st.integers(0, 10_000), st.sampled_from([(3, 9), (40, 60), (400, 90)]), st.booleans())
def test_rows_of_one_claim_after_the_other_are_those_of_the_general_way(seed: int, crowd: tuple[int, int], forgets: bool) -> None:
    rng = np.random.default_rng(seed)
    claims = random_tables(seed, claims=90, entities=crowd[0], customers=crowd[1])["claims"]
    claims = claims.assign(**{name: some_missing(rng, claims[name], 0.1) for name in ("customer_id", "device_id")})
    before = claims.head(10)
    general = OnlineHistory(MemoryPages(), LINKS)
    general.append({"claims": before})
    ours = OnlineHistory(copied(pages_of(general)), LINKS)
    at = general.watermark()
    for i in range(10, 90):
        at += 1 + int(rng.integers(0, 2))
        one = claims.iloc[[i]].assign(filed_at=pd.Timestamp(at, unit="us", tz="UTC"))
        general.append({"claims": one})
        (claim,) = plain(one)
        appended(ours, claim, whole(claim["filed_at"]))
        if forgets and i % 7 == 0:
            ours.pages.flush()
            ours.pages.arena().forget()
    ours.pages.flush()
    assert written(ours) == written(general)


def test_who_was_moved_by_a_claim_is_moved_again_where_it_joins_a_larger_component_still() -> None:
    kinds = ("device_id", "payment_id", "phone_id")
    who = [("A", "D", None, None), *((name, None, "P", None) for name in "BCE"), *((name, None, None, "F") for name in "GHIJKL")]
    columns = dict(zip(("customer_id", *kinds), zip(*who, ("N", "D", "P", "F"), strict=True), strict=True))
    times = pd.to_datetime(1_700_000_000_000_000 + np.arange(11), unit="us", utc=True).astype("datetime64[us, UTC]")
    claims = pd.DataFrame({"claim_id": [f"C{i}" for i in range(11)], **columns, "filed_at": times})
    general = OnlineHistory(MemoryPages(), LINKS)
    general.append({"claims": claims.head(10)})
    ours = OnlineHistory(copied(pages_of(general)), LINKS)
    general.append({"claims": claims.tail(1)})
    (claim,) = plain(claims.tail(1))
    appended(ours, claim, whole(claim["filed_at"]))
    ours.pages.flush()
    assert written(ours) == written(general)
    _, (moves,) = pages_of(ours)._held[key_of(log_of("claimants", COMPONENT), (code_of("A"),))]
    assert len(rows(moves, 2)) == 4  # to N, with N to E's, and with these to L's
