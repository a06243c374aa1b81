"""Why a claim looks abusive, in words: one list for the investigator, one plain sentence for the claimant.

The investigator sees the exact contributions to the log-odds of abuse, summed by the catalogue's reason groups, each with the
strongest feature of its group, its value and how usual that is. The claimant is told the action and what can be mended, nothing
else: no score, no feature, no comparison with others; text that varies with the reasons of suspicion would teach evasion.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd

from data_contracts import Action
from models.inputs import Feature, Inputs
from models.reason_kernel import strongest
from models.reference import Reference

INVESTIGATOR_LIMIT = 2000
"""Characters the decisions contract allows for the investigator's reasons."""


class Words(dict[tuple[str, object, bool], str]):
    """What was put into words: by feature, value, and whether it speaks against abuse; emptied when there is much of it."""

    def __setitem__(self, key: tuple[str, object, bool], words: str) -> None:
        if len(self) >= _MOST_WORDS:
            self.clear()
        super().__setitem__(key, words)


_SMALLEST = 0.005
_MOST_WORDS = 50_000
_MOST, _UNUSUAL = 0.5, 0.8
"""A value that at least half of all claims have is named for comparison; a value is unusual beyond four fifths of all claims."""


def investigator_reasons(
    matrix: pd.DataFrame, contributions: np.ndarray, inputs: Inputs, most: int = 5, reference: Reference | None = None
) -> list[str]:
    """Return the reason codes of each claim, strongest first.

    Parameters
    ----------
    matrix
        Feature rows, for the values shown.
    contributions
        Contributions to the log-odds of abuse, shape (claims, features).
    inputs
        The columns, their groups and reason texts.
    most
        Groups named per claim.
    reference
        What is usual; without it nothing is compared.

    Returns
    -------
    list of str
        Per claim, codes separated by ``"; "``: group, its signed contribution to the log-odds of abuse, then of the group's
        strongest feature the reason (the meaning where it speaks against abuse), ``name=value`` in its unit and, where the value is
        unusual, how many claims are otherwise.

    Examples
    --------
    >>> import pandas as pd
    >>> claims = Feature("claims_30d", 1, "history", "{value} claims in 30 days")
    >>> inputs = Inputs((claims, Feature("photos", -1, "evidence", "no photographs", "photographs sent")))
    >>> matrix = pd.DataFrame({"claims_30d": [4.0], "photos": [2.0]})
    >>> investigator_reasons(matrix, np.array([[1.25, -0.5]]), inputs)
    ['history +1.25: 4 claims in 30 days [claims_30d=4]; evidence -0.50: photographs sent [photos=2]']
    >>> from models.reference import Usual
    >>> usual = Reference({"claims_30d": Usual((0.0, 1.0), (0.97, 1.0), 1.0)})
    >>> investigator_reasons(matrix, np.array([[1.25, 0.0]]), inputs, reference=usual)
    ['history +1.25: 4 claims in 30 days [claims_30d=4, 97 % of claims have 0]']
    """
    # Only columns that are named are read: a claim by itself names five of a hundred.
    columns: dict[int, np.ndarray] = {}
    words = Words()

    def value(row: int, feature: int) -> object:
        if feature not in columns:
            columns[feature] = matrix[inputs.names[feature]].to_numpy()
        return columns[feature][row]

    return [
        investigator_reason(partial(value, row), shares, inputs, most, reference, words)
        for row, shares in enumerate(contributions[: len(matrix)])
    ]


def investigator_reason(
    value: Callable[[int], object],
    contributions: np.ndarray,
    inputs: Inputs,
    most: int = 5,
    reference: Reference | None = None,
    words: Words | None = None,
) -> str:
    """Return the reason codes of one claim, as :func:`investigator_reasons` does for many.

    Parameters
    ----------
    value
        Gives the value of the feature at a place among ``inputs.features``; asked for what is named only.
    contributions
        Contributions to the log-odds of abuse, shape (features,).
    inputs, most, reference
        As there.
    words
        What was put into words before, by feature, value and direction: values repeat (zeros, small counts). New words are added.
    """
    codes = []
    for group, share, feature in strongest(contributions, inputs.group_of, len(inputs.groups), most):
        if abs(share) < _SMALLEST:
            break
        words_of_it = _worded(inputs.features[feature], value(feature), share < 0, reference, words)
        codes.append(f"{inputs.groups[group]} {share:+.2f}: {words_of_it}")
    return _fitting(codes)


def _worded(feature: Feature, value: object, against: bool, reference: Reference | None, words: Words | None) -> str:
    if words is None:
        return _described(feature, value, against, reference)
    key = (feature.name, _key(value), against)
    text = words.get(key)
    if text is None:
        text = words[key] = _described(feature, value, against, reference)
    return text


def _key(value: object) -> object:
    lost = math.isnan(value) if isinstance(value, float) else pd.isna(value)  # a scalar costs pandas a microsecond
    return None if lost else value


def _described(feature: Feature, value: object, against: bool, reference: Reference | None) -> str:
    shown = _shown(value, feature.unit)
    # A reason is worded for abuse ("many claims at once"): where the feature speaks against it, only its meaning is true.
    text = ((feature.meaning if against else feature.reason) or feature.name).replace("{value}", shown).replace(";", ",")
    return f"{text} [{feature.name}={shown}{_compared(feature, value, reference)}]"


def _compared(feature: Feature, value: object, reference: Reference | None) -> str:
    """Say how unusual a value is: most claims share one other value, or nearly all lie on one side of it; nothing where it is usual."""
    usual = reference.columns.get(feature.name) if reference is not None else None
    if usual is None or isinstance(value, str) or pd.isna(value):
        return ""
    number = float(str(value))
    common, share = usual.commonest
    if share >= _MOST and common != number:
        return f", {_percent(share)} of claims have {_shown(common, feature.unit)}"
    below, above = usual.compared(number)
    if max(below, above) < _UNUSUAL:
        return ""
    return f", {'more' if below >= above else 'less'} than {_percent(max(below, above))} of claims"


def _percent(share: float) -> str:
    """Write a share in whole percent, never rounded up to all."""
    return f"{min(99, round(100 * share))} %" if share < 1 else "100 %"


def _shown(value: object, unit: str = "") -> str:
    """Return a value in its unit; whole numbers in full, others to four digits."""
    if pd.isna(value):
        return "nothing"
    if isinstance(value, str):
        return value
    number = float(str(value))
    plain = f"{number:.0f}" if number.is_integer() else f"{number:.4g}"
    in_unit = {
        "cents": f"${number / 100:,.2f}",
        "log dollars": f"${np.exp(min(number, 40.0)):,.2f}",
        "share": f"{100 * number:.3g} %",
        "flag": {0.0: "no", 1.0: "yes"}.get(number, plain),
        "days": f"{plain} days",
        "ratio": f"{plain} ×",
    }
    return in_unit.get(unit, plain)


def _fitting(codes: list[str]) -> str:
    """Join as many whole codes as the contract's column holds."""
    text = ""
    for code in codes:
        longer = f"{text}; {code}" if text else code
        if len(longer) > INVESTIGATOR_LIMIT:
            break
        text = longer
    return text


_TEXTS = {
    Action.PAY.value: "Your claim is accepted and will be paid.",
    Action.REQUEST_EVIDENCE.value: "We need more before we can decide. Please send {missing}.",
    Action.DENY_UNSUBSTANTIATED.value: (
        "We cannot pay the claim because proof of loss is not complete. You can send {missing} within 30 days and we will look again."
    ),
    Action.DENY_ABUSIVE.value: "We cannot pay this claim under the terms of the programme. You may appeal within 30 days.",
    Action.DESK.value: "Your claim is being looked at by an independent adjuster. We will write to you when there is an answer.",
    Action.INVESTIGATE.value: "Your claim is being looked at by an independent adjuster. We will write to you when there is an answer.",
}

MAY_BE_NAMED: Mapping[str, str] = {"evidence": "curable: the claimant can send what is missing"}
"""Reason groups whose grounds a claimant may be told, and why. Every other group (amount, timing, form, order match, histories, links,
duplicates) is silent: naming it would accuse without proof, reveal other people, or teach what is looked at."""

_CURABLE = {
    "has_receipt": "a receipt or a repair estimate",
    "has_dated_photo": "a dated photograph of the damage",
    "has_medical_record": "a medical record",
}
_GENERAL = "further documents that show the purchase, the damage and what it cost"


def claimant_reasons(actions: np.ndarray, claims: pd.DataFrame) -> list[str]:
    """Return what each claimant is told.

    Parameters
    ----------
    actions
        The action per claim, shape (claims,).
    claims
        The claims in the same order; only what the claimant filed is read (``kind`` and the ``has_…`` columns, where present).

    Returns
    -------
    list of str
        One plain text per claim. It depends on the action and on documents missing from the claim, on nothing else.

    Examples
    --------
    >>> import pandas as pd
    >>> claims = pd.DataFrame({"kind": ["property"], "has_receipt": [False], "has_dated_photo": [True], "has_medical_record": [False]})
    >>> claimant_reasons(np.array(["REQUEST_EVIDENCE"]), claims)
    ['We need more before we can decide. Please send a receipt or a repair estimate.']
    """
    told = [name for name in ("kind", *_CURABLE) if name in claims]
    case = pd.factorize(np.asarray(actions, dtype=object))[0]
    for name in told:
        codes, values = pd.factorize(claims[name])
        case = case * (len(values) + 1) + codes + 1
    # A handful of texts serves any number of claims.
    _, first, of = np.unique(case, return_index=True, return_inverse=True)
    texts = [claimant_reason(str(actions[row]), {name: claims[name].iloc[row] for name in told}) for row in first]
    words: list[str] = np.array(texts, dtype=object)[of].tolist()
    return words


def claimant_reason(action: str, claim: Mapping[str, object]) -> str:
    """Return what one claimant is told: it depends on the action and on documents missing from the claim, on nothing else.

    >>> claimant_reason("PAY", {})
    'Your claim is accepted and will be paid.'
    """
    # A medical record is proof of an injury; nobody is asked for one over a scorched table.
    injury = claim.get("kind") == "injury"
    missing = [words for name, words in _CURABLE.items() if not claim.get(name, True) and (injury or name != "has_medical_record")]
    return _TEXTS[action].format(missing=" and ".join(missing) or _GENERAL)
