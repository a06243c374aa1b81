"""Who is connected with whom, as of filing: growing graphs of customers who share a device, payment, phone or address.

Customers become one component when they were seen with the same entity. The graphs only grow, so one pass in time order
with a union–find (Tarjan 1975) answers every claim from exactly what was known before it. An entity seen with more than
``hub_customers`` customers (a library's computer, a company's card) connects nobody further.

There are two graphs. In the first, orders and claims connect, but an address does not: neighbours and tenants would chain
half the country together. In the second only claims connect, by address too: of those who claim, few are neighbours.

What is found, for a claim filed at t by customer c, everything strictly before t
---------------------------------------------------------------------------------
*link*: a pair (customer, entity), since the first time the one was seen with the other, provided that the entity had at most
``hub_customers`` customers at that instant, all of the instant counted. Links never end; an entity above the cap is *closed*:
nobody is reached through it any more, but what it joined stays joined.

``customers, claims_others, abusive_others``
    Size and totals of the components of c and of the open entities that the claim itself names, less c's own claims: it is
    known at filing which device filed, although the claim is not part of the graph yet.
``neighbours``
    Other customers of the open entities that c is linked with or the claim names. Of c's links the latest 64 (``followed``)
    count, and all of the same instant as the last of them.
``neighbours_weighted``
    The same, each sharing weighted by 1/ln d, d being the customers of the shared entity, c included (Adamic and Adar
    2003): a device of two says more than one of ten. Weights are integers of 2⁻³²; one division at the end.
``neighbours_abusive, neighbours_abusive_weighted``
    Of these, the neighbours against whom an abusive claim stood.
``abusive_distance``
    1: a neighbour is such; 2: a neighbour's neighbour is (searched from at most 64 neighbours, by the latest 64 links of each);
    3: somebody else in the component is, or that many neighbours have hidden it; undefined: nobody.
``joined_30d``
    ``customers`` less the size that c's component had 30 days ago: how many became connected with c since, through this very
    claim or before. Two old components that merge count as growth, by the size of the other.

A *burst* of claims on one product may be a ring or a real defect. What tells them apart is whether the claimants are
strangers: the share of recent claimants whose component holds no other of them, nor the claimant at hand.

For a stream: :class:`Links`
----------------------------
``Links(kinds).advance(known, asked)`` takes a chunk of time: the :class:`~features.sources.Events` of the sources ``sightings``,
``claims`` and ``standing`` (columns: integer codes that stay the same over all chunks; they need not be known beforehand) and
the claims asked about as events at their filing. Chunks follow each other in time; cutting anywhere, even within an instant,
changes no bit. The state is proportional to customers + entities + claims of the last 30 days, never to events. Local features
are the case of one chunk.

For one claim: what a store must answer
---------------------------------------
As-of look-ups over rows that are only ever appended, each strictly before t: *entity → (since, customer)* of everybody seen with
it, of whom the first ``hub_customers`` + 1 matter (they give d, and who was joined); *customer → (since, entity)*, the latest 64
links; *customer → (since, claims, abusive)*, running totals of the customer's own; *customer → (since, component)* and *component →
(since, customers, claims, abusive)*, read at t and, for growth, at t − 30 days; *product → (filed, customer)* of the last 30 days.

Plain sharing (how many others used this device, how many claims came from it) is windowed history and declared in the
catalogue like any aggregate.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from features.facts import PROBES, Facts
from features.history import Floats, Ints
from features.link_graph import LinkGraph, LinkRules, Seen, nothing
from features.sources import Events, select
from features.spec import Direct

GRAPHS: dict[str, tuple[str, tuple[str, ...]]] = {
    "component": ("sightings", ("device_id", "payment_id", "phone_id")),
    "claimants": ("claims", ("device_id", "payment_id", "phone_id", "address_id")),
}
"""For each graph the source of its sightings and the entities that connect."""

_SIZES = ("customers", "claims_others", "abusive_others")
_NEAR = ("neighbours", "neighbours_weighted", "neighbours_abusive", "neighbours_abusive_weighted", "abusive_distance", "joined_30d")
_BURST = ("burst_claimants_product_30d", "burst_unlinked_share_product_30d")
_NAMES = {graph: (*(f"link_{graph}_{what}" for what in (*_SIZES, *_NEAR)), *(_BURST if graph == "component" else ())) for graph in GRAPHS}
_NEEDS = ("probes.customer_id", "claims.customer_id", "claims.filed_at")
_NEEDS_PRODUCT = (*_NEEDS, "probes.product_id", "claims.product_id")

LINK_FEATURES: dict[str, Direct] = {
    name: Direct(name, "links", _NEEDS_PRODUCT if name in _BURST else _NEEDS) for names in _NAMES.values() for name in names
}
"""Every feature of this module, by name."""


def names_of(graph: str) -> tuple[str, ...]:
    """Name the measures of a graph in the order in which :class:`features.link_graph.LinkGraph` finds them."""
    return _NAMES[graph]


LINK_SOURCES = ("sightings", "claims", "standing")
"""Sources that a stream must bring; one that does not exist is left out."""


class Links:
    """The link graphs as of the end of everything they were given; see the module for what a chunk is.

    Parameters
    ----------
    kinds
        For each graph wanted the entities that connect, as :func:`connecting` finds them.
    rules
        What counts as a link, and how far one looks.

    Examples
    --------
    >>> links = Links({"claimants": ("device_id",)})
    >>> columns = {"customer_id": np.array([0, 1]), "device_id": np.array([7, 7])}
    >>> claims = Events(np.array([10, 20]), columns)
    >>> links.advance({"claims": claims}, claims)["link_claimants_neighbours"].tolist()
    [0.0, 1.0]
    """

    def __init__(self, kinds: Mapping[str, tuple[str, ...]], rules: LinkRules = LinkRules()) -> None:  # noqa: B008 - frozen
        self._graphs = {graph: (held, LinkGraph(len(held), rules)) for graph, held in kinds.items()}

    @property
    def nbytes(self) -> int:
        """Bytes that the state holds."""
        return sum(graph.nbytes for _, graph in self._graphs.values())

    def reserve(self, counts: Mapping[str, int]) -> None:
        """Make room at once for so many different customers and entities, by column."""
        for kinds, graph in self._graphs.values():
            graph.reserve(counts.get("customer_id", 0), len(kinds) * max(counts.get(kind, 0) for kind in kinds))

    def advance(self, known: Mapping[str, Events], asked: Events) -> dict[str, Floats]:
        """Let a chunk of time pass, and answer the claims in it.

        Parameters
        ----------
        known
            Events by source, those of :data:`LINK_SOURCES` that there are, in order of time.
        asked
            The claims asked about, at the time of filing, with the columns of a claim as far as they exist.

        Returns
        -------
        dict
            (claims,) float64 by name, in the order of ``asked``, of every graph; NaN where undefined.

        Raises
        ------
        ValueError
            If rows are out of order in time, within the chunk or against the chunks before.
        """
        found: dict[str, Floats] = {}
        for name, (kinds, graph) in self._graphs.items():
            burst = name == "component"
            products = _column(asked, "product_id") if burst else np.full(len(asked.times), -1, dtype=np.int64)
            claims = _seen(known.get("claims"), "product_id" if burst else "")
            standing = _seen(known.get("standing"), "abusive")
            values = graph.advance(_linked(known.get(GRAPHS[name][0]), kinds), claims, standing, _linked(asked, kinds), products)
            found |= zip(_NAMES[name], values.T, strict=False)
        return found


def connecting(columns: Mapping[str, Collection[str]], asked: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Find which entities connect in each graph: those that its source and the claims asked about both have.

    >>> connecting({"claims": ["customer_id", "device_id", "address_id"]}, ["customer_id", "device_id"])
    {'claimants': ('device_id',)}
    """
    held = {graph: tuple(k for k in kinds if k in columns.get(source, ()) and k in asked) for graph, (source, kinds) in GRAPHS.items()}
    return {graph: kinds for graph, kinds in held.items() if kinds}


def compute(names: Collection[str], facts: Facts, rules: LinkRules = LinkRules(), threads: int = 1) -> dict[str, Floats]:  # noqa: B008 - frozen
    """Compute link features of the claims asked about.

    Parameters
    ----------
    names
        Which of :data:`LINK_FEATURES`.
    facts
        The tables; without resolutions nobody is known to be abusive.
    rules
        What counts as a link, and how far one looks.
    threads
        How many threads may work, a graph each; the result does not depend on it.

    Returns
    -------
    dict
        (probes,) float64 by name, in the order of the probes; empty where no linking entity is recorded at all. A claim
        without a customer is undefined (NaN); the unlinked share is so too where nobody else claimed.
    """
    known = {source: events for source in LINK_SOURCES if (events := select(facts, source)) is not None}
    keys = facts.keys(PROBES)
    kinds = connecting({source: events.columns for source, events in known.items()}, keys)
    asked = Events(facts.instants(PROBES, "filed_at"), {key: facts.codes(PROBES, key) for key in keys})
    order = np.argsort(asked.times, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    wanted = {graph: held for graph, held in kinds.items() if set(_NAMES[graph]) & set(names)}
    in_time = asked.only(order)
    with ThreadPoolExecutor(threads) as pool:
        graphs = list(pool.map(lambda graph: Links({graph: wanted[graph]}, rules).advance(known, in_time), wanted))
    found = {name: values for graph in graphs for name, values in graph.items()}
    return {name: np.ascontiguousarray(found[name][place]) for name in names if name in found}


def _column(events: Events, name: str) -> Ints:
    return events.columns.get(name, np.full(len(events.times), -1, dtype=np.int64))


def _seen(events: Events | None, other: str) -> Seen:
    """Read the customers of a source with one other column."""
    if events is None:
        return nothing()
    return Seen(events.times, _column(events, "customer_id"), _column(events, other))


def _linked(events: Events | None, kinds: tuple[str, ...]) -> Seen:
    """Read the customers of a source with the entities of all kinds, numbered together."""
    if events is None:
        return nothing(len(kinds))
    entities = np.empty((len(events.times), len(kinds)), dtype=np.int64)
    for number, kind in enumerate(kinds):
        codes = _column(events, kind)
        entities[:, number] = np.where(codes >= 0, codes * len(kinds) + number, -1)
    return Seen(events.times, _column(events, "customer_id"), entities)
