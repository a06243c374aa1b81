"""Files that are sound as a whole are those the check accepts whole, and are kept as they came where the lake would write them so."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from data_contracts import CLAIMS
from data_contracts.check import to_arrow
from pipelines import sound_file as module
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.sound_file import sound_file
from pipelines.source import read_file
from pipelines.validate import validate
from tests.pipelines.conftest import Market


@pytest.fixture
def claims(small: Market) -> pd.DataFrame:
    return Lake(small.home.root).read("claims").head(200)


def written(path: Path, claims: pd.DataFrame, **how: int) -> Path:
    pq.write_table(to_arrow(claims, CLAIMS).replace_schema_metadata(), path, **how)
    return path


def test_a_sound_file_is_the_rows_that_reading_it_gives(claims: pd.DataFrame, tmp_path: Path) -> None:
    path = written(tmp_path / "claims.parquet", claims)
    found = sound_file(path, CLAIMS)
    assert found is not None and found.content == path.read_bytes()
    assert_frame_equal(found.frame, claims.reset_index(drop=True))
    assert_frame_equal(found.frame, read_file(path, CLAIMS).frame.astype(claims.dtypes.to_dict()))


@pytest.mark.parametrize("change", [{"amount_cents": 0}, {"claim_id": "same"}, {"kind": "other"}])
def test_a_file_with_one_bad_row_is_not_sound(claims: pd.DataFrame, tmp_path: Path, change: dict[str, object]) -> None:
    assert sound_file(written(tmp_path / "claims.parquet", claims.assign(**change)), CLAIMS) is None


def test_what_is_no_whole_parquet_file_of_these_columns_is_left_to_others(claims: pd.DataFrame, tmp_path: Path) -> None:
    path = written(tmp_path / "claims.parquet", claims)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert sound_file(path, CLAIMS) is None and sound_file(tmp_path / "absent.parquet", CLAIMS) is None
    claims.to_csv(tmp_path / "claims.csv", index=False)
    assert sound_file(tmp_path / "claims.csv", CLAIMS) is None
    pq.write_table(to_arrow(claims, CLAIMS).drop_columns("recorded_at"), path)
    assert sound_file(path, CLAIMS) is None


def test_a_file_cut_into_crumbs_is_sound_but_written_anew(claims: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "claims.parquet", claims, row_group_size=50)
    for least, is_kept in ((50, True), (51, False)):
        monkeypatch.setattr(module, "_LEAST", least)
        found = sound_file(path, CLAIMS)
        assert found is not None and (found.content is not None) is is_kept


def test_fields_that_may_be_missing_by_their_schema_are_written_anew(claims: pd.DataFrame, tmp_path: Path) -> None:
    table = to_arrow(claims, CLAIMS)
    loose = pa.schema([field.with_nullable(True) for field in table.schema])
    pq.write_table(table.cast(loose), tmp_path / "claims.parquet")
    found = sound_file(tmp_path / "claims.parquet", CLAIMS)
    assert found is not None and found.content is None


def test_a_sound_batch_is_kept_byte_for_byte_and_one_that_refers_to_nothing_is_quarantined(
    small: Market, claims: pd.DataFrame, tmp_path: Path
) -> None:
    market = small.copy(tmp_path / "home")
    for file in (market.home.root / "lake" / "claims").iterdir():
        file.unlink()
    path = written(tmp_path / "claims.parquet", claims)
    found = validate(Home(market.home.root), path, "once", docs=False).tables["claims"]
    assert (found.read, found.accepted) == (200, 200)
    assert (market.home.root / "lake" / "claims" / "once.parquet").read_bytes() == path.read_bytes()
    assert Lake(market.home.root).quarantined("claims").columns.tolist() == ["batch", *CLAIMS.arrow.names, "reasons"]
    # The same claims again are taken; an order that nobody knows is refused.
    assert validate(Home(market.home.root), path, "again", docs=False).tables["claims"].quarantined == 200
    written(path, claims.assign(order_id=["nobody's", *claims["order_id"].iloc[1:]]))
    found = validate(Home(market.home.root), path, "once", docs=False).tables["claims"]
    assert (found.accepted, found.quarantined, found.top_reason) == (199, 1, "order_id: expected a row of orders")
