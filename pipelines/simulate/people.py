"""Who trades and what is sold: customers with households and devices, sellers with standing, products with hazards.

Honest coincidences are part of it: households share addresses and devices, some people use a library's computer, and
parcel lockers deliver to many.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipelines.simulate.frames import NEVER, Bools, Floats, Ints
from pipelines.simulate.market import DAY, Horizon, Market

REGIONS = ("northeast", "midatlantic", "southeast", "midwest", "plains", "southwest", "mountain", "northwest", "california", "islands")
COUNTRIES = ("US", "CN", "CA", "DE", "GB", "HK", "MX", "VN")
CATEGORIES = ("kitchen", "electronics", "toys", "furniture", "beauty", "tools", "sports", "baby")
_COUNTRY_SHARES = (0.44, 0.30, 0.05, 0.05, 0.05, 0.05, 0.03, 0.03)
_PRICE_MEDIANS = np.array([38.0, 75.0, 24.0, 120.0, 20.0, 60.0, 48.0, 45.0])
_HAZARDS = np.array([1.2, 1.6, 0.8, 0.9, 0.9, 1.3, 1.1, 0.9])


@dataclass(frozen=True)
class Customers:
    """Accounts, one array element each; ``opportunist`` (inclined to pad) and ``claiming`` (liable to claim) are latent.

    ``device`` has shape (n, 2), ``payment`` (n, 2): the usual one first. ``locker`` is a shared delivery address or ``NEVER``.
    """

    created: Ints
    region: Ints
    verified: Bools
    opportunist: Bools
    claiming: Floats
    activity: Floats
    device: Ints
    address: Ints
    payment: Ints
    phone: Ints
    locker: Ints

    def __len__(self) -> int:
        return len(self.created)

    def opened(self, who: Ints, at: Ints, unverified: Bools) -> Customers:
        """Return the customers with the accounts ``who`` opened ``at`` those times, some with an unconfirmed address."""
        created, verified = self.created.copy(), self.verified.copy()
        created[who] = at
        verified[who[unverified]] = False
        return replace(self, created=created, verified=verified)


@dataclass(frozen=True)
class Sellers:
    """Seller accounts; ``insured_at`` and ``lapsed_at`` are ``NEVER`` where that never happens; ``rogue`` and ``forged`` are latent."""

    joined: Ints
    country: Ints
    category: Ints
    popularity: Floats
    insured_at: Ints
    lapsed_at: Ints
    forged: Bools
    rogue: Bools

    def __len__(self) -> int:
        return len(self.joined)


@dataclass(frozen=True)
class Products:
    """Listings; ``hazard`` (relative frequency of harm) and ``counterfeit`` are latent; prices in cents."""

    seller: Ints
    category: Ints
    listed: Ints
    price: Ints
    popularity: Floats
    hazard: Floats
    counterfeit: Bools

    def __len__(self) -> int:
        return len(self.seller)


def draw_customers(count: int, market: Market, horizon: Horizon, rng: np.random.Generator) -> Customers:
    """Draw ``count`` accounts; four in five were opened in the four years before the horizon, the others within it."""
    old = rng.random(count) < 0.8
    age = np.where(old, rng.random(count) * 1460, -rng.random(count) * (horizon.end - horizon.orders_from) / DAY * 0.9)
    household = rng.integers(0, max(1, int(count * 0.62)), count)
    family_device = rng.random(count) < 0.30
    own = np.arange(count) * 2
    device = np.stack([own, np.where(family_device, 2 * count + household, own + 1)], axis=1)
    payment = np.stack([own, np.where(rng.random(count) < 0.25, 2 * count + household, own + 1)], axis=1)
    lockers = max(1, count // 400)
    locker = np.where(rng.random(count) < 0.03, count + rng.integers(0, lockers, count), NEVER)
    return Customers(
        created=(horizon.orders_from - age * DAY).astype(np.int64),
        region=rng.integers(0, len(REGIONS), count),
        verified=rng.random(count) < 0.93,
        opportunist=rng.random(count) < market.opportunists,
        claiming=rng.gamma(1.5, 1 / 1.5, count),
        activity=rng.gamma(1.2, 1 / 1.2, count) + 0.05,
        device=device.astype(np.int64),
        address=household.astype(np.int64),
        payment=payment.astype(np.int64),
        phone=np.where(rng.random(count) < 0.12, count + household, np.arange(count)).astype(np.int64),
        locker=locker.astype(np.int64),
    )


def draw_sellers(count: int, horizon: Horizon, rng: np.random.Generator) -> Sellers:
    """Draw ``count`` sellers: larger ones are insured more often, a few insurances lapse or are forged, one in sixteen is rogue."""
    popularity = rng.lognormal(0.0, 1.3, count)
    size = np.argsort(np.argsort(popularity)) / max(1, count - 1)
    span = 0.6 * (horizon.end - horizon.orders_from)
    joined = (horizon.orders_from + np.where(rng.random(count) < 0.15, span, -2000 * DAY) * rng.random(count)).astype(np.int64)
    rogue = rng.random(count) < 0.06
    insured = rng.random(count) < np.where(rogue, 0.45, 0.40 + 0.5 * size)
    insured_at = joined + ((20 + rng.gamma(2.0, 40.0, count)) * DAY).astype(np.int64)
    lapses = insured & (rng.random(count) < np.where(rogue, 0.3, 0.08))
    lapsed_at = (np.maximum(insured_at, horizon.orders_from) + rng.random(count) * horizon.days * DAY).astype(np.int64) + DAY
    return Sellers(
        joined=joined,
        country=rng.choice(len(COUNTRIES), count, p=_COUNTRY_SHARES),
        category=rng.integers(0, len(CATEGORIES), count),
        popularity=popularity,
        insured_at=np.where(insured, insured_at, NEVER),
        lapsed_at=np.where(lapses, lapsed_at, NEVER),
        forged=insured & (rng.random(count) < np.where(rogue, 0.35, 0.015)),
        rogue=rogue,
    )


def draw_products(count: int, sellers: Sellers, horizon: Horizon, rng: np.random.Generator) -> Products:
    """Draw ``count`` listings; popular sellers list more, rogue ones sell counterfeits more often, and those harm more often."""
    weight = sellers.popularity**0.7
    seller = rng.choice(len(sellers), count, p=weight / weight.sum())
    category = np.where(rng.random(count) < 0.85, sellers.category[seller], rng.integers(0, len(CATEGORIES), count))
    price = np.clip(_PRICE_MEDIANS[category] * rng.lognormal(0.0, 0.9, count), 4.0, 6000.0)
    earliest = np.maximum(sellers.joined[seller], horizon.orders_from - 700 * DAY)
    latest = np.maximum(earliest + DAY, np.where(rng.random(count) < 0.8, horizon.orders_from, horizon.end - 150 * DAY))
    counterfeit = rng.random(count) < np.where(sellers.rogue[seller], 0.08, 0.008)
    return Products(
        seller=seller,
        category=category,
        listed=(earliest + rng.random(count) * (latest - earliest)).astype(np.int64),
        price=np.round(price * 100).astype(np.int64),
        popularity=rng.lognormal(0.0, 1.0, count) * sellers.popularity[seller] ** 0.3,
        hazard=_HAZARDS[category] * rng.gamma(2.0, 0.5, count) * np.where(counterfeit, 4.0, 1.0),
        counterfeit=counterfeit,
    )
