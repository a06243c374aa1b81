"""What an expert's look is worth, and who gets one when time is short.

The value of review of a claim by a tier is what the automatic action is expected to cost, less fee, delay and what the best
action *after* the expert's answer is expected to cost. Review thresholds are outputs of prices, probabilities, the
expert's own errors and the capacity left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from data_contracts import Action
from models.costs import cost_matrix, expected_costs
from models.decision import cheapest
from models.experts import after_answer
from models.looks import Look, look_values
from models.policy import Policy

_DAY_US = 86_400_000_000

TIERS: tuple[str, ...] = (Action.DESK.value, Action.INVESTIGATE.value)
"""The tiers in the order of ``Policy.tiers``: the second axis of every table of values."""


@dataclass(frozen=True)
class Capacity:
    """Cases the experts can still take.

    Parameters
    ----------
    desk, investigations
        Cases, 0 or more.

    Examples
    --------
    >>> from models.policy import default_policy
    >>> Capacity.of(default_policy(), days=7)
    Capacity(desk=168, investigations=3)
    """

    desk: int
    investigations: int

    def __post_init__(self) -> None:
        if self.desk < 0 or self.investigations < 0:
            raise ValueError(f"capacity: expected 0 or more cases, found {self.desk} at the desk and {self.investigations} investigations")

    @classmethod
    def of(cls, policy: Policy, days: float) -> Capacity:
        """Return what the policy's experts can do in a number of days, whole cases."""
        return cls(*(int(tier.cases * tier.experts * days / tier.days + 1e-9) for tier in policy.tiers))


def capacity_left(policy: Policy, taken: pd.DataFrame, decided_at: pd.Timestamp) -> Capacity:
    """Return what the experts can still take on the day of an instant.

    Parameters
    ----------
    policy
        Capacities.
    taken
        ``action`` and ``decided_at`` of the decisions that sent a claim to an expert, at least those of the same month.
    decided_at
        When the next decision falls, in UTC; midnight belongs to the day that ends with it.

    Notes
    -----
    The desk's cases are counted by day. Investigations are few, so their month accrues day by day: by the d-th day, what d days
    allow may have been opened.

    Examples
    --------
    >>> from models.policy import default_policy
    >>> noon = pd.Timestamp("2025-03-02T12:00:00", tz="UTC")
    >>> taken = pd.DataFrame({"action": ["DESK", "DESK"], "decided_at": [noon, noon - pd.Timedelta(days=1)]})
    >>> capacity_left(default_policy(), taken, noon)
    Capacity(desk=23, investigations=1)
    """
    day = (decided_at - pd.Timedelta(microseconds=1)).floor("D")
    # Plain integers: this is asked once for every day of a batch.
    at, action = taken["decided_at"].dt.as_unit("us").astype("int64").to_numpy() - 1, taken["action"].to_numpy(dtype=object)
    start, first, now = (int(m.as_unit("us").asm8.astype(np.int64)) for m in (day, day.replace(day=1), decided_at))
    desk = int(((action == Action.DESK.value) & (at >= start) & (at < start + _DAY_US)).sum())
    begun = int(((action == Action.INVESTIGATE.value) & (at >= first) & (at < now)).sum())
    today, month = Capacity.of(policy, days=1), Capacity.of(policy, days=day.day)
    return Capacity(max(0, today.desk - desk), max(0, month.investigations - begun))


def review_values(
    policy: Policy,
    proba: np.ndarray,
    costs: np.ndarray,
    confusions: Sequence[np.ndarray] | None = None,
    automatic: np.ndarray | None = None,
) -> np.ndarray:
    """Return the value of review of each claim by each tier.

    Parameters
    ----------
    policy
        Fees, delays and, by default, confusions.
    proba
        Calibrated probabilities, shape (claims, 3).
    costs
        The cost table, shape (claims, 4, 3), cents.
    confusions
        P(answer | truth) of each tier as now estimated; the policy's where left out.
    automatic
        Expected cost of what happens without a look, shape (claims,); the least of all actions where left out.

    Returns
    -------
    ndarray
        Cents, shape (claims, tiers); negative where a look costs more than it saves.

    Notes
    -----
    V = min_k Σ_y p(y)·C(k, y) − fee − delay − Σ_ŷ min_k Σ_y p(y)·K(ŷ | y)·C(k, y). The minimum inside the sum over answers
    is never above the minimum outside, so a look is worth at least −(fee + delay).

    Examples
    --------
    >>> from models.policy import default_policy
    >>> from models.costs import cost_matrix
    >>> policy, amount, insured = default_policy(), np.array([5_000, 90_000]), np.array([True, True])
    >>> proba = np.array([[0.6, 0.1, 0.3], [0.6, 0.1, 0.3]])
    >>> review_values(policy, proba, cost_matrix(policy, amount, insured))[:, 0] > 0
    array([False,  True])
    """
    now = expected_costs(proba, costs).min(axis=1) if automatic is None else automatic
    looks = _as_stated(policy) if confusions is None else _looks(policy, confusions)
    return look_values(looks, proba, costs, now)


@lru_cache(maxsize=8)
def _as_stated(policy: Policy) -> tuple[Look, ...]:
    return _looks(policy, [np.array(tier.confusion) for tier in policy.tiers])


def _looks(policy: Policy, confusions: Sequence[np.ndarray]) -> tuple[Look, ...]:
    return tuple(Look(tier.fee_cents + tier.delay_cents, matrix) for tier, matrix in zip(policy.tiers, confusions, strict=True))


def route(values: np.ndarray, minutes: Sequence[int], capacity: Capacity) -> np.ndarray:
    """Choose who is reviewed by whom under capacity.

    Parameters
    ----------
    values
        Value of review, shape (claims, 2): desk, investigation; cents.
    minutes
        Working minutes of one case of each tier.
    capacity
        Cases left of each tier.

    Returns
    -------
    ndarray
        Per claim the tier's place (0 desk, 1 investigation) or -1 for none, shape (claims,).

    Notes
    -----
    Investigations go to the largest gains over the claim's next best use (desk review or none); the desk then takes the
    rest by value per minute. A tier's cases take equal minutes, so this is the order of value inside a tier. Only positive
    values are routed. Earlier rows win ties. Total value never falls when capacity grows: one more case either adds a
    claim of positive value, or moves one to where it is worth more and frees its place for another.

    Examples
    --------
    >>> route(np.array([[50.0, 90.0], [70.0, 80.0], [60.0, -5.0]]), (30, 960), Capacity(desk=1, investigations=1)).tolist()
    [1, 0, -1]
    """
    chosen = np.full(len(values), -1, dtype=np.int64)
    rate = values / np.asarray(minutes, dtype=np.float64)
    gain = values[:, 1] - np.maximum(values[:, 0], 0.0)
    wanted = np.flatnonzero(gain > 0)
    chosen[wanted[np.argsort(-gain[wanted], kind="stable")][: capacity.investigations]] = 1
    open_ = np.flatnonzero((chosen < 0) & (values[:, 0] > 0))
    chosen[open_[np.argsort(-rate[open_, 0], kind="stable")][: capacity.desk]] = 0
    return chosen


def action_after(
    policy: Policy,
    proba: np.ndarray,
    tier: str,
    answer: np.ndarray,
    amount_cents: np.ndarray,
    seller_insured: np.ndarray,
    confusion: np.ndarray | None = None,
) -> pd.DataFrame:
    """Choose the automatic action after an expert of a tier has answered.

    Parameters
    ----------
    policy
        Prices, and by default the tier's confusion.
    proba
        Probabilities that the decision was based on, shape (claims, 3).
    tier
        ``DESK`` or ``INVESTIGATE``.
    answer
        What the expert said, one of ``LABELS`` per claim.
    amount_cents, seller_insured
        As in :func:`models.costs.cost_matrix`.
    confusion
        P(answer | truth) as now estimated.

    Returns
    -------
    DataFrame
        ``automatic_action`` and ``automatic_cost_cents``, as :func:`models.decision.decide` returns them.
    """
    stated = np.array(policy.tiers[TIERS.index(tier)].confusion) if confusion is None else confusion
    posterior = after_answer(proba, answer, stated)
    return cheapest(expected_costs(posterior, cost_matrix(policy, amount_cents, seller_insured)))
