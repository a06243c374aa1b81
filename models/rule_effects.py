"""What a rule may do to a decision, and the order that makes "stricter" a word with one meaning.

Outcomes are ordered by what must still happen before money leaves: paid at once, after proof, not at all unless the customer brings
proof, not at all unless an appeal succeeds, only after an expert has looked, only after an investigation. An effect turns an outcome into
one that is at least as strict and never into a denial: only probabilities and prices may deny. Of several effects the strictest applies,
so one more rule, or a stricter one, never loosens an outcome.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from data_contracts import Action

STRICTNESS: tuple[str, ...] = (
    Action.PAY.value,
    Action.REQUEST_EVIDENCE.value,
    Action.DENY_UNSUBSTANTIATED.value,
    Action.DENY_ABUSIVE.value,
    Action.DESK.value,
    Action.INVESTIGATE.value,
)
"""Outcomes from the loosest to the strictest."""


class Effect(StrEnum):
    """What a rule asks for, from the mildest to the strictest.

    - ``request_evidence``: nothing is paid without proof; a payment becomes a request for it.
    - ``forbid_payment``: nothing is paid automatically, with proof or without; what would be goes to the desk. Denials stand.
    - ``desk``: an expert looks, whatever the decision would have been.
    - ``investigate``: an investigator looks.
    """

    REQUEST_EVIDENCE = "request_evidence"
    FORBID_PAYMENT = "forbid_payment"
    DESK = "desk"
    INVESTIGATE = "investigate"


EFFECTS: tuple[str, ...] = tuple(effect.value for effect in Effect)
"""Effects from the mildest to the strictest."""

_PAYS = (Action.PAY.value, Action.REQUEST_EVIDENCE.value)
_BECOMES: dict[str, dict[str, str]] = {
    Effect.REQUEST_EVIDENCE.value: {Action.PAY.value: Action.REQUEST_EVIDENCE.value},
    Effect.FORBID_PAYMENT.value: dict.fromkeys(_PAYS, Action.DESK.value),
    Effect.DESK.value: dict.fromkeys(STRICTNESS[:4], Action.DESK.value),
    Effect.INVESTIGATE.value: dict.fromkeys(STRICTNESS, Action.INVESTIGATE.value),
}
_TABLE = np.array(
    [list(STRICTNESS), *([_BECOMES[effect].get(action, action) for action in STRICTNESS] for effect in EFFECTS)], dtype=object
)


def outcome(actions: np.ndarray, strictest: np.ndarray) -> np.ndarray:
    """Return what actions become under effects.

    Parameters
    ----------
    actions
        One of :data:`STRICTNESS` per claim, shape (claims,).
    strictest
        Place in :data:`EFFECTS` of the strictest effect on each claim, -1 for none, shape (claims,).

    Examples
    --------
    >>> outcome(np.array(["PAY", "PAY", "DENY_ABUSIVE"]), np.array([-1, 1, 1])).tolist()
    ['PAY', 'DESK', 'DENY_ABUSIVE']
    """
    place = {name: k for k, name in enumerate(STRICTNESS)}
    rows = np.array([place[str(action)] for action in actions], dtype=np.intp)
    found: np.ndarray = _TABLE[np.asarray(strictest, dtype=np.intp) + 1, rows]
    return found


def fallback(automatic: np.ndarray, strictest: np.ndarray) -> np.ndarray:
    """Return the automatic action that remains if no expert answers in time: under any effect, proof is asked for before payment.

    >>> fallback(np.array(["PAY", "PAY", "DENY_UNSUBSTANTIATED"]), np.array([-1, 3, 3])).tolist()
    ['PAY', 'REQUEST_EVIDENCE', 'DENY_UNSUBSTANTIATED']
    """
    return outcome(automatic, np.minimum(strictest, EFFECTS.index(Effect.REQUEST_EVIDENCE.value)))
