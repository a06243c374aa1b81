"""Orders and returns happen in an order that can happen, at prices that were asked."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.simulate.market import DAY
from pipelines.simulate.orders import Orders, draw_orders, draw_returns, weighted
from tests.pipelines.simulate.conftest import Trade


@pytest.fixture(scope="module")
def orders(trade: Trade) -> Orders:
    """Twenty thousand ordinary orders."""
    return draw_orders(20_000, trade.customers, trade.products, trade.horizon, trade.market, np.random.default_rng(2))


def test_nobody_orders_before_account_and_listing_exist_and_nothing_arrives_before_it_is_ordered(orders: Orders, trade: Trade) -> None:
    assert (orders.ordered >= trade.customers.created[orders.customer]).all()
    assert (orders.ordered >= trade.products.listed[orders.product]).all()
    assert (trade.horizon.orders_from <= orders.ordered).all() and (orders.ordered < trade.horizon.end).all()
    assert (orders.ordered <= orders.delivered).all()


def test_an_order_costs_at_most_its_list_price_and_at_least_four_fifths_of_it(orders: Orders, trade: Trade) -> None:
    listed = trade.products.price[orders.product] * orders.quantity
    assert (orders.quantity >= 1).all()
    assert (orders.amount <= listed).all() and (orders.amount >= 0.8 * listed - 1).all()


def test_returns_follow_delivery_within_thirty_days_refund_no_more_than_was_paid_and_abusers_return_more(
    orders: Orders, trade: Trade
) -> None:
    abuser = np.arange(len(trade.customers)) % 2 == 0
    returns = draw_returns(orders, abuser, trade.customers, trade.horizon, np.random.default_rng(3))
    waited = returns.returned - orders.delivered[returns.order]
    assert (waited > 0).all() and (waited <= 30 * DAY).all() and (returns.returned < trade.horizon.end).all()
    assert (returns.refund <= orders.amount[returns.order]).all() and (returns.refund > 0).all()
    assert len(np.unique(returns.order)) == len(returns.order), "an order comes back once"
    rate = np.bincount(abuser[orders.customer[returns.order]]) / np.bincount(abuser[orders.customer])
    assert 1.4 < rate[1] / rate[0] < 2.2


def test_draws_follow_their_weights_and_never_fall_on_a_weight_of_zero() -> None:
    weight = np.array([0.0, 1.0, 0.0, 3.0, 0.0])
    share = np.bincount(weighted(weight, 20_000, np.random.default_rng(4)), minlength=5) / 20_000
    assert share == pytest.approx(weight / weight.sum(), abs=0.015)
    assert (share[weight == 0] == 0).all()
