"""The whole marketplace: reproducible, clean but for the planted dirt, in order, and written at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from data_contracts import CONTRACTS
from data_contracts.check import check
from pipelines.simulate import Simulated, simulate, write
from pipelines.simulate.market import Market

SMALL = {"orders": 4_000, "claims": 400}


def quarantined(simulated: Simulated) -> dict[str, int]:
    accepted: dict[str, pd.DataFrame] = {}
    counts = {}
    for name, contract in CONTRACTS.items():
        if name in simulated.tables:
            found = check(simulated.tables[name], contract, parents=accepted)
            accepted[name], counts[name] = found.accepted, len(found.quarantined)
    return counts


def test_the_same_seed_gives_identical_frames() -> None:
    one, two = simulate(seed=3, **SMALL), simulate(seed=3, **SMALL)
    for name, frame in one.tables.items():
        pd.testing.assert_frame_equal(frame, two.tables[name])
    pd.testing.assert_frame_equal(one.truth, two.truth)
    pd.testing.assert_frame_equal(one.world, two.world)


def test_another_seed_gives_another_marketplace() -> None:
    one, two = simulate(seed=3, **SMALL), simulate(seed=4, **SMALL)
    assert not one.tables["claims"]["amount_cents"].equals(two.tables["claims"]["amount_cents"])


def test_without_dirt_no_row_breaks_its_contract(markets: list[Simulated]) -> None:
    for simulated in [*markets[2:4], *(simulate(seed=seed, dirt=0.0, **SMALL) for seed in range(8))]:
        assert set(quarantined(simulated).values()) == {0}


@pytest.mark.parametrize("rate", [0.002, 0.05])
@pytest.mark.parametrize("seed", [0, 1])
def test_exactly_the_planted_rows_are_quarantined(rate: float, seed: int) -> None:
    simulated = simulate(seed=seed, dirt=rate, **SMALL)
    assert quarantined(simulated) == simulated.planted
    assert simulated.planted["claims"] >= 1


def test_dirt_adds_rows_and_changes_none() -> None:
    clean, dirty = simulate(seed=5, dirt=0.0, **SMALL), simulate(seed=5, dirt=0.01, **SMALL)
    for name, frame in clean.tables.items():
        pd.testing.assert_frame_equal(dirty.tables[name].iloc[: len(frame)], frame)


def test_sizes_are_as_asked_and_every_claim_has_its_truth_and_its_world(markets: list[Simulated]) -> None:
    for simulated in markets:
        claims = simulated.tables["claims"]
        assert (len(simulated.tables["orders"]), len(claims)) == (40_000, 4_000)
        assert simulated.truth["claim_id"].tolist() == claims["claim_id"].tolist() == simulated.world["claim_id"].tolist()
        assert simulated.truth["truth"].tolist() == simulated.world["truth"].tolist()


def test_claims_are_filed_within_the_horizon_and_ninety_days_of_the_incident(markets: list[Simulated]) -> None:
    for simulated in markets:
        claims = simulated.tables["claims"]
        assert claims["filed_at"].is_monotonic_increasing
        assert claims["filed_at"].iloc[0] >= pd.Timestamp("2024-01-01", tz="UTC")
        assert claims["filed_at"].iloc[-1] < pd.Timestamp("2025-07-01", tz="UTC")
        assert (claims["filed_at"] - claims["incident_at"]).max() <= pd.Timedelta(days=90)


def test_nothing_is_known_after_the_end_of_the_horizon(markets: list[Simulated]) -> None:
    end = pd.Timestamp("2025-07-01", tz="UTC")
    for name, contract in CONTRACTS.items():
        for simulated in markets:
            if name in simulated.tables:
                assert (simulated.tables[name][contract.known_at] < end).all(), name


def test_files_are_written_whole_and_read_back_equal(tmp_path: Path) -> None:
    simulated = simulate(seed=1, **SMALL)
    write(simulated, tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".writing"]
    for name, frame in simulated.tables.items():
        assert len(pd.read_parquet(tmp_path / "raw" / f"{name}.parquet")) == len(frame)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "raw" / "claims.parquet"), simulated.tables["claims"])


def test_what_cannot_be_simulated_is_refused_with_a_reason() -> None:
    with pytest.raises(ValueError, match="five orders per claim"):
        simulate(orders=100, claims=50)
    with pytest.raises(ValueError, match="times with a zone"):
        simulate(start=datetime(2024, 1, 1), **SMALL)
    with pytest.raises(ValueError, match="live_from: expected a time between"):
        simulate(live_from=datetime(2030, 1, 1, tzinfo=UTC), **SMALL)
    with pytest.raises(ValueError, match="expected a share of rows from 0 to"):
        simulate(dirt=0.9, **SMALL)


@pytest.mark.parametrize("share", [0.0, 0.002, 0.5])
def test_any_share_of_unsubstantiated_claims_gives_as_many_claims_as_asked(share: float) -> None:
    asked = simulate(3_000, 500, seed=2, market=replace(Market(), unsubstantiated_share=share), dirt=0.0)
    assert len(asked.tables["claims"]) == 500
