"""Assignment day by day while cases keep arriving: by value as long as every deadline can still be kept, and no longer.

Value alone would let a cheap case wait until its deadline has passed. Deadlines alone would waste the best experts on cases that
could have waited. Here each day's assignment is the most valuable among those that leave no more cases waiting than the days to come
can still serve.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.assignment import Assignment, Promises, assign


def promises(due_in_days: np.ndarray, later_room: Sequence[int] | np.ndarray) -> Promises:
    """Return how many cases may wait until tomorrow if every deadline is to be kept.

    Parameters
    ----------
    due_in_days
        Of each case, days until its deadline, shape (cases,): 0 if today is the last day on which it can be looked at. What is overdue
        counts as due today.
    later_room
        Cases that all experts together can look at tomorrow, the day after and so on, shape (days,). Beyond these days nothing is promised.

    Returns
    -------
    Promises
        Group d holds the cases due in d days; the last group those due later than all days given.

    Notes
    -----
    Of cases due within d days no more may be left than days 1 to d have room for (Horn 1974: cases of one length and one kind of
    room meet all deadlines if and only if that holds for every d).

    Examples
    --------
    >>> found = promises(np.array([0, 2, 9]), [1, 1])
    >>> found.group.tolist(), found.may_wait.tolist()
    ([0, 2, 3], [0, 1, 2, 3])
    """
    room = np.asarray(later_room, dtype=np.int64)
    if (room < 0).any():
        raise ValueError(f"later_room: expected 0 or more cases a day, found {room.tolist()}")
    days, cases = len(room), len(due_in_days)
    group = np.clip(np.asarray(due_in_days, dtype=np.int64), 0, days + 1)
    upto = np.concatenate(([0], np.cumsum(room)))
    return Promises(group, np.append(upto, max(cases, int(upto[-1]))))


def assign_today(
    values: np.ndarray,
    room: Sequence[int] | np.ndarray,
    due_in_days: np.ndarray,
    later_room: Sequence[int] | np.ndarray,
) -> Assignment:
    """Assign the cases that wait today, so that none need miss its deadline for want of foresight.

    Parameters
    ----------
    values
        As in :func:`models.assignment.assign`, shape (cases, experts).
    room
        Cases each expert takes today, shape (experts,).
    due_in_days, later_room
        As in :func:`promises`. What later days are thought to bring may be planned low, so that an absence breaks nothing.

    Returns
    -------
    Assignment
        ``broken`` counts deadlines that will be missed whatever is done.

    Notes
    -----
    *No starvation.* Let every case have the same time from arrival to deadline, every expert be allowed every case, every look be worth
    something, and days bring the room that was planned. Then cases are missed only if every other order of work would miss some as
    well. For such deadlines a later arrival is never more urgent than a case that waits; today's promises keep the waiting cases
    feasible among themselves; and with the later arrivals they are feasible exactly when as many cases in order of deadlines would
    be, because no order of work looks at more cases a day than one that never idles.

    Examples
    --------
    A cheap case due today goes before a dear one due tomorrow; with a day more it waits.

    >>> values = np.array([[10.0], [99.0]])
    >>> assign_today(values, [1], np.array([0, 1]), [1]).expert.tolist()
    [0, -1]
    >>> assign_today(values, [1], np.array([1, 1]), [1]).expert.tolist()
    [-1, 0]
    """
    return assign(values, room, promises(due_in_days, later_room))
