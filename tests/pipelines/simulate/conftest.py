"""One set of small marketplaces, simulated once, for all tests of targets."""

from __future__ import annotations

import pytest

from pipelines.simulate import Simulated, simulate

SEEDS = range(5)


@pytest.fixture(scope="session")
def markets() -> list[Simulated]:
    """Five marketplaces of 40,000 orders and 4,000 claims without dirt."""
    return [simulate(orders=40_000, claims=4_000, seed=seed, dirt=0.0) for seed in SEEDS]
