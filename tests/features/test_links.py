"""Links against plain sets, rebuilt from nothing for every claim: flooding, counting, looking at every claim of a burst."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import links
from features.facts import PROBES, Facts
from features.link_graph import LinkRules
from features.links import GRAPHS, LINK_FEATURES, LINK_SOURCES, Links, connecting
from features.sources import Events, select
from tests.features.tables import random_tables, some_missing
from tests.strategies import FEW, marketplaces

LINKING = GRAPHS["claimants"][1]
DAY = 86_400_000_000
Tables = dict[str, pd.DataFrame]
Entity = tuple[str, str]


def us(moment: pd.Timestamp) -> int:
    return moment.value // 1_000


def known(frame: pd.DataFrame, at: str) -> list[int]:
    """When each row became known, in microseconds."""
    return [us(t) for t in frame[[c for c in (at, "recorded_at") if c in frame]].max(axis=1)]


class Plain:
    """Tables as lists of plain rows: sightings by source, claims of products, labels of claims, each with when it was known."""

    def __init__(self, tables: Tables) -> None:
        claims = tables["claims"]
        self.seen = {
            source: [
                (t, row["customer_id"], [(kind, row[kind]) for kind in LINKING if isinstance(row.get(kind), str)])
                for frame, at in frames
                for t, row in zip(known(frame, at), frame.to_dict("records"), strict=True)
            ]
            for source, frames in {
                "sightings": [(tables["orders"], "ordered_at"), (claims, "filed_at")],
                "claims": [(claims, "filed_at")],
            }.items()
        }
        self.claims = list(zip(known(claims, "filed_at"), claims.customer_id, claims.product_id, strict=True))
        of = {c: (t, customer) for c, t, customer in zip(claims.claim_id, known(claims, "filed_at"), claims.customer_id, strict=True)}
        found = tables["resolutions"][tables["resolutions"].label.notna()].sort_values(["known_at", "resolution_id"])
        rows = zip(found.claim_id, found.known_at, found.label, strict=True)
        self.labels = [(max(us(t), of[c][0]), c, of[c][1], label) for c, t, label in rows if c in of]

    def abusive(self, now: int) -> Counter[str]:
        """Count the abusive claims that stood against each customer."""
        final = {claim: (customer, label) for t, claim, customer, label in self.labels if t < now}
        return Counter(customer for customer, label in final.values() if label == "abusive")


@dataclass
class Graph:
    """One graph as of an instant, in sets: when customers were first seen with entities, and who was joined by that."""

    since: dict[Entity, dict[str, int]]
    hub: int

    @cached_property
    def friends(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for entity in self.since:
            for customer in (held := self.joined(entity)):
                found[customer] |= set(held)
        return found

    @classmethod
    def before(cls, plain: Plain, graph: str, now: int, hub: int) -> Graph:
        source, kinds = GRAPHS[graph]
        since: dict[Entity, dict[str, int]] = defaultdict(dict)
        for t, customer, entities in plain.seen[source]:
            for kind, name in entities:
                if t < now and kind in kinds and isinstance(customer, str):
                    users = since[kind, name]
                    users[customer] = min(t, users.get(customer, now))
        return cls(since, hub)

    def is_open(self, entity: Entity) -> bool:
        return len(self.since.get(entity, ())) <= self.hub

    def joined(self, entity: Entity) -> dict[str, int]:
        """Those who came while the entity had at most ``hub`` customers, counting all of the same instant."""
        users = self.since.get(entity, {})
        return {c: t for c, t in users.items() if sum(u <= t for u in users.values()) <= self.hub}

    def component(self, start: str) -> set[str]:
        found, todo = {start}, [start]
        while todo:
            fresh = self.friends[todo.pop()] - found
            found |= fresh
            todo += fresh
        return found

    def links(self, customer: str, followed: int) -> list[Entity]:
        """Open entities among the latest links of a customer."""
        mine = {e: self.joined(e)[customer] for e in self.since if customer in self.joined(e)}
        return [e for e in latest(mine.items(), followed) if self.is_open(e)]


def latest(moments: Iterable[tuple[object, int]], cap: int) -> list:
    """Keep the latest ``cap`` and all of the same instant as the last of them."""
    ordered = sorted(moments, key=lambda pair: -pair[1])
    return [thing for thing, t in ordered if t >= ordered[min(cap, len(ordered)) - 1][1]]


def expected_links(plain: Plain, probe: pd.Series, graph: str, rules: LinkRules) -> dict[str, float]:
    """Compute one graph's features of one claim from everything strictly before it."""
    now, me, hub = us(probe.filed_at), probe.customer_id, rules.hub_customers
    names = [name for name in LINK_FEATURES if name.startswith(f"link_{graph}_")]
    if not isinstance(me, str):
        return dict.fromkeys(names, np.nan)
    g = Graph.before(plain, graph, now, hub)
    named = {(kind, probe[kind]) for kind in GRAPHS[graph][1] if isinstance(probe.get(kind), str)}
    named = {e for e in named if g.is_open(e)}
    mine = g.component(me)
    for entity in named:
        mine = mine.union(*(g.component(c) for c in g.since.get(entity, {})))
    bad = plain.abusive(now)
    shared = named | set(g.links(me, rules.followed))
    users = {e: set(g.since.get(e, {})) - {me} for e in shared}
    near = set().union(*users.values())
    wide = {c for n in near for e in g.links(n, rules.followed) for c in g.since[e]} if len(near) <= rules.searched else set()
    weight = {e: round(2**32 / math.log(len(users[e]) + 1)) if users[e] else 0 for e in shared}
    far = sum(bad[c] for c in mine - {me})
    distance = 1 if any(bad[c] for c in near) else 2 if any(bad[c] for c in wide - {me}) else 3 if far else np.nan
    before = Graph.before(plain, graph, now - rules.recent_days * DAY, hub)
    values = (
        len(mine),
        sum(t < now and c in mine and c != me for t, c, _ in plain.claims),
        far,
        len(near),
        sum(len(users[e]) * weight[e] for e in shared) / 2**32,
        sum(bad[c] > 0 for c in near),
        sum(sum(bad[c] > 0 for c in users[e]) * weight[e] for e in shared) / 2**32,
        distance,
        len(mine) - len(before.component(me)),
    )
    return dict(zip(names, values, strict=True))


def expected_burst(plain: Plain, probe: pd.Series, rules: LinkRules) -> dict[str, float]:
    now, me = us(probe.filed_at), probe.customer_id
    names = [name for name in LINK_FEATURES if name.startswith("burst_")]
    if not isinstance(me, str) or not isinstance(probe.product_id, str):
        return dict.fromkeys(names, np.nan)
    g = Graph.before(plain, "component", now, rules.hub_customers)
    mine = g.component(me)
    for kind in GRAPHS["component"][1]:
        if g.is_open((kind, probe.get(kind))):
            mine = mine.union(*(g.component(c) for c in g.since.get((kind, probe.get(kind)), {})))
    since = now - rules.recent_days * DAY
    recent = latest([(c, t) for t, c, product in plain.claims if product == probe.product_id and since <= t < now], rules.burst_claims)
    others = {c for c in recent if isinstance(c, str) and c != me}
    parts = Counter(frozenset(g.component(c)) for c in others)
    strangers = sum(parts[frozenset(g.component(c))] == 1 and c not in mine for c in others)
    return dict(zip(names, (len(others), strangers / len(others) if others else np.nan), strict=True))


def must_equal_sets(tables: Tables, rules: LinkRules) -> None:
    found = links.compute(list(LINK_FEATURES), Facts(tables, tables["claims"]), rules)
    plain = Plain(tables)
    for row in range(len(tables["claims"])):
        probe = tables["claims"].iloc[row]
        expected = expected_burst(plain, probe, rules)
        for graph in GRAPHS:
            expected |= expected_links(plain, probe, graph, rules)
        np.testing.assert_equal({name: column[row] for name, column in found.items()}, expected)


def with_gaps(tables: Tables, seed: int) -> Tables:
    """Lose some identifiers of orders and claims."""
    rng = np.random.default_rng(seed)
    gone = {"orders": ("customer_id", "device_id", "payment_id"), "claims": ("customer_id", "phone_id", "address_id", "product_id")}
    lossy = {name: tables[name].assign(**{c: some_missing(rng, tables[name][c], 0.15) for c in columns}) for name, columns in gone.items()}
    return tables | lossy


def streamed(
    tables: Tables, cuts: list[int], rules: LinkRules, counts: dict[str, int] | None = None
) -> tuple[dict[str, np.ndarray], Links]:
    """Feed a stream in chunks: everything in one order of time, cut at the given positions, even within an instant."""
    facts = Facts(tables, tables["claims"])
    known = {name: events for name in LINK_SOURCES if (events := select(facts, name)) is not None}
    keys = facts.keys(PROBES)
    asked = Events(facts.instants(PROBES, "filed_at"), {key: facts.codes(PROBES, key) for key in keys})
    order = np.argsort(asked.times, kind="stable")
    sources = known | {PROBES: asked.only(order)}
    whose = np.concatenate([np.full(len(events.times), number) for number, events in enumerate(sources.values())])
    merged = whose[np.argsort(np.concatenate([events.times for events in sources.values()]), kind="stable")]
    state = Links(connecting({name: events.columns for name, events in known.items()}, keys), rules)
    state.reserve(counts or {})
    parts = []
    for begin, end in zip([0, *cuts], [*cuts, len(merged)], strict=True):
        bounds = [(int((merged[:begin] == n).sum()), int((merged[:end] == n).sum())) for n in range(len(sources))]
        chunk = {name: events.only(np.arange(*at)) for (name, events), at in zip(sources.items(), bounds, strict=True)}
        parts.append(state.advance(chunk, chunk[PROBES]))
    found = {name: np.empty(len(order)) for name in parts[0]}
    for name, column in found.items():
        column[order] = np.concatenate([part[name] for part in parts])
    return found, state


TIGHT = LinkRules(hub_customers=2, followed=2, searched=2, burst_claims=2, recent_days=7)


@FEW
@given(marketplaces(max_orders=30, max_claims=15))
def test_links_equal_sets_rebuilt_before_each_claim(tables: Tables) -> None:
    must_equal_sets(tables, LinkRules())


@FEW
@given(marketplaces(max_orders=30, max_claims=12), st.integers(0, 100), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3))
def test_links_equal_sets_under_tight_caps_with_ties_and_gaps(tables: Tables, seed: int, hub: int, followed: int, searched: int) -> None:
    must_equal_sets(with_gaps(tables, seed), LinkRules(hub, followed, searched, burst_claims=2, recent_days=14))


@pytest.mark.parametrize("hub", [1, 2, 3])
def test_a_hub_connects_nobody_further_whatever_the_order_within_an_instant(hub: int) -> None:
    for seed in range(3):
        tables = random_tables(seed, orders=40, claims=20, customers=15, entities=12, step_us=7 * DAY)
        must_equal_sets(tables, LinkRules(hub_customers=hub))
        shuffled = {name: frame.sample(frac=1.0, random_state=seed).reset_index(drop=True) for name, frame in tables.items()}
        probes = tables["claims"]
        first, second = (links.compute(list(LINK_FEATURES), Facts(t, probes), LinkRules(hub_customers=hub)) for t in (tables, shuffled))
        np.testing.assert_equal(first, second)


@FEW
@given(marketplaces(), st.lists(st.integers(0, 140), max_size=6), st.sampled_from([LinkRules(), TIGHT]))
def test_any_cutting_into_chunks_gives_the_same_bits(tables: Tables, cuts: list[int], rules: LinkRules) -> None:
    found, _ = streamed(tables, sorted(cuts), rules)
    np.testing.assert_equal(found, links.compute(list(found), Facts(tables, tables["claims"]), rules))


def test_row_by_row_is_a_stream_too_and_codes_need_not_be_known_beforehand() -> None:
    tables = with_gaps(random_tables(8, orders=200, claims=80, customers=40, entities=60), 8)
    found, _ = streamed(tables, list(range(1, 350)), TIGHT)
    np.testing.assert_equal(found, links.compute(list(found), Facts(tables, tables["claims"]), TIGHT))


def test_the_state_does_not_grow_with_events() -> None:
    def held(times: int) -> int:
        tables = random_tables(4, orders=400 * times, claims=100 * times, customers=30, entities=40, days=120 * times)
        return streamed(tables, list(range(200, 650 * times, 100)), TIGHT)[1].nbytes

    assert held(24) < 1.2 * held(8)


@pytest.mark.parametrize("share", [0.3, 1.0, 5.0])
def test_room_made_beforehand_enough_or_not_changes_no_bit(share: float) -> None:
    tables = random_tables(5, orders=300, claims=90, customers=40, entities=50)
    facts = Facts(tables, tables["claims"])
    counts = {key: int(share * facts.vocabulary(key)) for key in facts.keys("claims")}
    expected, found = (streamed(tables, [70, 180], TIGHT, given)[0] for given in (None, counts))
    for name, column in expected.items():
        np.testing.assert_array_equal(found[name], column, err_msg=name)


def test_rows_out_of_order_are_refused() -> None:
    claims = Events(np.array([20, 10]), {"customer_id": np.array([0, 1]), "device_id": np.array([1, 1])})
    state = Links({"claimants": ("device_id",)})
    with pytest.raises(ValueError, match="in order of time"):
        state.advance({"claims": claims}, claims.only(np.array([], dtype=np.int64)))
    state.advance({"claims": claims.only(np.array([0]))}, claims.only(np.array([0])))
    with pytest.raises(ValueError, match="in order of time from 20 on"):
        state.advance({"claims": claims.only(np.array([1]))}, claims.only(np.array([1])))


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
    assert found["link_component_neighbours"].tolist() == [0] * 7 + [1, 2, 3, 4, 5]
    assert found["link_component_joined_30d"].tolist() == [0] * 7 + [1, 2, 3, 4, 5]


def test_a_chain_from_an_abusive_claim_is_one_two_three_steps_long() -> None:
    """K0 and K1 share a device, K1 and K2 a phone, K2 and K3 a payment, K3 and K4 a device; K0 is known to be abusive."""
    tables = random_tables(3, orders=40, claims=10, customers=40, entities=4_000)
    rows = [("K0", "d", "t0", "p0"), ("K1", "d", "t1", "p1"), ("K2", "d2", "t1", "p2"), ("K3", "d3", "t3", "p2"), ("K4", "d3", "t4", "p4")]
    columns = ("customer_id", "device_id", "phone_id", "payment_id")
    claims = tables["claims"].assign(**dict(zip(columns, zip(*rows, *rows, strict=True), strict=True)))
    claims = claims.assign(address_id=[f"A{i}" for i in range(10)], filed_at=claims.filed_at.max() + pd.to_timedelta(range(10), unit="D"))
    known = tables["resolutions"].iloc[:1].assign(claim_id=claims.claim_id[0], label="abusive", known_at=claims.filed_at[4])
    found = links.compute(list(LINK_FEATURES), Facts({"claims": claims, "resolutions": known}, claims))
    for graph in GRAPHS:
        np.testing.assert_equal(found[f"link_{graph}_abusive_distance"][5:], [np.nan, 1, 2, 3, 3])


def test_no_linking_entity_no_link_features() -> None:
    claims = random_tables(1)["claims"].drop(columns=list(LINKING))
    assert links.compute(list(LINK_FEATURES), Facts({"claims": claims}, claims)) == {}


@pytest.mark.parametrize(("later", "joined"), [(30 * DAY, 1.0), (30 * DAY + 1, 0.0)])
def test_growth_ends_when_the_meeting_is_older_than_thirty_days(later: int, joined: float) -> None:
    columns = {"customer_id": np.array([0, 1]), "device_id": np.array([7, 7])}
    seen, asked = Events(np.array([50, 50]), columns), Events(np.array([50 + later]), {name: codes[:1] for name, codes in columns.items()})
    found = Links({"component": ("device_id",)}).advance({"sightings": seen}, asked)
    assert found["link_component_joined_30d"].tolist() == [joined]
    assert found["link_component_customers"].tolist() == [2.0]


def claims_on_one_product(times: list[int]) -> Events:
    n = len(times)
    return Events(np.array(times), {"customer_id": np.arange(n), "device_id": np.arange(n), "product_id": np.zeros(n, dtype=np.int64)})


def test_of_a_burst_the_latest_count_and_all_of_the_same_instant_as_the_last_of_them() -> None:
    claims = claims_on_one_product([1, 5, 5, 5, 9, 20])
    links = Links({"component": ("device_id",)}, LinkRules(burst_claims=2))
    found = links.advance({"sightings": claims, "claims": claims}, claims.only(np.array([5])))
    assert found["burst_claimants_product_30d"].tolist() == [4.0]


def test_a_claim_of_exactly_thirty_days_ago_survives_the_end_of_a_chunk() -> None:
    claims = claims_on_one_product([0, 1, 30 * DAY])
    state, nobody = Links({"component": ("device_id",)}), claims.only(np.arange(0))
    for row in range(3):
        state.advance({"claims": claims.only(np.array([row]))}, nobody)
    asked = Events(np.array([30 * DAY]), {name: np.array([0]) + 8 * (name == "customer_id") for name in claims.columns})
    assert state.advance({}, asked)["burst_claimants_product_30d"].tolist() == [2.0]
