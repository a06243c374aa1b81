"""How every family of a catalogue's features is read and written online, prepared once per process."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import get_args

import numpy as np

from features.catalog import Catalog
from features.history import Ints
from features.link_growth import Rules
from features.online_claim import ClaimPlan
from features.online_duplicates import DuplicatePlan
from features.online_links import LinkPlan
from features.online_logs import Layout, layout
from features.online_single import SinglePlan, Values, plan_of
from features.online_windows import Combining, WindowPlan
from features.spec import Direct, Family, Windowed


@dataclass(frozen=True, eq=False)
class Plans:
    """How each family of a catalogue's features is read, prepared once."""

    layout: Layout
    windows: WindowPlan
    combine: Combining
    claim: ClaimPlan
    links: LinkPlan
    rules: Rules
    duplicates: DuplicatePlan
    single: SinglePlan
    values: Values
    place: Ints

    @classmethod
    def of(cls, catalog: Catalog) -> Plans:
        """Prepare a catalogue whose features are all declared."""
        features = [entry.feature for entry in catalog]
        direct = {family: [f for f in features if isinstance(f, Direct) and f.family == family] for family in get_args(Family)}
        windowed = [feature for feature in features if isinstance(feature, Windowed)]
        parts = list(dict.fromkeys(part for feature in windowed for part in feature.parts))
        order = {f.name: i for i, f in enumerate([*windowed, *direct["claim"], *direct["links"], *direct["duplicates"]])}
        logs, links = layout(parts, catalog.sources), LinkPlan.of(direct["links"])
        return cls(
            logs,
            WindowPlan.of(logs, parts),
            Combining.of(windowed, parts),
            ClaimPlan.of(direct["claim"]),
            links,
            links.rules.compiled,
            DuplicatePlan.of(direct["duplicates"]),
            *plan_of(logs, catalog.sources),
            np.array([order[name] for name in catalog.names], dtype=np.int64),
        )

    @property
    def hash(self) -> str:
        """What pages that are read like this are laid out for."""
        held = (self.layout.logs, self.claim.columns, self.links.graphs, [kind.name for kind in self.duplicates.kinds])
        return hashlib.sha256(repr((*held, self.links.rules)).encode()).hexdigest()
