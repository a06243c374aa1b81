"""Whether a second expert should look at a case that a first has answered: only where that is worth more than it costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from data_contracts import LABELS
from models.costs import expected_costs
from models.experts import after_answer
from models.looks import Look, look_values


def second_opinion_values(looks: Sequence[Look], proba: np.ndarray, costs: np.ndarray, expert: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return what a second opinion by each expert is worth once a first has answered.

    Parameters
    ----------
    looks
        One per expert: price and confusion, (3, 3) or per case.
    proba
        Probabilities before the first answer, shape (cases, 3).
    costs
        The cost table, shape (cases, 4, 3), cents.
    expert, label
        Who answered each case, and what, as a place in ``LABELS``, shape (cases,).

    Returns
    -------
    ndarray
        Cents, shape (cases, experts); −inf for the expert who answered already. Fit for :func:`models.assignment.assign`.

    Notes
    -----
    The value of review with the probabilities after the first answer. Both are taken to err independently given the truth; where a case is
    hard for everybody a second opinion is worth less than this says.

    Examples
    --------
    A finding that leaves much in doubt is worth checking; one that settles the case is not.

    >>> from models.costs import cost_matrix
    >>> from models.policy import default_policy
    >>> costs = cost_matrix(default_policy(), np.array([250_000]), np.array([True]))
    >>> unsure, sure = np.array([[0.6, 0.2, 0.2], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]]), np.eye(3)
    >>> proba = np.array([[0.5, 0.1, 0.4]])
    >>> second_opinion_values([Look(6_300, unsure), Look(6_300, sure)], proba, costs, np.array([0]), np.array([2]))[0, 1] > 0
    np.True_
    >>> second_opinion_values([Look(6_300, unsure), Look(6_300, sure)], proba, costs, np.array([1]), np.array([2])).tolist()
    [[-6300.0, -inf]]
    """
    after = np.array(proba, dtype=np.float64)
    for who, look in enumerate(looks):
        rows = np.flatnonzero(expert == who)
        confusion = look.confusion if look.confusion.ndim == 2 else look.confusion[rows]
        after[rows] = after_answer(after[rows], np.array(LABELS)[label[rows]], confusion)
    values = look_values(looks, after, costs, expected_costs(after, costs).min(axis=1))
    values[np.arange(len(after)), expert] = -np.inf
    return values
