"""The link graphs as logs: who met what, who is connected with whom since when, and how large each component was.

A union–find forgets how it came about. Here every customer's component is a log instead: when two components merge, the
members of the smaller one move, each a row, so that nobody moves more than log₂ n times and any earlier state can be read.
The totals of a component (customers, claims, abusive ones) are a log by component. What is a link, and when an entity is
closed, are the rules of :mod:`features.links`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numba import njit

from features.history import Ints
from features.link_graph import LinkRules
from features.links import GRAPHS
from features.online_rows import alone, key_of, keys_of, log_on
from features.online_sources import Batch, kept
from features.pages import END, RAW, SUM, Pages, append, rows
from features.sources import Events

_NETWORK = 0x1002
"""The shelf of what a customer's neighbours are asked for; a component is named after a customer."""

OWN, CLAIMANTS = alone(0x8040), log_on(("product_id",), 0x8041)
"""Logs by customer (claims and abusive ones) and by product (who claimed)."""

LINKED, COMPONENT, TOTALS, MEMBERS = range(4)
"""Logs of a graph: by customer his links · by customer his component · by component its customers, claims and abusive
claims · by component those who moved into it."""

_MET = 4
"""Logs of a graph by entity, of each kind: its first customers."""

_FIRST = {graph: 0x8050 + 16 * number for number, graph in enumerate(GRAPHS)}


@cache
def log_of(graph: str, log: int) -> int:
    """Return the number of a log of a graph; of components many are asked, and of nothing else with them."""
    number = _FIRST[graph] + log
    return alone(number) if log == COMPONENT else log_on(_NETWORK, number)


@cache
def met_log(graph: str, kind: int) -> int:
    """Return the number of the log of the first customers of each entity of a kind."""
    return log_on((GRAPHS[graph][1][kind],), _FIRST[graph] + _MET + kind)


@dataclass(frozen=True, eq=False)
class _Pairs:
    """First meetings of a customer with an entity, ordered by entity, then time."""

    times: Ints
    kinds: Ints
    entities: Ints
    customers: Ints

    def only(self, kept: Ints) -> _Pairs:
        """Return some of them, in this order."""
        return _Pairs(self.times[kept], self.kinds[kept], self.entities[kept], self.customers[kept])


def write(batch: Batch, graphs: Sequence[str], rules: LinkRules, pages: Pages, fresh: bool) -> None:
    """Add a batch to the logs of the graphs wanted."""
    if not graphs:
        return
    claims, standing = batch.select("claims"), batch.select("standing", ["abusive"])
    claimed = _stream(claims, 1)
    stood = _stream(standing, 0 if standing is None else standing.columns["abusive"])
    _write_own(claimed, stood, pages, fresh)
    if claims is not None and "product_id" in claims.columns:
        product, customer = claims.columns["product_id"], claims.columns.get("customer_id", np.full(len(claims.times), -1))
        held = np.flatnonzero(product >= 0)
        log_rows(CLAIMANTS, product[held, None], claims.times[held], customer[held, None], pages, fresh)
    for graph in graphs:
        source, kinds = GRAPHS[graph]
        events = claims if source == "claims" else batch.select(source)
        edges = _write_pairs(graph, events, kinds, rules.hub_customers, pages, fresh)
        write_components(graph, edges, claimed, stood, pages, fresh)


def log_rows(log: int, codes: Ints, times: Ints, values: Ints, pages: Pages, fresh: bool, kinds: Ints | None = None) -> None:
    """Add rows, given in order of time, to the logs of their keys.

    Parameters
    ----------
    codes
        (n, identifiers) of the keys.
    times, values
        (n,) and (n, columns).
    kinds
        How columns run; by default as they are given.
    """
    if not len(times):
        return
    order = np.lexsort(codes.T[::-1])
    begins = np.ones(len(order), dtype=bool)
    begins[1:] = np.any(codes[order[1:]] != codes[order[:-1]], axis=1)
    starts = np.append(np.flatnonzero(begins), len(order))
    how = np.full(values.shape[1], RAW) if kinds is None else kinds
    append(pages, keys_of(log, codes[order[starts[:-1]]]), starts, times[order], values[order], how, fresh)


def _stream(events: Events | None, amount: Ints | int) -> tuple[Ints, Ints, Ints]:
    """Return (times, customers, amounts) of events that have a customer and an amount."""
    if events is None or "customer_id" not in events.columns:
        none = np.empty(0, dtype=np.int64)
        return none, none, none
    customers = events.columns["customer_id"]
    amounts = np.broadcast_to(np.asarray(amount, dtype=np.int64), customers.shape)
    held = np.flatnonzero((customers >= 0) & (amounts != 0))
    return events.times[held], customers[held], amounts[held]


def _write_own(claimed: tuple[Ints, Ints, Ints], stood: tuple[Ints, Ints, Ints], pages: Pages, fresh: bool) -> None:
    """Write how many claims, and abusive ones, each customer has."""
    times, customers, amounts = (np.concatenate(both) for both in zip(claimed, stood, strict=True))
    values = np.zeros((len(times), 2), dtype=np.int64)
    cut = len(claimed[0])
    values[:cut, 0], values[cut:, 1] = amounts[:cut], amounts[cut:]
    order = np.argsort(times, kind="stable")
    log_rows(OWN, customers[order, None], times[order], values[order], pages, fresh, np.array([SUM, SUM]))


def _write_pairs(graph: str, events: Events | None, kinds: tuple[str, ...], hub: int, pages: Pages, fresh: bool) -> tuple[Ints, Ints, Ints]:
    """Write new meetings and links; return (times, customer, earlier customer) of the links that connect."""
    none = np.empty(0, dtype=np.int64)
    pairs = _first_meetings(events, kinds)
    if not len(pairs.times):
        return none, none, none
    keys = np.stack([pairs.kinds, pairs.entities], axis=1)
    begins = np.ones(len(keys), dtype=bool)
    begins[1:] = np.any(keys[1:] != keys[:-1], axis=1)
    starts = np.append(np.flatnonzero(begins), len(keys))
    entities = [key_of(met_log(graph, kind), (code,)) for kind, code in keys[starts[:-1]].tolist()] if not fresh else []
    held = [None] * (len(starts) - 1) if fresh else pages.latest(entities, [END] * (len(starts) - 1))
    met = np.full((len(held), hub + 1), -1, dtype=np.int64)
    for place, page in enumerate(held):
        if page is not None:
            known = rows(page, 2)[1:, 1]
            met[place, : len(known)] = known
    new, older, linked = _meet(starts, pairs.times, pairs.customers, met, hub)
    for kind in np.unique(pairs.kinds[new]).tolist():
        mine = new[pairs.kinds[new] == kind]
        log_rows(met_log(graph, kind), keys[mine, 1:], pairs.times[mine], pairs.customers[mine, None], pages, fresh)
    links, older = new[linked], older[linked]
    order = np.argsort(pairs.times[links], kind="stable")
    links, older = links[order], older[order]
    log_rows(log_of(graph, LINKED), pairs.customers[links, None], pairs.times[links], keys[links], pages, fresh)
    joins = older >= 0
    return pairs.times[links][joins], pairs.customers[links][joins], older[joins]


def _first_meetings(events: Events | None, kinds: tuple[str, ...]) -> _Pairs:
    """Find the first time in a batch that each customer was seen with each entity."""
    parts = []
    for number, kind in enumerate(kinds):
        if events is None or kind not in events.columns or "customer_id" not in events.columns:
            continue
        entities, customers = events.columns[kind], events.columns["customer_id"]
        held = np.flatnonzero((entities >= 0) & (customers >= 0))
        order = held[np.lexsort((events.times[held], customers[held], entities[held]))]
        first = np.ones(len(order), dtype=bool)
        first[1:] = (np.diff(entities[order]) != 0) | (np.diff(customers[order]) != 0)
        once = order[first]
        once = once[np.lexsort((events.times[once], entities[once]))]
        parts.append((events.times[once], np.full(len(once), number), entities[once], customers[once]))
    none = np.empty(0, dtype=np.int64)
    return _Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True))) if parts else _Pairs(none, none, none, none)


@njit(cache=True)
def _meet(starts, times, customers, met, hub):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Take the meetings of each entity until it is closed: which are new, the customer before, and whether they link."""
    new, older = np.empty(len(times), dtype=np.int64), np.empty(len(times), dtype=np.int64)
    linked = np.zeros(len(times), dtype=np.bool_)
    count = 0
    for entity in range(len(starts) - 1):
        degree, at = 0, starts[entity]
        while degree <= hub and met[entity, degree] >= 0:
            degree += 1
        while at < starts[entity + 1] and degree <= hub:
            now, begin = times[at], count
            while at < starts[entity + 1] and times[at] == now:
                if degree <= hub and not np.any(met[entity, :degree] == customers[at]):
                    new[count], older[count] = at, met[entity, degree - 1] if degree else -1
                    met[entity, degree] = customers[at]
                    degree += 1
                    count += 1
                at += 1
            linked[begin:count] = degree <= hub
    return new[:count], older[:count], linked[:count]


def write_components(
    graph: str,
    edges: tuple[Ints, Ints, Ints],
    claimed: tuple[Ints, Ints, Ints],
    stood: tuple[Ints, Ints, Ints],
    pages: Pages,
    fresh: bool,
) -> None:
    """Write who moved into which component, and the totals of every component that changed."""
    times = np.concatenate([edges[0], claimed[0], stood[0]])
    if not len(times):
        return
    touched = np.concatenate([edges[1], claimed[1], stood[1]])
    others = np.concatenate([edges[2], claimed[1], stood[1]])
    gains = np.zeros((len(times), 2), dtype=np.int64)
    cut = len(edges[0]) + len(claimed[0])
    gains[len(edges[0]) : cut, 0], gains[cut:, 1] = claimed[2], stood[2]
    customers, place = np.unique(np.concatenate([touched, others]), return_inverse=True)
    component = _last(log_of(graph, COMPONENT), customers, customers[:, None], pages, fresh)[:, 0]
    components, of = np.unique(component, return_inverse=True)
    totals = _last(log_of(graph, TOTALS), components, np.broadcast_to(np.array([1, 0, 0]), (len(components), 3)), pages, fresh)
    order = np.argsort(times, kind="stable")
    one, other = of[place[: len(times)]][order], of[place[len(times) :]][order]
    who, after, lost, won = _unite(one, other, gains[order], totals)
    log_rows(log_of(graph, TOTALS), components[who, None], times[order], after, pages, fresh)
    merged = np.flatnonzero(lost >= 0)
    _move(graph, times[order][merged], components[lost[merged]], components[won[merged]], pages, fresh)


def _last(log: int, codes: Ints, otherwise: Ints, pages: Pages, fresh: bool) -> Ints:
    """Return the last row of each log, or what stands where there is none."""
    found = np.array(otherwise, dtype=np.int64)
    for place, page in enumerate(() if fresh else pages.latest(keys_of(log, codes[:, None]), [END] * len(codes))):
        if page is not None:
            found[place] = rows(page, 1 + found.shape[1])[-1, 1:]
    return found


@njit(cache=True)
def _unite(one, other, gains, totals):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Let merges and gains happen in order of time; return whose totals each changed, these, and who lost to whom."""
    parent = np.arange(len(totals))
    who, after = np.empty(len(one), dtype=np.int64), np.empty((len(one), 3), dtype=np.int64)
    lost, won = np.full(len(one), -1), np.full(len(one), -1)
    for i in range(len(one)):
        a, b = one[i], other[i]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a != b:
            if totals[a, 0] < totals[b, 0]:
                a, b = b, a
            parent[b] = a
            totals[a] += totals[b]
            lost[i], won[i] = b, a
        totals[a, 1:] += gains[i]
        who[i], after[i] = a, totals[a]
    return who, after, lost, won


def _move(graph: str, times: Ints, lost: Ints, won: Ints, pages: Pages, fresh: bool) -> None:
    """Move the members of every component that lost: its founder, whose name it has, and those who moved in before."""
    if not len(times):
        return
    members = {code: [code] for code in np.unique(np.concatenate([lost, won])).tolist()}
    if not fresh:
        losing = np.unique(lost)
        owner, moved = kept(pages, log_of(graph, MEMBERS), losing, 2)
        for place, code in zip(owner.tolist(), moved[:, 1].tolist(), strict=True):
            members[int(losing[place])].append(code)
    when: list[int] = []
    whom: list[int] = []
    where: list[int] = []
    for time, source, target in zip(times.tolist(), lost.tolist(), won.tolist(), strict=True):
        moving = members.pop(source)
        when += [time] * len(moving)
        whom += moving
        where += [target] * len(moving)
        members[target] += moving
    at, customers, targets = (np.array(column, dtype=np.int64) for column in (when, whom, where))
    log_rows(log_of(graph, COMPONENT), customers[:, None], at, targets[:, None], pages, fresh)
    log_rows(log_of(graph, MEMBERS), targets[:, None], at, customers[:, None], pages, fresh)
