"""The suites: an independent witness that agrees with the check, for every table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from data_contracts import CLAIMS, CONTRACTS, ORDERS, SELLERS
from data_contracts.check import check
from data_contracts.contract import Contract
from data_contracts.expectations import suite_of, witness
from tests.strategies import sound_rows, text_frame


def sellers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "seller_id": pd.array(["S1", "S2", "S3"], dtype="str"),
            "joined_at": pd.to_datetime(["2025-01-01T00:00:00Z"] * 3).astype("datetime64[us, UTC]"),
            "country": pd.array(["US", "DE", "FR"], dtype="str"),
            "category": pd.array(["home"] * 3, dtype="str"),
            "recorded_at": pd.Series(pd.NaT, index=range(3), dtype="datetime64[us, UTC]"),
        }
    )


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda c: c.name)
@seed(1)
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_witness_finds_nothing_wrong_with_accepted_rows(contract: Contract, data: st.DataObject) -> None:
    rows = data.draw(st.lists(sound_rows(contract), min_size=1, max_size=3, unique_by=lambda row: row[contract.key]))
    accepted = check(text_frame(rows, contract), contract).accepted
    found = witness({contract.name: accepted}, CONTRACTS, run="test")[contract.name]
    assert found.failed == ()
    assert found.rows == len(rows)
    assert found.rules == len(suite_of(contract).expectations)


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda f: f.assign(seller_id=["S1", "S1", "S3"]), "to_be_unique"),
        (lambda f: f.assign(country=["US", None, "FR"]), "to_not_be_null"),
        (lambda f: f.assign(country=["US", "usa", "FR"]), "to_match_regex"),
        (lambda f: f.assign(category=["home", "", "x"]), "value_lengths_to_be_between"),
        (lambda f: f.assign(stars=1), "columns_to_match_set"),
    ],
)
def test_the_witness_sees_each_kind_of_trouble(spoil: object, rule: str) -> None:
    [failed] = witness({"sellers": spoil(sellers())}, CONTRACTS, run="test")["sellers"].failed  # type: ignore[operator]
    assert rule in failed


def test_ranges_choices_and_orderings_are_among_the_rules() -> None:
    kinds = {e.expectation_type for e in suite_of(CLAIMS).expectations} | {e.expectation_type for e in suite_of(ORDERS).expectations}
    assert {
        "expect_column_values_to_be_between",
        "expect_column_values_to_be_in_set",
        "expect_column_pair_values_a_to_be_greater_than_b",
    } <= kinds


def test_references_are_named_in_the_notes_because_the_check_judges_them() -> None:
    [notes] = suite_of(ORDERS).notes
    assert "customer_id → customers" in notes


def test_the_data_docs_are_pages_that_replace_the_earlier_ones(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    docs = tmp_path / "data_docs"
    docs.mkdir()
    (docs / "old.html").write_text("old")
    witness({"sellers": sellers(), "claims": pd.DataFrame()}, CONTRACTS, run="first", docs=docs)
    assert (docs / "index.html").is_file()
    assert not (docs / "old.html").exists()
    pages = sorted(path.relative_to(docs).parts[0] for path in docs.rglob("*sellers.html"))
    assert pages == ["expectations", "validations"]
    assert list(tmp_path.iterdir()) == [docs]
    assert capfd.readouterr() == ("", "")


def test_an_adapted_contract_has_an_adapted_suite() -> None:
    adapted = SELLERS.adapted(absent=("category",))
    found = witness({"sellers": sellers().drop(columns="category")}, {"sellers": adapted}, run="test")["sellers"]
    assert found.failed == ()
