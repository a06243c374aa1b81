"""The replay finds every planted look into the future, and none in the shipped catalogue."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from features.catalog import CATALOG, Catalog
from features.facts import FeatureError
from features.leakage import Leak, compare, known_before, replay
from features.matrix import build_matrix
from features.spec import ALL, Aggregate, Selection
from tests.features.planted import PLANTED, entry
from tests.features.tables import random_tables
from tests.strategies import FEW, marketplaces

Tables = dict[str, pd.DataFrame]


def leaks(tables: Tables, catalog: Catalog) -> tuple[Leak, ...]:
    return compare(build_matrix(tables, catalog=catalog), list(replay(tables, catalog, tables["claims"].claim_id.tolist())))


def learned_late(seed: int) -> Tables:
    """A marketplace in which a resolution becomes known days after it was made."""
    tables = random_tables(seed, orders=40, claims=12, late=0.3)
    late = tables["resolutions"].known_at + pd.Timedelta(days=10)
    return tables | {"resolutions": tables["resolutions"].assign(known_at=late)}


@FEW
@given(marketplaces(max_orders=30, max_claims=4, late=0.3))
def test_the_shipped_catalogue_never_looks_into_the_future(tables: Tables) -> None:
    assert leaks(tables, CATALOG) == ()


@pytest.mark.parametrize("wrong", PLANTED)
def test_every_planted_look_into_the_future_is_found_and_named(wrong: str) -> None:
    (leak,) = leaks(learned_late(5), PLANTED[wrong])
    assert leak.feature == PLANTED[wrong].names[0] and leak.claims >= 1


def test_a_leak_shows_the_first_claim_that_has_it_with_the_value_now_and_then() -> None:
    tables = learned_late(5)
    (leak,) = leaks(tables, PLANTED["window that holds the claim"])
    count = build_matrix(tables, catalog=Catalog((CATALOG["claims_count_customer_30d"],)))["claims_count_customer_30d"]
    own = (
        tables["claims"].set_index("claim_id").recorded_at.fillna(pd.Timestamp(0, tz="UTC"))
        <= tables["claims"].set_index("claim_id").filed_at
    )
    assert leak.claim_id == own[own].index[0] and leak.claims == own.sum()
    assert (leak.then, leak.now) == (count[leak.claim_id], leak.then + 1)


def test_only_the_leaking_feature_of_a_catalogue_is_accused() -> None:
    catalog = Catalog((*CATALOG, *PLANTED["delivery aggregated"]))
    assert [leak.feature for leak in leaks(learned_late(6), catalog)] == ["orders_max_delivered_at_customer_all"]


def test_a_table_of_the_users_own_is_cut_where_its_selection_says() -> None:
    tables = random_tables(3, claims=8)
    visits = tables["orders"].rename(columns={"ordered_at": "seen_at", "delivered_at": "left_at"})
    count = entry(Aggregate("visits", ("customer_id",), "count", ALL))
    good, bad = (Catalog((count,), {"visits": Selection("visits", at), **more}) for at, more in (
        ("seen_at", {}), ("left_at", {"begun": Selection("visits", "seen_at")})))  # fmt: skip
    now = visits.seen_at.median()
    assert len(known_before({"visits": visits}, now, good)["visits"]) == (visits.seen_at < now).sum()
    assert leaks(tables | {"visits": visits}, good) == () == leaks(tables | {"visits": visits}, bad)
    assert len(known_before({"visits": visits}, now, Catalog(()))["visits"]) == len(visits), "nobody says when these were known"


def test_the_past_keeps_the_rows_known_before_and_blanks_what_they_say_of_later() -> None:
    tables = random_tables(4, late=0.4)
    now = tables["orders"].ordered_at.median()
    past = known_before(tables, now, CATALOG)
    for name, frame in past.items():
        times = frame.select_dtypes("datetimetz")
        assert frame.dtypes.equals(tables[name].dtypes) and (times.isna() | (times < now)).all(axis=None)
    orders = tables["orders"]
    known = orders[["ordered_at", "recorded_at"]].max(axis=1)
    assert past["orders"].order_id.tolist() == orders.order_id[known < now].tolist()
    assert past["orders"].delivered_at.notna().sum() == (orders.delivered_at[known < now] < now).sum() < (known < now).sum()


def test_a_claim_that_is_not_there_is_named() -> None:
    with pytest.raises(FeatureError, match="found no 'C99'"):
        next(replay(random_tables(1), CATALOG, ["C1", "C99"]))


def test_nothing_is_as_little_as_nothing_but_not_as_little_as_a_number() -> None:
    matrix = pd.DataFrame({"a": [np.nan, np.nan], "b": [1.0, np.nan]}, index=["C1", "C2"])
    then = [pd.Series({"a": np.nan, "b": np.nan}, name="C1"), pd.Series({"a": 0.0, "b": np.nan}, name="C2")]
    assert [(leak.feature, leak.claims, leak.claim_id) for leak in compare(matrix, then)] == [("a", 1, "C2"), ("b", 1, "C1")]
