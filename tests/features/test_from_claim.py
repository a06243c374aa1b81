"""Features of the claim itself against the same sentences in pandas, and the edges by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from features.facts import Facts
from features.from_claim import CLAIM_FEATURES, compute
from tests.features.tables import random_tables
from tests.strategies import FEW, marketplaces

Tables = dict[str, pd.DataFrame]
DAY = pd.Timedelta(days=1)


def in_pandas(tables: Tables) -> dict[str, pd.Series]:
    claims, filed = tables["claims"], tables["claims"].filed_at

    def named(table: str, key: str, at: str) -> pd.DataFrame:
        rows = claims[[key]].merge(tables[table], on=key, how="left", validate="many_to_one")
        known = rows[[at, "recorded_at"]].max(axis=1) if "recorded_at" in rows else rows[at]
        return rows.where(known < filed)

    order, customer = named("orders", "order_id", "ordered_at"), named("customers", "customer_id", "created_at")
    product, seller = named("products", "product_id", "listed_at"), named("sellers", "seller_id", "joined_at")
    delivered = order.delivered_at.where(order.delivered_at < filed)
    price = product.price_cents.where(product.price_cents > 0)
    pieces = (claims.photo_count > 0).astype(int) + claims[["has_receipt", "has_dated_photo", "has_medical_record"]].sum(axis=1)
    return {
        "claim_amount_log": np.log(claims.amount_cents / 100),
        "claim_amount_bunched": claims.amount_cents.between(85_000, 99_999),
        "claim_amount_round": claims.amount_cents % 5000 == 0,
        "claim_amount_to_order": claims.amount_cents / order.amount_cents.astype("float64"),
        "claim_amount_to_price": claims.amount_cents / price.astype("float64"),
        "order_amount": order.amount_cents,
        "claim_days_incident_to_filing": (filed - claims.incident_at) / DAY,
        "claim_days_order_to_filing": (filed - order.ordered_at) / DAY,
        "claim_days_delivery_to_incident": (claims.incident_at - delivered) / DAY,
        "claim_days_delivery_to_filing": (filed - delivered) / DAY,
        "claim_hour": filed.dt.hour,
        "claim_weekend": filed.dt.dayofweek >= 5,
        "claim_is_injury": claims.kind == "injury",
        "claim_by_phone": claims.channel == "phone",
        "claim_by_app": claims.channel == "app",
        "claim_narrative_words": claims.narrative.str.split().str.len(),
        "claim_photo_count": claims.photo_count,
        "claim_has_receipt": claims.has_receipt,
        "claim_has_dated_photo": claims.has_dated_photo,
        "claim_medical_record_missing": (claims.kind == "injury") & ~claims.has_medical_record,
        "claim_evidence_pieces": pieces,
        **{
            f"claim_{e}_differs": (claims[f"{e}_id"] != order[f"{e}_id"]).astype("float64").where(order.ordered_at.notna())
            for e in ("device", "address", "payment")
        },
        "customer_account_days": (filed - customer.created_at) / DAY,
        "customer_email_verified": customer.email_verified,
        "seller_account_days": (filed - seller.joined_at) / DAY,
        "product_listed_days": (filed - product.listed_at) / DAY,
        "product_price": product.price_cents,
    }


@FEW
@given(marketplaces(late=0.3))
def test_every_feature_of_the_claim_says_what_its_sentence_in_pandas_says(tables: Tables) -> None:
    found, expected = compute(list(CLAIM_FEATURES), Facts(tables, tables["claims"])), in_pandas(tables)
    assert found.keys() == expected.keys()
    for name, column in expected.items():
        np.testing.assert_allclose(found[name], column.astype("float64"), rtol=1e-12, err_msg=name)


@pytest.mark.parametrize(("cents", "bunched"), [(84_999, 0), (85_000, 1), (99_999, 1), (100_000, 0)])
def test_amounts_bunch_from_850_dollars_up_to_but_not_at_1000(cents: int, bunched: int) -> None:
    claims = random_tables(1)["claims"].head(1).assign(amount_cents=cents)
    assert compute(["claim_amount_bunched"], Facts({}, claims))["claim_amount_bunched"].tolist() == [bunched]


@pytest.mark.parametrize(("text", "words"), [("", 0), ("   ", 0), ("fire", 1), (" it  burned\nmy sofa ", 4), (None, 0)])
def test_words_are_counted_between_spaces(text: str | None, words: int) -> None:
    claims = random_tables(1)["claims"].head(1).assign(narrative=pd.array([text], dtype="str"))
    assert compute(["claim_narrative_words"], Facts({}, claims))["claim_narrative_words"].tolist() == [words]


def test_an_order_placed_or_delivered_at_the_instant_of_filing_is_not_known() -> None:
    tables = random_tables(1)
    claim = tables["claims"].head(1)
    filed = claim.filed_at.iloc[0]
    for ordered, delivered, known in (
        (filed, filed, (False, False)),
        (filed - DAY, filed, (True, False)),
        (filed - DAY, filed - DAY, (True, True)),
    ):
        orders = tables["orders"].assign(ordered_at=ordered, delivered_at=delivered)
        found = compute(["claim_days_order_to_filing", "claim_days_delivery_to_filing"], Facts({"orders": orders}, claim))
        assert tuple(bool(np.isfinite(column[0])) for column in found.values()) == known
