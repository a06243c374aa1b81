"""Which groups of features say most about a claim, and which feature of each says most for it: one pass, compiled."""

# Compiled functions take arrays, which annotations cannot say.
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN202

from __future__ import annotations

import numpy as np
from numba import njit


def strongest(contributions: np.ndarray, group_of: np.ndarray, groups: int, most: int) -> list[tuple[int, float, int]]:
    """Return the strongest groups of one claim, the strongest first; of equals the first.

    Parameters
    ----------
    contributions
        What each feature adds, float64, shape (features,).
    group_of
        The place of each feature's group, intp, shape (features,).
    groups, most
        How many groups there are, and how many are wanted at most.

    Returns
    -------
    list of tuple
        Group, sum of its contributions in the order of the features, and the feature that adds most in the direction of the sum.

    Examples
    --------
    >>> strongest(np.array([0.5, -2.0, 0.25, 0.5]), np.array([0, 1, 1, 0]), 2, most=5)
    [(1, -1.75, 1), (0, 1.0, 0)]
    """
    chosen, sums, features = _strongest(np.ascontiguousarray(contributions, dtype=np.float64), group_of, groups, min(most, groups))
    return list(zip(chosen.tolist(), sums.tolist(), features.tolist(), strict=True))


@njit(cache=True, nogil=True, error_model="numpy")
def _strongest(contributions, group_of, groups, most):
    sums, is_named = np.zeros(groups), np.zeros(groups, dtype=np.bool_)
    for feature in range(len(contributions)):
        sums[group_of[feature]] += contributions[feature]
    chosen, features = np.zeros(most, dtype=np.int64), np.zeros(most, dtype=np.int64)
    for place in range(most):
        group = -1
        for other in range(groups):
            if not is_named[other] and (group < 0 or abs(sums[other]) > abs(sums[group])):
                group = other
        is_named[group], chosen[place] = True, group
        sign, best = 1.0 if sums[group] > 0.0 else -1.0, -1
        for feature in range(len(contributions)):
            if group_of[feature] == group and (best < 0 or sign * contributions[feature] > sign * contributions[best]):
                best = feature
        features[place] = best
    return chosen, sums[chosen], features
