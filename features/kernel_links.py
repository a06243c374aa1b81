"""The measures of links of one claim, compiled: what :mod:`features.links` means, read from the logs of :mod:`features.online_link_logs`.

Nothing is searched further than :mod:`features.links` searches: entities have at most eleven customers written down, of links
the latest 64 are followed, of a burst about 256 claims are looked at. What the arena misses it is asked for, and what does not depend on
that is gone on with: almost every claim is answered after three rounds of loading; a fourth to sixth look for abusive neighbours of
neighbours, where the component holds any.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from features.arena import BEGIN, MISSING, NONE, earlier, look, rows_before
from features.borrowing import borrowing
from features.facts import FeatureError
from features.history import NEVER, Ints
from features.link_growth import ONE
from features.links import GRAPHS
from features.online_link_logs import CLAIMANTS, COMPONENT, LINKED, MEMBERS, OWN, TOTALS, log_of, met_log
from features.spec import ENTITIES

_CUSTOMER, _PRODUCT = ENTITIES.index("customer_id"), ENTITIES.index("product_id")


class Graph(NamedTuple):
    """The logs of a graph, as compiled functions get them.

    Parameters
    ----------
    linked, component, totals, members
        By customer his links and his component; by component its totals and who moved into it.
    met
        (kinds,) by entity of each kind its first customers.
    columns
        (kinds,) which of a claim's identifiers they are.
    bursts
        Whether bursts of claims on a product are measured.
    """

    linked: int
    component: int
    totals: int
    members: int
    met: Ints
    columns: Ints
    bursts: bool

    @classmethod
    def of(cls, graph: str) -> Graph:
        """Name the logs of one of :data:`features.links.GRAPHS`."""
        kinds = GRAPHS[graph][1]
        met = np.array([met_log(graph, kind) for kind in range(len(kinds))], dtype=np.int64)
        columns = np.array([ENTITIES.index(name) for name in kinds], dtype=np.int64)
        linked, component, totals, members = (log_of(graph, log) for log in (LINKED, COMPONENT, TOTALS, MEMBERS))
        return cls(linked, component, totals, members, met, columns, graph == "component")


@njit(cache=True)
def measure_all(pool, graphs, rules, codes, now, done, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Measure graphs for some claims, as far as what is needed is in the arena; the rest is asked for.

    Parameters
    ----------
    pool
        The arena's arrays.
    graphs, rules
        A tuple of :class:`Graph`, and the compiled :class:`features.link_graph.LinkRules`.
    codes
        (claims, identifiers) as codes, −1 where missing.
    now
        (claims,) the instants of filing.
    done
        (claims, graphs) what is measured; changed here.
    found
        (claims, graphs, measures) is filled, in the order of :func:`features.links.names_of`.
    """
    for claim in range(len(now)):
        for place, graph in enumerate(graphs):
            if not done[claim, place]:
                done[claim, place] = measure(pool, graph, rules, codes[claim], now[claim], found[claim, place])


@njit(cache=True)
def measure(pool, graph, rules, codes, now, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Measure a graph for one claim; tell whether everything was there, and only then look at what was found."""
    found[:] = np.nan
    customer, ago = codes[_CUSTOMER], now - rules.span
    if customer < 0:
        return True
    entities, named, missed = _entities(pool, graph, rules, codes, now)
    met, degrees, more = _met(pool, graph, entities, rules.hub, now)
    near, another = _near(pool, graph, customer, met[:named], degrees[:named], now)
    missed = missed | more | another
    own, totals, before = np.zeros(2, dtype=np.int64), np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
    missed |= _add_last(pool, OWN, customer, now, own)
    for root in near:
        missed |= _add_totals(pool, graph, root, now, totals)
    missed |= _add_totals(pool, graph, component_of(pool, graph, customer, ago), ago, before)
    others, shared = _others(met, degrees, customer)
    abusive, more = _abusive_among(pool, others, now)
    missed |= more
    found[:3] = totals
    found[1] -= own[0]
    found[2] -= own[1]
    _weigh(met, degrees, customer, shared, abusive, rules.weights, found)
    found[8] = found[0] - before[0]
    if graph.bursts and codes[_PRODUCT] >= 0:
        missed |= _burst(pool, graph, rules, customer, codes[_PRODUCT], now, near, found)
    if found[5] > 0:
        found[7] = 1
    elif found[2] > 0 and not missed:
        close = np.int64(0)
        if len(others) <= rules.searched:
            close = _second_ring(pool, graph, rules, customer, others, now)
        found[7] = 2 if close == 1 else 3
        missed = close == MISSING
    return not missed


@njit(cache=True)
def latest_rows(pool, log, code, width, now, most, since):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return the columns of about ``most`` latest rows of a log before an instant and not before another, the latest first.

    All of the instant of the last of them are among them. Tells as well whether a page is missing.
    """
    found, count, last = np.empty((8, width - 1), dtype=np.int64), 0, np.int64(NEVER)
    slot = look(pool, log, (code,), now)
    while slot >= 0:
        begin = pool.slots[slot, BEGIN]
        at = begin + width * rows_before(pool, slot, width, now)
        while at > begin and pool.words[at] >= since and (count < most or pool.words[at] == last):
            if count == len(found):
                found = np.concatenate((found, np.empty_like(found)))
            found[count] = pool.words[at + 1 : at + width]
            last, count, at = pool.words[at], count + 1, at - width
        if at > begin or count >= most or pool.words[begin] == 0:  # an instant is never cut by the end of a page
            return found[:count], False
        slot = earlier_page(pool, slot, width)
    return found[:count], slot == MISSING


@njit(cache=True)
def earlier_page(pool, slot, width):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Find the page before a page that is not the first of its log; or :data:`~features.arena.MISSING`."""
    found = earlier(pool, slot, pool.words[pool.slots[slot, BEGIN] + width])
    if found == NONE:
        raise FeatureError("history: expected a page before one that is not the first of its log, found none; fill the store anew")
    return found


@borrowing
def component_of(pool, graph, customer, limit):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return a customer's component before an instant, his own until he moves; or :data:`~features.arena.MISSING`."""
    slot = look(pool, graph.component, (customer,), limit)
    if slot < 0:
        return customer if slot == NONE else slot
    return pool.words[pool.slots[slot, BEGIN] + 2 * rows_before(pool, slot, 2, limit) + 1]


@borrowing
def _add_last(pool, log, code, limit, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add what the last row of a log before an instant says; tell whether it is missing."""
    slot, width = look(pool, log, (code,), limit), 1 + len(sums)
    if slot >= 0:
        row = pool.slots[slot, BEGIN] + width * rows_before(pool, slot, width, limit)
        for column in range(len(sums)):
            sums[column] += pool.words[row + 1 + column]
    return slot == MISSING


@borrowing
def _add_totals(pool, graph, root, limit, sums):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add the customers, claims and abusive claims of a component before an instant; tell whether something is missing."""
    if root == MISSING:
        return True
    held = sums[0]
    missed = _add_last(pool, graph.totals, root, limit, sums)
    if sums[0] == held:  # of whom nothing is written down is alone
        sums[0] += 1
    return missed


@njit(cache=True)
def _entities(pool, graph, rules, codes, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return (entities, 2) kind and code: those that the claim names, and those of its customer's links; how many it names."""
    links, missed = latest_rows(pool, graph.linked, codes[_CUSTOMER], 3, now, rules.followed, NEVER)
    found, count = np.empty((len(graph.columns) + len(links), 2), dtype=np.int64), 0
    for kind in range(len(graph.columns)):
        if codes[graph.columns[kind]] >= 0:
            found[count, 0], found[count, 1] = kind, codes[graph.columns[kind]]
            count += 1
    named = count
    for link in range(len(links)):
        if codes[graph.columns[links[link, 0]]] != links[link, 1]:
            found[count] = links[link]
            count += 1
    return found[:count], named, missed


@njit(cache=True)
def _met(pool, graph, entities, hub, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return (entities, hub) the customers of each entity, and how many: none where there are too many to connect anybody."""
    met, degrees, missed = np.empty((len(entities), hub), dtype=np.int64), np.zeros(len(entities), dtype=np.int64), False
    for entity in range(len(entities)):
        slot = look(pool, graph.met[entities[entity, 0]], (entities[entity, 1],), now)
        missed |= slot == MISSING
        held = rows_before(pool, slot, 2, now) if slot >= 0 else 0
        if held <= hub:
            for row in range(held):
                met[entity, row] = pool.words[pool.slots[slot, BEGIN] + 2 * row + 3]
            degrees[entity] = held
    return met, degrees, missed


@borrowing
def place_of(found, count, wanted):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Return where a number stands among the first few, or how many these are."""
    at = 0
    while at < count and found[at] != wanted:
        at += 1
    return at


@njit(cache=True)
def _near(pool, graph, customer, met, degrees, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the components that a claim touches, each once."""
    near, count, missed = np.empty(1 + len(degrees), dtype=np.int64), 0, False
    for entity in range(-1, len(degrees)):
        if entity >= 0 and degrees[entity] == 0:
            continue
        root = component_of(pool, graph, customer if entity < 0 else met[entity, degrees[entity] - 1], now)
        if root == MISSING:
            missed = True
        elif place_of(near, count, root) == count:
            near[count] = root
            count += 1
    return near[:count], missed


@njit(cache=True)
def _others(met, degrees, customer):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the other customers of some entities, each once, and (entities, hub) where each stands among them."""
    others, places, count = np.empty(degrees.sum(), dtype=np.int64), np.empty_like(met), 0
    for entity in range(len(degrees)):
        for i in range(degrees[entity]):
            if met[entity, i] != customer:
                place = place_of(others, count, met[entity, i])
                others[place], places[entity, i] = met[entity, i], place
                count += place == count
    return others[:count], places


@njit(cache=True)
def _abusive_among(pool, others, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Tell against whom an abusive claim stands."""
    abusive, missed, own = np.zeros(len(others), dtype=np.bool_), False, np.zeros(2, dtype=np.int64)
    for i in range(len(others)):
        own[:] = 0
        missed |= _add_last(pool, OWN, others[i], now, own)
        abusive[i] = own[1] > 0
    return abusive, missed


@borrowing
def _weigh(met, degrees, customer, places, abusive, weights, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count the neighbours and the abusive ones, and weigh each sharing by how few share; one division at the end."""
    weight, weight_abusive = np.int64(0), np.int64(0)
    for entity in range(len(degrees)):
        sharing, bad = 0, 0
        for i in range(degrees[entity]):
            if met[entity, i] != customer:
                sharing += 1
                bad += abusive[places[entity, i]]
        weight += sharing * weights[sharing + 1]
        weight_abusive += bad * weights[sharing + 1]
    found[3], found[4], found[5], found[6] = len(abusive), weight / ONE, abusive.sum(), weight_abusive / ONE


@njit(cache=True)
def _second_ring(pool, graph, rules, customer, others, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Tell whether a neighbour's neighbour is known to be abusive (1, 0, or :data:`~features.arena.MISSING`)."""
    missed = False
    for other in others:
        links, more = latest_rows(pool, graph.linked, other, 3, now, rules.followed, NEVER)
        met, degrees, another = _met(pool, graph, links, rules.hub, now)
        far, _ = _others(met, degrees, customer)
        beyond = np.array([one for one in far if place_of(others, len(others), one) == len(others)], dtype=np.int64)
        abusive, yet_another = _abusive_among(pool, beyond, now)
        if abusive.any():
            return np.int64(1)
        missed |= more | another | yet_another
    return np.int64(MISSING) if missed else np.int64(0)


@njit(cache=True)
def _burst(pool, graph, rules, customer, product, now, near, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count other claimants on a product of late, and the share of strangers: whose component holds no other of them, nor the claim."""
    rows, missed = latest_rows(pool, CLAIMANTS, product, 2, now, rules.burst_claims, now - rules.span)
    claimants, roots, held = np.empty(len(rows), dtype=np.int64), np.empty(len(rows), dtype=np.int64), 0
    for row in range(len(rows)):
        who = rows[row, 0]
        if who >= 0 and who != customer and place_of(claimants, held, who) == held:
            claimants[held], roots[held] = who, component_of(pool, graph, who, now)
            missed |= roots[held] == MISSING
            held += 1
    roots = np.sort(roots[:held])
    strangers = 0
    for i in range(held):
        alone = (i == 0 or roots[i - 1] != roots[i]) and (i == held - 1 or roots[i + 1] != roots[i])
        strangers += alone and place_of(near, len(near), roots[i]) == len(near)
    found[9] = held
    found[10] = strangers / held if held else np.nan
    return missed
