"""Those who invent claims: lone fabricators, rings that rotate their identities, customers in league with a seller, saboteurs.

They adapt. A ring keeps a small set of devices, addresses, payment accounts and phones; when a claim of the set is denied it
moves on to a mostly new set and to lower amounts. Saboteurs imitate a burst of honest claims against one competitor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.simulate.drafts import ABUSIVE, COLLUSION, FABRICATION, RING, SABOTAGE, draft, filing_times
from pipelines.simulate.frames import NEVER, Floats, Ints
from pipelines.simulate.harm import filing_lags
from pipelines.simulate.market import DAY, Horizon, Market
from pipelines.simulate.people import Products, Sellers

_RESOURCES = ("device", "address", "payment", "phone")


@dataclass(frozen=True)
class Stage:
    """What every plot is planned on: goods, time line, knobs, daily growth of abuse, accounts that are free to be used."""

    sellers: Sellers
    products: Products
    horizon: Horizon
    market: Market
    growth: Floats
    accounts: Ints
    fresh: int

    def old_products(self) -> Ints:
        """Products on offer during the whole horizon."""
        return np.flatnonzero(self.products.listed <= self.horizon.orders_from)


def plan_plots(count: int, stage: Stage, rng: np.random.Generator) -> pd.DataFrame:
    """Plan ``count`` invented claims, divided among the four schemes as the market says.

    Returns
    -------
    DataFrame
        Drafts without ``order``: each claim needs an order of its own, placed at ``ordered``.
    """
    market = stage.market
    lone = round(count * market.fabrication_share / max(1e-9, 1.0 - market.padding_share))
    ring = round((count - lone) * market.ring_share)
    collusion = round((count - lone) * market.collusion_share)
    parts: list[tuple[Callable[[int, int, Ints, Stage, np.random.Generator], pd.DataFrame], int]] = [
        (_ring, ring),
        (_collusion, collusion),
        (_sabotage, count - lone - ring - collusion),
    ]
    accounts = stage.accounts
    plots = [_fabrications(lone, accounts[: len(accounts) // 2], stage, rng)]
    used, entity = len(accounts) // 2, 0
    for plan, wanted in parts:
        done = 0
        while done < wanted:
            entity += 1
            group = plan(wanted - done, entity, accounts[np.arange(used, used + 16) % len(accounts)], stage, rng)
            used += int(group["customer"].nunique())
            done += len(group)
            plots.append(group)
    return pd.concat(plots, ignore_index=True)


def _timed(filed: Ints, mean_days: float, stage: Stage, rng: np.random.Generator) -> dict[str, Ints]:
    """Return stated incidents and orders before given filing times, ``mean_days`` from delivery to incident."""
    incident = filed - filing_lags(len(filed), False, stage.market.quick_filing, rng)
    ordered = incident - ((9.0 + rng.exponential(mean_days, len(filed))) * DAY).astype(np.int64)
    ordered = np.maximum(ordered, stage.horizon.orders_from)
    incident = np.maximum(incident, ordered + 9 * DAY)
    return {"ordered": ordered, "incident": incident, "filed": np.maximum(filed, incident + DAY // 24)}


def _ceilings(count: int, rng: np.random.Generator) -> Ints:
    """Most stay just below the amount from which claims are looked at; a few try for more."""
    return np.where(rng.random(count) < 0.88, 100_000, 0)


def _fabrications(count: int, accounts: Ints, stage: Stage, rng: np.random.Generator) -> pd.DataFrame:
    people = max(1, round(count / stage.market.claims_per_fabricator))
    customer = accounts[np.concatenate([np.arange(people), rng.integers(0, people, count)])[:count] % len(accounts)]
    filed = filing_times(count, stage.horizon, stage.growth, rng)
    times = _timed(filed, 30.0, stage, rng)
    product = _on_offer(times["ordered"], stage, rng)
    return draft(FABRICATION, ABUSIVE, {"customer": customer, "product": product, "ceiling": _ceilings(count, rng)} | times)


def _on_offer(at: Ints, stage: Stage, rng: np.random.Generator) -> Ints:
    """Draw popular products, dearer ones a little more often, that were on offer at given times."""
    weight = stage.products.popularity * stage.products.price.astype(np.float64) ** 0.1
    product = rng.choice(len(weight), len(at), p=weight / weight.sum())
    late = stage.products.listed[product] > at
    product[late] = rng.choice(stage.old_products(), int(late.sum()))
    return np.asarray(product)


def _ring(most: int, entity: int, accounts: Ints, stage: Stage, rng: np.random.Generator) -> pd.DataFrame:
    members = accounts[: rng.integers(6, 15)]
    count = min(most, int(rng.integers(10, 24)))
    begin = int(np.minimum(filing_times(1, stage.horizon, stage.growth, rng)[0], stage.horizon.end - 25 * DAY))
    length = min(int(rng.uniform(60, 200) * DAY), stage.horizon.end - begin - 2 * DAY)
    filed = np.sort(begin + (rng.random(count) * length).astype(np.int64))
    denials = begin + np.cumsum(rng.exponential(stage.market.rotation_days * DAY, 12)).astype(np.int64)
    epoch = np.searchsorted(denials, filed)
    columns: dict[str, Ints] = {"customer": _shared_out(members, count, rng), "entity": np.full(count, entity)}
    for number, name in enumerate(_RESOURCES):
        columns[name] = _rotated(epoch, stage.fresh + (entity * len(_RESOURCES) + number) * 100, stage.market, rng)
    goods = rng.choice(stage.old_products(), (13, 6))
    columns["product"] = goods[epoch, rng.integers(0, 6, count)]
    columns["ceiling"] = np.maximum(30_000, 100_000 * 0.78**epoch).astype(np.int64)
    columns |= _burnt(filed, epoch, denials)
    return draft(RING, ABUSIVE, columns | _timed(filed, 25.0, stage, rng))


def _shared_out(members: Ints, count: int, rng: np.random.Generator) -> Ints:
    """Let every member file once before anybody files again."""
    return np.concatenate([rng.permutation(members) for _ in range(count // len(members) + 1)])[:count]


def _rotated(epoch: Ints, first: int, market: Market, rng: np.random.Generator) -> Ints:
    """Return the number of the device (address …) used: two or three per epoch, one in three epochs keeps an old one."""
    kept = rng.random(13) < 0.35
    choice = rng.integers(0, 3, len(epoch))
    number = first + epoch * 3 + choice - np.where(kept[epoch] & (epoch > 0) & (choice == 0), 3, 0)
    return np.where(rng.random(len(epoch)) < market.own_identity, NEVER, number)


def _burnt(filed: Ints, epoch: Ints, denials: Ints) -> dict[str, Ints]:
    """Mark the last claim of every finished epoch as the one whose denial made the ring move on, and say when."""
    burnt = np.full(len(filed), NEVER, dtype=np.int64)
    ends = np.flatnonzero(np.diff(epoch) > 0)
    denial = np.maximum(denials[epoch[ends]], filed[ends] + 3 * DAY)
    burnt[ends] = np.where(denial < filed[ends + 1] + 10 * DAY, denial, NEVER)
    return {"denial": burnt}


def _collusion(most: int, entity: int, accounts: Ints, stage: Stage, rng: np.random.Generator) -> pd.DataFrame:
    members = accounts[: rng.integers(2, 5)]
    count = min(most, int(rng.integers(3, 8)))
    goods = stage.old_products()
    rogue = goods[stage.sellers.rogue[stage.products.seller[goods]]]
    seller = stage.products.seller[rng.choice(rogue if len(rogue) else goods)]
    begin = int(np.minimum(filing_times(1, stage.horizon, stage.growth, rng)[0], stage.horizon.end - 25 * DAY))
    length = min(int(rng.uniform(40, 220) * DAY), stage.horizon.end - begin - 2 * DAY)
    filed = begin + (rng.random(count) * length).astype(np.int64)
    columns = {
        "customer": _shared_out(members, count, rng),
        "product": rng.choice(goods[stage.products.seller[goods] == seller], count),
        "entity": np.full(count, entity),
        "ceiling": np.where(rng.random(count) < 0.8, 100_000, 0),
    }
    shared = stage.fresh + entity * len(_RESOURCES) * 100
    columns["payment"] = np.where(rng.random(count) < 0.4, shared, NEVER)
    columns["address"] = np.where(rng.random(count) < 0.3, shared, NEVER)
    return draft(COLLUSION, ABUSIVE, columns | _timed(filed, 25.0, stage, rng))


def _sabotage(most: int, entity: int, accounts: Ints, stage: Stage, rng: np.random.Generator) -> pd.DataFrame:
    members = accounts[: rng.integers(5, 13)]
    count = min(most, len(members) + int(rng.integers(0, 4)))
    goods = stage.old_products()
    honest = goods[~stage.sellers.rogue[stage.products.seller[goods]]]
    weight = stage.products.popularity[honest]
    seller = stage.products.seller[rng.choice(honest, p=weight / weight.sum())]
    targets = rng.permutation(honest[stage.products.seller[honest] == seller])[: rng.integers(1, 4)]
    begin = int(np.minimum(filing_times(1, stage.horizon, stage.growth, rng)[0], stage.horizon.end - 25 * DAY))
    length = min(int(rng.uniform(15, 45) * DAY), stage.horizon.end - begin - 2 * DAY)
    filed = begin + (rng.random(count) * length).astype(np.int64)
    shared = stage.fresh + entity * len(_RESOURCES) * 100
    columns = {
        "customer": _shared_out(members, count, rng),
        "product": rng.choice(targets, count),
        "entity": np.full(count, entity),
        "ceiling": _ceilings(count, rng),
        "device": np.where(rng.random(count) < 0.3, shared + rng.integers(0, 2, count), NEVER),
        "payment": np.where(rng.random(count) < 0.15, shared, NEVER),
    }
    return draft(SABOTAGE, ABUSIVE, columns | _timed(filed, 20.0, stage, rng))


def coached(drafts: pd.DataFrame, market: Market, fresh: int, rng: np.random.Generator) -> pd.DataFrame:
    """Let some padders file through claims coaches: each coach serves about a dozen customers for some months, then a new one comes.

    Parameters
    ----------
    drafts
        Padded claims in any order.
    fresh
        First number of devices and phones that nobody else uses.

    Returns
    -------
    DataFrame
        The same claims; ``entity`` numbers the coach, whose device (changed now and then) and phone are on the claim.
    """
    chosen = rng.permutation(len(drafts))[: round(market.coached_share * len(drafts))]
    chosen = chosen[np.argsort(drafts["filed"].to_numpy()[chosen], kind="stable")]
    order = np.arange(len(chosen)) / 12.0
    coach = np.clip(order + rng.normal(0.0, 1.0, len(chosen)), 0, None).astype(np.int64)
    entity, device, phone = (drafts[name].to_numpy(copy=True) for name in ("entity", "device", "phone"))
    entity[chosen], phone[chosen] = coach, fresh + coach
    device[chosen] = fresh + 3 * coach + np.clip(order - coach + 1.5, 0, 2.9).astype(np.int64)
    return drafts.assign(entity=entity, device=np.where(rng.random(len(drafts)) < 0.25, NEVER, device), phone=phone)
