"""Features that look into the future, each in its own way, as users have written them."""

from __future__ import annotations

import numpy as np

from features.catalog import Catalog
from features.entry import Entry
from features.facts import Facts, take
from features.spec import ALL, Aggregate, Computed, Feature, Selection, Window


def entry(feature: Feature) -> Entry:
    return Entry(feature, "planted", "count", 0, "customer_history", "planted")


def ever_abusive(facts: Facts) -> np.ndarray:
    """Claims of the customer that were ever found abusive: the resolutions are read without their time."""
    found = np.bincount(facts.codes("resolutions", "customer_id"), facts.equals("resolutions", "label", "abusive"), 10_000)
    return found[facts.codes("probes", "customer_id")]


def over_average(facts: Facts) -> np.ndarray:
    """The amount over the mean of all claims, those to come included."""
    amounts = facts.integers("claims", "amount_cents")
    return facts.integers("probes", "amount_cents") * len(amounts) / max(amounts.sum(), 1)


def among_asked(facts: Facts) -> np.ndarray:
    """The rank of the amount among the claims asked about: the others are asked about later."""
    return np.argsort(np.argsort(facts.integers("probes", "amount_cents"))).astype(np.float64)


def delivered(facts: Facts) -> np.ndarray:
    """The delivery of the order, whether it has happened yet or not."""
    rows = facts.rows("probes", "order_id", "orders")
    return take(facts.instants("orders", "delivered_at"), rows, 0).astype(np.float64)


CUSTOMER = ("customer_id",)
PLANTED: dict[str, Catalog] = {
    "resolutions without time": Catalog((entry(Computed("leak", (), ever_abusive)),)),
    "mean of the whole table": Catalog((entry(Computed("leak", (), over_average)),)),
    "rank among all": Catalog((entry(Computed("leak", (), among_asked)),)),
    "delivery looked up": Catalog((entry(Computed("leak", (), delivered)),)),
    "delivery aggregated": Catalog((entry(Aggregate("orders.delivered_at", CUSTOMER, "max", ALL)),)),
    "window that holds the claim": Catalog(
        (entry(Aggregate("claims", CUSTOMER, "count", Window(30, closed="right"))),), counts_itself=True
    ),
    "label at the time of resolving": Catalog(
        (entry(Aggregate("early", CUSTOMER, "count", ALL)),), {"early": Selection("resolutions", "resolved_at", "label", ("abusive",))}
    ),
}
"""By what is wrong with it, a catalogue of one feature."""
