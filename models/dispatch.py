"""Who looks at which waiting case on a morning: what experts are known to be, prices and deadlines brought together into one assignment.

Also whether what was answered is worth another look. Values come from :mod:`models.looks` with each expert's own learned errors, the
optimum from :mod:`models.rolling`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from models.assignment import Assignment
from models.costs import cost_matrix, expected_costs
from models.experts import after_answer, tier_confusion, with_confusions
from models.known_experts import KnownExperts
from models.looks import Look, look_values
from models.policy import Policy, Tier
from models.rings import RingFile, ring_files
from models.rolling import assign_today
from models.second_opinion import second_opinion_values

_DAY_US = 86_400_000_000
_SEEN, _WORKDAYS = 28, 20
"""Answers of so many days tell an expert's pace, and so many working days are in them."""


@dataclass(frozen=True, eq=False)
class Open:
    """Cases whose looks are to be priced; every array is by case.

    Parameters
    ----------
    proba
        Probabilities as decided, shape (cases, 3).
    costs
        The cost table, shape (cases, 4, 3), cents.
    automatic
        Expected cost of what happens without a look, cents, shape (cases,).
    hidden
        Whether the model's opinion is hidden from experts, shape (cases,).
    """

    proba: np.ndarray
    costs: np.ndarray
    automatic: np.ndarray
    hidden: np.ndarray

    @classmethod
    def of(cls, policy: Policy, proba: np.ndarray, amount_cents: np.ndarray, insured: np.ndarray, hidden: np.ndarray) -> Open:
        """Price cases as the policy does."""
        costs = cost_matrix(policy, amount_cents, insured)
        return cls(proba, costs, expected_costs(proba, costs).min(axis=1), np.asarray(hidden, dtype=bool))

    def after(self, found: Sequence[tuple[int, str]], confusion: np.ndarray) -> Open:
        """Return the cases with findings of earlier experts worked in: (place of the case, label) each."""
        proba = np.array(self.proba)
        for place, label in found:
            proba[place] = after_answer(proba[[place]], np.array([label]), confusion)[0]
        return replace(self, proba=proba, automatic=expected_costs(proba, self.costs).min(axis=1))


def paces(answers: pd.DataFrame, names: Sequence[str], now: int) -> np.ndarray:
    """Return how many cases each expert answers on a working day, whole cases, shape (experts,).

    Parameters
    ----------
    answers
        ``expert`` and ``answered_at`` (microseconds UTC).
    names
        The experts.
    now
        The present instant, microseconds UTC.

    Examples
    --------
    >>> said = pd.DataFrame({"expert": ["ann"] * 40, "answered_at": range(40)})
    >>> paces(said, ["ann", "bob"], 50).tolist(), paces(said, ["ann"], 50 + 28 * 86_400_000_000).tolist()
    ([2, 0], [0])
    """
    lately = answers.loc[(answers["answered_at"] > now - _SEEN * _DAY_US) & (answers["answered_at"] <= now), "expert"]
    counts = lately.value_counts().reindex(list(names), fill_value=0).to_numpy()
    pace: np.ndarray = -(-counts // _WORKDAYS)
    return pace


def values_by(known: KnownExperts, cases: Open, tier: Tier) -> np.ndarray:
    """Return the value of a look at each case by each expert, cents, shape (cases, experts), with each expert's own errors."""
    return look_values(_looks(known, cases, tier), cases.proba, cases.costs, cases.automatic)


def _looks(known: KnownExperts, cases: Open, tier: Tier) -> list[Look]:
    errs = known.on(cases.proba, cases.hidden)
    return [Look(tier.fee_cents + tier.delay_cents, errs[:, place]) for place in range(len(known.names))]


def plan(
    known: KnownExperts, cases: Open, tier: Tier, allowed: np.ndarray, room: np.ndarray, due_in_days: np.ndarray, weekday: int = 0
) -> Assignment:
    """Assign a morning's cases.

    Parameters
    ----------
    known
        The experts of a tier.
    cases
        The cases that wait for it.
    tier
        Its prices.
    allowed
        Whom each case may be given to, boolean, shape (cases, experts).
    room
        Cases that each expert takes on a working day, shape (experts,).
    due_in_days
        Of each case, days until its deadline, shape (cases,).
    weekday
        Of the morning, 0 for Monday: on later days of the weekend nobody works.

    Returns
    -------
    Assignment
        As :func:`models.rolling.assign_today` finds it.
    """
    values = np.where(allowed, values_by(known, cases, tier), np.nan)
    days = (weekday + 1 + np.arange(int(due_in_days.max(initial=0)))) % 7
    return assign_today(values, room, due_in_days, np.where(days < 5, int(room.sum()), 0))


def worth_a_second(
    known: KnownExperts, cases: Open, tier: Tier, expert: np.ndarray, label: np.ndarray, time_cents: np.ndarray
) -> np.ndarray:
    """Tell of answered cases whether another look is expected to save more than its fee, its delay and the time it takes from others.

    Parameters
    ----------
    known, cases, tier
        As in :func:`plan`; cases as they were before the answer.
    expert, label
        Place of who answered each case, and of what they said, shape (cases,).
    time_cents
        What one case of each expert's time is worth now (``prices`` of :func:`plan`), shape (experts,).

    Returns
    -------
    ndarray
        Boolean, shape (cases,).
    """
    if len(known.names) < 2 or not len(label):
        return np.zeros(len(label), dtype=bool)
    values = second_opinion_values(_looks(known, cases, tier), cases.proba, cases.costs, expert, label)
    worth: np.ndarray = (values - time_cents).max(axis=1) > 0
    return worth


def learned_policy(policy: Policy, desk: KnownExperts | None, investigation: KnownExperts | None) -> Policy:
    """Return a policy whose tiers err as their experts are known to, as far as any are."""

    def of(known: KnownExperts | None) -> np.ndarray | None:
        if known is None:
            return None
        return tier_confusion(known.found.confusions, np.bincount(known.expert, minlength=len(known.names)))

    return with_confusions(policy, of(desk), of(investigation))


def files_of_rings(policy: Policy, cases: Open, component: Callable[[], np.ndarray]) -> tuple[RingFile, ...]:
    """Return the files of two claims or more whose joint investigation saves more than its fee, over what the desk would save.

    Parameters
    ----------
    policy
        Prices, and how the tiers err (:func:`learned_policy`).
    cases
        Waiting cases.
    component
        Finds their link components, shape (cases,); asked only where all cases together would be worth a fee.
    """
    free = Look(0, np.array(policy.investigation.confusion))
    desk = Look(policy.desk.fee_cents + policy.desk.delay_cents, np.array(policy.desk.confusion))
    gains = look_values([free, desk], cases.proba, cases.costs, cases.automatic)
    more = gains[:, 0] - np.maximum(gains[:, 1], 0.0)
    fee, each = policy.investigation.fee_cents, policy.investigation.delay_cents
    if np.maximum(more - each, 0.0).sum() <= fee:
        return ()
    files = ring_files(component(), more, fee, each)
    return tuple(file for file in files if len(file.claims) > 1)
