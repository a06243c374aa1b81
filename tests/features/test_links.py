"""Links against plain sets: components by flooding, bursts by looking at every claim."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from features import links
from features.facts import Facts
from features.links import BURST_DAYS, GRAPHS, LINK_FEATURES
from tests.features.tables import random_tables
from tests.strategies import FEW, marketplaces

LINKING = GRAPHS["claimants"][1]
Tables = dict[str, pd.DataFrame]


def sightings_before(tables: Tables, kinds: tuple[str, ...], now: pd.Timestamp) -> dict[tuple[str, str], dict[str, pd.Timestamp]]:
    """For each entity, its customers and when each was first seen with it."""
    seen: dict[tuple[str, str], dict[str, pd.Timestamp]] = defaultdict(dict)
    for frame, at in ((tables["orders"], "ordered_at"), (tables["claims"], "filed_at")):
        for row in frame[frame[at] < now].itertuples():
            for kind in (k for k in kinds if k in frame.columns):
                users = seen[kind, getattr(row, kind)]
                users[row.customer_id] = min(getattr(row, at), users.get(row.customer_id, now))
    return seen


def by_flooding(tables: Tables, probe: pd.Series, hub: int, graph: str) -> dict[str, float]:
    """Compute the link features of one claim in one graph from everything strictly before it."""
    source, kinds = GRAPHS[graph]
    tables = tables if source == "sightings" else {**tables, "orders": tables["orders"].iloc[:0]}
    now, me = probe.filed_at, probe.customer_id
    seen = sightings_before(tables, kinds, now)
    friends: dict[str, set[str]] = defaultdict(set)
    open_: dict[tuple[str, str], bool] = {}
    for entity, users in seen.items():
        # An entity joins those who came while it had at most ``hub`` customers, counting all of the same instant.
        joined = {c for c, t in users.items() if sum(u <= t for u in users.values()) <= hub}
        for customer in joined:
            friends[customer] |= joined
        open_[entity] = len(users) <= hub

    def component(start: str) -> set[str]:
        found, todo = {start}, [start]
        while todo:
            fresh = friends[todo.pop()] - found
            found |= fresh
            todo += fresh
        return found

    mine = component(me)
    for kind in kinds:
        if open_.get((kind, probe[kind])):
            mine |= component(next(iter(seen[kind, probe[kind]])))
    earlier = tables["claims"][tables["claims"].filed_at < now]
    theirs = earlier[earlier.customer_id.isin(mine - {me})]
    near = earlier[(earlier.product_id == probe.product_id) & (earlier.filed_at >= now - pd.Timedelta(days=BURST_DAYS))]
    others = set(near.customer_id) - {me}
    parts = Counter(frozenset(component(c)) for c in others)
    strangers = sum(parts[frozenset(component(c))] == 1 and c not in mine for c in others)
    found = {
        f"link_{graph}_customers": len(mine),
        f"link_{graph}_claims_others": len(theirs),
        f"link_{graph}_abusive_others": sum(found_abusive(tables["resolutions"], c, now) for c in theirs.claim_id),
    }
    burst = {
        "burst_claimants_product_30d": len(others),
        "burst_unlinked_share_product_30d": strangers / len(others) if others else np.nan,
    }
    return found | (burst if graph == "component" else {})


def found_abusive(resolutions: pd.DataFrame, claim_id: str, now: pd.Timestamp) -> bool:
    known = resolutions[(resolutions.claim_id == claim_id) & (resolutions.known_at < now) & resolutions.label.notna()]
    return bool(len(known)) and known.sort_values(["known_at", "resolution_id"]).label.iloc[-1] == "abusive"


def must_equal_flooding(tables: Tables, hub: int) -> None:
    found = links.compute(list(LINK_FEATURES), Facts(tables, tables["claims"]))
    for row in range(len(tables["claims"])):
        probe = tables["claims"].iloc[row]
        expected = by_flooding(tables, probe, hub, "component") | by_flooding(tables, probe, hub, "claimants")
        np.testing.assert_equal({name: column[row] for name, column in found.items()}, expected)


@FEW
@given(marketplaces(max_orders=30, max_claims=15))
def test_links_equal_flooding_the_graph_before_each_claim(tables: Tables) -> None:
    must_equal_flooding(tables, links.HUB_CUSTOMERS)


@pytest.mark.parametrize("hub", [1, 2, 3])
def test_a_hub_connects_nobody_further_whatever_the_order_within_an_instant(hub: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "HUB_CUSTOMERS", hub)
    for seed in range(3):
        must_equal_flooding(random_tables(seed, orders=40, claims=20, customers=15, entities=12, step_us=7 * 86_400_000_000), hub)


def test_a_ring_and_a_defect_look_alike_until_one_asks_who_knows_whom() -> None:
    tables = random_tables(3, orders=40, claims=12, customers=40, entities=4_000)
    claims = tables["claims"].assign(
        customer_id=[f"K{i}" for i in range(12)],
        product_id=["P0"] * 6 + ["P1"] * 6,
        filed_at=tables["claims"].filed_at.max() + pd.to_timedelta(range(12), unit="D"),
    )
    for kind in LINKING:
        claims[kind] = [f"{kind}{i}" for i in range(12)]
    claims.loc[claims.product_id == "P1", "device_id"] = "the ring's"
    nothing = {"orders": tables["orders"].iloc[:0], "claims": claims}
    found = links.compute(list(LINK_FEATURES), Facts(nothing, claims))
    assert found["burst_claimants_product_30d"].tolist() == [0, 1, 2, 3, 4, 5] * 2
    assert found["burst_unlinked_share_product_30d"][1:6].tolist() == [1.0] * 5
    assert found["burst_unlinked_share_product_30d"][7:].tolist() == [0.0] * 5


def test_no_linking_entity_no_link_features() -> None:
    claims = random_tables(1)["claims"].drop(columns=list(LINKING))
    assert links.compute(list(LINK_FEATURES), Facts({"claims": claims}, claims)) == {}
