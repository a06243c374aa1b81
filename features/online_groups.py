"""Claims that came together, read and appended by compiled functions over one arena (:mod:`features.arena`).

All claims of a group share the rounds in which pages are loaded: every family measures what it can and asks for what it misses, which
is loaded for all of them at once, until nobody misses anything. Appending goes claim by claim, because each sees those before it,
after what all of them will need has been loaded together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from features import kernel_contents, kernel_link_rows, kernel_links, online_claim, online_single, online_windows
from features.arena import Pool
from features.arena_loading import Arena
from features.arena_rows import LACKING, LOST, cell, nothing_added, page
from features.facts import FeatureError
from features.history import Floats, Ints
from features.link_answers import MEASURES
from features.online_plans import Plans
from features.online_rows import code_of, whole
from features.online_single import LACKS, WAITED_FOR
from features.pages import RAW, Pages
from features.spec import ENTITIES

_CUSTOMER = ENTITIES.index("customer_id")


@dataclass(frozen=True, eq=False)
class Group:
    """Claims prepared for compiled functions.

    Parameters
    ----------
    named
        The identifiers of each, as codes, those that it has.
    codes
        (claims, identifiers) the same, −1 where missing.
    filed
        (claims,) instants of filing.
    told
        By kind of content what all of them tell (:class:`features.kernel_contents.Told`).
    """

    named: list[dict[str, int]]
    codes: Ints
    filed: Ints
    told: tuple[kernel_contents.Told, ...]

    @classmethod
    def of(cls, plans: Plans, claims: Sequence[Mapping[str, Any]]) -> Group:
        """Prepare claims, each a mapping of plain values."""
        named = [{name: code_of(claim[name]) for name in ENTITIES if name in claim} for claim in claims]
        codes = np.array([[mine.get(name, -1) for name in ENTITIES] for mine in named], dtype=np.int64)
        filed = np.array([whole(claim["filed_at"]) for claim in claims], dtype=np.int64)
        return cls(named, codes, filed, tuple(kernel_contents.Told.of(kind, claims) for kind in plans.duplicates.kinds))


def measure(plans: Plans, claims: Sequence[Mapping[str, Any]], group: Group, pages: Pages) -> Floats:
    """Compute the features of some claims, each as of its filing.

    Parameters
    ----------
    plans
        What to compute.
    claims, group
        The claims as plain values, and what was prepared of them.
    pages
        Where the history is kept.

    Returns
    -------
    ndarray
        (claims, features) float64 in the order of the catalogue.
    """
    measuring = Measuring(plans, claims, group)
    in_rounds(lambda arena: sum(not family(arena.pool) for family in measuring.families.values()) > 0, pages)
    return measuring.vectors()


class Measuring:
    """The features of some claims while they are computed.

    Parameters
    ----------
    plans, claims, group
        As for :func:`measure`.

    Attributes
    ----------
    families
        By name of each family a function that goes on as far as what it needs is in an arena, and tells whether it is done.
    """

    def __init__(self, plans: Plans, claims: Sequence[Mapping[str, Any]], group: Group) -> None:
        n = len(claims)
        self._plans, self._group = plans, group
        own = [online_claim.told(plans.claim, claim, named) for claim, named in zip(claims, group.named, strict=True)]
        self._fields = np.array([fields for fields, _ in own], dtype=np.int64)
        self._places = np.array([places for _, places in own], dtype=np.int64).reshape(n, -1)
        self._windows, self._links = np.empty((n, len(plans.windows.table))), np.empty((n, len(plans.links.graphs), MEASURES))
        self._contents = np.empty((n, len(plans.duplicates.kinds), 3))
        shapes = ((n,), (n,), self._links.shape[:2], self._contents.shape[:2])
        names = ("windows", "claim", "links", "duplicates")
        self.families = {
            name: partial(self._go_on, name, np.zeros(shape, dtype=np.bool_)) for name, shape in zip(names, shapes, strict=True)
        }

    def _go_on(self, name: str, done: npt.NDArray[np.bool_], pool: Pool) -> bool:
        if done.all():
            return True
        plans, codes, filed = self._plans, self._group.codes, self._group.filed
        if name == "windows":
            online_windows.measure_all(pool, plans.windows, codes, filed, done, self._windows)
        elif name == "claim":
            online_claim.look_up_all(pool, plans.claim.named, plans.claim.fields, codes, filed, done, self._fields)
        elif name == "links":
            kernel_links.measure_all(pool, plans.links.compiled, plans.rules, codes, filed, done, self._links)
        else:
            told, customers = self._group.told, codes[:, _CUSTOMER]
            kernel_contents.measure_all(pool, plans.duplicates.shelves, told, customers, filed, done, self._contents)
        return bool(done.all())

    def vectors(self) -> Floats:
        """Return (claims, features), when every family is done."""
        plans, n = self._plans, len(self._fields)
        direct = (
            online_claim.chosen(self._fields, self._places),
            self._links.reshape(n, -1)[:, plans.links.places],
            self._contents.reshape(n, -1)[:, plans.duplicates.places],
        )
        return np.concatenate([plans.combine(self._windows), *direct], axis=1)[:, plans.place]


def in_rounds(run: Callable[[Arena], bool], pages: Pages) -> None:
    """Run compiled functions until they miss nothing, loading in between what they ask for."""
    arena = pages.arena()
    arena.make_room(0, 0)
    while run(arena):
        if not arena.load(pages):
            raise FeatureError("history: expected compiled functions that miss something to ask for it, found nothing asked for")
        arena.make_room(0, 0)


class Claim(NamedTuple):
    """A claim about to become history: its place in a group, its columns as plain values, and the instant from which it is known."""

    group: Group
    place: int
    values: Mapping[str, Any]
    at: int


def append(plans: Plans, claims: Sequence[Claim], pages: Pages) -> int:
    """Lay the rows of claims behind their logs, one claim after the other, each known after everything that is there.

    Returns
    -------
    int
        How many of them: the next one is waited for by resolutions, brings more than its own rows, and is left to the general way.
    """
    notings, added, arena = [_Noting(plans, claim) for claim in claims], nothing_added(), pages.arena()
    for noting in notings:  # as if each were the only one, for what all of them will ask for
        arena.make_room(0, 0)
        noting.added = added
        noting(arena)
        added = noting.added
    arena.load(pages)
    for place, noting in enumerate(notings):
        noting.added = added
        in_rounds(noting, pages)
        if noting.is_waited_for:
            return place
        added = noting.added
        arena.lay(added, noting.claim.at)
    return len(claims)


def put(pages: Pages, log: int, codes: Ints, words: Ints) -> None:
    """Put a page in the place of the one that a log holds."""
    added = nothing_added(1, len(words))

    def run(arena: Arena) -> bool:
        added.counts[:] = 0
        page(arena.pool, added, log, codes)
        return bool(added.counts[LACKING])

    in_rounds(run, pages)
    for word in words.tolist():
        cell(added, RAW, word)
    pages.arena().lay(added, 0)


class _Noting:
    """Notes the rows of a claim in ``added``, as often as it is called."""

    def __init__(self, plans: Plans, claim: Claim) -> None:
        self.claim, self._plans = claim, plans
        self.added, self.is_waited_for = nothing_added(0, 0), False
        self._codes, self._name = claim.group.codes[claim.place], code_of(claim.values["claim_id"])
        self._told = plans.values.of(claim.values, claim.group.named[claim.place])

    def __call__(self, arena: Arena) -> bool:
        """Note them, instead of what was noted before; tell whether it has to be done again when what was asked for is loaded."""
        lacks = self._note(arena.pool)
        while self.added.counts[LOST]:
            self.added = nothing_added(4 * len(self.added.rows), 4 * len(self.added.kinds))
            lacks = self._note(arena.pool)
        return lacks

    def _note(self, pool: Pool) -> bool:
        plans, added, codes = self._plans, self.added, self._codes
        added.counts[:] = 0
        found = int(online_single.note(pool, added, plans.single, codes, self._told, self._name, self.claim.at))
        if found < 0:
            plans.values.must_be_whole(-1 - found, self._told)
        self.is_waited_for = found == WAITED_FOR
        if self.is_waited_for:
            return False
        is_whole = found != LACKS
        if plans.links.compiled:
            is_whole &= kernel_link_rows.note_all(pool, added, plans.links.compiled, plans.rules.hub, codes)
        if plans.duplicates.shelves:
            contents = plans.duplicates.shelves, self.claim.group.told, self.claim.place, codes[_CUSTOMER], self.claim.at
            is_whole &= kernel_contents.note_all(pool, added, *contents)
        return not is_whole or bool(added.counts[LACKING])
