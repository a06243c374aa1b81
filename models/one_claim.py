"""What :mod:`models.stages` does with arrays, done with the plain numbers of one claim.

The service decides claims one after the other, because each takes its place at the experts from those that come later. Arrays of one
number cost as much as arrays of a thousand. Both forms must agree on every claim; rules that speak are left to the arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from data_contracts import Action, Route
from models.classifier import ABUSIVE, UNSUBSTANTIATED, VALID
from models.decision import ACTION_PLACES
from models.policy import Policy
from models.review import TIERS, Capacity
from models.stages import Priced, Routed, figures


@dataclass(frozen=True, slots=True)
class Sent:
    """What is done with one claim, what is done if no expert answers, and why, as :class:`models.stages.Routed` says of many."""

    action: str
    automatic: str
    route: str


def sent_one(priced: Priced, capacity: Capacity) -> Sent:
    """Send one claim to an expert if one is free and a look is worth it, or the audit draws it, as :func:`models.stages.sent` does.

    Parameters
    ----------
    priced
        The claim: arrays of one row.
    capacity
        Cases the experts can still take.

    Examples
    --------
    >>> import numpy as np
    >>> worth = Priced(np.ones((1, 3)) / 3, np.zeros((1, 4)), np.array([[50.0, 90.0]]), np.array(["PAY"]), np.array([False]))
    >>> sent_one(worth, Capacity(1, 1)).action, sent_one(worth, Capacity(1, 0)).action, sent_one(worth, Capacity(0, 0)).action
    ('INVESTIGATE', 'DESK', 'PAY')
    """
    ((desk, investigation),) = priced.values.tolist()
    (automatic,), (is_drawn,) = priced.automatic.tolist(), priced.drawn.tolist()
    if capacity.investigations > 0 and investigation - max(desk, 0.0) > 0:
        return Sent(TIERS[1], automatic, Route.VALUE_OF_REVIEW.value)
    if capacity.desk > is_drawn and desk > 0:
        return Sent(TIERS[0], automatic, Route.VALUE_OF_REVIEW.value)
    if is_drawn:
        return Sent(Action.DESK.value, automatic, Route.AUDIT.value)
    return Sent(automatic, automatic, Route.AUTOMATIC.value)


def figures_one(policy: Policy, priced: Priced, sent: Sent) -> dict[str, Any]:
    """Return the numbers that the decision on one claim records, as :func:`models.stages.figures` does."""
    (proba,), (expected,), (values,) = priced.proba.tolist(), priced.expected.tolist(), priced.values.tolist()
    is_reviewed = sent.action in TIERS and sent.route != Route.AUDIT.value
    return {
        "p_valid": proba[VALID],
        "p_unsubstantiated": proba[UNSUBSTANTIATED],
        "p_abusive": proba[ABUSIVE],
        "propensity": 1.0 if is_reviewed else policy.audit.rate,
        "automatic_cost_cents": round(expected[ACTION_PLACES[sent.automatic]]),
        "review_value_cents": round(max(values)),
    }


def of_arrays(policy: Policy, priced: Priced, routed: Routed) -> tuple[Sent, dict[str, Any]]:
    """Return both for a claim that rules had a say in."""
    (action,), (automatic,), (route,) = routed.action.tolist(), routed.automatic.tolist(), routed.route.tolist()
    return Sent(action, automatic, route), {name: column.item() for name, column in figures(policy, priced, routed).items()}
