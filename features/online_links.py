"""Which features of links are wanted of a claim online, prepared for the compiled functions that read and write them.

What is read is the business of :mod:`features.kernel_links`, what a claim adds that of :mod:`features.kernel_link_rows`; what many events
add at once is :mod:`features.online_link_logs`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from features.history import Ints
from features.kernel_links import Graph
from features.link_answers import MEASURES
from features.link_graph import LinkRules
from features.links import GRAPHS, names_of
from features.pages import PAGE_ROWS
from features.spec import Direct


@dataclass(frozen=True)
class LinkPlan:
    """Which features of the family ``links`` are wanted, and of which graphs.

    Parameters
    ----------
    features
        The features.
    graphs, compiled
        Names of the graphs, and their logs as compiled functions get them.
    rules
        What counts as a link.
    places
        (features,) where each stands among the measures of all graphs, one graph after the other.
    """

    features: tuple[Direct, ...]
    graphs: tuple[str, ...]
    rules: LinkRules
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
        return cls(features, graphs, rules, tuple(Graph.of(graph) for graph in graphs), places)
