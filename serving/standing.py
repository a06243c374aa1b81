"""A seller's standing as the marketplace knew it at an instant: decides whether a proof of insurance is accepted."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from data_contracts.accounts import SellerEventKind
from serving.instants import micros

_POLICY = {SellerEventKind.POLICY_VIOLATION, SellerEventKind.POLICY_CLEARED}
_INSURANCE = {SellerEventKind.INSURANCE_PROVEN, SellerEventKind.INSURANCE_LAPSED, SellerEventKind.INSURANCE_FORGED}

Change = Sequence[Any]
"""What happened to a seller: when it was known and when it occurred (microseconds UTC), the event's key, its kind."""


def with_changes(changes: Iterable[Change], more: Iterable[Change]) -> list[list[Any]]:
    """Return a seller's changes of standing, old and new, in the order in which they count; others are left out.

    >>> with_changes([], [(5, 5, "e2", "policy_violation"), (3, 3, "e1", "insurance_proven"), (1, 1, "e0", "recall")])
    [[3, 3, 'e1', 'insurance_proven'], [5, 5, 'e2', 'policy_violation']]
    """
    return sorted([list(change) for change in (*changes, *more) if change[3] in _POLICY | _INSURANCE])


def is_compliant(changes: Sequence[Change], at: int) -> bool:
    """Tell whether, strictly before ``at``, no violation stood open and the last known insurance was not a forgery."""
    before = _before(changes, at)
    policy = next((kind for kind in reversed(before) if kind in _POLICY), SellerEventKind.POLICY_CLEARED)
    insurance = next((kind for kind in reversed(before) if kind in _INSURANCE), SellerEventKind.INSURANCE_PROVEN)
    return policy == SellerEventKind.POLICY_CLEARED and insurance != SellerEventKind.INSURANCE_FORGED


def is_insured(changes: Sequence[Change], at: int) -> bool:
    """Tell whether, strictly before ``at``, a proven insurance was known and nothing else stood open."""
    insurance = next((kind for kind in reversed(_before(changes, at)) if kind in _INSURANCE), None)
    return insurance == SellerEventKind.INSURANCE_PROVEN and is_compliant(changes, at)


def _before(changes: Sequence[Change], at: int) -> list[str]:
    return [change[3] for change in changes[: bisect_left(changes, at, key=lambda change: change[0])]]


class Standing:
    """Looks up sellers' standing in the events that are known.

    Parameters
    ----------
    seller_events
        Rows of the seller-events contract, any order; ``None`` or empty means that nothing speaks against anybody.
    """

    def __init__(self, seller_events: pd.DataFrame | None) -> None:
        self._known: dict[str, list[Change]] = {}
        if seller_events is None:
            return
        ordered = seller_events.sort_values(["known_at", "occurred_at", "event_id"])
        columns = (ordered[name] for name in ("seller_id", "known_at", "occurred_at", "event_id", "kind"))
        for seller, known_at, occurred_at, event, kind in zip(*columns, strict=True):
            self._known.setdefault(seller, []).append((micros(known_at), micros(occurred_at), event, str(kind)))

    def compliant(self, seller_id: str, at: int) -> bool:
        """Tell whether, strictly before ``at``, no violation stood open and the last known insurance was not a forgery."""
        return is_compliant(self._known.get(seller_id, []), at)

    def insured(self, seller_ids: pd.Series, at: pd.Series) -> np.ndarray:
        """Tell for each pair of seller and instant whether a proven insurance was known and nothing else stood open.

        Prices depend on it: up to the limit, nothing is asked back from such a seller.
        """
        asked = pd.DataFrame({"seller": seller_ids.astype("str").array, "at": at.dt.as_unit("us").astype("int64").to_numpy()})
        known = pd.merge_asof(asked.sort_values("at", kind="stable"), self._insurance, on="at", by="seller", allow_exact_matches=False)
        found = np.zeros(len(asked), dtype=bool)
        found[asked["at"].argsort(kind="stable")] = known["insured"].fillna(False).to_numpy(dtype=bool)
        return found

    @cached_property
    def _insurance(self) -> pd.DataFrame:
        """Whether each seller was insured from each of its changes on: ``seller``, ``at``, ``insured``, in order of time."""
        rows = [
            (seller, change[0], is_insured(changes[: place + 1], change[0] + 1))
            for seller, changes in self._known.items()
            for place, change in enumerate(changes)
        ]
        columns = {"seller": pd.Series([r[0] for r in rows], dtype="str"), "at": pd.Series([r[1] for r in rows], dtype="int64")}
        table = pd.DataFrame(columns | {"insured": pd.Series([r[2] for r in rows], dtype="boolean")})
        return table.sort_values("at", kind="stable", ignore_index=True)

    def insured_at(self, seller_id: str, at: int) -> bool:
        """Tell it for one seller at one instant, microseconds UTC."""
        return is_insured(self._known.get(seller_id, []), at)
