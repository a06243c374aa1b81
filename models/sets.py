"""Prediction sets: which classes a claim may well be, and what therefore must not happen to it without an expert.

A set holds every class that the probabilities do not rule out, class-conditionally: of the claims of a class at most a stated share has a
set that lacks it. An automatic action that would settle a claim as if one class of its set were another is a possible mistake, and is
forbidden: a payment where the claim may be unsubstantiated or abusive, a denial where it may be valid, an accusation where it may be
anything but abusive. Asking for evidence settles nothing and always remains, so the model abstains rather than break the bound.

Prices choose among what remains. That is how a set leads to an evidence request, the desk or an investigation: a claim that may be valid or
unsubstantiated is asked for proof; one that may be valid or abusive is asked as well, unless a look by an expert is worth its fee, which
with payment and denial out of reach it is more often, and the more so the larger the amount.

A class is bound where the policy states a share below 1 (``harm.mistaken_<class>_share``). With the mistakes of a class y in M(y) and a
threshold t(y) that at most that share of its claims fails, P(automatic action in M(y) | y) ≤ P(p(y) < t(y) | y) ≤ share.
"""

from __future__ import annotations

import numpy as np

from data_contracts import LABELS, Action, Label
from models.costs import AUTOMATIC
from models.policy import Harm
from models.risk import NEVER, class_thresholds

MISTAKES: dict[str, tuple[str, ...]] = {
    Label.VALID.value: (Action.DENY_UNSUBSTANTIATED.value, Action.DENY_ABUSIVE.value),
    Label.UNSUBSTANTIATED.value: (Action.PAY.value, Action.DENY_ABUSIVE.value),
    Label.ABUSIVE.value: (Action.PAY.value,),
}
"""By class: the automatic actions that settle a claim of it as if it were of another. To deny abuse for want of proof is none."""

_MISTAKEN = np.array([[action in MISTAKES[label] for label in LABELS] for action in AUTOMATIC])


def forbidden(proba: np.ndarray, thresholds: tuple[float, ...]) -> np.ndarray:
    """Return which automatic actions would be a mistake on a class of the claim's set, boolean, shape (claims, 4).

    Parameters
    ----------
    proba
        Calibrated probabilities, shape (claims, 3) in the order of ``LABELS``.
    thresholds
        Least probability of each class at which it belongs to the set; above 1 where the class is not bound.

    Examples
    --------
    >>> proba = np.array([[0.9, 0.06, 0.04], [0.6, 0.36, 0.04], [0.1, 0.1, 0.8]])
    >>> [np.array(AUTOMATIC)[~row].tolist() for row in forbidden(proba, (0.3, 0.1, 0.1))][:2]
    [['PAY', 'REQUEST_EVIDENCE'], ['REQUEST_EVIDENCE']]
    >>> np.array(AUTOMATIC)[~forbidden(proba, (0.3, 0.2, 0.1))[2]].tolist()
    ['REQUEST_EVIDENCE', 'DENY_UNSUBSTANTIATED', 'DENY_ABUSIVE']
    """
    held = proba >= np.asarray(thresholds)
    found: np.ndarray = (held[:, None, :] & _MISTAKEN).any(axis=2)
    return found


def certified_sets(proba: np.ndarray, labels: np.ndarray, weights: np.ndarray, harm: Harm) -> tuple[float, ...] | None:
    """Return the thresholds of the sets that a policy asks for, or ``None`` where it binds no class.

    Parameters
    ----------
    proba
        Probabilities of labelled claims by models that did not learn from them, shape (n, 3).
    labels, weights
        Their classes, and 1/propensity of having been examined, shape (n,).
    harm
        The policy's bounds.

    Returns
    -------
    tuple
        One threshold per class (:func:`models.risk.class_thresholds`): 0 where its labels are too few, so that every set holds it; above 1
        where it is not bound.

    Examples
    --------
    >>> proba, labels = np.array([[0.9, 0.05, 0.05]] * 60), np.array(["valid"] * 60)
    >>> certified_sets(proba, labels, np.ones(60), Harm(0.01, 0.95))
    >>> certified_sets(proba, labels, np.ones(60), Harm(0.01, 0.95, mistaken_valid_share=0.05))
    (0.9, 2.0, 2.0)
    """
    miss = harm.mistaken_shares
    if min(miss) >= 1:
        return None
    found = class_thresholds(proba, labels, weights, float(weights.max(initial=1.0)), miss)
    return tuple(float(least) if share < 1 else NEVER for least, share in zip(found, miss, strict=True))
