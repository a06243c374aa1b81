"""Texts dealt to parts on disk against all of them in memory, however many parts there are."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.duck import Duck
from features.duplicates import DUPLICATE_FEATURES, compute
from features.duplicates_dealt import Dealt
from features.facts import Facts, FeatureError
from tests.features.stored import stored, with_gaps
from tests.features.tables import random_tables
from tests.strategies import FEW, marketplaces

NAMES = tuple(DUPLICATE_FEATURES)
COLUMNS = ["claim_id", "filed_at", "recorded_at", "customer_id", "narrative", "photo_hash"]


def dealt(tables: dict[str, pd.DataFrame], parts: int, names: tuple[str, ...] = NAMES, most: int = 1 << 30) -> dict[str, np.ndarray]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "dealt"
        folder.mkdir()
        duck = Duck(stored(tables, Path(name)), Path(name), 1 << 28)
        answers = [*Dealt(duck, folder, parts, most, threads=2).answers(names, COLUMNS)]
    rows, values = np.concatenate([rows for rows, _ in answers]), np.concatenate([values for _, values in answers])
    assert np.array_equal(rows, np.arange(len(tables["claims"])))
    return dict(zip(names, values.T, strict=True))


def agree(tables: dict[str, pd.DataFrame], parts: int, names: tuple[str, ...] = NAMES) -> None:
    expected = compute(names, Facts(tables, tables["claims"]))
    for name, found in dealt(tables, parts, names).items():
        np.testing.assert_array_equal(found, expected[name], err_msg=name)


@settings(FEW, max_examples=6)
@given(marketplaces(), st.integers(1, 9), st.integers(2, 9))
def test_dealt_texts_give_the_numbers_of_texts_in_memory(tables: dict[str, pd.DataFrame], parts: int, every: int) -> None:
    agree(with_gaps(tables, every), parts)


@pytest.mark.parametrize("parts", [1, 7])
def test_many_stories_told_at_few_instants_meet_the_same_ones(parts: int) -> None:
    """More stories of one template than a story is compared with: which ones are left out must not depend on the parts."""
    tables = random_tables(3, orders=400, claims=900, customers=40, words=4)
    claims = tables["claims"]
    instants = claims["filed_at"].min() + pd.to_timedelta(np.arange(len(claims)) // 5, unit="min")
    late = pd.Series(instants, index=claims.index) + pd.Timedelta(hours=1)
    tables["claims"] = claims.assign(
        filed_at=instants,
        recorded_at=late.where(claims.index % 4 == 0),
        narrative=[f"the kettle burst in my hand {k % 300}" for k in claims.index],
    )
    agree(tables, parts)


def test_only_what_is_asked_for_is_measured_in_the_order_asked_for() -> None:
    agree(with_gaps(random_tables(2), 3), 3, ("photo_reuse_own", "photo_days_since_reuse_others"))


def test_claims_without_any_text_have_no_number() -> None:
    tables = random_tables(2)
    tables = with_gaps(tables, 3)
    tables["claims"] = tables["claims"].assign(narrative=" .", photo_hash=pd.Series(dtype="str"))
    assert all(np.isnan(values).all() for values in dealt(tables, 2).values())


def test_a_part_larger_than_its_room_is_refused_with_what_it_needs() -> None:
    with pytest.raises(FeatureError, match=r"duplicates: expected memory for [\d,]+ bytes of narrative .* found room for 10; allow"):
        dealt(with_gaps(random_tables(1), 3), 1, most=10)
