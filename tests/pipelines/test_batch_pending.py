"""Who waits for a decision, found batch by batch, is who is found in the whole table; and nobody else is decided in their place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from pipelines.batch_pending import Pending, pending, undecided
from pipelines.lake import Lake
from serving.store import Store
from tests.pipelines.conftest import Market

COLUMNS = ("claim_id", "customer_id", "filed_at", "amount_cents")


def lake_of(claims: pd.DataFrame, resolutions: pd.DataFrame, root: Path, batches: int, seed: int) -> Lake:
    """A lake whose batches hold claims of any time, in any order."""
    lake, dealt = Lake(root), np.random.default_rng(seed).integers(0, batches, len(claims))
    for batch in range(batches):
        lake.append("claims", claims[dealt == batch].sample(frac=1.0, random_state=seed), f"b{batch}")
    lake.append("resolutions", resolutions, "all")
    return lake


def whole(claims: Pending) -> pd.DataFrame:
    return claims.claims(slice(None))


@pytest.mark.parametrize(("batches", "unit", "seed"), [(1, "us", 0), (4, "us", 1), (4, "D", 2), (9, "h", 3)])
def test_found_batch_by_batch_or_in_the_whole_table_the_same_claims_wait_in_the_same_order(
    small: Market, tmp_path: Path, batches: int, unit: str, seed: int
) -> None:
    tables = Lake(small.home.root).tables()
    claims = tables["claims"].assign(filed_at=tables["claims"]["filed_at"].dt.floor(unit).dt.as_unit("us"))
    as_of, since = small.simulation.end, claims["filed_at"].quantile(0.2)
    lake = lake_of(claims, tables["resolutions"], tmp_path, batches, seed)
    held = {"claims": lake.read("claims"), "resolutions": tables["resolutions"]}
    with Store("sqlite://") as store:
        expected = undecided(store, held["claims"], as_of, since, held["resolutions"])[[*COLUMNS]]
        by_batch, at_once = (pending(store, lake, COLUMNS, as_of, since, given) for given in (None, held))
    assert 0 < len(expected) < len(claims)
    assert_frame_equal(whole(by_batch), expected)
    assert_frame_equal(whole(at_once)[[*COLUMNS]], expected)
    for begin in range(0, len(expected), 37):
        assert_frame_equal(by_batch.claims(slice(begin, begin + 37)), expected.iloc[begin : begin + 37])


def test_a_lake_without_claims_has_nobody_waiting(tmp_path: Path, small: Market) -> None:
    with Store("sqlite://") as store:
        assert len(pending(store, Lake(tmp_path), COLUMNS, small.simulation.end, None, None)) == 0


def test_a_batch_written_again_meanwhile_is_refused_instead_of_deciding_other_claims(small: Market, tmp_path: Path) -> None:
    tables = Lake(small.home.root).tables()
    lake = lake_of(tables["claims"], tables["resolutions"], tmp_path, 2, 0)
    with Store("sqlite://") as store:
        found = pending(store, lake, COLUMNS, small.simulation.end, None, None)
    lake.append("claims", tables["claims"].iloc[::-1], "b0")
    with pytest.raises(ValueError, match=r"claims: expected those that were there .* run score again"):
        whole(found)
