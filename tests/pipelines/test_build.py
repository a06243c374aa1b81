"""The kept matrix: made once, made again when the lake says something else, and never the future."""

from __future__ import annotations

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import pipelines.build
from features.catalog import CATALOG
from features.matrix import build_matrix
from pipelines.build import Built, build, matrix_of
from pipelines.lake import Lake
from tests.pipelines.conftest import Market

DAY = pd.Timedelta(days=1)


def late_resolution(market: Market) -> pd.DataFrame:
    """A label for the first claim, known when half of all claims were filed."""
    tables = Lake(market.home.root).tables(["claims", "resolutions"])
    claims, row = tables["claims"].sort_values("filed_at"), tables["resolutions"].head(1)
    first, known = claims.iloc[0], claims["filed_at"].iloc[len(claims) // 2]
    same = {name: first[name] for name in ("claim_id", "customer_id", "seller_id", "product_id")}
    return row.assign(resolution_id="R-late", label="abusive", source="desk", resolved_at=known, known_at=known, **same)


def test_the_kept_matrix_is_that_of_all_claims_in_the_lake(small: Market) -> None:
    tables = Lake(small.home.root).tables()
    kept = matrix_of(small.home, tables, tables["claims"])
    assert_frame_equal(kept, build_matrix(tables))
    assert build(small.home) == Built(len(kept), kept.shape[1], CATALOG.hash)
    few = tables["claims"].sample(20, random_state=0)
    assert matrix_of(small.home, tables, few).index.tolist() == few["claim_id"].tolist()


def test_building_again_leaves_the_file_as_it_is(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    file = market.home.features / "matrix.parquet"
    before = (file.stat().st_mtime_ns, file.read_bytes())
    monkeypatch.setattr(pipelines.build, "build_matrix", lambda *_: pytest.fail("a matrix that is right was made again"))
    build(market.home)
    assert (file.stat().st_mtime_ns, file.read_bytes()) == before


def test_after_the_lake_has_changed_no_old_row_is_served(market: Market) -> None:
    lake = Lake(market.home.root)
    old = matrix_of(market.home, lake.tables(), lake.read("claims"))
    lake.append("resolutions", late_resolution(market), "later")
    tables = lake.tables()
    unbuilt = matrix_of(market.home, tables, tables["claims"])
    build(market.home, tables)
    built = matrix_of(market.home, tables, tables["claims"])
    assert_frame_equal(built, unbuilt)
    assert not built.equals(old)


def test_what_becomes_known_later_changes_no_earlier_row(market: Market) -> None:
    lake = Lake(market.home.root)
    claims, late = lake.read("claims"), late_resolution(market)
    old = matrix_of(market.home, lake.tables(), claims)
    lake.append("resolutions", late, "later")
    build(market.home)
    new = matrix_of(market.home, lake.tables(), claims)
    # A tie in time is excluded: a claim filed at the very instant still knows nothing.
    earlier = (claims["filed_at"] <= late["known_at"].item()).to_numpy()
    assert_frame_equal(new[earlier], old[earlier])
    assert not new[~earlier].equals(old[~earlier])


def test_decisions_and_answers_do_not_make_the_matrix_stale(market: Market) -> None:
    lake, file = Lake(market.home.root), market.home.features / "matrix.parquet"
    before = file.stat().st_mtime_ns
    lake.append("decisions", lake.read("decisions"), "2025-01")
    build(market.home)
    assert file.stat().st_mtime_ns == before


def test_another_catalogue_makes_another_matrix(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    file = market.home.features / "matrix.parquet"
    before = file.stat().st_mtime_ns
    monkeypatch.setattr(type(CATALOG), "hash", property(lambda _: "f" * 64))
    build(market.home)
    assert file.stat().st_mtime_ns != before
