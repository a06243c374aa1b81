"""How a graph of customers grows: the arrays of its state, and what sightings, claims and findings do to them.

Nothing depends on the order of rows of one instant, nor on how customers and entities are numbered, so that any carrier finds
the same numbers. Arrays are changed in place; :mod:`features.link_graph` owns them. They are few and wide: what is known of
one customer stands together in memory.
"""

from __future__ import annotations

from typing import NamedTuple

from features.borrowing import borrowing
from features.history import Ints
from features.prefetch import AHEAD, prefetch

ONE = 1 << 32
"""Fixed point of weights: sums of them are sums of integers, so their order cannot matter."""

WHO, WHAT, PAIR, COUNTS = 12, 4, 4, 9
"""How many columns the arrays below have, and how many running counts there are."""

PARENT, SIZE, CLAIMS, ABUSIVE, OWN_CLAIMS, OWN_ABUSIVE, LINKS, LAG_PARENT, LAG_SIZE, MET, FOUND, SEEN = range(WHO)
"""Columns of ``who``, by customer: component and totals of components, own claims and abusive ones, newest pair, the component
30 days ago, and scratch."""

DEGREE, LATEST, NEWEST, MARK = range(WHAT)
"""Columns of ``what``, by entity: its customers (counted to one above the cap), the latest of them, its newest pair, and scratch."""

CUSTOMER, ENTITY, NEXT_OF_ENTITY, NEXT_OF_CUSTOMER = range(PAIR)
"""Columns of ``pairs`` of customer and entity, in the order they met: both, and the next older pair of either."""

PAIRS, MERGES, LAGGED, STAMP, SIGHTED, CLAIMED, STOOD, ASKED, NEEDED = range(COUNTS)
"""Places of the running counts."""


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


@borrowing
def root_of(who, parent, node):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Find the root of a node's component; ``parent`` is the column that is followed."""
    while who[node, parent] != node:
        who[node, parent] = who[who[node, parent], parent]
        node = who[node, parent]
    return node


@borrowing
def _merge(who, merges, counts, a, b, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Make two components one (union by size, Tarjan 1975) and note when, for the graph that lags behind."""
    a, b = root_of(who, PARENT, a), root_of(who, PARENT, b)
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


@borrowing
def _lag(who, merges, counts, before):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Let the lagging graph catch up with the merges before an instant."""
    while counts[LAGGED] < counts[MERGES] and merges[counts[LAGGED], 0] < before:
        a = root_of(who, LAG_PARENT, merges[counts[LAGGED], 1])
        b = root_of(who, LAG_PARENT, merges[counts[LAGGED], 2])
        if who[a, LAG_SIZE] < who[b, LAG_SIZE]:
            a, b = b, a
        who[b, LAG_PARENT] = a
        who[a, LAG_SIZE] += who[b, LAG_SIZE]
        counts[LAGGED] += 1


@borrowing
def _have_met(what, pairs, entity, customer):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if what[entity, DEGREE] == 0 or what[entity, LATEST] == customer:  # the usual case, told without touching the pairs
        return what[entity, DEGREE] > 0
    pair = what[entity, NEWEST]
    while pair >= 0:
        if pairs[pair, CUSTOMER] == customer:
            return True
        pair = pairs[pair, NEXT_OF_ENTITY]
    return False


@borrowing
def expect(what, pairs, entities, row):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Ask memory for the entities of a row that comes later, and for the newest pairs of those of one half as far ahead."""
    far, near = entities[min(row + AHEAD, len(entities) - 1)], entities[min(row + AHEAD // 2, len(entities) - 1)]
    for entity in far:
        if entity >= 0:
            prefetch(what, entity * WHAT)
    for entity in near:
        if entity >= 0 and what[entity, DEGREE] > 1:
            prefetch(pairs, what[entity, NEWEST] * PAIR)


@borrowing
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
        expect(what, pairs, entities, i)
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


@borrowing
def _count(who, customer, own, total, amount):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    if customer >= 0:
        who[customer, own] += amount
        who[root_of(who, PARENT, customer), total] += amount


@borrowing
def absorb(who, what, pairs, since, merges, counts, rows, latest, rules, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Let everything strictly before an instant enter; false where the pairs have no room left.

    ``latest`` says of each product where its claims end, among those laid side by side; see :mod:`features.link_answers`.
    """
    while counts[SIGHTED] < len(rows.seen_at) and rows.seen_at[counts[SIGHTED]] < now:
        if not _sight(who, what, pairs, since, merges, counts, rows.seen_at, rows.seen, rows.seen_with, rules.hub):
            return False
    while counts[CLAIMED] < len(rows.claimed_at) and rows.claimed_at[counts[CLAIMED]] < now:
        claim = counts[CLAIMED]
        _count(who, rows.claimed[claim], OWN_CLAIMS, CLAIMS, 1)
        if rows.claimed_for[claim] >= 0:
            latest[rows.claimed_for[claim]] += 1
        counts[CLAIMED] += 1
    while counts[STOOD] < len(rows.stood_at) and rows.stood_at[counts[STOOD]] < now:
        _count(who, rows.stood[counts[STOOD]], OWN_ABUSIVE, ABUSIVE, rows.changed[counts[STOOD]])
        counts[STOOD] += 1
    _lag(who, merges, counts, now - rules.span)
    return True
