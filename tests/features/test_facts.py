"""Tables as integers: shared codes, exact instants, missing values that stay missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.facts import Facts, FeatureError, ratio, take
from features.history import NEVER
from tests.features.tables import random_tables
from tests.strategies import MANY

names = st.lists(st.sampled_from(["a", "b", "c", "d", None]), max_size=8)


def claims_of(**columns: object) -> pd.DataFrame:
    n = len(next(iter(columns.values())))  # type: ignore[arg-type]
    filed = pd.to_datetime(["2025-01-01"] * n, utc=True)
    return pd.DataFrame({"claim_id": [f"C{i}" for i in range(n)], "filed_at": filed, **columns})


@MANY
@given(names, names)
def test_codes_are_equal_exactly_where_identifiers_are(ordered: list[str | None], claimed: list[str | None]) -> None:
    orders = pd.DataFrame({"customer_id": pd.array(ordered, dtype="str")})
    probes = claims_of(customer_id=pd.array(claimed, dtype="str"))
    facts = Facts({"orders": orders}, probes)
    codes = [*facts.codes("orders", "customer_id").tolist(), *facts.codes("probes", "customer_id").tolist()]
    texts = [*ordered, *claimed]
    assert all((codes[i] == codes[j]) == (texts[i] == texts[j]) for i in range(len(codes)) for j in range(len(codes)))
    assert all((code == -1) == (text is None) for code, text in zip(codes, texts, strict=True))
    assert facts.vocabulary("customer_id") == len(set(texts) - {None})


@MANY
@given(names, st.lists(st.sampled_from("abcd"), unique=True))
def test_a_row_is_found_by_its_key_or_not_at_all(wanted: list[str | None], held: list[str]) -> None:
    facts = Facts({"sellers": pd.DataFrame({"seller_id": pd.array(held, dtype="str")})}, claims_of(seller_id=pd.array(wanted, dtype="str")))
    assert facts.rows("probes", "seller_id", "sellers").tolist() == [held.index(k) if k in held else -1 for k in wanted]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_instants_are_the_same_microseconds_in_any_unit_and_zone(unit: str, zone: str) -> None:
    times = pd.Series(pd.to_datetime(["2025-03-30T01:30:00Z", None])).dt.tz_convert(zone).dt.as_unit(unit)
    facts = Facts({"orders": pd.DataFrame({"ordered_at": times})}, claims_of(x=[1]))
    assert facts.instants("orders", "ordered_at").tolist() == [1_743_298_200_000_000, NEVER]


def test_whole_numbers_and_truths_may_be_missing() -> None:
    facts = Facts({}, claims_of(n=pd.array([1, None], dtype="Int64"), b=[True, False], f=[2.0, np.nan]))
    assert facts.integers("probes", "n").tolist() == [1, NEVER]
    assert facts.integers("probes", "b").tolist() == [1, 0]
    assert facts.integers("probes", "f").tolist() == [2, NEVER]


def test_an_order_number_is_a_key_of_claims_and_not_of_orders() -> None:
    facts = Facts(random_tables(1), random_tables(1)["claims"])
    assert "order_id" in facts.keys("claims") and "order_id" not in facts.keys("orders")
    assert facts.keys("nowhere") == ()


def test_taking_and_dividing_leave_undefined_what_is_undefined() -> None:
    assert take(np.array([], dtype=np.int64), np.array([-1, -1]), 5).tolist() == [5, 5]
    np.testing.assert_array_equal(ratio(np.array([1.0, np.nan, 1.0]), np.array([3.0, 1.0, np.nan])), [1 / 3, np.nan, np.nan])


def test_a_probe_without_identity_is_refused() -> None:
    with pytest.raises(FeatureError, match="claim_id"):
        Facts({}, claims_of(x=[1]).drop(columns="claim_id"))


@MANY
@given(st.lists(st.one_of(st.none(), st.text("ab1 \t\n\x1c\u00a0\u2003é", max_size=12)), max_size=8))
def test_words_stand_between_white_space_of_any_alphabet(texts: list[str | None]) -> None:
    claims = pd.DataFrame({"claim_id": [str(i) for i in range(len(texts))], "narrative": pd.Series(texts, dtype="str")})
    claims["filed_at"] = pd.Timestamp("2025-01-01", tz="UTC")
    found = Facts({"claims": claims}, claims).words("claims", "narrative")
    assert found.tolist() == [0 if text is None else len(text.split()) for text in texts]
