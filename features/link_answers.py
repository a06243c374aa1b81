"""What is read off a graph of customers for one claim, as it stands just before the filing: the compiled measures of links.

Meaning and order of the measures are those of :mod:`features.links`. The cost of one claim is bounded by the caps of the rules,
whatever the size of the graph: entities have few customers, links are followed up to a number, bursts looked at up to one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

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
    PARENT,
    SEEN,
    SIZE,
    STAMP,
    absorb,
    link_claim,
    root_of,
)

MEASURES = 11
"""Numbers found per claim: columns of the answer."""


@njit(cache=True)
def _among(roots, wanted):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether a component is among a few; without the array that a comparison of arrays would make for every question."""
    at = 0
    while at < len(roots) and roots[at] != wanted:
        at += 1
    return at < len(roots)


@njit(cache=True)
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
            root = root_of(who, PARENT, customer)
            who[customer, MET], who[held, FOUND] = stamp, root
            who[root, SEEN] += 1
            held += 1
        looked, previous, claim = looked + 1, claim, before[claim]
    strangers = 0
    for i in range(held):
        root = who[i, FOUND]
        strangers += who[root, SEEN] == 1 and not _among(near, root)
    for i in range(held):
        who[who[i, FOUND], SEEN] = 0
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
    found[8] = found[0] - who[root_of(who, LAG_PARENT, customer), LAG_SIZE]
    if rows.asked_for[probe] >= 0:
        begin, claim = rows.asked_at[probe] - rules.span, latest[rows.asked_for[probe]]
        others, strangers = _burst(who, rows.claimed_at, rows.claimed, before, claim, customer, begin, rules.burst_claims, near, stamp + 1)
        found[9] = others
        found[10] = strangers / others if others else np.nan


@njit(cache=True, nogil=True)
def advance(who, what, pairs, since, merges, counts, rows, kept, n_products, rules, horizon, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Answer each claim asked about from everything strictly before it, then let everything before the horizon enter.

    ``kept`` claims at the beginning were counted before and matter for bursts alone. Returns false where the pairs have no
    room for ``counts[NEEDED]``; called again with more room it goes on where it stopped.
    """
    latest, before = np.full(n_products, -1), np.full(len(rows.claimed_at), -1)
    counts[CLAIMED] = max(kept, counts[CLAIMED])
    for claim in range(counts[CLAIMED]):
        link_claim(rows.claimed_for, latest, before, claim)
    roots, sums = np.empty(1 + rows.asked_with.shape[1], dtype=np.int64), np.zeros(4, dtype=np.int64)
    while counts[ASKED] < len(rows.asked_at):
        if not absorb(who, what, pairs, since, merges, counts, rows, latest, before, rules, rows.asked_at[counts[ASKED]]):
            return False
        if rows.asked[counts[ASKED]] >= 0:
            counts[STAMP] += 2
            _answer(who, what, pairs, since, counts, rows, latest, before, rules, roots, sums, found[counts[ASKED]])
        counts[ASKED] += 1
    return absorb(who, what, pairs, since, merges, counts, rows, latest, before, rules, horizon)
