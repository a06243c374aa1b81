"""Automation bias: by how much experts follow the model when they see its opinion, measured where chance hid it.

Because a draw decided who saw what, shown and hidden answers differ in nothing else, and their difference needs no model of the case or
the expert. :mod:`models.consensus` then says how strong the pull is on each single case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Difference:
    """A difference of two shares with its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Bias:
    """What seeing the model's opinion does to answers.

    Parameters
    ----------
    shown, hidden
        Answers given with and without sight of it.
    follow
        By how much more often an answer is the model's call when it is seen, with a 95 % interval.
    err
        By how much more often an answer is wrong, among those whose truth is known; ``None`` without any on either side.
    """

    shown: int
    hidden: int
    follow: Difference
    err: Difference | None


def model_call(proba: np.ndarray, ordinary: np.ndarray) -> np.ndarray:
    """Return what an expert reads out of the model's probabilities: the class that stands highest above an ordinary case.

    >>> model_call(np.array([[0.5, 0.2, 0.3], [0.8, 0.1, 0.1]]), np.array([0.7, 0.2, 0.1])).tolist()
    [2, 0]
    """
    call: np.ndarray = (proba - ordinary).argmax(axis=1)
    return call


def automation_bias(label: np.ndarray, call: np.ndarray, hidden: np.ndarray, truth: np.ndarray | None = None) -> Bias:
    """Measure automation bias on answers whose sight of the model was drawn by lot.

    Parameters
    ----------
    label, call
        What each answer and the model said, as places in ``LABELS``, shape (answers,).
    hidden
        Whether the model's opinion was kept from the expert, shape (answers,).
    truth
        Known class of each answer's case, or -1, shape (answers,).

    Raises
    ------
    ValueError
        If either side has no answers: nothing was drawn, and nothing can be measured.

    Notes
    -----
    Difference of two shares; interval by Newcombe's hybrid score method (*Statistics in Medicine* 17(8), 1998, method 10), which holds
    for small slices.

    Examples
    --------
    >>> label, hidden = np.repeat([2, 2, 0], [60, 20, 20]), np.repeat([False, True], [60, 40])
    >>> found = automation_bias(label, np.full(100, 2), hidden)
    >>> round(found.follow.estimate, 2), found.follow.low > 0.3, found.err
    (0.5, True, None)
    """
    hidden = np.asarray(hidden, dtype=bool)
    if not hidden.any() or hidden.all():
        raise ValueError(
            f"hidden: expected answers with and without sight of the model, found {int(hidden.sum())} of {len(hidden)} without"
        )
    err = None
    if truth is not None:
        known = np.asarray(truth) >= 0
        if (known & hidden).any() and (known & ~hidden).any():
            err = _difference(label[known] != truth[known], hidden[known])
    return Bias(int((~hidden).sum()), int(hidden.sum()), _difference(label == call, hidden), err)


def _difference(happened: np.ndarray, hidden: np.ndarray) -> Difference:
    shown, low_shown, high_shown = _share(happened[~hidden])
    unseen, low_unseen, high_unseen = _share(happened[hidden])
    low = np.hypot(shown - low_shown, high_unseen - unseen)
    high = np.hypot(high_shown - shown, unseen - low_unseen)
    return Difference(shown - unseen, float(shown - unseen - low), float(shown - unseen + high))


def _share(happened: np.ndarray) -> tuple[float, float, float]:
    """Return a share with Wilson's 95 % interval."""
    from scipy.stats import norm  # loaded where it is used: it takes a second, and the endpoint has no need of it to start

    n, share, z = len(happened), float(happened.mean()), float(norm.ppf(0.975))
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return share, float(middle - half), float(middle + half)
