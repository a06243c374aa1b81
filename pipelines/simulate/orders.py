"""What is bought and brought back: ordinary orders, orders placed for a purpose, and returns."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from pipelines.simulate.frames import NEVER, Bools, Floats, Ints
from pipelines.simulate.market import DAY, Horizon, Market
from pipelines.simulate.people import Customers, Products

RETURN_REASONS = ("changed_mind", "defective", "not_as_described", "arrived_late", "wrong_item")
_RETURN_RATE = 0.07


@dataclass(frozen=True)
class Orders:
    """Purchases, one array element each; amounts in cents, times in microseconds."""

    customer: Ints
    product: Ints
    ordered: Ints
    delivered: Ints
    quantity: Ints
    amount: Ints
    device: Ints
    address: Ints
    payment: Ints

    def __len__(self) -> int:
        return len(self.customer)

    def followed_by(self, other: Orders) -> Orders:
        """Return these orders and then the others."""
        return Orders(*(np.concatenate([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))

    def at(self, where: Ints) -> Orders:
        """Return the orders at those places."""
        return Orders(*(getattr(self, f.name)[where] for f in fields(self)))


def weighted(weight: Floats, count: int, rng: np.random.Generator) -> Ints:
    """Draw ``count`` indices with replacement, each with probability proportional to its weight."""
    ends = np.cumsum(weight)
    return np.asarray(np.minimum(np.searchsorted(ends, rng.random(count) * ends[-1], side="right"), len(weight) - 1))


def draw_orders(count: int, customers: Customers, products: Products, horizon: Horizon, market: Market, rng: np.random.Generator) -> Orders:
    """Draw ordinary orders: active customers buy popular products at any time at which both exist."""
    customer = weighted(customers.activity, count, rng)
    product = weighted(products.popularity, count, rng)
    earliest = np.maximum(np.maximum(customers.created[customer], products.listed[product]), horizon.orders_from)
    ordered = (earliest + rng.random(count) * (horizon.end - earliest)).astype(np.int64)
    return place(customer, product, ordered, customers, products, market, rng)


def place(
    customer: Ints, product: Ints, ordered: Ints, customers: Customers, products: Products, market: Market, rng: np.random.Generator
) -> Orders:
    """Return orders of given customers, products and times, with delivery, price and the customers' own identity."""
    count = len(customer)
    quantity = 1 + rng.geometric(0.8, count) // 2
    amount = products.price[product] * quantity * (0.8 + 0.2 * rng.random(count))
    device, address, payment, _ = usual_identity(customer, customers, market, rng)
    gift = rng.random(count) < 0.03
    address = np.where(gift, customers.address[rng.integers(0, len(customers), count)], address)
    return Orders(
        customer=customer,
        product=product,
        ordered=ordered,
        delivered=(ordered + (0.5 + rng.gamma(4.0, 1.0, count)) * DAY).astype(np.int64),
        quantity=quantity.astype(np.int64),
        amount=np.round(amount).astype(np.int64),
        device=device,
        address=address,
        payment=payment,
    )


def usual_identity(customer: Ints, customers: Customers, market: Market, rng: np.random.Generator) -> tuple[Ints, Ints, Ints, Ints]:
    """Return the device, address, payment and phone that customers use on an ordinary day, each of shape (n,).

    Now and then it is the second device, a public computer, or the parcel locker.
    """
    count, all_ = len(customer), len(customers)
    second = (rng.random(count) < 0.15).astype(np.int64)
    public = rng.random(count) < market.public_device_share
    device = np.where(public, 4 * all_ + rng.integers(0, max(1, all_ // 1500), count), customers.device[customer, second])
    locker = customers.locker[customer]
    address = np.where((locker != NEVER) & (rng.random(count) < 0.6), locker, customers.address[customer])
    payment = customers.payment[customer, (rng.random(count) < 0.2).astype(np.int64)]
    return device, address, payment, customers.phone[customer]


@dataclass(frozen=True)
class Returns:
    """Ordinary returns: place of the order, time, reason, refund in cents."""

    order: Ints
    returned: Ints
    reason: Ints
    refund: Ints


def draw_returns(orders: Orders, abuser: Bools, customers: Customers, horizon: Horizon, rng: np.random.Generator) -> Returns:
    """Draw returns within 30 days of delivery; those inclined to abuse bring back somewhat more (a weak sign).

    Parameters
    ----------
    abuser
        Shape (customers,): accounts of fabricators and organised groups.
    """
    rate = _RETURN_RATE * np.where(abuser, 1.8, np.where(customers.opportunist, 1.7, 1.0))
    returned = (orders.delivered + (0.2 + 29 * rng.random(len(orders))) * DAY).astype(np.int64)
    where = np.flatnonzero((rng.random(len(orders)) < rate[orders.customer]) & (returned < horizon.end))
    share = 0.85 + 0.15 * np.minimum(1.0, 1.5 * rng.random(len(where)))
    return Returns(
        order=where,
        returned=returned[where],
        reason=rng.choice(len(RETURN_REASONS), len(where), p=(0.4, 0.2, 0.2, 0.1, 0.1)),
        refund=np.round(orders.amount[where] * share).astype(np.int64),
    )
