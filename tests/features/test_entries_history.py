"""The catalogue's composed histories say what their sentences say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from features.catalog import CATALOG
from features.entries_history import HISTORY_ENTRIES
from features.entry import Entry
from features.facts import Facts
from features.spec import Windowed
from features.windows import evaluate
from tests.features.tables import random_tables
from tests.strategies import FEW, marketplaces

Tables = dict[str, pd.DataFrame]
LIFTS = {on: next(e for e in HISTORY_ENTRIES if e.meaning.startswith(f"the pair's {on} over")) for on in ("orders", "claims")}


def values(entry: Entry, tables: Tables) -> np.ndarray:
    assert isinstance(entry.feature, Windowed)
    return evaluate([entry.feature], Facts(tables, tables["claims"]))[entry.name]


@pytest.mark.parametrize(("on", "at"), [("orders", "ordered_at"), ("claims", "filed_at")])
@FEW
@given(tables=marketplaces())
def test_the_lift_of_a_pair_is_its_count_over_the_sellers_count_per_customer(on: str, at: str, tables: Tables) -> None:
    found = values(LIFTS[on], tables)
    for value, claim in zip(found, tables["claims"].itertuples(), strict=True):
        sold = tables[on][(tables[on].seller_id == claim.seller_id) & (tables[on][at] < claim.filed_at)]
        if sold.empty:
            assert np.isnan(value)
        else:
            assert value == (sold.customer_id == claim.customer_id).sum() / (len(sold) / sold.customer_id.nunique())


def test_a_customer_like_every_other_has_lift_one() -> None:
    tables = random_tables(1)
    orders = tables["orders"].head(6).assign(customer_id=[f"K{i % 3}" for i in range(6)], seller_id="S0")
    asked = tables["claims"].head(1).assign(customer_id="K1", seller_id="S0", filed_at=orders.ordered_at.max() + pd.Timedelta(days=1))
    assert values(LIFTS["orders"], {"orders": orders, "claims": asked}).tolist() == [1.0]


def test_every_entity_and_the_pair_of_customer_and_seller_has_a_history_in_the_catalogue() -> None:
    keys = {part.by for entry in CATALOG if isinstance(entry.feature, Windowed) for part in entry.feature.parts}
    single = ("customer_id", "seller_id", "product_id", "device_id", "address_id", "payment_id", "phone_id")
    assert {(key,) for key in single} | {("customer_id", "seller_id")} <= keys
