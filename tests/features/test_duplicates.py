"""Re-use against plain loops over all earlier claims."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given

from features.duplicates import DUPLICATE_FEATURES, compute
from features.facts import Facts
from features.narratives import ALIKE
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
