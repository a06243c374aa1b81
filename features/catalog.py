"""THE list of features, compiled to plain JSON with a hash.

A feature exists by being an entry of :data:`CATALOG`, and by nothing else. The compiled list is kept in the repository as
``features/catalog.json``, so that a review sees what really changed; its hash is written into every bundle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, get_args

from features.entries_claim import CLAIM_ENTRIES
from features.entries_history import HISTORY_ENTRIES
from features.entries_links import DUPLICATE_ENTRIES, LINK_ENTRIES
from features.entry import Entry, Group
from features.sources import SOURCES
from features.spec import Aggregate, Selection, SpecError, Windowed


@dataclass(frozen=True)
class Catalog:
    """An ordered list of features.

    Parameters
    ----------
    entries
        In the order of the matrix's columns.
    sources
        Sources of history that the entries use besides those of :mod:`features.sources`, by name.
    counts_itself
        Whether windows may hold the instant of filing itself, for definitions made elsewhere that count the very event
        asked about. A catalogue that decides claims never does.

    Raises
    ------
    SpecError
        If a name occurs twice, an aggregate is on a source that nobody defines, or a window would see an event at the
        instant of filing although ``counts_itself`` is not said.

    Examples
    --------
    >>> "claims_count_customer_30d" in CATALOG.names
    True
    >>> CATALOG["claim_amount_bunched"].direction
    1
    >>> set(entry.group for entry in CATALOG.without("links", "duplicates")) & {"links", "duplicates"}
    set()
    """

    entries: tuple[Entry, ...]
    sources: Mapping[str, Selection] = field(default_factory=dict)
    counts_itself: bool = False

    def __post_init__(self) -> None:
        names = [entry.name for entry in self.entries]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise SpecError(f"catalogue: expected every name once, found {', '.join(repeated)} repeatedly; remove one of each")
        if taken := sorted(set(self.sources) & set(SOURCES)):
            raise SpecError(f"catalogue: expected new names of sources, found {', '.join(taken)}; choose others")
        for entry in self.entries:
            for part in entry.feature.parts if isinstance(entry.feature, Windowed) else ():
                self._must_be_sound(entry.name, part)

    def _must_be_sound(self, name: str, part: Aggregate) -> None:
        if part.source not in (*SOURCES, *self.sources):
            raise SpecError(f"{name}: expected a source of {', '.join((*SOURCES, *self.sources))}; found {part.source!r}")
        if not (part.over.is_strict or self.counts_itself):
            raise SpecError(f"{name}: expected a window strictly before filing, found closed={part.over.closed!r} without lag")

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, name: str) -> Entry:
        """Return the entry of a name; ``KeyError`` if there is none."""
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Entry]:
        return {entry.name: entry for entry in self.entries}

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of the matrix's columns."""
        return tuple(entry.name for entry in self.entries)

    def without(self, *groups: str) -> Catalog:
        """Return the catalogue less some groups; ``SpecError`` for a group that does not exist."""
        unknown = set(groups) - set(get_args(Group))
        if unknown:
            raise SpecError(f"group: expected one of {', '.join(get_args(Group))}, found {', '.join(sorted(unknown))}")
        return replace(self, entries=tuple(entry for entry in self.entries if entry.group not in groups))

    def compile(self) -> dict[str, Any]:
        """Return the list as plain JSON values, with its hash."""
        return {"hash": self.hash, **self._plain()}

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the compiled features and sources: equal catalogues, equal hashes."""
        plain = json.dumps(self._plain(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(plain.encode()).hexdigest()

    def _plain(self) -> dict[str, Any]:
        sources = {name: asdict(selection) | {"values": list(selection.values)} for name, selection in self.sources.items()}
        own = {"sources": sources} if sources else {}
        return {**own, "features": [entry.compile() for entry in self.entries]}


CATALOG = Catalog((*CLAIM_ENTRIES, *HISTORY_ENTRIES, *LINK_ENTRIES, *DUPLICATE_ENTRIES))
"""Every feature of Touchstone."""
