"""The documents of the Open Data Contract Standard: golden, accepted by a linter, and their SQL counts what the check finds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pytest
import yaml

from data_contracts import CLAIMS, CONTRACTS, RETURNS, Contract
from data_contracts.check import check
from data_contracts.open_standard import export, to_yaml

GOLDEN = Path(__file__).parents[2] / "data_contracts" / "odcs"
LINTER = Path(sys.executable).parent / "odcslint"
RENEW = "if the change is wanted, write to_yaml(contract) into data_contracts/odcs/<table>.odcs.yaml and review the difference"


def lint(*paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LINTER, "check", "--no-ignore", *paths], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=lambda c: c.name)
def test_the_golden_file_is_what_the_contract_exports(contract: Contract) -> None:
    assert (GOLDEN / f"{contract.name}.odcs.yaml").read_text() == to_yaml(contract), RENEW


def test_there_is_one_golden_file_for_each_table_and_no_other() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {f"{name}.odcs.yaml" for name in CONTRACTS}


def test_the_linter_of_the_standard_accepts_every_document() -> None:
    done = lint(GOLDEN)
    assert done.returncode == 0, done.stdout
    assert f"{len(CONTRACTS)} files checked" in done.stdout


@pytest.mark.parametrize(
    ("old", "new"), [("kind: DataContract\n", ""), ("logicalType: timestamp", "logicalType: moment"), ("mustBe: 0", "mustBee: 0")]
)
def test_the_linter_rejects_a_broken_document(tmp_path: Path, old: str, new: str) -> None:
    text = to_yaml(CLAIMS)
    assert old in text
    (tmp_path / "claims.odcs.yaml").write_text(text.replace(old, new))
    assert lint(tmp_path / "claims.odcs.yaml").returncode == 1


def test_every_relationship_leads_to_a_key_of_a_document_beside_it() -> None:
    for contract in CONTRACTS.values():
        for column in export(contract)["schema"][0]["properties"]:
            for link in column.get("relationships", []):
                file, path = link["to"].split("#")
                _, table, _, name = path.split("/")
                there = yaml.safe_load((GOLDEN / file).read_text())["schema"][0]
                assert there["id"] == table
                assert next(p for p in there["properties"] if p["id"] == name)["primaryKey"]


def test_the_sql_of_the_rules_counts_the_rows_that_the_check_quarantines() -> None:
    at = pd.to_datetime(["2025-01-05T00:00:00Z"]).astype("datetime64[us, UTC]")
    orders = pd.DataFrame({"order_id": ["O1"], "customer_id": ["C1"], "seller_id": ["S1"], "delivered_at": at})
    good = {"return_id": "R1", "order_id": "O1", "customer_id": "C1", "seller_id": "S1", "returned_at": "2025-01-05T00:00:00Z",
            "reason": "x", "refund_cents": "1"}  # fmt: skip
    changes = [{}, {"order_id": "O2"}, {"customer_id": "C2"}, {"seller_id": "S2"}, {"returned_at": "2025-01-04T00:00:00Z"}]
    rows = pd.DataFrame([good | change | {"return_id": f"R{i}"} for i, change in enumerate(changes)])
    found = check(rows, RETURNS, {"orders": orders})
    returns = check(rows, RETURNS).accepted
    rules = export(RETURNS)["schema"][0]["quality"]
    base = duckdb.connect()
    base.register("returns", returns)
    base.register("orders", orders)
    counts = {rule["description"]: base.execute(rule["query"]).fetchall()[0][0] for rule in rules}
    assert counts.pop("returned_at ≤ recorded_at") == 0, "every row is in order in itself"
    assert list(counts.values()) == [1, 1, 1, 1]
    assert sum(counts.values()) == len(found.quarantined)
