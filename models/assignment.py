"""Which expert sees which case: the assignment of greatest value under everybody's capacity, with a proof.

A transport problem: every case goes to one expert or to nobody, every expert takes so many cases. Its optimum comes with prices of
the experts' time, and the prices prove it: no assignment at all can be worth more than they say. Promises that some cases
will not be left waiting (:mod:`models.rolling`) are part of the same problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.assignment_kernel import FAR, Ints, Transport, put_in, standing

UNIT = 1000
"""Values are rounded to thousandths of a cent, so that sums are exact."""

_LARGEST = 1 << 40  # thousandths of a cent: eleven million dollars for one look


@dataclass(frozen=True, eq=False)
class Promises:
    """Cases that must not all be left waiting.

    Parameters
    ----------
    group
        Of each case, shape (cases,): 0 for the most urgent.
    may_wait
        How many cases of group g or more urgent ones may be left, shape (groups,), 0 or more; never falling with g.

    Examples
    --------
    >>> Promises(np.array([0, 1, 1]), np.array([0, 2])).may_wait.tolist()
    [0, 2]
    """

    group: np.ndarray
    may_wait: np.ndarray

    def __post_init__(self) -> None:
        if len(self.may_wait) == 0 or (self.may_wait < 0).any() or (np.diff(self.may_wait) < 0).any():
            raise ValueError(f"may_wait: expected numbers of cases, 0 or more and never falling, found {self.may_wait.tolist()}")
        if len(self.group) and not 0 <= self.group.min() <= self.group.max() < len(self.may_wait):
            raise ValueError(f"group: expected 0 to {len(self.may_wait) - 1}, found {self.group.min()} to {self.group.max()}")


@dataclass(frozen=True, eq=False)
class Assignment:
    """Who sees what, and the proof that nothing better exists.

    Parameters
    ----------
    expert
        Of each case the expert's place, or -1 for nobody, shape (cases,).
    value
        Sum of the values taken, in cents; no lower than any other assignment's that breaks as few promises.
    broken
        Cases left waiting although a promise said otherwise: the least number that the capacity allows.
    prices
        What one more case of an expert's time would be worth, cents, shape (experts,); 0 where there is time left.
    gap
        Upper bound from the prices less what was reached, in cents: 0 by the theory, computed from scratch for every result.

    Notes
    -----
    With values V, room R, prices λ, and w(i) the price of letting case i wait (0 without promises), weak duality bounds every
    assignment by Σᵢ max(maxⱼ(Vᵢⱼ − λⱼ), −w(i)) + Σⱼ λⱼ·Rⱼ + the worth of the promises.
    """

    expert: Ints
    value: float
    broken: int
    prices: np.ndarray
    gap: float


def cases_in(minutes_left: np.ndarray, minutes_per_case: np.ndarray) -> Ints:
    """Return how many whole cases fit into the minutes that experts have left, int64.

    >>> cases_in(np.array([480.0, 20.0]), np.array([30.0, 30.0])).tolist()
    [16, 0]
    """
    room: Ints = np.floor(np.asarray(minutes_left, dtype=np.float64) / minutes_per_case + 1e-9).astype(np.int64)
    return room


def assign(values: np.ndarray, room: Sequence[int] | np.ndarray, promises: Promises | None = None) -> Assignment:
    """Assign cases to experts so that the total value of review is greatest.

    Parameters
    ----------
    values
        Value of review of each case by each expert, cents, shape (cases, experts); NaN or −inf where the expert may not see the case.
        A case nobody reviews is worth 0.
    room
        Cases each expert can still take (:func:`cases_in` for minutes), shape (experts,).
    promises
        Cases that must not be left waiting even where their review is worth less than others', or than nothing.

    Returns
    -------
    Assignment
        The optimum, proven. Which of several equally good ones depends on the order of cases and nothing else.

    Raises
    ------
    ValueError
        If shapes do not fit, a capacity is negative, or a value is beyond eleven million dollars.

    Notes
    -----
    Minimum-cost flow by successive shortest paths (Ahuja, Magnanti & Orlin, *Network Flows*, 1993, §9.7). An expert's cases take
    equal minutes, so value per minute and value per case order an expert's cases alike, and the price of a minute is
    ``prices / minutes``. Several cases tie in value only up to a thousandth of a cent.

    Examples
    --------
    >>> found = assign(np.array([[50.0, 90.0], [70.0, 80.0], [60.0, -5.0]]), [1, 1])
    >>> found.expert.tolist(), found.value, found.prices.tolist(), found.gap
    ([1, 0, -1], 160.0, [60.0, 70.0], 0.0)
    """
    problem = _problem(np.asarray(values, dtype=np.float64), np.asarray(room, dtype=np.int64), promises)
    now = standing(problem)
    put_in(problem, now)
    experts = len(problem.room)
    expert: Ints = np.where(now.place < experts, now.place, -1)
    taken = np.flatnonzero(expert >= 0)
    value, broken = int(problem.values[taken, expert[taken]].sum()), int(now.broken.sum())
    gap = _bound(problem, now.prices) - (value - problem.penalty * broken)
    return Assignment(expert, value / UNIT, broken, now.prices[:experts] / UNIT, gap / UNIT)


def _problem(values: np.ndarray, room: Ints, promises: Promises | None) -> Transport:
    if values.ndim != 2 or room.shape != values.shape[1:] or (room < 0).any():
        raise ValueError(f"room: expected 0 or more cases for each of the experts of values {values.shape}, found {room.tolist()}")
    if promises is not None and len(promises.group) != len(values):
        raise ValueError(f"promises: expected a group for each of {len(values)} cases, found {len(promises.group)}")
    allowed = np.isfinite(values)
    whole = np.rint(np.where(allowed, values, 0.0) * UNIT)
    largest = np.abs(whole).max(initial=0.0)
    if largest >= _LARGEST or np.isposinf(values).any():
        raise ValueError(f"values: expected less than {_LARGEST // UNIT} cents for one look, found {np.nanmax(values)}")
    exact = np.where(allowed, whole.astype(np.int64), -FAR)
    group, may_wait = np.zeros(len(values), dtype=np.int64), np.array([len(values)])
    if promises is not None:
        group, may_wait = np.asarray(promises.group, dtype=np.int64), np.asarray(promises.may_wait)
    # One promise kept is worth more than any chain of moves can lose.
    penalty = (4 * int(largest) + 1) * (values.shape[1] + len(may_wait) + 1)
    return Transport(exact, room, group, np.ascontiguousarray(may_wait, dtype=np.int64), penalty)


def _bound(problem: Transport, prices: Ints) -> int:
    """Return the most that prices allow any assignment to be worth: weak duality, in whole numbers."""
    experts = len(problem.room)
    waits = np.append(prices[experts:], 0)
    best = -waits[problem.group]
    for place in range(experts):
        allowed = problem.values[:, place] > -FAR
        best = np.where(allowed, np.maximum(best, problem.values[:, place] - prices[place]), best)
    chained = np.maximum(0, waits[:-1] - waits[1:]) * problem.may_wait
    return int(best.sum() + (prices[:experts] * problem.room).sum() + chained.sum())
