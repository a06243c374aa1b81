"""Re-used contents that compiled functions find are those of the batch; what a claim adds to their logs is what the general way adds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import kernel_contents, page_rows
from features.catalog import Catalog
from features.entries_links import DUPLICATE_ENTRIES
from features.kernel_contents import Told
from features.matrix import build_matrix
from features.narratives import LOOK_BACK
from features.online import OnlineHistory
from features.online_rows import whole
from features.pages import MemoryPages
from features.spec import Direct
from tests.features.claims_read import appended, codes_of, copied, filed, measured, plain
from tests.features.tables import narratives, photographs, random_tables, some_missing
from tests.strategies import FEW, marketplaces

CONTENTS = Catalog(tuple(entry for entry in DUPLICATE_ENTRIES if isinstance(entry.feature, Direct)))
Tables = dict[str, pd.DataFrame]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let logs run over many pages."""
    monkeypatch.setattr(page_rows, "PAGE_ROWS", 12)


def must_be_of_the_batch(history: OnlineHistory, tables: Tables, asked: pd.DataFrame) -> None:
    claims, plan = plain(asked), history.plans.duplicates
    codes, now = codes_of(claims), filed(claims)
    told, customers = tuple(Told.of(kind, claims) for kind in plan.kinds), np.ascontiguousarray(codes[:, 0])
    found = measured(
        history.pages,
        len(plan.kinds),
        3,
        len(claims),
        lambda *to: kernel_contents.measure_all(to[0], plan.shelves, told, customers, now, *to[1:]),
    )
    expected = build_matrix(tables, asked, CONTENTS)
    found = pd.DataFrame(found[:, plan.places], index=expected.index, columns=list(history.names))
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


@settings(FEW, max_examples=8)
@given(marketplaces(max_claims=40, late=0.2), st.integers(0, 10_000))
def test_contents_of_any_claim_at_any_time_are_those_of_the_batch(tables: Tables, seed: int) -> None:
    rng, claims = np.random.default_rng(seed), tables["claims"]
    tables["claims"] = claims.assign(**{name: some_missing(rng, claims[name], 0.15) for name in ("customer_id", "narrative", "photo_hash")})
    history = OnlineHistory(MemoryPages(), CONTENTS)
    history.append(tables)
    for part in np.array_split(rng.permutation(len(claims)), 3):
        must_be_of_the_batch(history, tables, tables["claims"].iloc[part])


def template(n: int) -> pd.DataFrame:
    """Claims that fill in a template, some of them together, some exactly as others did."""
    rng = np.random.default_rng(5)
    story = " ".join(f"word{i}" for i in range(40))
    own = {"claim_id": [f"C{i}" for i in range(n)], "customer_id": [f"A{i}" for i in rng.integers(0, 9, n)], "amount_cents": 900}
    times = pd.to_datetime(1_700_000_000_000_000 + np.cumsum(rng.integers(0, 2, n)) * 1_000_000, unit="us", utc=True)
    told = {"narrative": [f"{story} {i}" for i in rng.integers(0, 3 * n, n)], "photo_hash": photographs(rng, n)}
    return pd.DataFrame({**own, **told, "filed_at": times.astype("datetime64[us, UTC]")})


def test_a_template_told_more_often_than_one_looks_back_is_found_as_the_batch_finds_it() -> None:
    claims = template(4 * LOOK_BACK)
    history = OnlineHistory(MemoryPages(), CONTENTS)
    history.append({"claims": claims})
    must_be_of_the_batch(history, {"claims": claims}, claims)
    new = claims.tail(20).assign(narrative=claims.narrative.tail(20) + " and more", filed_at=claims.filed_at.max() + pd.Timedelta(1, "h"))
    must_be_of_the_batch(history, {"claims": claims}, new)


@settings(FEW, max_examples=6)
@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_rows_of_one_claim_after_the_other_are_the_pages_of_the_general_way(seed: int, copies: bool, forgets: bool) -> None:
    rng = np.random.default_rng(seed)
    claims = template(90) if copies else random_tables(seed, claims=90, customers=9)["claims"]
    claims = claims.assign(narrative=claims.narrative if copies else narratives(rng, 90, 9), photo_hash=photographs(rng, 90))
    claims = claims.assign(**{name: some_missing(rng, claims[name], 0.1) for name in ("customer_id", "narrative", "photo_hash")})
    general = OnlineHistory(MemoryPages(), CONTENTS)
    general.append({"claims": claims.head(30)})
    ours, at = OnlineHistory(copied(general.pages), CONTENTS), general.watermark()
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
    others = (b"\x10\x00", b"\xff\xff")  # claims by name, and how far the history reaches
    held = {key: pages for key, pages in general.pages._held.items() if not isinstance(key[0], bytes) or key[0][:2] not in others}
    assert {key: pages for key, pages in ours.pages._held.items() if key in held or key[0][:2] not in others} == held
