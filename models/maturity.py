"""How much of a recent cohort's labels is already known: the distribution of delays, from labels that have arrived.

A claim filed last week can only have a label that came within a week. Short delays are therefore over-represented among the labels of
recent claims, and what takes long (an investigation of a large claim) is missing. Delays are *right-truncated*: one is seen only if it
is shorter than the claim's age. Time run backwards turns this into the left truncation that Kaplan and Meier's estimator allows.

References
----------
Lagakos, Barraj & De Gruttola, Nonparametric analysis of truncated survival data, Biometrika 75, 1988. Kalbfleisch & Lawless, JASA 84, 1989.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Delays:
    """The distribution of a delay, conditional on not exceeding the longest one seen.

    Parameters
    ----------
    days
        Distinct delays, rising.
    share
        Share of delays that are at most so long, non-decreasing, 1 at the end.
    """

    days: np.ndarray
    share: np.ndarray

    def within(self, age_days: np.ndarray) -> np.ndarray:
        """Return the chance that a label of this age is known by now, shape of ``age_days``; 0 before the shortest delay."""
        place = np.searchsorted(self.days, np.asarray(age_days, dtype=np.float64), side="right")
        chance: np.ndarray = np.concatenate([[0.0], self.share])[place]
        return chance


def estimate_delays(delay_days: np.ndarray, age_days: np.ndarray) -> Delays:
    """Estimate the distribution of delays from labels that have arrived.

    Parameters
    ----------
    delay_days
        Time from filing to the label, of labels that are known, shape (labels,).
    age_days
        Time from filing to now, of the same claims, at least as long, shape (labels,).

    Raises
    ------
    ValueError
        If there is no label, or a delay exceeds its age.

    Notes
    -----
    F(d) = Π_{d_j > d} (1 − n_j / N_j), n_j being the labels with delay d_j and N_j those with a delay of at most d_j among claims at least
    d_j old. Assumed: the delay depends neither on the class nor on the time of filing, and the longest delay seen is the longest there is.

    Examples
    --------
    Two labels of old claims took 1 and 9 days; two claims filed three days ago have labels after 1 day. Counting labels would say that
    three in four take a day; half of the old ones did.

    >>> found = estimate_delays(np.array([1.0, 9.0, 1.0, 1.0]), np.array([50.0, 50.0, 3.0, 3.0]))
    >>> found.within(np.array([0.5, 3.0, 9.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    delay, age = np.asarray(delay_days, dtype=np.float64), np.asarray(age_days, dtype=np.float64)
    if not len(delay) or (delay > age).any():
        raise ValueError(
            f"delays: expected labels that are known by now, found {len(delay)} of which {int((delay > age).sum())} come later"
        )
    days, count = np.unique(delay, return_counts=True)
    # At risk when time runs backwards: delays up to d_j, less those whose claim is too young to show a delay of d_j.
    at_most = np.cumsum(count)
    too_young = np.searchsorted(np.sort(age), days, side="left")
    kept = 1.0 - count / (at_most - too_young)
    # From the end: the product over all longer delays.
    share = np.concatenate([np.cumprod(kept[::-1])[::-1][1:], [1.0]])
    return Delays(days, share)
