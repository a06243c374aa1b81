"""The compiled part of links: how a graph of customers grows, and what is read off it for one claim.

Nothing depends on the order of rows of one instant, nor on how customers and entities are numbered, so that any carrier finds
the same numbers. Arrays are changed in place; :mod:`features.link_graph` owns them. They are few and wide: what is known of
one customer stands together in memory.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from features.history import Ints

Codes = npt.NDArray[np.int32]

ONE = 1 << 32
"""Fixed point of weights: sums of them are sums of integers, so their order cannot matter."""

PARENT, SIZE, CLAIMS, ABUSIVE, OWN_CLAIMS, OWN_ABUSIVE, LINKS, LAG_PARENT, LAG_SIZE, MET, FOUND, SEEN = range(12)
"""Columns of ``who``, by customer: component and totals of components, own claims and abusive ones, newest pair, the component
30 days ago, and scratch."""

DEGREE, LATEST, NEWEST, MARK = range(4)
"""Columns of ``what``, by entity: its customers (counted to one above the cap), the latest of them, its newest pair, and scratch."""

CUSTOMER, ENTITY, NEXT_OF_ENTITY, NEXT_OF_CUSTOMER = range(4)
"""Columns of ``pairs`` of customer and entity, in the order they met: both, and the next older pair of either."""

PAIRS, MERGES, LAGGED, STAMP, SIGHTED, CLAIMED, STOOD, ASKED, NEEDED = range(9)
"""Places of the running counts."""

MEASURES = 11
"""Numbers found per claim: columns of the answer."""


class Rules(NamedTuple):
    """The caps of :class:`features.link_graph.LinkRules` as integers, and the weight of an entity by its customers."""

    hub: int
    followed: int
    searched: int
    burst_claims: int
    span: int
    weights: Ints


class Rows(NamedTuple):
    """Rows of a chunk in time order: sightings (entities by kind), claims, changes of standing, and claims asked about."""

    seen_at: Ints
    seen: Ints
    seen_with: Ints
    claimed_at: Ints
    claimed: Ints
    claimed_for: Ints
    stood_at: Ints
    stood: Ints
    changed: Ints
    asked_at: Ints
    asked: Ints
    asked_for: Ints
    asked_with: Ints


@njit(cache=True)
def _root(who, parent, node):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find the root of a node's component; ``parent`` is the column that is followed."""
    while who[node, parent] != node:
        who[node, parent] = who[who[node, parent], parent]
        node = who[node, parent]
    return node


@njit(cache=True)
def _merge(who, merges, counts, a, b, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Make two components one (union by size, Tarjan 1975) and note when, for the graph that lags behind."""
    a, b = _root(who, PARENT, a), _root(who, PARENT, b)
    if a == b:
        return
    if who[a, SIZE] < who[b, SIZE]:
        a, b = b, a
    who[b, PARENT] = a
    for column in (SIZE, CLAIMS, ABUSIVE):
        who[a, column] += who[b, column]
    made = counts[MERGES]
    merges[made, 0], merges[made, 1], merges[made, 2] = now, a, b
    counts[MERGES] += 1


@njit(cache=True)
def _lag(who, merges, counts, before):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Let the lagging graph catch up with the merges before an instant."""
    while counts[LAGGED] < counts[MERGES] and merges[counts[LAGGED], 0] < before:
        a = _root(who, LAG_PARENT, merges[counts[LAGGED], 1])
        b = _root(who, LAG_PARENT, merges[counts[LAGGED], 2])
        if who[a, LAG_SIZE] < who[b, LAG_SIZE]:
            a, b = b, a
        who[b, LAG_PARENT] = a
        who[a, LAG_SIZE] += who[b, LAG_SIZE]
        counts[LAGGED] += 1


@njit(cache=True)
def _have_met(what, pairs, entity, customer):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if what[entity, DEGREE] == 0 or what[entity, LATEST] == customer:  # the usual case, told without touching the pairs
        return what[entity, DEGREE] > 0
    pair = what[entity, NEWEST]
    while pair >= 0:
        if pairs[pair, CUSTOMER] == customer:
            return True
        pair = pairs[pair, NEXT_OF_ENTITY]
    return False


@njit(cache=True)
def _sight(who, what, pairs, since, merges, counts, times, customers, entities, hub):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add all sightings of one instant, degrees first; false where the pairs have no room left for them."""
    at, held = counts[SIGHTED], counts[PAIRS]
    now, end, first = times[at], at, held
    while end < len(times) and times[end] == now:
        end += 1
    counts[NEEDED] = held + (end - at) * entities.shape[1]
    if counts[NEEDED] > len(since):
        return False
    for i in range(at, end):
        customer = customers[i]
        for entity in entities[i]:
            if entity < 0 or customer < 0 or what[entity, DEGREE] > hub or _have_met(what, pairs, entity, customer):
                continue
            since[held], pairs[held, CUSTOMER], pairs[held, ENTITY] = now, customer, entity
            pairs[held, NEXT_OF_ENTITY], what[entity, NEWEST] = what[entity, NEWEST], held
            what[entity, LATEST] = customer
            what[entity, DEGREE] += 1
            held += 1
    for pair in range(first, held):
        customer, older = pairs[pair, CUSTOMER], pairs[pair, NEXT_OF_ENTITY]
        if what[pairs[pair, ENTITY], DEGREE] > hub:
            continue
        pairs[pair, NEXT_OF_CUSTOMER], who[customer, LINKS] = who[customer, LINKS], pair
        if older >= 0:
            _merge(who, merges, counts, customer, pairs[older, CUSTOMER], now)
    counts[PAIRS], counts[SIGHTED] = held, end
    return True


@njit(cache=True)
def _count(who, customer, own, total, amount):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if customer >= 0:
        who[customer, own] += amount
        who[_root(who, PARENT, customer), total] += amount


@njit(cache=True)
def _link_claim(claimed_for, latest, before, claim):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    product = claimed_for[claim]
    if product >= 0:
        before[claim], latest[product] = latest[product], claim


@njit(cache=True)
def _absorb(who, what, pairs, since, merges, counts, rows, latest, before, rules, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Let everything strictly before an instant enter; false where the pairs have no room left."""
    while counts[SIGHTED] < len(rows.seen_at) and rows.seen_at[counts[SIGHTED]] < now:
        if not _sight(who, what, pairs, since, merges, counts, rows.seen_at, rows.seen, rows.seen_with, rules.hub):
            return False
    while counts[CLAIMED] < len(rows.claimed_at) and rows.claimed_at[counts[CLAIMED]] < now:
        _count(who, rows.claimed[counts[CLAIMED]], OWN_CLAIMS, CLAIMS, 1)
        _link_claim(rows.claimed_for, latest, before, counts[CLAIMED])
        counts[CLAIMED] += 1
    while counts[STOOD] < len(rows.stood_at) and rows.stood_at[counts[STOOD]] < now:
        _count(who, rows.stood[counts[STOOD]], OWN_ABUSIVE, ABUSIVE, rows.changed[counts[STOOD]])
        counts[STOOD] += 1
    _lag(who, merges, counts, now - rules.span)
    return True


@njit(cache=True)
def _around(who, what, customer, held, hub, roots):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill ``roots`` with the distinct components that a claim touches; return how many."""
    roots[0] = _root(who, PARENT, customer)
    touched = 1
    for entity in held:
        if entity < 0 or what[entity, DEGREE] == 0 or what[entity, DEGREE] > hub:
            continue
        root = _root(who, PARENT, what[entity, LATEST])
        if not np.any(roots[:touched] == root):
            roots[touched] = root
            touched += 1
    return touched


@njit(cache=True)
def _meet(who, what, pairs, entity, customer, stamp, rules, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add the other customers of one open entity to the neighbours: how many, their weight, the abusive ones, their weight."""
    if what[entity, DEGREE] > rules.hub or what[entity, MARK] == stamp:
        return
    what[entity, MARK] = stamp
    others, abusive, pair = 0, 0, what[entity, NEWEST]
    while pair >= 0:
        other = pairs[pair, CUSTOMER]
        pair = pairs[pair, NEXT_OF_ENTITY]
        if other == customer:
            continue
        others += 1
        abusive += who[other, OWN_ABUSIVE] > 0
        if who[other, MET] != stamp:
            who[other, MET], who[sums[0], FOUND] = stamp, other
            sums[0] += 1
            sums[2] += who[other, OWN_ABUSIVE] > 0
    sums[1] += others * rules.weights[others + 1]
    sums[3] += abusive * rules.weights[others + 1]


@njit(cache=True)
def _neighbours(who, what, pairs, since, customer, held, stamp, rules, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find everyone who shares an open entity with the claim or with its customer."""
    sums[:] = 0
    who[customer, MET] = stamp
    for entity in held:
        if entity >= 0:
            _meet(who, what, pairs, entity, customer, stamp, rules, sums)
    pair, looked, previous = who[customer, LINKS], 0, 0
    while pair >= 0 and (looked < rules.followed or since[pair] == since[previous]):
        _meet(who, what, pairs, pairs[pair, ENTITY], customer, stamp, rules, sums)
        looked, previous, pair = looked + 1, pair, pairs[pair, NEXT_OF_CUSTOMER]


@njit(cache=True)
def _second_ring(who, what, pairs, since, neighbours, stamp, rules):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether a neighbour's neighbour is known to be abusive."""
    for i in range(neighbours):
        pair, looked, previous = who[who[i, FOUND], LINKS], 0, 0
        while pair >= 0 and (looked < rules.followed or since[pair] == since[previous]):
            entity = pairs[pair, ENTITY]
            looked, previous, pair = looked + 1, pair, pairs[pair, NEXT_OF_CUSTOMER]
            if what[entity, DEGREE] > rules.hub or what[entity, MARK] == stamp:
                continue
            what[entity, MARK] = stamp
            theirs = what[entity, NEWEST]
            while theirs >= 0:
                other = pairs[theirs, CUSTOMER]
                if who[other, MET] != stamp and who[other, OWN_ABUSIVE] > 0:
                    return True
                theirs = pairs[theirs, NEXT_OF_ENTITY]
    return False


@njit(cache=True)
def _burst(who, times, claimed, before, claim, asker, since, cap, near, stamp):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Walk back from a product's latest claim: distinct other claimants since an instant, and the strangers among them."""
    held, looked, previous = 0, 0, claim
    while claim >= 0 and times[claim] >= since and (looked < cap or times[claim] == times[previous]):
        customer = claimed[claim]
        if customer >= 0 and customer != asker and who[customer, MET] != stamp:
            who[customer, MET], who[held, FOUND] = stamp, customer
            held += 1
        looked, previous, claim = looked + 1, claim, before[claim]
    strangers = 0
    for i in range(held):
        who[_root(who, PARENT, who[i, FOUND]), SEEN] += 1
    for i in range(held):
        root = _root(who, PARENT, who[i, FOUND])
        strangers += who[root, SEEN] == 1 and not np.any(near == root)
    for i in range(held):
        who[_root(who, PARENT, who[i, FOUND]), SEEN] = 0
    return held, strangers


@njit(cache=True)
def _answer(who, what, pairs, since, counts, rows, latest, before, rules, roots, sums, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Read all measures of one claim off the graph as it stands."""
    probe, stamp = counts[ASKED], counts[STAMP]
    customer, held = rows.asked[probe], rows.asked_with[probe]
    near = roots[: _around(who, what, customer, held, rules.hub, roots)]
    found[:3] = 0
    for root in near:
        for column in range(3):
            found[column] += who[root, SIZE + column]
    found[1] -= who[customer, OWN_CLAIMS]
    found[2] -= who[customer, OWN_ABUSIVE]
    _neighbours(who, what, pairs, since, customer, held, stamp, rules, sums)
    found[3], found[4], found[5], found[6] = sums[0], sums[1] / ONE, sums[2], sums[3] / ONE
    if sums[2] > 0:
        found[7] = 1
    elif found[2] > 0:
        close = sums[0] <= rules.searched and _second_ring(who, what, pairs, since, sums[0], stamp, rules)
        found[7] = 2 if close else 3
    found[8] = found[0] - who[_root(who, LAG_PARENT, customer), LAG_SIZE]
    if rows.asked_for[probe] >= 0:
        begin, claim = rows.asked_at[probe] - rules.span, latest[rows.asked_for[probe]]
        others, strangers = _burst(who, rows.claimed_at, rows.claimed, before, claim, customer, begin, rules.burst_claims, near, stamp + 1)
        found[9] = others
        found[10] = strangers / others if others else np.nan


@njit(cache=True)
def advance(who, what, pairs, since, merges, counts, rows, kept, n_products, rules, horizon, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Answer each claim asked about from everything strictly before it, then let everything before the horizon enter.

    ``kept`` claims at the beginning were counted before and matter for bursts alone. Returns false where the pairs have no
    room for ``counts[NEEDED]``; called again with more room it goes on where it stopped.
    """
    latest, before = np.full(n_products, -1), np.full(len(rows.claimed_at), -1)
    counts[CLAIMED] = max(kept, counts[CLAIMED])
    for claim in range(counts[CLAIMED]):
        _link_claim(rows.claimed_for, latest, before, claim)
    roots, sums = np.empty(1 + rows.asked_with.shape[1], dtype=np.int64), np.zeros(4, dtype=np.int64)
    while counts[ASKED] < len(rows.asked_at):
        if not _absorb(who, what, pairs, since, merges, counts, rows, latest, before, rules, rows.asked_at[counts[ASKED]]):
            return False
        if rows.asked[counts[ASKED]] >= 0:
            counts[STAMP] += 2
            _answer(who, what, pairs, since, counts, rows, latest, before, rules, roots, sums, found[counts[ASKED]])
        counts[ASKED] += 1
    return _absorb(who, what, pairs, since, merges, counts, rows, latest, before, rules, horizon)
