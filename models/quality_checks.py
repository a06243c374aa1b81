"""Which cases measure the experts: gold cases, second looks that nobody knows of, and cases without the model's opinion.

Each is a draw that anybody can repeat and that no other case influences, like the audit's, and they are drawn apart from each other, so
that any two may fall on one case. Gold cases are drawn among those whose truth has come to light.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

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
        Of all answers, those to cases whose truth is known and that are given out once more (3–5 %).
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
    """Which cases are overlap and hidden; boolean, shape (cases,) each."""

    overlap: np.ndarray
    hidden: np.ndarray


def doubled(checks: Checks, claim_id: str) -> bool:
    """Tell whether a case is given to a second expert, as :func:`draw` says.

    >>> sum(doubled(Checks(), f"C{i}") for i in range(1_000))
    74
    """
    return bool(draw(checks, pd.Series([claim_id], dtype="str")).overlap[0])


def draw(checks: Checks, claim_ids: pd.Series) -> Drawn:
    """Return which cases measure experts.

    Examples
    --------
    >>> drawn = draw(Checks(), pd.Series([f"C{i}" for i in range(10_000)]))
    >>> [int(mask.sum()) for mask in (drawn.overlap, drawn.hidden)]
    [772, 1489]
    """

    def drawn(name: str, rate: float) -> np.ndarray:
        return audited(Audit(rate, f"{checks.seed}:{name}", 0.0), claim_ids)

    return Drawn(drawn("overlap", checks.overlap), drawn("hidden", checks.hidden))


def golden(checks: Checks, candidates: Sequence[str]) -> list[str]:
    """Return cases of known truth in the order in which they are given out once more: by lot, and the same lot for ever.

    >>> golden(Checks(), ["C1", "C2", "C3"]), golden(Checks(), ["C3", "C1"])
    (['C3', 'C2', 'C1'], ['C3', 'C1'])
    """
    key = blake2b(f"{checks.seed}:gold".encode(), digest_size=32).digest()
    return sorted(candidates, key=lambda claim: blake2b(claim.encode(), key=key, digest_size=8).digest())
