"""What happens to a seller's standing: insurance proven, lapsed or found forged, policy violations, recalls.

The marketplace learns late: a lapse after weeks, a forgery after months. An event that nobody knew by the horizon's end is not told.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data_contracts.accounts import SellerEventKind
from pipelines.simulate.frames import NEVER, Ints
from pipelines.simulate.harm import Recalls
from pipelines.simulate.market import DAY, Horizon
from pipelines.simulate.people import Products, Sellers

KINDS: tuple[str, ...] = tuple(kind.value for kind in SellerEventKind)
_VIOLATIONS_PER_YEAR = (0.10, 0.60)


def draw_events(sellers: Sellers, products: Products, recalls: Recalls, horizon: Horizon, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the events of all sellers.

    Returns
    -------
    DataFrame
        Columns ``seller, kind`` (position in ``KINDS``), ``product`` (``NEVER`` except for recalls), ``occurred, known``
        (microseconds), in the order of ``known``.
    """
    every = np.arange(len(sellers))
    insured, lapsed = sellers.insured_at != NEVER, sellers.lapsed_at != NEVER
    proven = sellers.insured_at[insured]
    parts = [
        _events(SellerEventKind.INSURANCE_PROVEN, every[insured], proven, _delay(len(proven), 0.1, 3.0, rng)),
        _events(SellerEventKind.INSURANCE_LAPSED, every[lapsed], sellers.lapsed_at[lapsed], _delay(int(lapsed.sum()), 5.0, 40.0, rng)),
    ]
    forged = every[sellers.forged]
    # A forgery is as old as the proof; it is discovered within the horizon, if at all.
    begin = np.maximum(sellers.insured_at[forged], horizon.orders_from)
    found = begin + _delay(len(forged), 60.0, 600.0, rng)
    parts.append(_events(SellerEventKind.INSURANCE_FORGED, forged, sellers.insured_at[forged], found - sellers.insured_at[forged]))
    parts += _violations(sellers, horizon, rng)
    recall = _events(SellerEventKind.RECALL, products.seller[recalls.product], recalls.occurred, recalls.known - recalls.occurred)
    recall["product"] = recalls.product
    events = pd.concat([*parts, recall], ignore_index=True).astype("int64")
    return events[events["known"] < horizon.end].sort_values(["known", "seller", "kind"], kind="stable", ignore_index=True)


def _violations(sellers: Sellers, horizon: Horizon, rng: np.random.Generator) -> list[pd.DataFrame]:
    """Violations arrive at random, more often for rogue sellers; three in five are cleared within one to three months."""
    years = (horizon.end - horizon.orders_from) / DAY / 365.25
    count = rng.poisson(np.where(sellers.rogue, _VIOLATIONS_PER_YEAR[1], _VIOLATIONS_PER_YEAR[0]) * years)
    seller = np.repeat(np.arange(len(sellers)), count)
    begin = np.maximum(sellers.joined[seller], horizon.orders_from)
    occurred = begin + (rng.random(len(seller)) * (horizon.end - begin)).astype(np.int64)
    delay = _delay(len(seller), 1.0, 20.0, rng)
    cleared = rng.random(len(seller)) < 0.6
    again = (occurred + delay + _delay(len(seller), 30.0, 90.0, rng))[cleared]
    return [
        _events(SellerEventKind.POLICY_VIOLATION, seller, occurred, delay),
        _events(SellerEventKind.POLICY_CLEARED, seller[cleared], again, _delay(len(again), 0.0, 1.0, rng)),
    ]


def _events(kind: SellerEventKind, seller: Ints, occurred: Ints, delay: Ints) -> pd.DataFrame:
    return pd.DataFrame(
        {"seller": seller, "kind": KINDS.index(kind.value), "product": NEVER, "occurred": occurred, "known": occurred + delay}
    )


def _delay(count: int, least: float, most: float, rng: np.random.Generator) -> Ints:
    return (rng.uniform(least, most, count) * DAY).astype(np.int64)
