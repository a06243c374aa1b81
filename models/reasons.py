"""Why a claim looks abusive, in words: one list for the investigator, one plain sentence for the claimant.

The investigator sees the exact contributions to the log-odds of abuse, summed by the catalogue's reason groups, each with the
strongest feature of its group and its value. The claimant is told the action and what can be mended, nothing else: no
score, no feature, no comparison with others; text that varies with the reasons of suspicion would teach evasion.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_contracts import Action
from models.inputs import Feature, Inputs

INVESTIGATOR_LIMIT = 2000
"""Characters the decisions contract allows for the investigator's reasons."""

_SMALLEST = 0.005


def group_contributions(contributions: np.ndarray, inputs: Inputs) -> pd.DataFrame:
    """Sum feature contributions by reason group.

    Parameters
    ----------
    contributions
        Shape (claims, features), from :meth:`models.classifier.Classifier.contributions`.
    inputs
        The columns and their groups.

    Returns
    -------
    DataFrame
        One column per group in the order of first appearance; rows still sum to margin minus base.
    """
    groups = list(dict.fromkeys(feature.group for feature in inputs.features))
    member = np.array([groups.index(feature.group) for feature in inputs.features], dtype=np.intp)
    summed = [contributions[:, member == k].sum(axis=1) for k in range(len(groups))]
    return pd.DataFrame(dict(zip(groups, summed, strict=True)))


def investigator_reasons(matrix: pd.DataFrame, contributions: np.ndarray, inputs: Inputs, most: int = 5) -> list[str]:
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

    Returns
    -------
    list of str
        Per claim, codes separated by ``"; "``: group, its signed contribution to the log-odds of abuse, then of the group's
        strongest feature the reason (the meaning where it speaks against abuse) and ``name=value``.

    Examples
    --------
    >>> import pandas as pd
    >>> claims = Feature("claims_30d", 1, "history", "{value} claims in 30 days")
    >>> inputs = Inputs((claims, Feature("photos", -1, "evidence", "no photographs", "photographs sent")))
    >>> matrix = pd.DataFrame({"claims_30d": [4.0], "photos": [2.0]})
    >>> investigator_reasons(matrix, np.array([[1.25, -0.5]]), inputs)
    ['history +1.25: 4 claims in 30 days [claims_30d=4]; evidence -0.50: photographs sent [photos=2]']
    """
    grouped = group_contributions(contributions, inputs)
    names, sums = list(grouped.columns), grouped.to_numpy(dtype=np.float64)
    members = {name: [i for i, feature in enumerate(inputs.features) if feature.group == name] for name in names}
    columns = [matrix[name].to_numpy() for name in inputs.names]
    texts = []
    for row in range(len(matrix)):
        order = np.argsort(-np.abs(sums[row]), kind="stable")[:most]
        codes = []
        for k in (k for k in order if abs(sums[row, k]) >= _SMALLEST):
            sign = np.sign(sums[row, k])
            strongest = max(members[names[k]], key=lambda i: sign * contributions[row, i])
            words = _described(inputs.features[strongest], columns[strongest][row], against=sign < 0)
            codes.append(f"{names[k]} {sums[row, k]:+.2f}: {words}")
        texts.append(_fitting(codes))
    return texts


def _described(feature: Feature, value: object, against: bool) -> str:
    shown = _shown(value)
    # A reason is worded for abuse ("many claims at once"): where the feature speaks against it, only its meaning is true.
    text = ((feature.meaning if against else feature.reason) or feature.name).replace("{value}", shown).replace(";", ",")
    return f"{text} [{feature.name}={shown}]"


def _shown(value: object) -> str:
    """Return whole numbers in full, others to four digits."""
    if pd.isna(value):
        return "nothing"
    if isinstance(value, str):
        return value
    number = float(str(value))
    return f"{number:.0f}" if number.is_integer() else f"{number:.4g}"


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

_CURABLE = (
    ("has_receipt", "a receipt or a repair estimate"),
    ("has_dated_photo", "a dated photograph of the damage"),
    ("has_medical_record", "a medical record"),
)
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
    injury = (claims["kind"] == "injury").to_numpy() if "kind" in claims else np.zeros(len(claims), dtype=bool)
    lacking = {name: ~claims[name].to_numpy(dtype=bool) for name, _ in _CURABLE if name in claims}
    # A medical record is proof of an injury; nobody is asked for one over a scorched table.
    if "has_medical_record" in lacking:
        lacking["has_medical_record"] &= injury
    texts = []
    for row, action in enumerate(actions):
        missing = [words for name, words in _CURABLE if name in lacking and lacking[name][row]]
        texts.append(_TEXTS[str(action)].format(missing=" and ".join(missing) or _GENERAL))
    return texts
