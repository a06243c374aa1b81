"""The whole simulated marketplace in order: people, plots, orders, claims, documents, world, legacy labels, dirt.

Every part draws from its own random stream, spawned from one seed, so that a change in one part leaves the others as they were.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from data_contracts import LABELS
from pipelines.simulate import tables as t
from pipelines.simulate.adversaries import Stage, coached, plan_plots
from pipelines.simulate.amounts import Amounts, draw_amounts
from pipelines.simulate.dirt import plant
from pipelines.simulate.documents import Documents, draw_documents
from pipelines.simulate.drafts import (
    BURST,
    CARELESS,
    HONEST,
    ORGANISED,
    PADDING,
    SCHEMES,
    UNSUBSTANTIATED,
    VALID,
    abusive_rate,
    filing_times,
)
from pipelines.simulate.frames import NEVER, Bools, identifiers, words
from pipelines.simulate.harm import LATEST_DAYS, Recalls, plan_bursts, plan_from_orders
from pipelines.simulate.legacy import Evidence, resolve
from pipelines.simulate.market import DAY, Horizon, Market
from pipelines.simulate.orders import Orders, draw_orders, draw_returns, place, usual_identity
from pipelines.simulate.people import Customers, Products, Sellers, draw_customers, draw_products, draw_sellers
from pipelines.simulate.sealed import write_atomically, write_sealed
from pipelines.simulate.standing import draw_events
from pipelines.simulate.world import draw_world

_STREAMS = ("people", "plots", "accounts", "orders", "claims", "amounts", "documents", "returns", "standing", "world", "legacy", "dirt")


@dataclass(frozen=True)
class Simulated:
    """A simulated marketplace.

    Parameters
    ----------
    tables
        Raw tables by contract name, planted dirt included.
    truth, world
        What is sealed: the truth of each claim, and how its parties would behave.
    planted
        Rows of each table that break its contract on purpose.
    """

    tables: dict[str, pd.DataFrame]
    truth: pd.DataFrame
    world: pd.DataFrame
    planted: dict[str, int]


@dataclass(frozen=True)
class _Goods:
    customers: Customers
    sellers: Sellers
    products: Products


def simulate(
    orders: int = 300_000,
    claims: int = 20_000,
    seed: int = 0,
    start: datetime = datetime(2024, 1, 1, tzinfo=UTC),
    months: int = 18,
    live_from: datetime | None = None,
    market: Market = Market(),  # noqa: B008 - frozen
    dirt: float = 0.002,
) -> Simulated:
    """Simulate a marketplace.

    Parameters
    ----------
    orders, claims
        Rows of these tables before dirt; at least five orders per claim and 50 claims.
    seed
        The same seed gives identical frames.
    start, months
        Claims are filed from ``start`` for that many months; orders begin ``market.lead_days`` earlier.
    live_from
        Claims filed from here on have no legacy resolution; by default the last sixth of the months.
    market
        The knobs.
    dirt
        Broken rows planted per sound row, 0 to 0.5.

    Returns
    -------
    Simulated

    Raises
    ------
    ValueError
        If the sizes, times or the share of dirt are out of range.

    Examples
    --------
    >>> small = simulate(orders=2_000, claims=200, seed=7, dirt=0.0)
    >>> len(small.tables["orders"]), len(small.tables["claims"]), len(small.truth)
    (2000, 200, 200)
    """
    if claims < 50 or orders < 5 * claims:
        raise ValueError(f"expected at least 50 claims and five orders per claim, found {claims} claims and {orders} orders")
    horizon = Horizon.of(start, months, live_from, market.lead_days)
    seeds = np.random.SeedSequence(seed).spawn(len(_STREAMS))
    rng = {name: np.random.default_rng(child) for name, child in zip(_STREAMS, seeds, strict=True)}
    goods = _draw_goods(orders, market, horizon, rng["people"])
    scripted, recalls = _plan_scripted(claims, goods, market, horizon, rng["plots"])
    goods = _open_accounts(goods, scripted, market, rng["accounts"])
    bought, placed = _buy(orders, scripted, goods, market, horizon, rng["orders"])
    drafts = _plan_claims(claims, bought, placed, goods, market, horizon, rng["claims"])
    bought, drafts = _sorted(bought, drafts)
    amounts = _amounts(drafts, goods.products, market, rng["amounts"])
    documents = draw_documents(
        drafts, goods.products.category[drafts["product"].to_numpy()], amounts.injury, amounts.claimed, market, rng["documents"]
    )
    seller = goods.products.seller[drafts["product"].to_numpy()]
    world = draw_world(drafts, goods.sellers, seller, market, rng["world"])
    rows = resolve(drafts, _evidence(drafts, goods.customers, amounts, documents), world, horizon, market, rng["legacy"])
    returns = draw_returns(bought, _abusers(drafts, len(goods.customers)), goods.customers, horizon, rng["returns"])
    claims_table = t.claims_table(drafts, seller, amounts.injury, amounts.claimed, documents)
    clean = {
        "customers": t.customers_table(goods.customers, horizon),
        "sellers": t.sellers_table(goods.sellers),
        "products": t.products_table(goods.products),
        "orders": t.orders_table(bought, goods.products, horizon),
        "returns": t.returns_table(returns, bought, goods.products),
        "seller_events": t.seller_events_table(draw_events(goods.sellers, goods.products, recalls, horizon, rng["standing"])),
        "claims": claims_table,
        "resolutions": t.resolutions_table(rows, claims_table),
    }
    dirty, planted = plant(clean, dirt, rng["dirt"])
    world.insert(0, "claim_id", claims_table["claim_id"])
    return Simulated(dirty, _truth(drafts, amounts, claims_table), world, planted)


def write(simulated: Simulated, home: Path) -> None:
    """Write ``raw/<table>.parquet`` and ``sealed/*.parquet`` under a home, each file at once or not at all."""
    for name, frame in simulated.tables.items():
        write_atomically(frame, home / "raw" / f"{name}.parquet")
    write_sealed(home, simulated.truth, simulated.world)


def _draw_goods(orders: int, market: Market, horizon: Horizon, rng: np.random.Generator) -> _Goods:
    customers = draw_customers(max(100, round(orders / market.orders_per_customer)), market, horizon, rng)
    sellers = draw_sellers(max(20, round(orders / market.orders_per_seller)), horizon, rng)
    return _Goods(customers, sellers, draw_products(max(100, round(orders / market.orders_per_product)), sellers, horizon, rng))


def _plan_scripted(claims: int, goods: _Goods, market: Market, horizon: Horizon, rng: np.random.Generator) -> tuple[pd.DataFrame, Recalls]:
    """Plan the claims that need orders of their own: invented ones and bursts."""
    rate = abusive_rate(horizon, market)
    count = len(goods.customers)
    accounts = rng.permutation(count)[: max(40, count // 10)]
    stage = Stage(goods.sellers, goods.products, horizon, market, rate, accounts, fresh=30 * count)
    abusive = round(claims * market.abusive_share)
    plots = plan_plots(abusive - round(abusive * market.padding_share), stage, rng)
    bursts, recalls = plan_bursts(round(claims * market.burst_share), goods.customers, goods.products, horizon, 1.0 - rate, market, rng)
    return pd.concat([plots, bursts], ignore_index=True), recalls


def _open_accounts(goods: _Goods, scripted: pd.DataFrame, market: Market, rng: np.random.Generator) -> _Goods:
    """Open the accounts of inventors before their first order: some months before for most, years for some."""
    inventors = scripted.loc[scripted["scheme"] != BURST, "customer"]
    # An inventor may honestly have bought a defective product before: the account is older than that order as well.
    first = scripted[scripted["customer"].isin(inventors)].groupby("customer")["ordered"].min()
    age = rng.lognormal(np.log(market.account_days), 1.1, len(first))
    opened = first.to_numpy() - (np.minimum(age, 1500.0) * DAY).astype(np.int64)
    customers = goods.customers.opened(first.index.to_numpy(), opened, rng.random(len(first)) < 0.10)
    return replace(goods, customers=customers)


def _buy(
    orders: int, scripted: pd.DataFrame, goods: _Goods, market: Market, horizon: Horizon, rng: np.random.Generator
) -> tuple[Orders, pd.DataFrame]:
    """Return all orders, those of scripted claims last, and the scripted claims with the place of their order."""
    ordinary = draw_orders(orders - len(scripted), goods.customers, goods.products, horizon, market, rng)
    who, what, when = (scripted[name].to_numpy() for name in ("customer", "product", "ordered"))
    own = place(who, what, when, goods.customers, goods.products, market, rng)
    given = {name: np.where(scripted[name] != NEVER, scripted[name], getattr(own, name)) for name in ("device", "address", "payment")}
    own = replace(own, delivered=np.minimum(own.delivered, when + 9 * DAY), **given)
    return ordinary.followed_by(own), scripted.assign(order=len(ordinary) + np.arange(len(scripted)))


def _plan_claims(
    claims: int, orders: Orders, scripted: pd.DataFrame, goods: _Goods, market: Market, horizon: Horizon, rng: np.random.Generator
) -> pd.DataFrame:
    """Return all drafts: scripted ones, those that follow ordinary orders, and second filings."""
    rate = abusive_rate(horizon, market)
    abusive = round(claims * market.abusive_share)
    padding = abusive - int((scripted["scheme"] != BURST).sum())
    proofless = market.unsubstantiated_share / (1.0 - market.abusive_share)
    unsubstantiated = round(claims * market.unsubstantiated_share)
    refiled = min(round(claims * market.refiled_share), int(unsubstantiated / (1 + proofless)))  # only what lacked proof is filed again
    careless = unsubstantiated - round(refiled * proofless)
    honest = claims - len(scripted) - padding - refiled - careless
    free = np.ones(len(orders), dtype=bool)
    free[scripted["order"].to_numpy()] = False
    parts = [scripted]
    for count, scheme, truth, growth in ((padding, PADDING, 2, rate), (honest, HONEST, VALID, 1 - rate), (careless, CARELESS, 1, 1 - rate)):
        filed = filing_times(max(0, count), horizon, growth, rng)
        part = plan_from_orders(filed, scheme, truth, orders, free, goods.customers, goods.products, horizon, market, rng)
        free[part["order"].to_numpy()] = False
        parts.append(coached(part, market, 40 * len(goods.customers), rng) if scheme == PADDING else part)
    drafts = pd.concat(parts, ignore_index=True)
    drafts = pd.concat([drafts.assign(refiles=NEVER), _second_filings(drafts, refiled, proofless, horizon, rng)], ignore_index=True)
    who = drafts["customer"].to_numpy()
    usual = dict(zip(("device", "address", "payment", "phone"), usual_identity(who, goods.customers, market, rng), strict=True))
    return drafts.assign(**{name: np.where(drafts[name] != NEVER, drafts[name], value) for name, value in usual.items()})


def _second_filings(drafts: pd.DataFrame, count: int, proofless: float, horizon: Horizon, rng: np.random.Generator) -> pd.DataFrame:
    """File ``count`` claims that lacked proof a second time, most of them with proof."""
    latest = np.minimum(drafts["incident"] + int(LATEST_DAYS * DAY), horizon.end - DAY).to_numpy()
    able = np.flatnonzero((drafts["scheme"] == CARELESS) & (latest - drafts["filed"] > 6 * DAY))
    first = rng.permutation(able)[:count]
    again = drafts.iloc[first].assign(refiles=first)
    after = 5 * DAY + (rng.random(len(first)) * (latest[first] - again["filed"].to_numpy() - 5 * DAY)).astype(np.int64)
    proven = rng.random(len(first)) >= proofless
    return again.assign(
        filed=again["filed"] + after, truth=np.where(proven, VALID, UNSUBSTANTIATED), scheme=np.where(proven, HONEST, CARELESS)
    )


def _sorted(orders: Orders, drafts: pd.DataFrame) -> tuple[Orders, pd.DataFrame]:
    """Put orders in the order of time and claims in the order of filing, and renumber what refers to them."""
    by_time = np.argsort(orders.ordered, kind="stable")
    place_of = np.empty(len(by_time), dtype=np.int64)
    place_of[by_time] = np.arange(len(by_time))
    by_filing = np.argsort(drafts["filed"].to_numpy(), kind="stable")
    new = np.empty(len(by_filing), dtype=np.int64)
    new[by_filing] = np.arange(len(by_filing))
    drafts = drafts.iloc[by_filing].reset_index(drop=True)
    refiles = drafts["refiles"].to_numpy()
    drafts = drafts.assign(
        order=place_of[drafts["order"].to_numpy()], refiles=np.where(refiles != NEVER, new[np.maximum(refiles, 0)], NEVER)
    )
    return orders.at(by_time), drafts


def _amounts(drafts: pd.DataFrame, products: Products, market: Market, rng: np.random.Generator) -> Amounts:
    """Draw amounts; a second filing claims what the first one did."""
    drawn = draw_amounts(drafts, products.price[drafts["product"].to_numpy()], market, rng)
    refiles = drafts["refiles"].to_numpy()
    source = np.where(refiles != NEVER, refiles, np.arange(len(drafts)))
    claimed, harm = drawn.claimed[source], drawn.harm[source]
    owed = np.where(refiles != NEVER, np.where(drafts["truth"] == VALID, harm, 0), drawn.owed)
    return Amounts(drawn.injury[source], claimed, harm, owed.astype(np.int64))


def _evidence(drafts: pd.DataFrame, customers: Customers, amounts: Amounts, documents: Documents) -> Evidence:
    filed = drafts["filed"].to_numpy()
    return Evidence(
        amount=amounts.claimed,
        lag=filed - drafts["incident"].to_numpy(),
        account_age=filed - customers.created[drafts["customer"].to_numpy()],
        earlier_claims=drafts.groupby("customer").cumcount().to_numpy(),
        receipt=documents.receipt,
        dated=documents.dated,
    )


def _abusers(drafts: pd.DataFrame, customers: int) -> Bools:
    inventor = np.zeros(customers, dtype=bool)
    inventor[drafts["customer"][drafts["entity"].ne(NEVER) & drafts["truth"].eq(2) | drafts["scheme"].eq(3)].to_numpy()] = True
    return inventor


def _truth(drafts: pd.DataFrame, amounts: Amounts, claims: pd.DataFrame) -> pd.DataFrame:
    """Return what is sealed of each claim; money in cents (see ``Amounts``)."""
    scheme = drafts["scheme"].to_numpy()
    entity = np.where(np.isin(scheme, (*ORGANISED, BURST)), drafts["entity"] * 2 + (scheme == BURST), NEVER)
    return pd.DataFrame(
        {
            "claim_id": claims["claim_id"],
            "truth": words(LABELS, drafts["truth"].to_numpy()),
            "scheme": words(SCHEMES, scheme),
            "entity": identifiers("G", entity),
            "is_defect_burst": scheme == BURST,
            "loss_cents": amounts.owed,
            "harm_cents": amounts.harm,
        }
    )
