"""Probability × cost → the automatic action, and the random audit that keeps labels honest.

No threshold is set anywhere: where one action gives way to another follows from the prices of the policy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import pandas as pd
import pyarrow as pa

from models.costs import AUTOMATIC, cost_matrix, expected_costs
from models.keyed_hash import keyed_hashes
from models.policy import Audit, Policy

_FINEST = 6
_ACTIONS = np.array(AUTOMATIC, dtype=object)

ACTION_PLACES = {action: place for place, action in enumerate(AUTOMATIC)}
"""Automatic action → its place in every cost table."""


def decide(policy: Policy, proba: np.ndarray, amount_cents: np.ndarray, seller_insured: np.ndarray) -> pd.DataFrame:
    """Choose the automatic action of least expected cost for each claim.

    Parameters
    ----------
    policy
        The prices.
    proba
        Calibrated probabilities, shape (claims, 3) in the order of ``LABELS``.
    amount_cents
        Amounts claimed, shape (claims,).
    seller_insured
        Whether the seller is insured and compliant, shape (claims,).

    Returns
    -------
    DataFrame
        ``automatic_action`` and ``automatic_cost_cents`` (int64, its expected cost rounded to a cent), one row per claim.
        Between equal costs the milder action wins: PAY, REQUEST_EVIDENCE, DENY_UNSUBSTANTIATED, DENY_ABUSIVE.

    Examples
    --------
    >>> from models.policy import default_policy
    >>> proba = np.array([[0.98, 0.01, 0.01], [0.6, 0.3, 0.1], [0.02, 0.97, 0.01], [0.0, 0.01, 0.99]])
    >>> decide(default_policy(), proba, np.full(4, 40_000), np.full(4, True)).automatic_action.tolist()
    ['PAY', 'REQUEST_EVIDENCE', 'DENY_UNSUBSTANTIATED', 'DENY_ABUSIVE']
    """
    return cheapest(expected_costs(proba, cost_matrix(policy, amount_cents, seller_insured)))


def cheapest(expected: np.ndarray) -> pd.DataFrame:
    """Return ``automatic_action`` and ``automatic_cost_cents`` of the least of the expected costs, shape (claims, 4)."""
    actions = cheapest_actions(expected)
    return pd.DataFrame({"automatic_action": pd.array(actions, dtype="str"), "automatic_cost_cents": expected_cents(expected, actions)})


def cheapest_actions(expected: np.ndarray) -> np.ndarray:
    """Return the action of the least of the expected costs, shape (claims, 4): text, shape (claims,).

    >>> cheapest_actions(np.array([[2.0, 2.0, 3.0, 4.0]])).tolist()
    ['PAY']
    """
    # Rounded to a millionth of a cent, so that two sums equal on paper are equal here and the milder action wins the tie.
    actions: np.ndarray = _ACTIONS[np.argmin(np.round(expected, _FINEST), axis=1)]
    return actions


def expected_cents(expected: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """Return the expected cost of automatic actions, rounded to a cent: int64, shape (claims,).

    >>> expected_cents(np.array([[1.0, 2.4, 3.0, 4.0]]), np.array(["REQUEST_EVIDENCE"])).tolist()
    [2]
    """
    place = [ACTION_PLACES[action] for action in actions.tolist()]
    cost: np.ndarray = np.rint(expected[np.arange(len(expected)), place]).astype(np.int64)
    return cost


def audited(audit: Audit, claim_ids: Iterable[str]) -> np.ndarray:
    """Return which claims the audit draws, boolean, shape (claims,).

    A claim is drawn if a number in [0, 1) made from seed and ``claim_id`` lies below the rate: a draw that anybody can
    repeat, that no other claim influences, and that only grows when the rate does.

    Examples
    --------
    >>> import pandas as pd
    >>> ids = pd.Series([f"C{i}" for i in range(10_000)])
    >>> int(audited(Audit(0.02, "a", 0.5), ids).sum())
    189
    """
    key = hashlib.blake2b(audit.seed.encode(), digest_size=32).digest()
    named = pa.array(claim_ids) if isinstance(claim_ids, pd.Series) else list(map(str, claim_ids))
    # 53 bits: every value is exact as a float and below 1.
    drawn: np.ndarray = (keyed_hashes(key, named) >> np.uint64(11)) / (1 << 53) < audit.rate
    return drawn
