"""Ingesting: foreign rows become contract rows or are quarantined with a reason; nothing is repaired, nothing is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data_contracts import ContractError
from features.matrix import build_matrix
from pipelines.home import Home
from pipelines.ingest import Ingested, ingest
from pipelines.mapping import Mapping, parse
from pipelines.train_ingested import train_ingested
from tests.pipelines.test_mapping import SHIPPED, small

MAPPING = """
name = "small"
absent = {absent}
ignore = ["remark"]
[fields.claim_id]
source = "no"
template = "A{{}}"
[fields.filed_at]
source = "day"
format = "%d.%m.%Y"
[fields.amount_cents]
source = "paid"
unit = "dollars"
[fields.kind]
source = "what"
values = {{ house = "property", body = "injury" }}
[extras]
age = "numeric"
town = {{ source = "city", type = "categorical", missing = ["?"] }}
year = {{ source = "day", part = "year", format = "%d.%m.%Y" }}
[label]
source = "fraud"
values = {{ 0 = "valid", 1 = "abusive", 2 = "unsubstantiated" }}
delay_days = 10
"""

ROWS: dict[str, list[Any]] = {
    "no": [1, 2, 3, 4, 5, 6, 7],
    "day": ["05.01.2025", "06.01.2025", "2025-01-07", "08.01.2025", "09.01.2025", "31.02.2025", "11.01.2025"],
    "paid": ["10.004", "2.675", "30", "free", "-1", "60", "0.01"],
    "what": ["house", "body", "house", "car", "house", "house", "body"],
    "age": ["40", "", "30", "old", "30", "30", "229"],
    "city": ["Rome", "?", "Oslo", "Oslo", "Oslo", "Oslo", ""],
    "fraud": ["0", "1", "0", "-1", "1", "0", ""],
    "remark": ["x"] * 7,
}


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(MAPPING.format(absent=small()["absent"]))
    return path


def from_csv(tmp_path: Path, mapping: Path, rows: pd.DataFrame) -> Ingested:
    rows.to_csv(tmp_path / "file.csv", index=False)
    return ingest(Home(tmp_path / "home"), tmp_path / "file.csv", mapping)


def test_each_row_is_translated_or_quarantined_with_all_its_reasons(tmp_path: Path, mapping: Path) -> None:
    found = from_csv(tmp_path, mapping, pd.DataFrame(ROWS))
    claims = found.lake.read("claims").set_index("claim_id")
    assert claims.index.tolist() == ["A1", "A2", "A7"]
    assert claims.amount_cents.tolist() == [1000, 268, 1]
    assert claims.kind.tolist() == ["property", "injury", "injury"]
    assert claims.filed_at.dt.strftime("%Y-%m-%d %H").tolist() == ["2025-01-05 00", "2025-01-06 00", "2025-01-11 00"]
    assert claims.town.isna().tolist() == [False, True, True] and claims.age.isna().tolist() == [False, True, False]
    assert claims.year.tolist() == [2025] * 3
    quarantined = found.lake.quarantined("claims").set_index("no")
    told = {no: [r.split(":")[0] for r in reasons.split("; ")] for no, reasons in quarantined.reasons.items()}
    assert told == {"3": ["filed_at"], "4": ["kind", "amount_cents", "age", "label"], "5": ["amount_cents"], "6": ["filed_at"]}
    assert "found '31.02.2025'" in quarantined.reasons["6"]
    assert quarantined.remark.eq("x").all(), "quarantined rows are kept as they were read"
    assert found.summary() == {"rows_read": 7, "rows_accepted": 3, "rows_quarantined": 4, "rows_labelled": 2}


def test_a_label_becomes_a_resolution_after_its_delay_and_a_missing_one_becomes_none(tmp_path: Path, mapping: Path) -> None:
    found = from_csv(tmp_path, mapping, pd.DataFrame(ROWS))
    resolutions = found.lake.read("resolutions")
    assert resolutions[["claim_id", "label", "outcome"]].to_numpy().tolist() == [
        ["A1", "valid", "paid"],
        ["A2", "abusive", "denied_abusive"],
    ]
    assert resolutions.known_at.dt.strftime("%Y-%m-%d").tolist() == ["2025-01-15", "2025-01-16"]
    assert found.labelled == 2


def test_the_order_of_rows_and_columns_changes_nothing_but_the_order(tmp_path: Path, mapping: Path) -> None:
    rows = pd.DataFrame(ROWS)
    one = from_csv(tmp_path, mapping, rows).lake.tables()
    two = from_csv(tmp_path, mapping, rows.iloc[::-1, ::-1]).lake.tables()
    for name, key in (("claims", "claim_id"), ("resolutions", "resolution_id")):
        pd.testing.assert_frame_equal(one[name].sort_values(key, ignore_index=True), two[name].sort_values(key, ignore_index=True))


def test_parquet_and_a_column_that_became_float_through_gaps_give_the_same_rows(tmp_path: Path, mapping: Path) -> None:
    rows = pd.DataFrame(ROWS).iloc[[0, 1, 6]]
    one = from_csv(tmp_path, mapping, rows)
    typed = rows.assign(
        no=rows.no.astype("float64"), paid=rows.paid.astype("float64"), age=pd.to_numeric(rows.age), fraud=pd.to_numeric(rows.fraud),
        day=pd.to_datetime(rows.day, format="%d.%m.%Y"), city=rows.city.replace("", None),
    )  # fmt: skip
    typed.to_parquet(tmp_path / "typed.parquet")
    typed.drop(columns="day").assign(day=rows.day).to_csv(tmp_path / "floats.csv", index=False)
    for name in ("typed.parquet", "floats.csv"):
        two = ingest(Home(tmp_path / "home"), tmp_path / name, mapping)
        assert two.counts == one.counts
        for table in ("claims", "resolutions"):
            pd.testing.assert_frame_equal(two.lake.read(table), one.lake.read(table))


def test_ingesting_a_file_again_replaces_it(tmp_path: Path, mapping: Path) -> None:
    rows = pd.DataFrame(ROWS)
    from_csv(tmp_path, mapping, rows)
    found = from_csv(tmp_path, mapping, rows.iloc[:2])
    assert found.lake.read("claims").claim_id.tolist() == ["A1", "A2"]
    assert len(found.lake.quarantined("claims")) == 0


def test_a_repeated_claim_is_quarantined(tmp_path: Path, mapping: Path) -> None:
    rows = pd.DataFrame(ROWS).iloc[[0, 1, 0]]
    found = from_csv(tmp_path, mapping, rows)
    assert found.counts.quarantined == 1
    assert "not used before in this batch" in found.counts.top_reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop(columns="city"), "missing: city"),
        (lambda rows: rows.assign(shoe=1), "neither mapped nor ignored: shoe"),
        (lambda rows: rows.iloc[:0], "expected at least one claim"),
        (lambda rows: rows.assign(day="yesterday"), "claims.filed_at: expected .* no value of the column has the right type"),
    ],
)
def test_a_file_that_does_not_fit_is_an_error_and_leaves_nothing(tmp_path: Path, mapping: Path, change: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        from_csv(tmp_path, mapping, change(pd.DataFrame(ROWS)))
    assert not (tmp_path / "home").exists()


def test_a_file_of_open_claims_may_lack_the_label_and_cannot_be_trained_on(tmp_path: Path, mapping: Path) -> None:
    found = from_csv(tmp_path, mapping, pd.DataFrame(ROWS).drop(columns="fraud"))
    assert (found.counts.accepted, found.labelled) == (3, 0)
    with pytest.raises(ContractError, match="expected labelled claims to train on"):
        train_ingested(found)


def test_a_label_that_is_already_the_name_of_a_class_but_not_listed_is_quarantined(tmp_path: Path, mapping: Path) -> None:
    found = from_csv(tmp_path, mapping, pd.DataFrame(ROWS).assign(fraud=["0", "valid", "1", "1", "1", "1", "2"]))
    assert found.lake.read("resolutions").label.tolist() == ["valid", "unsubstantiated"]
    assert "found 'unlisted valid'" in found.lake.quarantined("claims").reasons[0]


def test_two_and_three_classes_are_both_understood() -> None:
    two: Mapping = parse(small())
    label = small()["label"] | {"values": {"a": "valid", "b": "unsubstantiated", "c": "abusive"}}
    three = parse(small() | {"label": label})
    assert two.intake.column("label").choices == ("valid", "abusive")
    assert three.intake.column("label").choices == ("valid", "unsubstantiated", "abusive")


def test_features_are_built_from_an_ingested_file_with_its_extras(tmp_path: Path, mapping: Path) -> None:
    found = from_csv(tmp_path, mapping, pd.DataFrame(ROWS))
    matrix = build_matrix(found.lake.tables(), extras={name: rule.type for name, rule in found.mapping.extras.items()})
    assert matrix.columns[-3:].tolist() == ["age", "town", "year"]
    assert str(matrix.town.dtype) == "category"


def sample(yardsticks: Path, rows: int, seed: int) -> pd.DataFrame:
    claims = yardsticks / "travelers" / "claims.csv"
    if not claims.is_file():
        pytest.skip(f"no Travelers claims at {claims}; set TOUCHSTONE_YARDSTICKS to the folder of outside data")
    frame = pd.read_csv(claims)
    return frame if not rows else frame.sample(rows, random_state=seed)


def test_the_travelers_claims_lose_three_rows_all_for_their_label(tmp_path: Path, yardsticks: Path) -> None:
    sample(yardsticks, 0, 0)
    found = ingest(Home(tmp_path), yardsticks / "travelers" / "claims.csv", SHIPPED)
    assert (found.counts.read, found.counts.accepted, found.counts.quarantined) == (17_998, 17_995, 3)
    assert found.labelled == 17_995
    assert dict(found.counts.reasons) == {"label: expected one of valid, abusive": 3}
    assert found.lake.read("claims").amount_cents.isna().sum() == 17


def test_the_same_mapping_reads_another_file_of_the_same_columns(tmp_path: Path, yardsticks: Path) -> None:
    other = sample(yardsticks, 400, 7).reset_index(drop=True)
    other["claim_number"] = other.index + 900_000
    other["fraud"] = other["fraud"].clip(lower=0).astype("float64")
    other.loc[:49, "fraud"] = np.nan
    other.loc[50, "claim_date"] = "soon"
    other.to_csv(tmp_path / "other.csv", index=False)
    found = ingest(Home(tmp_path / "home"), tmp_path / "other.csv", SHIPPED)
    assert (found.counts.accepted, found.counts.quarantined, found.labelled) == (399, 1, 349)
