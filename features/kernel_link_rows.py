"""The rows that one claim adds to the logs of links, compiled: what :mod:`features.online_link_logs` does for many events, for one.

Rows are noted, not laid (:mod:`features.arena_rows`), and only the arena is read: where something is missing nothing has happened, and
noting them is begun anew once it was loaded.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from features.arena import BEGIN, LENGTH, MISSING, look
from features.arena_rows import cell, row
from features.kernel_links import component_of, earlier_page, place_of
from features.online_link_logs import CLAIMANTS, OWN
from features.pages import END, RAW, SUM
from features.spec import ENTITIES

_CUSTOMER, _PRODUCT = ENTITIES.index("customer_id"), ENTITIES.index("product_id")


@njit(cache=True)
def note_all(pool, added, graphs, hub, codes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Note the rows that a claim adds to the logs of links: who claimed what, whom entities had met, and what becomes of components.

    Parameters
    ----------
    pool, added
        The arena's arrays, and the rows noted so far.
    graphs
        A tuple of :class:`features.kernel_links.Graph`.
    hub
        With more customers an entity connects nobody.
    codes
        (identifiers,) of the claim, −1 where missing.

    Returns
    -------
    bool
        Whether everything was there.
    """
    whole = True
    for graph in graphs:
        whole &= _note_links(pool, added, graph, hub, codes)
    _note_people(pool, added, codes)
    return whole


@njit(cache=True)
def _note_links(pool, added, graph, hub, codes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Note whom the entities of a claim had met, and what becomes of its customer's component; tell whether everything was there."""
    customer, missed = codes[_CUSTOMER], False
    if customer < 0:
        return True
    others, count = np.empty(len(graph.columns), dtype=np.int64), 0
    for kind in range(len(graph.columns)):
        code = codes[graph.columns[kind]]
        if code < 0:
            continue
        slot = look(pool, graph.met[kind], (code,), END)
        missed |= slot == MISSING
        begin, held = (pool.slots[slot, BEGIN], pool.slots[slot, LENGTH] // 2 - 1) if slot >= 0 else (0, 0)
        met = pool.words[begin + 3 : begin + 2 * held + 2 : 2]
        if held > hub or place_of(met, held, customer) < held:
            continue
        row(pool, added, graph.met[kind], (code,))
        cell(added, RAW, customer)
        if held < hub:
            row(pool, added, graph.linked, (customer,))
            cell(added, RAW, kind)
            cell(added, RAW, code)
            if held > 0:
                others[count] = met[held - 1]
                count += 1
    return _note_components(pool, added, graph, customer, others[:count]) and not missed


@njit(cache=True)
def _note_components(pool, added, graph, customer, others):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Note merges one after the other, the totals after each meeting, and the claim; tell whether everything was there.

    ``parts`` are the components touched, the customer's first; of each merge the smaller one's members move into the larger. Where
    nothing merges, meetings change no totals.
    """
    parts, totals, of, found = _parts(pool, graph, customer, others)
    if not found:
        return False
    whole, parent = True, np.arange(len(parts))
    moved, count = np.empty((8, 2), dtype=np.int64), 0
    for event in range(0 if len(parts) > 1 else len(others), len(others) + 1):
        one, other = _root(parent, of[0]), _root(parent, of[event + 1] if event < len(others) else of[0])
        if one != other:
            if totals[one, 0] < totals[other, 0]:
                one, other = other, one
            parent[other] = one
            totals[one] += totals[other]
            moved, count, there = _move(pool, added, graph, parts[other], parts[one], moved, count)
            whole &= there
        totals[one, 1] += event == len(others)
        row(pool, added, graph.totals, (parts[one],))
        for column in range(3):
            cell(added, RAW, totals[one, column])
    return whole


@njit(cache=True)
def _root(parent, part):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    while parent[part] != part:
        part = parent[part]
    return part


@njit(cache=True)
def _parts(pool, graph, customer, others):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the components of a customer and of others, each once, their totals, which is whose, and whether everything was there."""
    parts, of, count = np.empty(1 + len(others), dtype=np.int64), np.empty(1 + len(others), dtype=np.int64), 0
    totals, found = np.empty((1 + len(others), 3), dtype=np.int64), True
    for i in range(1 + len(others)):
        root = component_of(pool, graph, customer if i == 0 else others[i - 1], END)
        if root == MISSING:
            found = False
            continue
        of[i] = place_of(parts, count, root)
        if of[i] < count:
            continue
        slot = look(pool, graph.totals, (root,), END)
        found &= slot != MISSING
        parts[count], totals[count] = root, np.array([1, 0, 0])
        if slot >= 0:
            end = pool.slots[slot, BEGIN] + pool.slots[slot, LENGTH]
            totals[count] = pool.words[end - 3 : end]
        count += 1
    return parts[:count], totals, of, found


@njit(cache=True)
def _move(pool, added, graph, lost, won, moved, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Note that the members of a component move into another: its founder, whose name it has, and those who moved in before.

    ``moved`` are (customer, component) that this claim moved already. Returns them, how many there are, and whether everything was there.
    """
    members, found = _members(pool, graph, lost)
    here = [moved[i, 0] for i in range(count) if moved[i, 1] == lost]
    for member in range(len(members) + len(here)):
        who = members[member] if member < len(members) else here[member - len(members)]
        row(pool, added, graph.component, (who,))
        cell(added, RAW, won)
        row(pool, added, graph.members, (won,))
        cell(added, RAW, who)
        if count == len(moved):
            moved = np.concatenate((moved, np.empty_like(moved)))
        moved[count, 0], moved[count, 1] = who, won
        count += 1
    return moved, count, found


@njit(cache=True)
def _members(pool, graph, component):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the founder of a component and those who moved in, in this order, and whether everything was there."""
    slot = look(pool, graph.members, (component,), END)
    end = np.int64(0)
    if slot >= 0:
        end = pool.words[pool.slots[slot, BEGIN]] + pool.slots[slot, LENGTH] // 2 - 1
    members = np.full(1 + end, component)
    while slot >= 0:
        begin, held = pool.slots[slot, BEGIN], pool.slots[slot, LENGTH] // 2 - 1
        for at in range(held):
            members[end - held + 1 + at] = pool.words[begin + 2 * at + 3]
        end -= held
        if pool.words[begin] == 0:
            break
        slot = earlier_page(pool, slot, 2)
    return members, slot != MISSING


@njit(cache=True)
def _note_people(pool, added, codes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Note who claimed, and on what."""
    if codes[_CUSTOMER] >= 0:
        row(pool, added, OWN, (codes[_CUSTOMER],))
        cell(added, SUM, 1)
        cell(added, SUM, 0)
    if codes[_PRODUCT] >= 0:
        row(pool, added, CLAIMANTS, (codes[_PRODUCT],))
        cell(added, RAW, codes[_CUSTOMER])
