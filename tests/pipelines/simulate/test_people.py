"""Accounts, sellers and listings: who is who, and what came before what."""

from __future__ import annotations

import numpy as np

from pipelines.simulate.frames import NEVER
from tests.pipelines.simulate.conftest import Trade


def test_nobody_opens_an_account_joins_or_lists_after_the_horizon_and_no_listing_is_older_than_its_seller(trade: Trade) -> None:
    for times in (trade.customers.created, trade.sellers.joined, trade.products.listed):
        assert (times < trade.horizon.end).all()
    assert (trade.products.listed >= trade.sellers.joined[trade.products.seller]).all()
    assert (trade.products.price > 0).all()


def test_first_devices_and_cards_are_nobody_elses_while_second_ones_and_homes_are_shared_by_households(trade: Trade) -> None:
    customers = trade.customers
    for own in (customers.device, customers.payment):
        assert len(np.unique(own[:, 0])) == len(customers)
        assert not np.isin(own[:, 0], own[:, 1]).any()
        second, size = np.unique(own[:, 1], return_counts=True)
        for shared in second[size > 1]:
            assert len(np.unique(customers.address[own[:, 1] == shared])) == 1, "a shared thing belongs to one household"
    assert len(np.unique(customers.address)) < len(customers)
    assert not np.isin(customers.locker[customers.locker != NEVER], customers.address).any(), "nobody lives in a parcel locker"


def test_no_insurance_begins_before_its_seller_joined_or_lapses_before_it_began(trade: Trade) -> None:
    sellers = trade.sellers
    insured, lapsed = sellers.insured_at != NEVER, sellers.lapsed_at != NEVER
    assert (insured | ~lapsed).all() and (insured | ~sellers.forged).all()
    assert (sellers.insured_at[insured] > sellers.joined[insured]).all()
    assert (sellers.lapsed_at[lapsed] > sellers.insured_at[lapsed]).all()


def test_opening_accounts_changes_those_named_and_no_others(trade: Trade) -> None:
    who, at = np.array([3, 5, 8]), np.array([30, 50, 80])
    before = trade.customers.created.copy()
    opened = trade.customers.opened(who, at, np.array([True, False, True]))
    assert opened.created[who].tolist() == at.tolist()
    assert not opened.verified[[3, 8]].any() and opened.verified[5] == trade.customers.verified[5]
    others = np.setdiff1d(np.arange(len(opened)), who)
    assert (opened.created[others] == before[others]).all() and (trade.customers.created == before).all()
