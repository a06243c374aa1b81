"""Who is connected with whom, as of filing: growing graphs of customers who share a device, payment, phone or address.

Customers become one component when they were seen with the same entity. The graphs only grow, so one pass in time order
with a union–find (Tarjan 1975) answers every claim from exactly the sightings before it. An entity seen with more than
:data:`HUB_CUSTOMERS` customers (a library's computer, a company's card) connects nobody further.

There are two graphs. In the first, orders and claims connect, but an address does not: neighbours and tenants would chain
half the country together. In the second only claims connect, by address too: of those who claim, few are neighbours.

A *burst* of claims on one product may be a ring or a real defect. What tells them apart is whether the claimants are
strangers: the share of recent claimants whose component holds no other of them, nor the claimant at hand.

Plain sharing (how many others used this device, how many claims came from it) is windowed history and declared in the
catalogue like any aggregate.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numba import njit

from features import history
from features.facts import PROBES, Facts
from features.history import Floats, Ints
from features.sources import Events, select
from features.spec import DAY_US, Direct

GRAPHS: dict[str, tuple[str, tuple[str, ...]]] = {
    "component": ("sightings", ("device_id", "payment_id", "phone_id")),
    "claimants": ("claims", ("device_id", "payment_id", "phone_id", "address_id")),
}
"""For each graph the source of its sightings and the entities that connect."""

HUB_CUSTOMERS = 10
"""Beyond so many customers an entity is a public place, not a link (chosen: above a household)."""

BURST_DAYS = 30
"""Span of a burst of claims on one product."""

BURST_CLAIMS = 256
"""At most about so many of the latest claims of a burst are looked at, so that a recall costs no more than linear time."""

_SIZES = ("customers", "claims_others", "abusive_others")
_BURST = ("burst_claimants_product_30d", "burst_unlinked_share_product_30d")
_NAMES = {graph: (*(f"link_{graph}_{size}" for size in _SIZES), *(_BURST if graph == "component" else ())) for graph in GRAPHS}
_NEEDS = ("probes.customer_id", "claims.customer_id", "claims.filed_at")
_NEEDS_PRODUCT = (*_NEEDS, "probes.product_id", "claims.product_id")

LINK_FEATURES: dict[str, Direct] = {
    name: Direct(name, "links", _NEEDS_PRODUCT if name in _BURST else _NEEDS) for names in _NAMES.values() for name in names
}
"""Every feature of this module, by name."""


def compute(names: Collection[str], facts: Facts) -> dict[str, Floats]:
    """Compute link features of the claims asked about.

    Parameters
    ----------
    names
        Which of :data:`LINK_FEATURES`.
    facts
        The tables; without resolutions nobody is known to be abusive.

    Returns
    -------
    dict
        (probes,) float64 by name, in the order of the probes; empty where no linking entity is recorded at all. A claim
        without a customer is undefined (NaN); the unlinked share is so too where nobody else claimed.

    Notes
    -----
    The component of a claim is that of its customer together with those of the entities the claim itself names: it is known
    at filing which device filed, although the claim is not part of the graph yet.
    """
    found: dict[str, Floats] = {}
    for graph, (source, kinds) in GRAPHS.items():
        seen = select(facts, source) if set(_NAMES[graph]) & set(names) else None
        held = tuple(kind for kind in kinds if seen and kind in seen.columns and facts.has(f"{PROBES}.{kind}"))
        if seen is not None and held:
            found |= zip(_NAMES[graph], _answers(seen, held, facts).T, strict=False)
    return {name: np.ascontiguousarray(found[name]) for name in names if name in found}


def _answers(sightings: Events, kinds: tuple[str, ...], facts: Facts) -> Floats:
    """Run one graph over all probes: (probes, 5) sizes of the component, then of the burst."""
    claims, standing = select(facts, "claims"), select(facts, "standing")
    claims = claims or Events(np.empty(0, dtype=np.int64), {})
    nothing = claims.only(np.empty(0, dtype=np.int64))
    edges, n_entities = _first_sightings(sightings, kinds, facts)
    products = facts.vocabulary("product_id") if facts.has(f"{PROBES}.product_id") else 0
    filed = facts.instants(PROBES, "filed_at")
    order = np.argsort(filed, kind="stable")
    found = np.empty((len(order), len(_SIZES) + len(_BURST)), dtype=np.float64)
    found[order] = _grow(
        edges,
        _columns(claims, "customer_id", "product_id"),
        _columns(standing or nothing, "customer_id", "abusive"),
        (filed[order], *(column[order] for column in _asked(kinds, facts))),
        (facts.vocabulary("customer_id"), n_entities, products),
        HUB_CUSTOMERS,
        BURST_DAYS * DAY_US,
        BURST_CLAIMS,
    )
    return found


def _columns(events: Events, *names: str) -> tuple[Ints, ...]:
    return (events.times, *(events.columns.get(name, np.full(len(events.times), -1, dtype=np.int64)) for name in names))


def _first_sightings(sightings: Events, kinds: tuple[str, ...], facts: Facts) -> tuple[tuple[Ints, Ints, Ints], int]:
    """Find the first time each customer was seen with each entity, in time order; entities of all kinds numbered together."""
    customers, parts, base = sightings.columns["customer_id"], [], 0
    for kind in kinds:
        kept = np.flatnonzero((sightings.columns[kind] >= 0) & (customers >= 0))
        seen = sightings.only(kept)
        past = history.group(seen.columns[kind], seen.times, facts.vocabulary(kind))
        first = np.flatnonzero(history.first_seen(past, seen.columns["customer_id"]))
        parts.append((seen.times[first], seen.columns[kind][first] + base, seen.columns["customer_id"][first]))
        base += facts.vocabulary(kind)
    times, entities, whom = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(times, kind="stable")
    return (times[order], entities[order], whom[order]), base


def _asked(kinds: tuple[str, ...], facts: Facts) -> tuple[Ints, Ints, Ints]:
    """Read customer, product and (n, kinds) entities of the probes; −1 where missing."""
    nobody = np.full(len(facts.probes), -1, dtype=np.int64)
    sizes = np.cumsum([0] + [facts.vocabulary(kind) for kind in kinds])
    codes = [facts.codes(PROBES, kind) for kind in kinds]
    entities = np.stack([np.where(code >= 0, code + base, -1) for code, base in zip(codes, sizes[:-1], strict=True)], axis=1)
    product = facts.codes(PROBES, "product_id") if facts.has(f"{PROBES}.product_id") else nobody
    return facts.codes(PROBES, "customer_id"), product, np.ascontiguousarray(entities)


@njit(cache=True)
def _root(parent, node):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@njit(cache=True)
def _join(parent, totals, a, b):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Merge two components; ``totals`` (customers, claims, abusive) of the smaller are added to the larger."""
    a, b = _root(parent, a), _root(parent, b)
    if a == b:
        return
    if totals[a, 0] < totals[b, 0]:
        a, b = b, a
    parent[b] = a
    totals[a] += totals[b]


@njit(cache=True)
def _sight(parent, totals, degree, member, edges, at, hub):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add all sightings of one instant: degrees first, so that their order within the instant cannot matter."""
    times, entities, customers = edges
    end = at
    while end < len(times) and times[end] == times[at]:
        degree[entities[end]] += 1
        end += 1
    for i in range(at, end):
        entity = entities[i]
        if member[entity] < 0:
            member[entity] = customers[i]
        elif degree[entity] <= hub:
            _join(parent, totals, customers[i], member[entity])
    return end


@njit(cache=True)
def _around(parent, degree, member, customer, entities, hub, roots):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill ``roots`` with the distinct components that a claim touches; return how many."""
    roots[0] = _root(parent, customer)
    held = 1
    for entity in entities:
        if entity < 0 or degree[entity] == 0 or degree[entity] > hub:
            continue
        root = _root(parent, member[entity])
        fresh = True
        for k in range(held):
            fresh = fresh and roots[k] != root
        if fresh:
            roots[held] = root
            held += 1
    return held


@njit(cache=True)
def _burst(parent, claims, latest, own, since, cap, near, marks, number):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Walk back from a product's latest claim: distinct other claimants since an instant, and the strangers among them."""
    times, customers, before = claims
    met, seen, whom = marks
    held, looked, claim, previous = 0, 0, latest, latest
    while claim >= 0 and times[claim] >= since and (looked < cap or times[claim] == times[previous]):
        customer = customers[claim]
        if customer >= 0 and customer != own and met[customer] != number:
            met[customer] = number
            whom[held] = customer
            held += 1
        looked, previous, claim = looked + 1, claim, before[claim]
    for i in range(held):
        seen[_root(parent, whom[i])] += 1
    strangers = 0
    for i in range(held):
        root = _root(parent, whom[i])
        strangers += seen[root] == 1 and not np.any(near == root)
    for i in range(held):
        seen[_root(parent, whom[i])] = 0
    return held, strangers


@njit(cache=True)
def _grow(edges, claims, standing, probes, sizes, hub, span, cap):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Let sightings, claims and findings enter in time order, and answer each probe from those strictly before it."""
    n_customers, n_entities, n_products = sizes
    parent = np.arange(n_customers)
    totals, own = np.zeros((n_customers, 3), dtype=np.int64), np.zeros((n_customers, 3), dtype=np.int64)
    totals[:, 0] = 1
    degree, member = np.zeros(n_entities, dtype=np.int64), np.full(n_entities, -1)
    latest, before = np.full(n_products, -1), np.full(len(claims[0]), -1)
    marks = np.full(n_customers, -1), np.zeros(n_customers, dtype=np.int64), np.empty(len(claims[0]), dtype=np.int64)
    roots = np.empty(1 + probes[3].shape[1], dtype=np.int64)
    found = np.full((len(probes[0]), 5), np.nan)
    sighted, claimed, stood = 0, 0, 0
    for probe in range(len(probes[0])):
        now, customer, product = probes[0][probe], probes[1][probe], probes[2][probe]
        while sighted < len(edges[0]) and edges[0][sighted] < now:
            sighted = _sight(parent, totals, degree, member, edges, sighted, hub)
        while claimed < len(claims[0]) and claims[0][claimed] < now:
            _add(parent, totals, own, claims[1][claimed], 1, 1)
            if claims[2][claimed] >= 0:
                before[claimed], latest[claims[2][claimed]] = latest[claims[2][claimed]], claimed
            claimed += 1
        while stood < len(standing[0]) and standing[0][stood] < now:
            _add(parent, totals, own, standing[1][stood], 2, standing[2][stood])
            stood += 1
        if customer < 0:
            continue
        held = _around(parent, degree, member, customer, probes[3][probe], hub, roots)
        for column in range(3):
            found[probe, column] = totals[roots[:held], column].sum() - own[customer, column]
        if product >= 0:
            past = (claims[0], claims[1], before)
            others, strangers = _burst(parent, past, latest[product], customer, now - span, cap, roots[:held], marks, probe)
            found[probe, 3] = others
            found[probe, 4] = strangers / others if others else np.nan
    return found


@njit(cache=True)
def _add(parent, totals, own, customer, column, amount):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if customer >= 0:
        own[customer, column] += amount
        totals[_root(parent, customer), column] += amount
