"""Real harm: who claims after an ordinary order, bursts on defective products, and what was lost.

Padders are here too, because padding starts from real harm; what they make of it is in :mod:`pipelines.simulate.amounts`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.simulate.drafts import BURST, PADDING, UNSUBSTANTIATED, VALID, draft, filing_times
from pipelines.simulate.frames import NEVER, Bools, Floats, Ints
from pipelines.simulate.market import DAY, Horizon, Market
from pipelines.simulate.orders import Orders
from pipelines.simulate.people import Customers, Products

LATEST_DAYS = 88.0
"""Claims are filed at most this long after the incident (the rule is 90 days)."""

_BURST_MEAN = 18.0
_OPPORTUNIST_WEIGHT = 25.0


def filing_lags(count: int, careless: bool, quick: float, rng: np.random.Generator) -> Ints:
    """Draw the time from incident to filing in microseconds, below ``LATEST_DAYS``.

    Parameters
    ----------
    careless
        Whether the claimants take their time (claims that lack proof).
    quick
        Additional probability of filing within the first week.
    """
    days = rng.gamma(1.4, 20.0, count) if careless else rng.gamma(1.2, 16.0, count)
    days = np.where(rng.random(count) < quick, 0.2 + 6.6 * rng.random(count), days)
    return (np.where(days > LATEST_DAYS, LATEST_DAYS * rng.random(count), days) * DAY).astype(np.int64)


def match(incident: Ints, weight: Floats, orders: Orders, rng: np.random.Generator) -> Ints:
    """Give each incident an order delivered before it, likelier ones of greater weight, no order twice if that can be avoided.

    Parameters
    ----------
    incident
        Shape (n,), microseconds.
    weight
        Shape (orders,), non-negative; 0 for orders that must not be chosen.

    Returns
    -------
    Ints of shape (n,)
        Places of orders; ``NEVER`` where no order was delivered before the incident.

    Notes
    -----
    A pool of four candidates per incident is drawn without replacement (smallest Exp(1)/weight); an incident takes a free
    candidate delivered about as long before as harm usually takes (exponential, 45 days).
    """
    size = min(int((weight > 0).sum()), max(4 * len(incident), 50))
    with np.errstate(divide="ignore"):
        chance = rng.exponential(size=len(weight)) / weight
    pool = np.argpartition(chance, size - 1)[:size]
    pool = pool[np.argsort(orders.delivered[pool], kind="stable")]
    delivered = orders.delivered[pool]
    taken = np.zeros(size, dtype=bool)
    chosen = np.full(len(incident), NEVER, dtype=np.int64)
    for width in (2.0, 4.0, 16.0, 64.0, 256.0, *[np.inf] * 8):
        open_ = np.flatnonzero(chosen == NEVER)
        target = incident[open_] - (rng.exponential(45.0, len(open_)) * DAY).astype(np.int64)
        newest = np.searchsorted(delivered, incident[open_], side="right") - 1
        place = np.clip(np.searchsorted(delivered, target, side="right") - 1, 0, None)
        if np.isinf(width):  # whoever is still without an order takes any that was delivered before
            place = ((newest + 1) * rng.random(len(open_))).astype(np.int64)
        else:
            place = place + np.round(rng.normal(0.0, width, len(open_))).astype(np.int64)
        place = np.minimum(place, newest)
        fits = np.flatnonzero((place >= 0) & ~taken[np.clip(place, 0, None)])
        _, first = np.unique(place[fits], return_index=True)
        winners = fits[first]
        chosen[open_[winners]] = pool[place[winners]]
        taken[place[winners]] = True
    left = np.flatnonzero(chosen == NEVER)
    newest = np.searchsorted(delivered, incident[left], side="right") - 1
    chosen[left] = np.where(newest >= 0, pool[np.clip((newest * rng.random(len(left))).astype(np.int64), 0, None)], NEVER)
    return chosen


def plan_from_orders(
    filed: Ints, scheme: int, truth: int, orders: Orders, free: Bools, customers: Customers, products: Products, horizon: Horizon,
    market: Market, rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """Plan claims that follow ordinary orders: honest, careless or padded ones; column ``order`` is the place of the order.

    Parameters
    ----------
    filed
        Shape (n,), microseconds; a claim for which no order can be found is left out.
    free
        Shape (orders,): orders that no claim uses yet.
    """
    abusive = scheme == PADDING
    lag = filing_lags(len(filed), truth == UNSUBSTANTIATED, market.quick_filing if abusive else 0.0, rng)
    earliest = horizon.orders_from + int(0.3 * (horizon.start - horizon.orders_from))
    incident = np.clip(filed - lag, earliest, filed)
    who, what = orders.customer, orders.product
    weight = customers.claiming[who] * products.hazard[what] * (orders.delivered < horizon.end) * free
    if abusive:
        weight = weight * np.where(customers.opportunist[who], _OPPORTUNIST_WEIGHT, 1.0) * np.where(orders.amount > 100_000, 1.5, 1.0)
    order = match(incident, weight, orders, rng)
    found = order != NEVER
    order = order[found]
    columns = {
        "order": order, "customer": who[order], "product": what[order], "ordered": orders.ordered[order],
        "filed": filed[found], "incident": np.maximum(incident[found], orders.delivered[order]),
    }  # fmt: skip
    return draft(scheme, truth, columns)


@dataclass(frozen=True)
class Recalls:
    """Products recalled: when the defect was there and when the marketplace announced it."""

    product: Ints
    occurred: Ints
    known: Ints


def plan_bursts(
    count: int, customers: Customers, products: Products, horizon: Horizon, growth: Floats, market: Market, rng: np.random.Generator
) -> tuple[pd.DataFrame, Recalls]:
    """Plan bursts of honest claims by unrelated customers on one defective product each, and the recalls that follow.

    Returns
    -------
    drafts
        ``count`` claims; ``entity`` numbers the burst.
    recalls
        Recalls of most bursts, and half as many for products that harmed nobody.
    """
    bursts = max(1, round(count / _BURST_MEAN)) if count else 0
    old = np.flatnonzero(products.listed <= horizon.orders_from)
    product = old[rng.permutation(len(old))[: bursts + bursts // 2 + 1]]
    bursts = min(bursts, len(product))
    share = rng.gamma(4.0, 1.0, bursts)
    entity = np.sort(rng.choice(bursts, count, p=share / share.sum())) if bursts else np.zeros(0, dtype=np.int64)
    begin = filing_times(len(product), horizon, growth, rng)
    begin = np.minimum(begin, horizon.end - 30 * DAY)
    filed = begin[entity] + (rng.gamma(2.0, 14.0, len(entity)) * DAY).astype(np.int64)
    filed = np.where(filed < horizon.end, filed, begin[entity] + ((horizon.end - begin[entity]) * rng.random(len(entity))).astype(np.int64))
    incident = filed - filing_lags(len(entity), False, 0.0, rng)
    ordered = incident - ((9.0 + rng.exponential(30.0, len(entity))) * DAY).astype(np.int64)
    ordered = np.maximum(ordered, horizon.orders_from)
    incident = np.maximum(incident, ordered + 9 * DAY)
    filed = np.maximum(filed, incident + DAY // 8)
    by_age = np.argsort(customers.created, kind="stable")
    older = np.searchsorted(customers.created[by_age], ordered)
    customer = by_age[np.minimum((older * rng.random(len(entity))).astype(np.int64), np.maximum(older - 1, 0))]
    columns = {"customer": customer, "product": product[entity], "ordered": ordered, "filed": filed, "incident": incident, "entity": entity}
    drafts = draft(BURST, VALID, columns)
    announced = rng.random(len(product)) < market.recalled_share
    known = begin + (rng.uniform(12.0, 50.0, len(product)) * DAY).astype(np.int64)
    announced &= known < horizon.end
    return drafts[drafts.filed < horizon.end], Recalls(product[announced], begin[announced], known[announced])
