"""Successive shortest paths for a transport problem with many cases and few places, in whole numbers.

The cases are put in one after the other. A case that finds its best place full pushes another case on, along the chain of moves
that loses least; because all moves run between *places* (experts, and queues in which a case may wait), a path is found among a few
dozen nodes, however many cases there are. Whole numbers, so that the prices which prove optimality add up exactly.
:mod:`models.assignment` owns what places mean.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int64]

FAR = 1 << 60
"""Further than any path: values and penalties stay below 2⁵⁰."""


class Transport(NamedTuple):
    """The problem as the kernel reads it.

    Parameters
    ----------
    values
        (cases, experts) what each pair is worth; ``-FAR`` where barred.
    room
        (experts,) how many cases each takes.
    group
        (cases,) in which queue a case waits when nobody takes it.
    may_wait
        (queues,) how many may be left waiting in this queue and those before it together; at least as many as there are cases where
        all may.
    penalty
        What leaving one more than that is made to cost.
    """

    values: Ints
    room: Ints
    group: Ints
    may_wait: Ints
    penalty: int


class Standing(NamedTuple):
    """What changes while cases are put in; places are experts first, then queues.

    Parameters
    ----------
    place, slot
        (cases,) where a case is, and where it stands in that place's list.
    members, held
        (places, cases) the lists, and (places,) their lengths.
    prices
        (places,) what a place costs whoever wants it, 0 or more.
    waiting, broken
        (queues,) cases waiting in a queue and those before it within the limit; cases left beyond it.
    moves, movers, stale
        (places, places) the least loss of moving a case from one place to another and which case that is; (places,) whether
        a row must be found anew.
    """

    place: Ints
    slot: Ints
    members: Ints
    held: Ints
    prices: Ints
    waiting: Ints
    broken: Ints
    moves: Ints
    movers: Ints
    stale: npt.NDArray[np.bool_]


def standing(transport: Transport) -> Standing:
    """Return the state before any case is put in."""
    cases, experts = transport.values.shape
    queues = len(transport.may_wait)
    places = experts + queues
    whole = {name: np.zeros(places, dtype=np.int64) for name in ("held", "prices")}
    empty = np.zeros((places, cases), dtype=np.int64)
    square = np.zeros((places, places), dtype=np.int64)
    lists = (np.full(cases, -1, dtype=np.int64), np.zeros(cases, dtype=np.int64), empty)
    ends = (np.zeros(queues, dtype=np.int64), np.zeros(queues, dtype=np.int64))
    return Standing(*lists, whole["held"], whole["prices"], *ends, square, square.copy(), np.ones(places, dtype=np.bool_))


@njit(cache=True)
def _join(now, case, place):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    now.place[case], now.slot[case] = place, now.held[place]
    now.members[place, now.held[place]] = case
    now.held[place] += 1
    now.stale[place] = True


@njit(cache=True)
def _leave(now, case):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    place, slot = now.place[case], now.slot[case]
    now.held[place] -= 1
    last = now.members[place, now.held[place]]
    now.members[place, slot], now.slot[last] = last, slot
    now.stale[place] = True


@njit(cache=True)
def _weigh(problem, now, place):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find, for one place, the cheapest case to move to every other."""
    experts = len(problem.room)
    row, who = now.moves[place], now.movers[place]
    row[:] = FAR
    for at in range(now.held[place]):
        case = now.members[place, at]
        worth = problem.values[case, place] if place < experts else 0
        for other in range(experts):
            loss = worth - problem.values[case, other]
            if loss < row[other]:
                row[other], who[other] = loss, case
        queue = experts + problem.group[case]
        if worth < row[queue]:
            row[queue], who[queue] = worth, case
    row[place] = FAR
    now.stale[place] = False


@njit(cache=True)
def _relax(problem, now, place, far, came, mover):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Reach on from a place: by moving one of its cases, and between neighbouring queues."""
    experts, places = len(problem.room), len(now.prices)
    if now.stale[place]:
        _weigh(problem, now, place)
    here = far[place] - now.prices[place]
    for other in range(places):
        if now.moves[place, other] < FAR // 2:
            loss = here + now.moves[place, other] + now.prices[other]
            if loss < far[other]:
                far[other], came[other], mover[other] = loss, place, now.movers[place, other]
    queue = place - experts
    for other in (place + 1, place - 1):
        if queue < 0 or other < experts or other >= places:
            continue
        open_ = now.waiting[queue] < problem.may_wait[queue] if other > place else now.waiting[queue - 1] > 0
        if open_ and here + now.prices[other] < far[other]:
            far[other], came[other], mover[other] = here + now.prices[other], place, -1


@njit(cache=True)
def _end(problem, now, place):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return what it costs to end a path at a place (nothing where there is room), its price taken off."""
    experts, last = len(problem.room), len(now.prices) - 1
    if place < experts:
        return 0 if now.held[place] < problem.room[place] else FAR
    if place == last and now.waiting[-1] < problem.may_wait[-1]:
        return -now.prices[place]
    return problem.penalty - now.prices[place]


@njit(cache=True)
def _search(problem, now, case, far, came, mover, done):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find the cheapest chain of moves that makes room for a case (Dijkstra on reduced losses); return where it ends and its length."""
    experts, places = len(problem.room), len(now.prices)
    done[:], came[:], mover[:], far[:] = False, -1, -1, FAR
    for place in range(experts):
        if problem.values[case, place] > -FAR:
            far[place] = now.prices[place] - problem.values[case, place]
    queue = experts + problem.group[case]
    far[queue] = now.prices[queue]
    end, length = -1, FAR
    while True:
        near = -1
        for place in range(places):
            if not done[place] and far[place] < length and (near < 0 or far[place] < far[near]):
                near = place
        if near < 0:
            return end, length
        done[near] = True
        closing = _end(problem, now, near)
        if closing < FAR and far[near] + closing < length:
            end, length = near, far[near] + closing
        if far[near] < length:
            _relax(problem, now, near, far, came, mover)


@njit(cache=True)
def _shift(problem, now, case, end, came, mover):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Carry out a chain of moves from its end back to the new case."""
    experts, last = len(problem.room), len(now.prices) - 1
    if end == last and now.waiting[-1] < problem.may_wait[-1]:
        now.waiting[-1] += 1
    elif end >= experts:
        now.broken[end - experts] += 1
    place = end
    while came[place] >= 0:
        before = came[place]
        if mover[place] >= 0:
            _leave(now, mover[place])
            _join(now, mover[place], place)
        elif before < place:
            now.waiting[before - experts] += 1
        else:
            now.waiting[place - experts] -= 1
        place = before
    _join(now, case, place)


@njit(cache=True)
def put_in(problem, now):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Put all cases in, in their order, each along the path that loses least; ``now`` is changed in place."""
    places = len(now.prices)
    far, came, mover = np.empty(places, np.int64), np.empty(places, np.int64), np.empty(places, np.int64)
    done = np.empty(places, np.bool_)
    for case in range(len(problem.group)):
        end, length = _search(problem, now, case, far, came, mover, done)
        for place in range(places):
            if far[place] < length:
                now.prices[place] += length - far[place]
        _shift(problem, now, case, end, came, mover)
