"""One entry of the catalogue: a feature with everything people need to know about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from features.spec import Aggregate, Computed, Direct, Feature

Group = Literal[
    "amount",
    "timing",
    "evidence",
    "claim_form",
    "order_match",
    "customer_history",
    "seller_history",
    "product_history",
    "pair_history",
    "links",
    "duplicates",
]
"""What a feature is about; reasons are given by group, and groups are left out together."""

Unit = Literal["count", "cents", "days", "share", "ratio", "flag", "hour", "log dollars", "words", "weight", "steps"]


@dataclass(frozen=True)
class Entry:
    """A feature and its meaning.

    Parameters
    ----------
    feature
        How it is computed.
    meaning
        What the number says, as of filing.
    unit
        Its unit; a ``flag`` is 0 or 1.
    direction
        +1 where more of it can only speak for abuse, −1 where only against, 0 where it may go either way. Models
        constrain what they learn accordingly, so it is given only where there is no honest exception.
    group
        What it is about.
    reason
        What an investigator reads when the feature speaks for abuse.
    """

    feature: Feature
    meaning: str
    unit: Unit
    direction: Literal[-1, 0, 1]
    group: Group
    reason: str

    @property
    def name(self) -> str:
        """The feature's name: a column of the matrix."""
        return self.feature.name

    def compile(self) -> dict[str, Any]:
        """Return everything about the entry as plain JSON values."""
        return {
            "name": self.name,
            "meaning": self.meaning,
            "unit": self.unit,
            "direction": self.direction,
            "group": self.group,
            "reason": self.reason,
            "computed": _definition(self.feature),
        }


def _definition(feature: Feature) -> dict[str, Any]:
    if isinstance(feature, Direct):
        return {"family": feature.family, "needs": list(feature.needs)}
    if isinstance(feature, Computed):
        return {"function": feature.where, "needs": list(feature.needs)}
    if isinstance(feature, Aggregate):
        window = {"days": feature.over.days, "lag_days": feature.over.lag_days, "closed": feature.over.closed}
        among = {} if feature.among is None else {"among": feature.among}
        return {"on": feature.on, "by": list(feature.by), "how": feature.how, **among, "over": window}
    return {type(feature).__name__.lower(): [_definition(operand) for operand in feature.operands]}
