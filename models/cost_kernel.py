"""The arithmetic of prices, compiled: one claim costs no more than its arithmetic, and a batch needs no arrays between.

Every operation is the one that :mod:`models.costs` and :mod:`models.looks` state, in the stated order; nothing is contracted or reordered,
so the bits are those of the same expressions in NumPy.
"""

# Compiled functions take arrays and tuples, which annotations cannot say.
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN201

from __future__ import annotations

import numpy as np
from numba import njit

from data_contracts import LABELS
from models.classifier import ABUSIVE, UNSUBSTANTIATED, VALID

_ACTIONS, _CLASSES = 4, len(LABELS)

_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def fill_costs(table, amounts, absorbed, shares, known, rates):
    """Put what each action costs under each truth into ``table``, zeros before, shape (claims, 4, 3).

    Parameters
    ----------
    table
        Filled.
    amounts
        float64 cents, shape (claims,).
    absorbed
        Whether the marketplace itself bears a payment, boolean, shape (claims,).
    shares
        What comes back of a payment that it bears, and of any other.
    known
        Cents: a wrongful denial without its share of the amount, handling of evidence with and without friction, of a denial, the repeat.
    rates
        Of the amount what a wrongful denial costs; the multiples of an accusation of valid and of unsubstantiated claims; the shares that
        are not owed, dropped, forged, and leaked.
    """
    wrongful, asked, evidence, handling, repeat = known
    lost_share, multiple, accused_share, unowed, dropped, forged, leaked = rates
    for row in range(len(amounts)):
        amount = amounts[row]
        lost = amount * (1.0 - (shares[0] if absorbed[row] else shares[1]))
        denied = wrongful + lost_share * amount
        accused = multiple * denied
        table[row, 0, UNSUBSTANTIATED] = np.rint(unowed * lost)
        table[row, 0, ABUSIVE] = np.rint(lost + repeat)
        table[row, 1, VALID] = np.rint(asked + dropped * denied)
        table[row, 1, UNSUBSTANTIATED] = np.rint(evidence)
        table[row, 1, ABUSIVE] = np.rint(evidence + forged * lost + repeat)
        table[row, 2, VALID] = np.rint(denied)
        table[row, 2, UNSUBSTANTIATED] = np.rint(handling)
        table[row, 2, ABUSIVE] = np.rint(handling + leaked * lost + repeat)
        table[row, 3, VALID] = np.rint(accused)
        table[row, 3, UNSUBSTANTIATED] = np.rint(accused_share * accused)
        table[row, 3, ABUSIVE] = np.rint(handling)


@_compiled
def informed(proba, costs, confusion):
    """Return Σ_ŷ min_k Σ_y p(y)·K(ŷ | y)·C(k, y) of each claim, shape (claims,).

    Parameters
    ----------
    proba
        Shape (claims, 3).
    costs
        Shape (claims, 4, 3).
    confusion
        P(answer | truth) of each claim's expert, shape (claims, 3, 3), or of the expert of all, shape (1, 3, 3).
    """
    found = np.zeros(len(proba))
    for row in range(len(proba)):
        errs = confusion[row if len(confusion) > 1 else 0]
        for answer in range(_CLASSES):
            best = np.inf
            for action in range(_ACTIONS):
                cost = proba[row, 0] * errs[0, answer] * costs[row, action, 0]
                cost += proba[row, 1] * errs[1, answer] * costs[row, action, 1]
                cost += proba[row, 2] * errs[2, answer] * costs[row, action, 2]
                best = min(best, cost)
            found[row] += best
    return found
