"""Links of one claim, read as of its filing from the logs of :mod:`features.online_link_logs`.

Nothing is searched further than :mod:`features.links` searches: entities have at most eleven customers written down, of links
the latest 64 are followed, of a burst about 256 claims are looked at. Three rounds of look-ups answer almost every claim; a
fourth to sixth look for abusive neighbours of neighbours, where the component holds any.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from features.history import NEVER, Floats, Ints
from features.kernel_links import Graph
from features.link_answers import MEASURES
from features.link_graph import LinkRules
from features.link_growth import ONE
from features.links import GRAPHS, names_of
from features.online_link_logs import CLAIMANTS, COMPONENT, LINKED, OWN, TOTALS, log_of, met_log
from features.online_rows import key_of, keys_of
from features.online_sources import earlier_pages
from features.online_windows import Asked, Round
from features.pages import PAGE_ROWS, Key, Pages, count_before, words_of
from features.spec import DAY_US, Direct

Entity = tuple[int, int]
"""Number of its kind within the graph, and its code."""

Found = Sequence[bytes | None]


@dataclass(frozen=True)
class LinkPlan:
    """Which features of the family ``links`` are wanted, and of which graphs."""

    features: tuple[Direct, ...]
    graphs: tuple[str, ...]
    rules: LinkRules
    weights: tuple[int, ...]
    compiled: tuple[Graph, ...]
    places: Ints

    @classmethod
    def of(cls, features: Iterable[Direct]) -> LinkPlan:
        """Prepare the features of the family ``links``."""
        features, rules = tuple(features), LinkRules()
        if rules.hub_customers >= PAGE_ROWS:
            raise ValueError(f"hub_customers: expected fewer than the {PAGE_ROWS} rows of a page, found {rules.hub_customers}")
        wanted = {feature.name for feature in features}
        graphs = tuple(graph for graph in GRAPHS if wanted & set(names_of(graph)))
        place = {name: MEASURES * number + at for number, graph in enumerate(graphs) for at, name in enumerate(names_of(graph))}
        places = np.array([place[feature.name] for feature in features], dtype=np.int64)
        return cls(features, graphs, rules, tuple(rules.compiled.weights.tolist()), tuple(Graph.of(graph) for graph in graphs), places)


def read(plan: LinkPlan, graph: str, codes: Mapping[str, int], now: int, pages: Pages) -> Round:
    """Measure one graph for a claim: a reader as in :mod:`features.online_windows`.

    Parameters
    ----------
    plan
        The rules.
    graph
        One of :data:`features.links.GRAPHS`.
    codes
        The claim's identifiers.
    now
        The instant of filing.
    pages
        Where earlier pages of long logs are found.

    Returns
    -------
    ndarray
        The measures of the graph, in the order of its names.
    """
    found = np.full(MEASURES, np.nan)
    customer, product = codes.get("customer_id", -1), codes.get("product_id", -1) if graph == "component" else -1
    if customer < 0:
        return found
    entities = [(number, codes[kind]) for number, kind in enumerate(GRAPHS[graph][1]) if codes.get(kind, -1) >= 0]
    at = yield from _standpoint(plan, graph, customer, product, entities, now, pages)
    around, label_of, size_then = yield from _surroundings(plan, graph, at, entities, now)
    near = sorted({at.component} | {label_of[met[-1]] for met in at.named.values()})
    others = sorted({other for met in around.values() for other in met} - {customer})
    total, own = log_of(graph, TOTALS), [(key_of(OWN, (other,)), now) for other in others]
    answers = yield [(key_of(total, (root,)), now) for root in near] + own
    totals = [_state(page, (1, 0, 0), now) for page in answers[: len(near)]]
    abusive = {o for o, page in zip(others, answers[len(near) :], strict=True) if page is not None and _state(page, (0, 0), now)[1] > 0}
    people, claims, found_abusive = (sum(column) for column in zip(*totals, strict=True))
    found[:3] = people, claims - at.own[0], found_abusive - at.own[1]
    found[3:7] = _shared(around.values(), customer, abusive, len(others), plan.weights)
    if abusive:
        found[7] = 1
    elif found[2] > 0:
        searched = len(others) <= plan.rules.searched
        close = searched and (yield from _second_ring(plan, graph, others, {customer, *others}, set(around), now, pages))
        found[7] = 2 if close else 3
    found[8] = found[0] - size_then
    if product >= 0:
        roots = Counter(label_of[claimant] for claimant in at.claimants)
        strangers = sum(count == 1 and root not in near for root, count in roots.items())
        found[9], found[10] = len(at.claimants), strangers / len(at.claimants) if at.claimants else np.nan
    return found


class _Standpoint(NamedTuple):
    """What the first round tells: the customer's own claims and abusive ones, component now and before, links, the named, a burst."""

    own: Sequence[int]
    component: int
    component_then: int
    linked: list[Entity]
    named: dict[Entity, list[int]]
    claimants: list[int]


def _standpoint(
    plan: LinkPlan, graph: str, customer: int, product: int, entities: list[Entity], now: int, pages: Pages
) -> Generator[Asked, Found, _Standpoint]:
    """Look up the customer, the entities that the claim names, and the product."""
    ago = now - plan.rules.recent_days * DAY_US
    links, label, own = (key_of(log, (customer,)) for log in (log_of(graph, LINKED), log_of(graph, COMPONENT), OWN))
    claimants = key_of(CLAIMANTS, (product,)) if product >= 0 else (b"", 0)
    asked = [(links, now), (label, now), (label, ago), (own, now), (claimants, now), *((_met(graph, e), now) for e in entities)]
    links_page, here, then, own_page, claimants_page, *held = yield asked
    return _Standpoint(
        _state(own_page, (0, 0), now),
        _label(here, customer, now),
        _label(then, customer, ago),
        _latest_links(links, links_page, now, plan.rules, pages),
        {e: met for e, page in zip(entities, held, strict=True) if (met := _customers(page, now, plan.rules)) is not None},
        _claimants(claimants, claimants_page, customer, ago, now, plan.rules, pages),
    )


def _surroundings(
    plan: LinkPlan, graph: str, at: _Standpoint, entities: list[Entity], now: int
) -> Generator[Asked, Found, tuple[dict[Entity, list[int]], dict[int, int], int]]:
    """Look up who shares what: customers of all open entities, components of those that matter, the former component's size."""
    ago = now - plan.rules.recent_days * DAY_US
    further = [entity for entity in at.linked if entity not in entities]
    touching = sorted({met[-1] for met in at.named.values()} | set(at.claimants))
    asked = [(_met(graph, entity), now) for entity in further]
    asked += [(key, now) for key in keys_of(log_of(graph, COMPONENT), np.array(touching, dtype=np.int64)[:, None])]
    *answers, totals = yield [*asked, (key_of(log_of(graph, TOTALS), (at.component_then,)), ago)]
    met_by = zip(further, answers, strict=False)
    around = at.named | {e: met for e, page in met_by if (met := _customers(page, now, plan.rules)) is not None}
    labels = {o: o if page is None else _label(page, o, now) for o, page in zip(touching, answers[len(further) :], strict=True)}
    return around, labels, _state(totals, (1, 0, 0), ago)[0]


def _met(graph: str, entity: Entity) -> Key:
    return key_of(met_log(graph, entity[0]), entity[1:])


def _customers(page: bytes | None, now: int, rules: LinkRules) -> list[int] | None:
    """Return the customers of an entity before an instant; ``None`` if it has none, or too many to connect anybody."""
    if page is None:
        return None
    words = words_of(page)
    held = count_before(words, 2, now)
    return words[3 : 2 * held + 2 : 2].tolist() if held <= rules.hub_customers else None


def _latest(key: Key, page: bytes | None, width: int, now: int, most: int, pages: Pages, since: int = NEVER) -> list[list[int]]:
    """Return the columns of about ``most`` latest rows of a log before an instant: all of the instant of the last of them, too.

    Of those before ``since`` not all need be there.
    """
    if page is None:
        return [[] for _ in range(width)]
    words = words_of(page)
    # an instant is never cut by the end of a page
    while words[0] > 0 and words[width] >= since and count_before(words, width, now) < most:
        words = words_of(earlier_pages(key, np.asarray(words).reshape(-1, width), width, pages).tobytes())
    stop, start = count_before(words, width, now), 0
    if stop > most:
        start = count_before(words, width, words[width * (stop - most + 1)])
    return [words[width * (start + 1) + column : width * (stop + 1) : width].tolist() for column in range(width)]


def _latest_links(key: Key, page: bytes | None, now: int, rules: LinkRules, pages: Pages) -> list[Entity]:
    """Return the entities that a customer's latest links lead to."""
    _, kinds, codes = _latest(key, page, 3, now, rules.followed, pages)
    return [*zip(kinds, codes, strict=True)]


def _claimants(key: Key, page: bytes | None, customer: int, since: int, now: int, rules: LinkRules, pages: Pages) -> list[int]:
    """Return the other customers among the latest claims on a product since an instant."""
    times, customers = _latest(key, page, 2, now, rules.burst_claims, pages, since)
    return sorted({*customers[bisect_left(times, since) :]} - {customer, -1})


def _label(page: bytes | None, customer: int, now: int) -> int:
    """Return a customer's component before an instant: his own until he moves."""
    return _state(page, (customer,), now)[0]


def _state(page: bytes | None, otherwise: Sequence[int], now: int) -> Sequence[int]:
    """Return what the last row before an instant says, or what stands where there is none."""
    if page is None:
        return otherwise
    words, width = words_of(page), 1 + len(otherwise)
    at = width * count_before(words, width, now)
    return words[at + 1 : at + width].tolist()


def _shared(entities: Iterable[list[int]], customer: int, abusive: set[int], others: int, weights: Sequence[int]) -> tuple[float, ...]:
    """Count the neighbours and the abusive ones, and weigh each sharing by how few share; one division at the end."""
    weight, weight_abusive = 0, 0
    for met in entities:
        sharing = len(met) - (customer in met)
        weight += sharing * weights[sharing + 1]
        weight_abusive += sum(other in abusive for other in met if other != customer) * weights[sharing + 1]
    return others, weight / ONE, len(abusive), weight_abusive / ONE


def _second_ring(
    plan: LinkPlan, graph: str, neighbours: list[int], met: set[int], visited: set[Entity], now: int, pages: Pages
) -> Generator[Asked, Found, bool]:
    """Tell whether a neighbour's neighbour is known to be abusive."""
    keys = [key_of(log_of(graph, LINKED), (other,)) for other in neighbours]
    held = yield [(key, now) for key in keys]
    links = {e for key, page in zip(keys, held, strict=True) for e in _latest_links(key, page, now, plan.rules, pages)} - visited
    entities = sorted(links)
    held = yield [(_met(graph, entity), now) for entity in entities]
    far = sorted({other for page in held for other in _customers(page, now, plan.rules) or ()} - met)
    held = yield [(key_of(OWN, (other,)), now) for other in far]
    return any(_state(page, (0, 0), now)[1] > 0 for page in held)


def chosen(plan: LinkPlan, measured: Sequence[Floats]) -> Floats:
    """Put what was measured of all graphs in the order of the features wanted."""
    values = {
        name: value for graph, found in zip(plan.graphs, measured, strict=True) for name, value in zip(names_of(graph), found, strict=False)
    }
    return np.array([values[feature.name] for feature in plan.features], dtype=np.float64)
