"""What is read off a graph of customers for one claim, as it stands just before the filing: the compiled measures of links.

Meaning and order of the measures are those of :mod:`features.links`. The cost of one claim is bounded by the caps of the rules,
whatever the size of the graph: entities have few customers, links are followed up to a number, bursts looked at up to one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from features.borrowing import borrowing
from features.link_growth import (
    ASKED,
    CLAIMED,
    CUSTOMER,
    DEGREE,
    ENTITY,
    FOUND,
    LAG_PARENT,
    LAG_SIZE,
    LATEST,
    LINKS,
    MARK,
    MET,
    NEWEST,
    NEXT_OF_CUSTOMER,
    NEXT_OF_ENTITY,
    ONE,
    OWN_ABUSIVE,
    OWN_CLAIMS,
    PAIR,
    PARENT,
    SEEN,
    SIZE,
    STAMP,
    WHAT,
    WHO,
    absorb,
    expect,
    root_of,
)
from features.prefetch import AHEAD, prefetch

MEASURES = 11
"""Numbers found per claim: columns of the answer."""


@borrowing
def _among(roots, wanted):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether a component is among a few."""
    at = 0
    while at < len(roots) and roots[at] != wanted:
        at += 1
    return at < len(roots)


@borrowing
def _around(who, what, customer, held, hub, roots):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill ``roots`` with the distinct components that a claim touches; return how many."""
    roots[0] = root_of(who, PARENT, customer)
    touched = 1
    for entity in held:
        if entity < 0 or what[entity, DEGREE] == 0 or what[entity, DEGREE] > hub:
            continue
        root = root_of(who, PARENT, what[entity, LATEST])
        if not _among(roots[:touched], root):
            roots[touched] = root
            touched += 1
    return touched


@borrowing
def _meet(who, what, pairs, entity, customer, stamp, rules, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add the other customers of one open entity to the neighbours: how many, their weight, the abusive ones, their weight."""
    if what[entity, DEGREE] > rules.hub or what[entity, MARK] == stamp:
        return
    what[entity, MARK] = stamp
    if what[entity, DEGREE] == 1 and what[entity, LATEST] == customer:  # the usual case, told without touching the pairs
        return
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


@borrowing
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


@borrowing
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


@borrowing
def _burst(who, told, told_by, begin, end, asker, since, cap, near, stamp):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Walk back over a product's claims: distinct other claimants since an instant, and the strangers among them.

    A component is marked by ``stamp`` while one claimant of it was met, by ``stamp + 1`` once another was, or if it is the claim's own.
    """
    others, strangers, claim = 0, 0, end - 1
    for root in near:
        who[root, SEEN] = stamp + 1
    while claim >= begin and told[claim] >= since and (end - 1 - claim < cap or told[claim] == told[claim + 1]):
        if claim >= AHEAD:
            prefetch(who, told_by[claim - AHEAD] * WHO)
        customer, claim = told_by[claim], claim - 1
        if customer < 0 or customer == asker or who[customer, MET] == stamp:
            continue
        who[customer, MET] = stamp
        others += 1
        root = root_of(who, PARENT, customer)
        if who[root, SEEN] < stamp:
            who[root, SEEN] = stamp
            strangers += 1
        elif who[root, SEEN] == stamp:
            who[root, SEEN] = stamp + 1
            strangers -= 1
    return others, strangers


@borrowing
def _answer(who, what, pairs, since, counts, rows, products, latest, rules, roots, sums, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
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
    found[8] = found[0] - who[root_of(who, LAG_PARENT, customer), LAG_SIZE]
    if rows.asked_for[probe] >= 0:
        starts, told, told_by = products
        product, begin = rows.asked_for[probe], rows.asked_at[probe] - rules.span
        first, end, cap = starts[product], latest[product], rules.burst_claims
        others, strangers = _burst(who, told, told_by, first, end, customer, begin, cap, near, stamp + 1)
        found[9] = others
        found[10] = strangers / others if others else np.nan


@borrowing
def _expect(who, what, pairs, rows, probe):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Ask memory for what later claims will look at: customer and entities first, then what these point to."""
    last = len(rows.asked) - 1
    far, near = rows.asked[min(probe + AHEAD, last)], rows.asked[min(probe + AHEAD // 2, last)]
    nearer = rows.asked[min(probe + AHEAD // 4, last)]
    expect(what, pairs, rows.asked_with, probe)
    if far >= 0:
        prefetch(who, far * WHO)
    if near >= 0 and who[near, LINKS] >= 0:
        prefetch(pairs, who[near, LINKS] * PAIR)
    if nearer >= 0 and who[nearer, LINKS] >= 0:
        prefetch(what, pairs[who[nearer, LINKS], ENTITY] * WHAT)


@njit(cache=True, nogil=True)
def _by_product(rows, n_products):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Lay the claims of each product side by side in order of time: where each product begins, when they were filed, by whom."""
    starts = np.zeros(n_products + 1, dtype=np.int64)
    for product in rows.claimed_for:
        if product >= 0:
            starts[product + 1] += 1
    starts = np.cumsum(starts)
    free, told, told_by = starts[:-1].copy(), np.empty(starts[-1], dtype=np.int64), np.empty(starts[-1], dtype=np.int32)
    for claim in range(len(rows.claimed_for)):
        product = rows.claimed_for[claim]
        if product >= 0:
            told[free[product]], told_by[free[product]] = rows.claimed_at[claim], rows.claimed[claim]
            free[product] += 1
    return starts, told, told_by


@njit(cache=True, nogil=True)
def advance(who, what, pairs, since, merges, counts, rows, kept, n_products, rules, horizon, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Answer each claim asked about from everything strictly before it, then let everything before the horizon enter.

    ``kept`` claims at the beginning were counted before and matter for bursts alone. Returns false where the pairs have no
    room for ``counts[NEEDED]``; called again with more room it goes on where it stopped.
    """
    products = _by_product(rows, n_products)
    latest, roots, sums = products[0][:-1].copy(), np.empty(1 + rows.asked_with.shape[1], dtype=np.int64), np.zeros(4, dtype=np.int64)
    return _advance(who, what, pairs, since, merges, counts, rows, kept, products, latest, roots, sums, rules, horizon, found)


@borrowing
def _advance(who, what, pairs, since, merges, counts, rows, kept, products, latest, roots, sums, rules, horizon, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Do it with ``products`` as :func:`_by_product` lays them out, and room: ``latest`` by product, ``roots`` and ``sums`` for a claim."""
    counts[CLAIMED] = max(kept, counts[CLAIMED])
    for product in rows.claimed_for[: counts[CLAIMED]]:
        if product >= 0:
            latest[product] += 1
    while counts[ASKED] < len(rows.asked_at):
        if not absorb(who, what, pairs, since, merges, counts, rows, latest, rules, rows.asked_at[counts[ASKED]]):
            return False
        _expect(who, what, pairs, rows, counts[ASKED])
        if rows.asked[counts[ASKED]] >= 0:
            counts[STAMP] += 2
            _answer(who, what, pairs, since, counts, rows, products, latest, rules, roots, sums, found[counts[ASKED]])
        counts[ASKED] += 1
    return absorb(who, what, pairs, since, merges, counts, rows, latest, rules, horizon)
