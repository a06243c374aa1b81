"""Files as they arrive: read whole, a bad line set aside, a cut or empty file refused in plain words."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from data_contracts import CLAIMS, ContractError
from pipelines.source import Arrived, read_file


def csv(tmp_path: Path, content: bytes) -> Arrived:
    (tmp_path / "rows.csv").write_bytes(content)
    return read_file(tmp_path / "rows.csv")


def test_a_csv_is_text_and_nothing_is_guessed(tmp_path: Path) -> None:
    arrived = csv(tmp_path, b'\xef\xbb\xbfid,when,note\n007,2025-01-01,NA\n1e5,,"two\nlines, ""quoted"""\n')
    assert arrived.frame.astype(object).where(arrived.frame.notna(), None).to_numpy().tolist() == [
        ["007", "2025-01-01", "NA"],
        ["1e5", None, 'two\nlines, "quoted"'],
    ]
    assert len(arrived.broken) == 0


def test_a_line_with_a_wrong_number_of_fields_is_one_bad_row(tmp_path: Path) -> None:
    arrived = csv(tmp_path, b"a,b,c\n1,2,3\n4,5\n6,7,8,9\n10,11,12\n")
    assert arrived.frame.a.tolist() == ["1", "10"]
    assert arrived.broken.to_dict("records") == [
        {"a": "4,5", "reasons": "row: expected 3 fields, found 2 in line 3"},
        {"a": "6,7,8,9", "reasons": "row: expected 3 fields, found 4 in line 4"},
    ]
    assert arrived.read == 4


@pytest.mark.parametrize("content", [b"a,b,c\n1,2,3\n4,5", b'a,b,c\n1,2,3\n4,"5,6\n7,8,9\n', b'a,b,c\n1,"2'])
def test_a_csv_that_ends_within_a_row_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ContractError, match=r"rows\.csv: expected 3 fields in every row, found the file cut off"):
        csv(tmp_path, content)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.csv", b"", "found an empty file"),
        ("rows.csv", b"\n", "expected a complete csv file"),
        ("rows.csv", b"a,b\n1,\xff\n", "invalid UTF8"),
        ("rows.csv", b"a,b,a\n1,2,3\n", "expected each column once, found a more than once"),
        ("rows.parquet", b"", "found an empty file"),
        ("rows.parquet", b"PAR1 and then nothing", "expected a complete parquet file"),
        ("rows.xlsx", b"PK", r"expected a \.parquet or \.csv file"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_remedy(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ContractError, match=message):
        read_file(tmp_path / name)


def test_a_truncated_parquet_file_and_an_absent_one_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"a": range(1000)}).to_parquet(path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ContractError, match="expected a complete parquet file"):
        read_file(path)
    with pytest.raises(ContractError, match="expected a file, found none"):
        read_file(tmp_path / "nothing.csv")


def test_a_parquet_file_keeps_its_types(tmp_path: Path) -> None:
    frame = pd.DataFrame({"n": [1, 2], "t": pd.to_datetime(["2025-01-01T00:00Z", None])})
    frame.to_parquet(tmp_path / "rows.parquet")
    pd.testing.assert_frame_equal(read_file(tmp_path / "rows.parquet").frame, frame)


def test_an_empty_field_is_empty_text_only_where_text_is_demanded_and_may_be_empty(tmp_path: Path) -> None:
    (tmp_path / "claims.csv").write_text("narrative,photo_hash,kind,claim_id\n,,,\n")
    assert read_file(tmp_path / "claims.csv", CLAIMS).frame.notna().to_numpy().tolist() == [[True, False, False, False]]
