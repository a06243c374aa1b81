"""Re-use against plain loops over all earlier claims."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import narratives, online_duplicates, page_rows, pages
from features.catalog import CATALOG, Catalog
from features.duplicates import DUPLICATE_FEATURES, compute
from features.facts import Facts
from features.narratives import ALIKE
from features.online import OnlineHistory
from features.online_contents import Stories
from features.photographs import MAX_BITS
from tests.features.tables import random_tables
from tests.features.test_narratives import jaccard
from tests.strategies import FEW, marketplaces

Tables = dict[str, pd.DataFrame]


def near(kind: str, one: object, other: object) -> bool:
    if not isinstance(one, str) or not isinstance(other, str) or not one or not other:
        return False
    if kind == "photo":
        return (int(one, 16) ^ int(other, 16)).bit_count() <= MAX_BITS
    return jaccard(one, other) >= ALIKE[0] / ALIKE[1]


def by_loop(claims: pd.DataFrame, kind: str) -> pd.DataFrame:
    column = {"photo": "photo_hash", "narrative": "narrative"}[kind]
    rows = list(claims[["filed_at", "customer_id", column]].itertuples(index=False, name=None))
    found = []
    for filed, whose, content in rows:
        if not isinstance(content, str) or not content:
            found.append((np.nan, np.nan, np.nan))
            continue
        uses = [(then, who) for then, who, other in rows if then < filed and near(kind, content, other)]
        others = [then for then, who in uses if who != whose]
        days = (filed - max(others)) // pd.Timedelta(microseconds=1) / 86_400_000_000 if others else np.nan
        found.append((len(others), len(uses) - len(others), days))
    return pd.DataFrame(
        found, columns=[f"{kind}_{what}" for what in ("reuse_others", "reuse_own", "days_since_reuse_others")], dtype="float64"
    )


@FEW
@given(marketplaces())
def test_photographs_equal_a_loop_over_all_earlier_claims(tables: Tables) -> None:
    found = pd.DataFrame(compute([n for n in DUPLICATE_FEATURES if n.startswith("photo")], Facts(tables, tables["claims"])))
    pd.testing.assert_frame_equal(found, by_loop(tables["claims"], "photo"), check_exact=True)


def test_narratives_equal_a_loop_up_to_the_few_pairs_that_hashing_misses() -> None:
    for seed in range(4):
        claims = random_tables(seed, orders=60, claims=150, words=30)["claims"]
        found = pd.DataFrame(compute([n for n in DUPLICATE_FEATURES if n.startswith("narrative")], Facts({"claims": claims}, claims)))
        expected = by_loop(claims, "narrative")
        assert (found.isna() == expected.isna())[["narrative_reuse_others", "narrative_reuse_own"]].all(axis=None)
        counts = ["narrative_reuse_others", "narrative_reuse_own"]
        assert (found[counts] <= expected[counts]).to_numpy()[found[counts].notna()].all()
        assert found[counts].sum().sum() >= 0.99 * expected[counts].sum().sum() > 0


def test_a_story_told_by_everybody_is_counted_in_full_and_never_at_the_same_instant() -> None:
    claims = random_tables(2, claims=40).get("claims").assign(narrative="The charger caught fire while charging at night.")
    found = compute(["narrative_reuse_others", "narrative_reuse_own"], Facts({"claims": claims}, claims))
    earlier = np.array([(claims.filed_at < filed).sum() for filed in claims.filed_at])
    np.testing.assert_array_equal(found["narrative_reuse_others"] + found["narrative_reuse_own"], earlier)
    assert len(set(claims.filed_at)) < len(claims)


def test_without_content_a_claim_has_no_number() -> None:
    claims = random_tables(2)["claims"].assign(narrative="", photo_hash=pd.array([None] * 30, dtype="str"))
    assert pd.DataFrame(compute(list(DUPLICATE_FEATURES), Facts({"claims": claims}, claims))).isna().all(axis=None)


@FEW
@given(seed=st.integers(0, 10_000))
def test_when_a_story_is_first_told_is_said_by_claims_alone_so_that_batch_and_online_agree_on_crowded_buckets(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, begin = 40, pd.Timestamp("2025-01-01", tz="UTC")
    filed = begin + pd.to_timedelta(rng.integers(0, 30, n), "D")
    recorded = filed + pd.to_timedelta(np.where(rng.random(n) < 0.4, rng.integers(1, 20, n), 0), "D")
    parts = [f"part {word} of the {word} thing broke" for word in "abcdefghijkl"]
    stories = [" ".join(np.delete(parts, rng.choice(len(parts), rng.integers(0, 4), replace=False))) for _ in range(n)]
    claims = pd.DataFrame({"claim_id": [f"C{i:02}" for i in range(n)], "customer_id": rng.choice(list("AB"), n), "filed_at": filed})
    claims = claims.assign(recorded_at=recorded, narrative=stories)
    told = claims[rng.random(n) < 0.8]
    names = [name for name in DUPLICATE_FEATURES if name.startswith("narrative")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(narratives, "LOOK_BACK", 2)
        patch.setattr(online_duplicates, "KINDS", (Stories(look_back=2),))
        patch.setattr(page_rows, "PAGE_ROWS", 3)
        found = pd.DataFrame(compute(names, Facts({"claims": told}, claims)))
        history = OnlineHistory(pages.MemoryPages(), Catalog(tuple(entry for entry in CATALOG if entry.name in names)))
        history.append({"claims": told})
        rows = [history.vector(claim) for claim in claims.to_dict("records")]
    pd.testing.assert_frame_equal(pd.DataFrame(rows, columns=list(history.names)), found[list(history.names)], check_exact=True)
