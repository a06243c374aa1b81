"""How much each price of the policy matters: which decisions another price would change, and what it costs to have it wrong.

Prices are declared, and some are guesses. A price is worth arguing about where halving or doubling it changes many decisions *and*
deciding by the wrong one loses money; elsewhere any sensible value will do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from models.costs import AUTOMATIC, cost_matrix, expected_costs
from models.policy import Policy
from models.review import TIERS, review_values

FACTORS = (0.5, 2.0)
"""A price is tried at half and at double its value."""

ACTIONS: tuple[str, ...] = (*AUTOMATIC, *TIERS)
"""What a claim can come to: the automatic actions, then a look by an expert."""

_PRICES = ("recovery", "wrongful", "evidence", "unsubstantiated", "abusive", "denial", "desk", "investigation")
_NO_PRICES = ("minutes", "cases", "days", "experts", "confusion", "corrected_share")
_SHARES, _MULTIPLE = (0.0, 1.0), (5.0, 20.0)


@dataclass(frozen=True)
class Claims:
    """Claims to decide: probabilities, shape (claims, 3), amounts in cents, and whether each seller is known to be insured."""

    proba: np.ndarray
    amount_cents: np.ndarray
    insured: np.ndarray


def sensitivity(policy: Policy, claims: Claims, factors: tuple[float, ...] = FACTORS) -> pd.DataFrame:
    """Return what every price of a policy, at every factor, would do to decisions.

    Parameters
    ----------
    policy
        The prices.
    claims
        Claims to decide, each with all the experts it could need: what is compared is the price, not the queue.
    factors
        By which each price is multiplied, one at a time; shares stay within 0 and 1, the multiple of an accusation within 5 and 20.

    Returns
    -------
    DataFrame
        By price and factor, in the order of the policy: ``price``, ``value``, ``tried``; ``changed``, the share of claims decided
        otherwise; one column per action of :data:`ACTIONS`, by how much its share of the claims moves; and ``regret_cents``: were the
        tried price the right one, so much would a claim lose by decisions that follow the declared one, in expectation.
        A price that its bounds do not let move is left out.

    Examples
    --------
    >>> from models.policy import default_policy
    >>> claims = Claims(np.array([[0.7, 0.2, 0.1]] * 2), np.array([20_000, 90_000]), np.array([True, True]))
    >>> found = sensitivity(default_policy(), claims).set_index(["price", "tried"])
    >>> found.loc[("desk.fee_cents", 12_000.0), ["changed", "DESK"]].tolist()
    [0.5, -0.5]
    """
    declared = _decided(policy, claims)
    rows = []
    for price, value, tried, other in _varied(policy, factors):
        there = _priced(other, claims)
        best, here = np.argmin(np.round(there, 6), axis=1), np.arange(len(declared))
        moved = (np.bincount(best, minlength=len(ACTIONS)) - np.bincount(declared, minlength=len(ACTIONS))) / max(len(declared), 1)
        regret = float((there[here, declared] - there[here, best]).mean()) if len(here) else float("nan")
        found = {"price": price, "value": value, "tried": tried, "changed": float((best != declared).mean()) if len(here) else 0.0}
        rows.append(found | dict(zip(ACTIONS, moved.tolist(), strict=True)) | {"regret_cents": regret})
    return pd.DataFrame(rows)


def _decided(policy: Policy, claims: Claims) -> np.ndarray:
    return np.asarray(np.argmin(np.round(_priced(policy, claims), 6), axis=1))


def _priced(policy: Policy, claims: Claims) -> np.ndarray:
    """Return the expected cost of every action of :data:`ACTIONS`, shape (claims, 6)."""
    table = cost_matrix(policy, claims.amount_cents, claims.insured)
    expected = expected_costs(claims.proba, table)
    reviewed = expected.min(axis=1)[:, None] - review_values(policy, claims.proba, table)
    return np.concatenate([expected, reviewed], axis=1)


def _varied(policy: Policy, factors: tuple[float, ...]) -> Iterator[tuple[str, float, float, Policy]]:
    """Yield name, declared value, tried value and policy for every price and factor."""
    for part in _PRICES:
        held: Any = getattr(policy, part)
        for item in fields(held):
            if item.name in _NO_PRICES:
                continue
            value = getattr(held, item.name)
            for factor in factors:
                tried = _bounded(item.name, value * factor)
                tried = round(tried) if isinstance(value, int) else tried
                if tried != value:
                    yield f"{part}.{item.name}", float(value), float(tried), replace(policy, **{part: replace(held, **{item.name: tried})})


def _bounded(name: str, value: float) -> float:
    if name == "accusation_multiple":
        return float(np.clip(value, *_MULTIPLE))
    return float(np.clip(value, *_SHARES)) if name.endswith(("_share", "_rate")) else value
