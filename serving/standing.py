"""A seller's standing as the marketplace knew it at an instant: decides whether a proof of insurance is accepted."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
import pandas as pd

from data_contracts.accounts import SellerEventKind
from serving.instants import micros

_POLICY = {SellerEventKind.POLICY_VIOLATION, SellerEventKind.POLICY_CLEARED}
_INSURANCE = {SellerEventKind.INSURANCE_PROVEN, SellerEventKind.INSURANCE_LAPSED, SellerEventKind.INSURANCE_FORGED}


class Standing:
    """Looks up sellers' standing in the events that are known.

    Parameters
    ----------
    seller_events
        Rows of the seller-events contract, any order; ``None`` or empty means that nothing speaks against anybody.
    """

    def __init__(self, seller_events: pd.DataFrame | None) -> None:
        self._known: dict[str, list[tuple[int, SellerEventKind]]] = {}
        if seller_events is None:
            return
        ordered = seller_events.sort_values(["known_at", "occurred_at", "event_id"])
        for seller, kind, known_at in zip(ordered["seller_id"], ordered["kind"], ordered["known_at"], strict=True):
            self._known.setdefault(seller, []).append((micros(known_at), SellerEventKind(kind)))

    def compliant(self, seller_id: str, at: int) -> bool:
        """Tell whether, strictly before ``at``, no violation stood open and the last known insurance was not a forgery."""
        events = self._known.get(seller_id, [])
        before = [kind for _, kind in events[: bisect_left(events, at, key=lambda event: event[0])]]
        policy = next((kind for kind in reversed(before) if kind in _POLICY), SellerEventKind.POLICY_CLEARED)
        insurance = next((kind for kind in reversed(before) if kind in _INSURANCE), SellerEventKind.INSURANCE_PROVEN)
        return policy is SellerEventKind.POLICY_CLEARED and insurance is not SellerEventKind.INSURANCE_FORGED

    def insured(self, seller_ids: pd.Series, at: pd.Series) -> np.ndarray:
        """Tell for each pair of seller and instant whether a proven insurance was known and nothing else stood open.

        Prices depend on it: up to the limit, nothing is asked back from such a seller.
        """
        return np.array([self.insured_at(seller, micros(when)) for seller, when in zip(seller_ids, at, strict=True)], dtype=bool)

    def insured_at(self, seller_id: str, at: int) -> bool:
        """Tell it for one seller at one instant, microseconds UTC."""
        events = self._known.get(seller_id, [])
        before = [kind for _, kind in events[: bisect_left(events, at, key=lambda event: event[0])]]
        insurance = next((kind for kind in reversed(before) if kind in _INSURANCE), None)
        return insurance is SellerEventKind.INSURANCE_PROVEN and self.compliant(seller_id, at)
