"""Which cases measure the experts: gold cases, second looks that nobody knows of, and cases without the model's opinion.

Each is a draw that anybody can repeat and that no other case influences, like the audit's. The three are drawn apart from each other, so
that any two may fall on one case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.decision import audited
from models.policy import Audit


@dataclass(frozen=True)
class Checks:
    """Shares of the cases that measure experts.

    Parameters
    ----------
    gold
        Examined in earnest beforehand, so that the truth is known (3–5 %).
    overlap
        Given to a second expert who does not know of the first (5–10 %).
    hidden
        Shown without the model's probabilities: what measures automation bias.
    seed
        Of the draws.
    """

    gold: float = 0.04
    overlap: float = 0.08
    hidden: float = 0.15
    seed: str = "touchstone-experts"

    def __post_init__(self) -> None:
        for name in ("gold", "overlap", "hidden"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"checks.{name}: expected a share between 0 and 1, found {getattr(self, name)}")


@dataclass(frozen=True, eq=False)
class Drawn:
    """Which cases are gold, overlap and hidden; boolean, shape (cases,) each."""

    gold: np.ndarray
    overlap: np.ndarray
    hidden: np.ndarray


def draw(checks: Checks, claim_ids: pd.Series) -> Drawn:
    """Return which cases measure experts.

    Examples
    --------
    >>> drawn = draw(Checks(), pd.Series([f"C{i}" for i in range(10_000)]))
    >>> [int(mask.sum()) for mask in (drawn.gold, drawn.overlap, drawn.hidden)]
    [418, 772, 1489]
    """

    def drawn(name: str, rate: float) -> np.ndarray:
        return audited(Audit(rate, f"{checks.seed}:{name}", 0.0), claim_ids)

    return Drawn(drawn("gold", checks.gold), drawn("overlap", checks.overlap), drawn("hidden", checks.hidden))
