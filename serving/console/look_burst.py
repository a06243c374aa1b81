"""The burst that a claim belongs to: who claimed for the same product within a month, and whether it looks like a defect or a ring.

A defective product brings a burst of honest claims from strangers; a ring's claimants share devices, addresses, means of payment or
telephones. The test (:func:`models.rings.exculpate`) is shown for whoever investigates to read first, and decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from models.rings import HONEST_STRANGERS, RING_STRANGERS, Exculpation, exculpate
from serving.console.records import Records, Row
from serving.instants import DAY

MONTH = 30 * DAY
"""How long before and after its filing other claims belong to a claim's burst, microseconds."""

MOST = 400
"""Claims looked at, the latest."""

FEWEST = 2
"""Fewer claimants are no burst."""


@dataclass(frozen=True)
class Burst:
    """Claims on one product: how many, since when and until when (microseconds UTC), in all worth what, and the test."""

    claims: int
    first_at: int
    last_at: int
    claimed_cents: int
    test: Exculpation


def burst_of(records: Records, claim: Row, now: int) -> Burst | None:
    """Return the burst that a claim belongs to, as known at an instant (microseconds UTC); ``None`` where nobody else claimed."""
    from models.splits import ENTITIES, components  # sparse graphs take their time to load, and the endpoint needs none to start

    since, until = claim["filed_at"] - MONTH, min(now, claim["filed_at"] + MONTH)
    known = [row for row in records.rows("claims", "product_id", [claim["product_id"]], until, MOST) if row["filed_at"] >= since]
    rows = {row["claim_id"]: row for row in (claim, *known)}
    frame = pd.DataFrame([{name: row[name] for name in ENTITIES} for row in rows.values()])
    together = frame["customer_id"].groupby(components(frame)).nunique()
    claimants = int(frame["customer_id"].nunique())
    if claimants < FEWEST:
        return None
    test = exculpate(claimants, int((together == 1).sum()), HONEST_STRANGERS, RING_STRANGERS)
    filed = [row["filed_at"] for row in rows.values()]
    return Burst(len(rows), min(filed), max(filed), sum(row["amount_cents"] for row in rows.values()), test)
