"""The catalogue's entries about connections between customers and about re-used narratives and photographs."""

from __future__ import annotations

from typing import Literal

from features.duplicates import DUPLICATE_FEATURES
from features.entry import Entry, Unit
from features.links import LINK_FEATURES
from features.spec import ALL, Aggregate, Difference, How, Window

_CALLED = {"device_id": "device", "address_id": "address", "payment_id": "means of payment", "phone_id": "telephone"}


def _others(entity: str, on: str, how: How, what: str, over: Window = ALL) -> Entry:
    """Enter what customers other than the claimant did with the claim's device, address, payment or phone."""
    whole, own = (Aggregate(on, by, how, over) for by in ((entity,), (entity, "customer_id")))
    text = f"{what} this {_CALLED[entity]} " + ("before" if over.days is None else f"in {over.days} days")
    return Entry(Difference(whole, own), text, "count", 1 if "abusive" in on else 0, "links", text)


def _link(name: str, meaning: str, unit: Unit, direction: Literal[-1, 0, 1], reason: str) -> Entry:
    return Entry(LINK_FEATURES[name], meaning, unit, direction, "links", reason)


def _duplicate(name: str, meaning: str, unit: Unit, direction: Literal[-1, 0, 1], reason: str) -> Entry:
    return Entry(DUPLICATE_FEATURES[name], meaning, unit, direction, "duplicates", reason)


def _graph(graph: str, size: str, who: str, by: str) -> tuple[Entry, ...]:
    """Enter one graph: size and findings of the component, the direct neighbours, the way to abuse, growth."""
    name = f"link_{graph}"
    return (
        _link(f"{name}_customers", f"{who} connected {by}", "count", 0, size),
        _link(f"{name}_claims_others", f"earlier claims of connected {who}", "count", 0, f"connected {who} claimed before"),
        _link(f"{name}_abusive_others", f"abusive claims of connected {who}", "count", 1, f"connected {who} were found abusive"),
        _link(f"{name}_neighbours", f"{who} who share something directly, {by}", "count", 0, f"shares something with other {who}"),
        _link(
            f"{name}_neighbours_weighted",
            f"the same {who}, less for what many share",
            "weight",
            0,
            f"shares private things with other {who}",
        ),
        _link(f"{name}_neighbours_abusive", f"of these {who}, those found abusive", "count", 1, f"shares something with abusive {who}"),
        _link(
            f"{name}_neighbours_abusive_weighted",
            "the same, less for what many share",
            "weight",
            1,
            f"shares private things with abusive {who}",
        ),
        _link(
            f"{name}_abusive_distance", f"steps to the nearest abusive one, {by}; 3 or more is 3", "steps", -1, "abuse is few steps away"
        ),
        _link(f"{name}_joined_30d", f"{who} who became connected in 30 days", "count", 0, f"newly connected with many {who}"),
    )


LINK_ENTRIES: tuple[Entry, ...] = (
    *(_others(entity, "sightings.customer_id", "first_seen", "other customers who used") for entity in _CALLED),
    *(_others(entity, "claims", "count", "claims of other customers that named") for entity in _CALLED),
    *(_others(entity, "claims", "count", "claims of other customers that named", Window(90)) for entity in _CALLED),
    *(_others(entity, "standing.abusive", "sum", "other customers' abusive claims that named") for entity in _CALLED),
    *_graph("component", "connected with many customers", "customers", "by device, payment or phone"),
    *_graph("claimants", "connected with many claimants", "claimants", "through their claims"),
    _link("burst_claimants_product_30d", "other claimants on the product in 30 days", "count", 0, "many claims on this product at once"),
    _link(
        "burst_unlinked_share_product_30d", "share of them connected with nobody among them", "share", 0, "recent claimants are connected"
    ),
)
"""Who shares what with whom."""

DUPLICATE_ENTRIES: tuple[Entry, ...] = (
    _duplicate("narrative_reuse_others", "earlier claims of others with nearly this text", "count", 1, "others told nearly the same story"),
    _duplicate("narrative_reuse_own", "earlier claims of the customer with nearly this text", "count", 0, "the customer told this before"),
    _duplicate("narrative_days_since_reuse_others", "days since others told nearly this", "days", 0, "others told this story recently"),
    _duplicate(
        "photo_reuse_others", "earlier claims of others with nearly this photograph", "count", 1, "others showed nearly this photograph"
    ),
    _duplicate(
        "photo_reuse_own", "earlier claims of the customer with nearly this photograph", "count", 1, "the customer showed this before"
    ),
    _duplicate(
        "photo_days_since_reuse_others", "days since others showed nearly this", "days", 0, "others showed this photograph recently"
    ),
)
"""Which stories and pictures were used before."""
