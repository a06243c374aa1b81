"""One set of small marketplaces, simulated once, for all tests of targets, and the people and goods of one, for tests of its parts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pytest

from pipelines.simulate import Simulated, simulate
from pipelines.simulate.market import Horizon, Market
from pipelines.simulate.people import Customers, Products, Sellers, draw_customers, draw_products, draw_sellers

SEEDS = range(5)


@dataclass(frozen=True)
class Trade:
    """Who trades what, and when."""

    customers: Customers
    sellers: Sellers
    products: Products
    horizon: Horizon
    market: Market


@pytest.fixture(scope="session")
def markets() -> list[Simulated]:
    """Five marketplaces of 40,000 orders and 4,000 claims without dirt."""
    return [simulate(orders=40_000, claims=4_000, seed=seed, dirt=0.0) for seed in SEEDS]


@pytest.fixture(scope="session")
def trade() -> Trade:
    """3,000 customers, 400 sellers and 2,000 products over 18 months."""
    rng, market = np.random.default_rng(11), Market()
    horizon = Horizon.of(datetime(2024, 1, 1, tzinfo=UTC), 18, None, market.lead_days)
    sellers = draw_sellers(400, horizon, rng)
    return Trade(draw_customers(3_000, market, horizon, rng), sellers, draw_products(2_000, sellers, horizon, rng), horizon, market)
