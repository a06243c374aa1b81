"""Validation: nothing lost, all reasons kept, all or nothing, and a second run changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import pipelines.validate
from data_contracts import CONTRACTS, ContractError
from data_contracts.check import Checked, to_arrow
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.source import Arrived
from pipelines.validate import Counts, count, validate
from tests.pipelines.conftest import Market

SELLERS = (
    "seller_id,joined_at,country,category\nS1,2024-01-01T00:00:00Z,US,home\nS2,2024-01-01T00:00:00Z,usa,\nS3,2024-01-01T00:00:00Z,DE,toys\n"
)
PRODUCTS = (
    "product_id,seller_id,category,listed_at,price_cents\n"
    "P1,S1,home,2024-02-01T00:00:00Z,1000\n"
    "P2,S2,home,2024-02-01T00:00:00Z,1000\n"  # its seller is quarantined above
    "P3,S3,home\n"  # too few fields
    "P4,S3,home,2023-02-01T00:00:00Z,-1\n"  # before its seller joined, and negative
)


def raw(folder: Path, **tables: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for table, text in tables.items():
        (folder / f"{table}.csv").write_text(text)
    return folder


def contents(home: Home) -> dict[str, Any]:
    """Everything that validation leaves in the lake, the quarantine and the manifests."""
    files = sorted(p for folder in ("lake", "quarantine", "runs") for p in (home.root / folder).rglob("*") if p.is_file())
    return {str(p.relative_to(home.root)): p.read_bytes() for p in files}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    raw(home.raw, sellers=SELLERS, products=PRODUCTS)
    return home


def test_good_rows_go_on_and_each_bad_row_is_quarantined_with_all_its_reasons(home: Home) -> None:
    found = validate(home, docs=False)
    lake = Lake(home.root)
    assert lake.read("sellers").seller_id.tolist() == ["S1", "S3"]
    assert lake.read("products").product_id.tolist() == ["P1"]
    reasons = dict(zip(*lake.quarantined("products")[["product_id", "reasons"]].to_numpy().T, strict=True))
    assert reasons["P2"] == "seller_id: expected a row of sellers, found 'S2'"
    assert reasons["P3,S3,home"] == "row: expected 5 fields, found 3 in line 4"
    assert len(reasons["P4"].split("; ")) == 2
    for counts in found.tables.values():
        assert counts.accepted + counts.quarantined == counts.read
    assert found.tables["products"].read == 4
    assert found.tables["sellers"].top_reason == "category: expected text of 1 to 32 characters"


def test_the_manifest_holds_the_counts_and_the_reasons(home: Home) -> None:
    validate(home, docs=False, batch="monday")
    manifest = json.loads((home.runs / "validate-monday.json").read_text())
    assert manifest["tables"]["products"] | {"reasons": {}} == {"read": 4, "accepted": 1, "quarantined": 3, "reasons": {}}
    assert sum(manifest["tables"]["products"]["reasons"].values()) == 4


def test_running_a_batch_again_changes_nothing(home: Home) -> None:
    validate(home, docs=False)
    before = contents(home)
    validate(home, docs=False)
    assert contents(home) == before


def test_a_later_batch_sees_earlier_ones_and_cannot_repeat_their_keys(home: Home, tmp_path: Path) -> None:
    validate(home, docs=False)
    later = PRODUCTS.replace("P1,", "P9,").replace("P2,S2", "P1,S1")
    found = validate(home, raw(tmp_path / "later", products=later), batch="later", docs=False)
    assert Lake(home.root).read("products").product_id.tolist() == ["P1", "P9"]
    assert any("already in the lake" in reason for reason in found.tables["products"].reasons)


def test_a_single_file_is_a_source_of_one_table(home: Home) -> None:
    found = validate(home, home.raw / "sellers.csv", docs=False)
    assert list(found.tables) == ["sellers"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda raw: (raw / "products.csv").write_text(""), "found an empty file"),
        (lambda raw: (raw / "products.csv").write_text(PRODUCTS[:-20]), "cut off"),
        (lambda raw: (raw / "products.csv").write_text(PRODUCTS.replace("price_cents", "price")), "missing: price_cents; unknown: price"),
        (
            lambda raw: (raw / "products.csv").write_text(PRODUCTS.replace("2024-02-01T00:00:00Z", "soon").replace("2023", "x")),
            "no value of",
        ),
        (lambda raw: (raw / "products.parquet").write_bytes(b"PAR1"), "two files for products"),
        (lambda raw: (raw / "product.csv").write_text(PRODUCTS), r"no contract for product\.csv"),
    ],
)
def test_a_file_that_cannot_be_read_leaves_everything_as_it_was(home: Home, spoil: Any, message: str) -> None:
    validate(home, docs=False)
    before = contents(home)
    (home.raw / "sellers.csv").write_text(SELLERS.replace("S3", "S4"))
    spoil(home.raw)
    with pytest.raises(ContractError, match=message):
        validate(home, docs=False)
    assert contents(home) == before


def test_a_folder_without_files_says_where_files_come_from(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="found none; run `touchstone simulate`"):
        validate(Home(tmp_path), docs=False)


def test_the_data_docs_are_written_where_the_home_keeps_them(home: Home) -> None:
    found = validate(home)
    assert found.docs == home.data_docs
    assert (home.data_docs / "index.html").is_file()


def test_a_witness_that_contradicts_the_check_stops_the_batch(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def lax(frame: pd.DataFrame, *_: Any) -> Checked:
        empty = frame.iloc[:0].assign(reasons=pd.Series(dtype="str"))
        typed = frame.assign(joined_at=pd.to_datetime(frame["joined_at"]).astype("datetime64[us, UTC]")) if "joined_at" in frame else frame
        return Checked(typed, empty, {}, np.ones(len(typed), dtype=bool))

    monkeypatch.setattr(pipelines.validate, "check", lax)
    with pytest.raises(ContractError, match=r"contradict the check, nothing was published: sellers: .*match_regex"):
        validate(home, home.raw / "sellers.csv")
    assert contents(home) == {}


def test_a_row_lost_on_the_way_is_an_error() -> None:
    frame = pd.DataFrame({"a": ["1", "2"]})
    arrived = Arrived(frame, frame.iloc[:0])
    with pytest.raises(ContractError, match=r"t: expected accepted \+ quarantined = read"):
        count("t", arrived, Checked(frame.iloc[:1], frame.iloc[:0], {}, np.array([True, False])), frame.iloc[:0])
    assert count("t", arrived, Checked(frame, frame.iloc[:0], {}, np.array([True, True])), frame.iloc[:0]) == Counts(2, 2, 0, {})


def test_what_a_sound_file_names_is_found_wherever_the_lake_holds_it(small: Market, tmp_path: Path) -> None:
    tables = Lake(small.home.root).tables()
    lake = Lake(tmp_path)
    for table in ("customers", "sellers", "products"):
        lake.append(table, tables[table], "all")
    dealt = np.random.default_rng(0).integers(0, 5, len(tables["orders"]))
    for batch in range(5):
        lake.append("orders", tables["orders"][dealt == batch], f"b{batch}")
    lake.append("claims", tables["claims"].head(7), "earlier")
    pq.write_table(to_arrow(tables["claims"], CONTRACTS["claims"]), tmp_path / "claims.parquet")
    found = validate(Home(tmp_path), tmp_path / "claims.parquet", "later", docs=False).tables["claims"]
    assert found.reasons == {"claim_id: expected a new key, this one is already in the lake": 7}
    assert lake.read("claims", only="later").equals(tables["claims"].iloc[7:].reset_index(drop=True))
    lost = tables["claims"]["order_id"].isin(tables["orders"][dealt == 3]["order_id"])
    (tmp_path / "lake" / "orders" / "b3.parquet").unlink()
    (tmp_path / "lake" / "claims" / "earlier.parquet").unlink()
    found = validate(Home(tmp_path), tmp_path / "claims.parquet", "later", docs=False).tables["claims"]
    assert 0 < found.quarantined == lost.sum() == found.reasons["order_id: expected a row of orders"]
    lake.append("orders", tables["orders"][dealt == 3], "b9")
    assert validate(Home(tmp_path), tmp_path / "claims.parquet", "later", docs=False).tables["claims"].quarantined == 0
