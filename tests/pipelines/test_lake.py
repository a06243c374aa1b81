"""The lake: what goes in comes out, in order, typed; and nothing is ever seen half-written."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data_contracts import CONTRACTS, RETURNS, SELLERS, ContractError
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.simulate.frames import contracted


def sellers(*keys: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "seller_id": pd.array(keys, dtype="str"),
            "joined_at": pd.to_datetime(["2024-01-01T00:00:00.000001Z"] * len(keys), format="ISO8601", utc=True).astype(
                "datetime64[us, UTC]"
            ),
            "country": pd.array(["US"] * len(keys), dtype="str"),
            "category": pd.array(["home"] * len(keys), dtype="str"),
            "recorded_at": pd.Series(pd.NaT, index=range(len(keys)), dtype="datetime64[us, UTC]"),
        }
    )


def test_what_is_appended_is_read_back_equal_and_in_the_order_of_batches(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("sellers", sellers("S3", "S1"), batch="b")
    lake.append("sellers", sellers("S2"), batch="a")
    pd.testing.assert_frame_equal(lake.read("sellers"), sellers("S2", "S3", "S1"))
    assert lake.read("sellers", columns=["country", "seller_id"]).columns.tolist() == ["country", "seller_id"]
    assert lake.read("sellers", without="a").seller_id.tolist() == ["S3", "S1"]


def test_the_same_batch_written_twice_is_there_once(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("sellers", sellers("S1", "S2"), batch="a")
    lake.append("sellers", sellers("S9"), batch="a")
    assert lake.read("sellers").seller_id.tolist() == ["S9"]


@pytest.mark.parametrize("table", CONTRACTS)
def test_a_table_nobody_wrote_is_empty_but_typed(tmp_path: Path, table: str) -> None:
    frame = Lake(tmp_path).read(table)
    assert len(frame) == 0
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {c.name: c.pandas for c in CONTRACTS[table].columns}


def test_quarantined_rows_keep_their_reasons_and_batch(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.quarantine("sellers", pd.DataFrame({"seller_id": ["S 1"], "reasons": ["seller_id: odd"]}), batch="a")
    lake.quarantine("sellers", pd.DataFrame({"seller_id": ["S 2"], "extra": ["x"], "reasons": ["extra: odd"]}), batch="b")
    found = lake.quarantined("sellers")
    assert found.batch.tolist() == ["a", "b"]
    assert found.reasons.tolist() == ["seller_id: odd", "extra: odd"]
    assert len(lake.quarantined("claims")) == 0


def test_an_error_while_publishing_leaves_every_table_as_it_was(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("sellers", sellers("S1"), batch="a")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(ContractError, match="customers: expected accepted rows"):
        lake.publish({"sellers": sellers("S2"), "customers": sellers("C1")}, {"sellers": sellers("S3")}, batch="a")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_column_that_the_contract_lacks_is_never_dropped_in_silence(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="a difference in colour"):
        Lake(tmp_path).append("sellers", sellers("S1").assign(colour="red"), batch="a")


def test_a_missing_value_in_a_required_column_is_refused(tmp_path: Path) -> None:
    frame = sellers("S1", "S2").assign(country=pd.array(["US", None], dtype="str"))
    with pytest.raises(ContractError, match="country"):
        Lake(tmp_path).append("sellers", frame, batch="a")


def test_a_truncated_batch_is_named_in_the_error(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("sellers", sellers("S1"), batch="a")
    path = tmp_path / "lake" / "sellers" / "a.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ContractError, match=r"a\.parquet: expected a readable Parquet file"):
        lake.read("sellers")


def test_a_batch_of_another_contract_is_refused(tmp_path: Path) -> None:
    adapted = Lake(tmp_path, {"sellers": SELLERS.adapted(absent=("category",))})
    adapted.append("sellers", sellers("S1").drop(columns="category"), batch="a")
    with pytest.raises(ContractError, match=r"a\.parquet: expected the columns"):
        Lake(tmp_path).read("sellers")


def test_a_batch_from_before_a_column_became_known_is_read_as_if_the_column_were_empty(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    returns = contracted(
        {"return_id": ["R1"], "order_id": ["O1"], "customer_id": ["C1"], "seller_id": ["S1"], "reason": ["x"], "refund_cents": [5],
         "returned_at": pd.to_datetime(["2025-01-01"], utc=True).astype("datetime64[us, UTC]")}, RETURNS
    )  # fmt: skip
    lake.append("returns", returns, batch="old")
    (path,) = (tmp_path / "lake").rglob("*.parquet")
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns("recorded_at"), path)
    pd.testing.assert_frame_equal(
        lake.read("returns"), returns.astype(dict.fromkeys(["return_id", "order_id", "customer_id", "seller_id", "reason"], "str"))
    )
    assert lake.read("returns", columns=["recorded_at", "return_id"]).columns.tolist() == ["recorded_at", "return_id"]


def test_an_unknown_table_and_a_batch_name_that_leaves_the_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="expected one of the tables"):
        Lake(tmp_path).read("sealed")
    for name in ("../escape", "", ".hidden", "a/b"):
        with pytest.raises(ContractError, match="batch: expected"):
            Lake(tmp_path).append("sellers", sellers("S1"), batch=name)


def test_a_manifest_is_the_same_bytes_for_the_same_facts(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    one = lake.manifest("validate-a", {"b": 1, "a": 2}).read_bytes()
    assert lake.manifest("validate-a", {"a": 2, "b": 1}).read_bytes() == one


def test_the_home_is_the_option_else_the_environment_else_here(tmp_path: Path) -> None:
    assert Home.at(tmp_path, {"TOUCHSTONE_HOME": "elsewhere"}).root == tmp_path
    assert Home.at(None, {"TOUCHSTONE_HOME": str(tmp_path)}).root == tmp_path
    assert Home.at(None, {}).root == Path.cwd() / ".touchstone"
    assert Home(tmp_path).store_url == f"sqlite:///{tmp_path}/store.db"


def test_only_what_may_hold_a_key_between_two_is_read(tmp_path: Path) -> None:
    lake, row = Lake(tmp_path), {"seller_id": "", "joined_at": 1, "country": "US", "category": "home", "recorded_at": None}
    keys = [f"S{number:03}" for number in range(100)]
    table = pa.Table.from_pylist([row | {"seller_id": key} for key in keys], schema=SELLERS.arrow)
    for batch, part in (("even", table.take(list(range(0, 100, 2)))), ("odd", table.take(list(range(1, 100, 2))))):
        sink = pa.BufferOutputStream()
        pq.write_table(part, sink, row_group_size=10, write_statistics=batch == "even")
        lake.publish({"sellers": sink.getvalue().to_pybytes()}, {}, batch)
    found = lake.read("sellers", ["seller_id"], keys=("S041", "S059"))["seller_id"].tolist()
    assert found == keys[40:60:2] + keys[1::2]  # a file that says nothing is read whole
    assert lake.read("sellers", keys=("T", "U"), without="odd").empty and len(lake.read("sellers", keys=("S000", "S099"))) == 100
