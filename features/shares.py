"""How a catalogue falls apart into shares: what each key answers, and which columns that needs.

A windowed feature looks only at rows that agree with the claim in the first column of its key. So the catalogue falls
apart by that column: for customers, all rows of one customer have to come together, for sellers those of one seller. The
same holds for what a claim looks up in its order, customer, seller or product. What remains needs nothing but the claim, or
looks across all keys (links, duplicates).

Which columns a share needs is found by asking: the features are computed once over empty tables, and every column that is
looked at is noted. A new feature is therefore carried without a word being said about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa

from data_contracts import CONTRACTS
from features import duplicates, from_claim, links, windows
from features.facts import PROBES, Facts, FeatureError
from features.history import Floats, Ints
from features.link_stream import NUMBERED
from features.sources import select
from features.spec import ENTITIES, Aggregate, Computed, Direct, Feature, Selection, Windowed
from features.stored import frame

_Name = TypeVar("_Name")
Columns = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Share:
    """The part of a catalogue that one key answers.

    Parameters
    ----------
    key
        The column that all rows of a bucket agree on, up to hashing.
    parts
        Aggregates whose first key it is.
    names
        Features of the claim itself that look up a row under this key.
    columns
        Columns needed, by table; those of the claims asked about are among ``"claims"``.
    by_claim
        Tables whose rows go where the claim goes that they name.
    """

    key: str
    parts: tuple[Aggregate, ...]
    names: tuple[str, ...]
    columns: Columns
    by_claim: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many numbers it answers for each claim."""
        return len(self.parts) + len(self.names)


@dataclass(frozen=True)
class Plan:
    """How a list of features is computed in buckets.

    Parameters
    ----------
    features
        The features, in the order of the matrix's columns.
    sources
        Sources that the catalogue brings.
    shares
        What is answered per bucket, one share for each key.
    own
        Features that need nothing but the claim itself.
    links, duplicates
        Features of :mod:`features.links` and :mod:`features.duplicates`, which look across all keys.
    own_columns, links_columns, duplicates_columns
        Columns needed for these, by table.
    kinds
        For each graph of links the entities that connect.
    """

    features: tuple[Feature, ...]
    sources: Mapping[str, Selection]
    shares: tuple[Share, ...]
    own: tuple[str, ...]
    links: tuple[str, ...]
    duplicates: tuple[str, ...]
    own_columns: Columns
    links_columns: Columns
    duplicates_columns: Columns
    kinds: Mapping[str, tuple[str, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """The features that can be computed, in the order of the matrix's columns."""
        parts = {part for share in self.shares for part in share.parts}
        direct = {*self.own, *self.links, *self.duplicates, *(name for share in self.shares for name in share.names)}
        return tuple(f.name for f in self.features if (set(f.parts) <= parts if isinstance(f, Windowed) else f.name in direct))


@dataclass(frozen=True, eq=False)
class _Looked:
    """A table that notes which of its columns are looked at."""

    name: str
    held: pd.DataFrame
    noted: set[tuple[str, str]]

    @property
    def columns(self) -> pd.Index:
        return self.held.columns

    def __getitem__(self, column: str) -> pd.Series:
        self.noted.add((self.name, column))
        return self.held[column]

    def __len__(self) -> int:
        return len(self.held)


@dataclass(frozen=True, eq=False)
class _Asked(Facts):
    """Facts over empty tables that note every column looked at."""

    noted: set[tuple[str, str]] = field(default_factory=set)

    def frame(self, table: str) -> pd.DataFrame:
        return _Looked(table, super().frame(table), self.noted)

    def codes(self, table: str, column: str) -> Ints:
        self.noted.add((table, column))  # not through frame(): codes are shared, which reads the column in every table
        return np.empty(0, dtype=np.int64)

    def vocabulary(self, column: str) -> int:
        return 0


def plan(features: Sequence[Feature], schemas: Mapping[str, pa.Schema], sources: Mapping[str, Selection] | None = None) -> Plan:
    """Divide features among the keys.

    Parameters
    ----------
    features
        As in a catalogue; those that the tables cannot provide are left out, as :func:`features.matrix.build_matrix` does.
    schemas
        The columns of each table; ``claims`` are the claims asked about.
    sources
        Sources that the catalogue brings.

    Raises
    ------
    FeatureError
        If there are no claims, or a feature is computed by a function of the user's.

    Examples
    --------
    >>> from features.spec import ALL
    >>> schema = pa.schema({"claim_id": pa.string(), "filed_at": pa.timestamp("us", "UTC"), "seller_id": pa.string(), "kind": pa.string()})
    >>> found = plan([Aggregate("claims", ("seller_id",), "count", ALL)], {"claims": schema})
    >>> [(share.key, share.columns) for share in found.shares]
    [('seller_id', {'claims': ('claim_id', 'filed_at', 'seller_id')})]
    """
    if "claims" not in schemas:
        raise FeatureError(f"build: expected a table 'claims', found {sorted(schemas)}")
    for feature in features:
        if isinstance(feature, Computed):
            raise FeatureError(
                f"{feature.name}: computed by the function {feature.where}, which only the local engine runs; "
                "build with --engine local, or leave the feature out of the catalogue"
            )
    asking = _Asking({name: frame(schema.empty_table()) for name, schema in schemas.items()}, dict(sources or {}))
    parts = [part for feature in features if not isinstance(feature, Direct | Computed) for part in feature.parts]
    direct = {
        family: tuple(f.name for f in features if isinstance(f, Direct) and f.family == family and asking.facts().has(*f.needs))
        for family in ("claim", "links", "duplicates")
    }
    parents = {name: asking.parent(name) for name in direct["claim"]}
    keys = dict.fromkeys((*(part.by[0] for part in parts), *(key for key in parents.values() if key)))
    shares = tuple(
        asking.share(key, tuple(dict.fromkeys(p for p in parts if p.by[0] == key)), tuple(n for n, k in parents.items() if k == key))
        for key in keys
    )
    own = tuple(name for name, key in parents.items() if key is None)
    linked, linked_columns = asking.found(lambda facts: links.compute(direct["links"], facts))
    return Plan(
        tuple(features),
        asking.sources,
        tuple(share for share in shares if share.width),
        own,
        tuple(linked),
        direct["duplicates"],
        asking.found(lambda facts: from_claim.compute(own, facts))[1],
        {table: tuple(c for c in held if c not in ENTITIES or c in NUMBERED) for table, held in linked_columns.items()},
        asking.found(lambda facts: duplicates.compute(direct["duplicates"], facts))[1],
        asking.kinds(),
    )


@dataclass(frozen=True, eq=False)
class _Asking:
    """Empty tables over which features are computed to see what they look at."""

    tables: dict[str, pd.DataFrame]
    sources: dict[str, Selection]

    def facts(self) -> _Asked:
        return _Asked(self.tables, self.tables["claims"], self.sources)

    def found(self, compute: Callable[[Facts], Mapping[_Name, Floats]]) -> tuple[list[_Name], Columns]:
        """Return what could be computed, and the columns looked at."""
        facts = self.facts()
        return list(compute(facts)), _by_table(facts.noted)

    def parent(self, name: str) -> str | None:
        """Name the key under which a feature of the claim looks up a row; ``None`` if it needs the claim alone."""
        tables = set(self.found(lambda facts: from_claim.compute([name], facts))[1]) - {"claims"}
        if len(tables) > 1:
            raise FeatureError(f"{name}: expected at most one table besides the claims, found {', '.join(sorted(tables))}")
        return CONTRACTS[tables.pop()].key if tables else None

    def kinds(self) -> dict[str, tuple[str, ...]]:
        """Find which entities connect in each graph of links."""
        facts = self.facts()
        known = {source: events.columns for source in links.LINK_SOURCES if (events := select(facts, source)) is not None}
        return links.connecting(known, facts.keys(PROBES))

    def share(self, key: str, parts: tuple[Aggregate, ...], names: tuple[str, ...]) -> Share:
        measured, windowed = self.found(lambda facts: windows.measure(parts, facts))
        _, looked_up = self.found(lambda facts: from_claim.compute(names, facts))
        # A source offers all identifiers of its table; only those that an aggregate reads have to travel.
        read = {key, *(name for part in measured for name in (*part.by, part.column))}
        kept = {table: tuple(c for c in columns if c not in ENTITIES or c in read) for table, columns in windowed.items()}
        columns = _by_table({(t, c) for held in (kept, looked_up) for t, names_ in held.items() for c in names_})
        by_claim = tuple(table for table, held in columns.items() if table != "claims" and "claim_id" in held)
        return Share(key, tuple(measured), names, columns, by_claim)


def _by_table(noted: Iterable[tuple[str, str]]) -> Columns:
    """Sort what was noted by table; a claim asked about is a claim, and always has identity and time."""
    pairs = {("claims" if table == PROBES else table, column) for table, column in noted} | {("claims", "claim_id"), ("claims", "filed_at")}
    return {table: tuple(sorted(column for held, column in pairs if held == table)) for table in sorted({table for table, _ in pairs})}
