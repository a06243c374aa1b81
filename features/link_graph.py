"""One growing graph of customers: its state, advanced over chunks of time and asked about claims on the way.

The state holds arrays by customer, by entity and by pair of both (at most ``hub_customers`` + 1 pairs per entity are ever
kept), and the claims of the last ``recent_days``. It never holds events, so a stream may be as long as it likes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features import link_growth as growth
from features.history import NEVER, Floats, Ints
from features.link_answers import MEASURES, advance
from features.spec import DAY_US


@dataclass(frozen=True)
class LinkRules:
    """What counts as a link, and how far one looks.

    Parameters
    ----------
    hub_customers
        Beyond so many customers an entity is a public place, not a link.
    followed
        Of a customer's links the latest so many are followed, and all of the same instant as the last of them.
    searched
        With more direct neighbours than that, neighbours of neighbours are not searched.
    burst_claims
        About so many of the latest claims of a burst are looked at: a recall costs no more than linear time.
    recent_days
        Span of a burst of claims, and of the growth of a component.
    """

    hub_customers: int = 10
    followed: int = 64
    searched: int = 64
    burst_claims: int = 256
    recent_days: int = 30

    @property
    def compiled(self) -> growth.Rules:
        """The rules as integers; an entity of d customers weighs 1 / ln d (Adamic and Adar 2003) in units of 2⁻³²."""
        weights = [0, 0, *(round(growth.ONE / math.log(d)) for d in range(2, self.hub_customers + 2))]
        span = self.recent_days * DAY_US
        return growth.Rules(self.hub_customers, self.followed, self.searched, self.burst_claims, span, np.array(weights, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class Seen:
    """Rows of one source in time order: when, which customer, and a column that depends on the source.

    Parameters
    ----------
    times
        (n,) microseconds, ascending.
    customers
        (n,) codes; −1 where missing.
    other
        Sightings: (n, kinds) entities, each numbered ``code · kinds + kind``. Claims: (n,) products. Standing: (n,) changes of
        the number of abusive claims that stand against the customer.
    """

    times: Ints
    customers: Ints
    other: Ints

    @property
    def columns(self) -> tuple[Ints, Ints, Ints]:
        """All three columns."""
        return self.times, self.customers, self.other

    def only(self, rows: slice | npt.NDArray[np.bool_]) -> Seen:
        """Return some of the rows."""
        return Seen(*(np.ascontiguousarray(column[rows]) for column in self.columns))

    def then(self, later: Seen) -> Seen:
        """Append later rows."""
        if not len(self.times):
            return later
        return Seen(*(np.concatenate(both) for both in zip(self.columns, later.columns, strict=True)))


def nothing(kinds: int | None = None) -> Seen:
    """Return no rows; of sightings with so many kinds of entities."""
    none = np.empty(0, dtype=np.int64)
    return Seen(none, none, none if kinds is None else np.empty((0, kinds), dtype=np.int64))


class LinkGraph:
    """A graph of customers as of the end of everything it was given.

    Parameters
    ----------
    kinds
        Number of kinds of entities in a sighting.
    rules
        What counts as a link.

    Examples
    --------
    >>> graph = LinkGraph(1)
    >>> device = np.array([[5], [5]])
    >>> seen, asked = Seen(np.array([10, 20]), np.array([0, 1]), device), Seen(np.array([15, 25]), np.array([1, 1]), device)
    >>> graph.advance(seen, nothing(), nothing(), asked, np.array([-1, -1]))[:, :4].tolist()  # customers … neighbours
    [[2.0, 0.0, 0.0, 1.0], [2.0, 0.0, 0.0, 1.0]]
    """

    def __init__(self, kinds: int, rules: LinkRules = LinkRules()) -> None:
        self.kinds, self.rules = kinds, rules
        self._who, self._what = np.empty((0, growth.WHO), dtype=np.int32), np.empty((0, growth.WHAT), dtype=np.int32)
        self._pairs, self._since = np.empty((0, growth.PAIR), dtype=np.int32), np.empty(0, dtype=np.int64)
        self._merges, self._counts = np.empty((0, 3), dtype=np.int64), np.zeros(growth.COUNTS, dtype=np.int64)
        self._waiting = [nothing(kinds), nothing(), nothing()]
        self._recent = nothing()
        self._until = NEVER

    @property
    def nbytes(self) -> int:
        """Bytes held: by customers, entities, their pairs, recent claims, and rows of the latest instant."""
        rows = [column for held in (self._recent, *self._waiting) for column in held.columns]
        pairs, merges = self._counts[growth.PAIRS], self._counts[growth.MERGES]
        held = self._who.nbytes + self._what.nbytes + self._pairs[:pairs].nbytes + self._since[:pairs].nbytes + self._merges[:merges].nbytes
        return held + sum(column.nbytes for column in rows)

    def advance(self, sightings: Seen, claims: Seen, standing: Seen, asked: Seen, asked_for: Ints) -> Floats:
        """Let a chunk of time pass, and answer the claims in it.

        Parameters
        ----------
        sightings, claims, standing
            What became known; no row earlier than any row given before.
        asked
            Claims: when filed, by whom, and (n, kinds) with which entities.
        asked_for
            (n,) products of these claims; −1 where none.

        Returns
        -------
        ndarray
            (n, :data:`~features.link_answers.MEASURES`) float64, from the rows strictly before each claim; NaN where undefined.

        Raises
        ------
        ValueError
            If rows are out of order in time, within the chunk or against the chunks before.
        """
        horizon = self._latest((sightings.times, claims.times, standing.times, asked.times))
        waiting = [held.then(new) for held, new in zip(self._waiting, (sightings, claims, standing), strict=True)]
        kept, waiting[1] = len(self._recent.times), self._recent.then(waiting[1])
        seen, claimed, stood = waiting
        self._make_room([seen.customers, claimed.customers, stood.customers, asked.customers], [seen.other, asked.other])
        columns = (*seen.columns, *claimed.columns, *stood.columns, asked.times, asked.customers, asked_for, asked.other)
        rows = growth.Rows(*(np.require(column, np.int64, ("C", "W")) for column in columns))  # one type, so compiled once
        products = int(max(claimed.other.max(initial=-1), asked_for.max(initial=-1))) + 1
        found = np.full((len(asked.times), MEASURES), np.nan)
        self._counts[growth.SIGHTED :] = 0
        while not self._run(rows, kept, products, horizon, found):
            wanted = 2 * int(self._counts[growth.NEEDED])
            self._pairs, self._since = _longer(self._pairs, wanted), _longer(self._since, wanted)
        passed = (int(self._counts[place]) for place in (growth.SIGHTED, growth.CLAIMED, growth.STOOD))
        self._waiting = [held.only(slice(at, None)) for held, at in zip(waiting, passed, strict=True)]
        counted = claimed.only(slice(int(self._counts[growth.CLAIMED])))
        self._recent = counted.only((counted.times >= horizon - self.rules.recent_days * DAY_US) & (counted.other >= 0))
        self._until = horizon
        return found

    def _run(self, rows: growth.Rows, kept: int, products: int, horizon: int, found: Floats) -> bool:
        state = (self._who, self._what, self._pairs, self._since, self._merges, self._counts)
        return bool(advance(*state, rows, kept, products, self.rules.compiled, horizon, found))

    def _latest(self, columns: tuple[Ints, ...]) -> int:
        """Return the latest instant of the chunk; everything before it is complete."""
        for times in columns:
            if len(times) and (times[0] < self._until or not bool(np.all(times[1:] >= times[:-1]))):
                raise ValueError(
                    f"chunk: expected rows in order of time from {self._until} on, found some from {times.min()} on; sort them"
                )
        return max(self._until, *(int(times[-1]) for times in columns if len(times)), NEVER)

    def _make_room(self, customers: list[Ints], entities: list[Ints]) -> None:
        """Lengthen the arrays to the largest code, and by more than was asked for: there will be larger ones."""
        n = max(int(codes.max(initial=-1)) for codes in customers) + 1
        m = max(int(codes.max(initial=-1)) for codes in entities) + 1
        if max(n, m) > np.iinfo(np.int32).max:
            raise ValueError(f"codes: expected fewer than 2³¹ customers and entities times kinds, found {n} and {m}; number them densely")
        wide, many = len(self._who), len(self._what)
        self.reserve(max(n, 2 * wide) if n > wide else wide, max(m, 2 * many) if m > many else many)

    def reserve(self, customers: int, entities: int) -> None:
        """Make room for codes below these numbers: of customers, and of entities of all kinds together."""
        wide, many = len(self._who), len(self._what)
        if customers > wide:
            self._who, self._merges = _longer(self._who, customers), _longer(self._merges, customers)
            fresh = np.arange(wide, customers)
            for column, value in (
                (growth.PARENT, fresh),
                (growth.LAG_PARENT, fresh),
                (growth.SIZE, 1),
                (growth.LAG_SIZE, 1),
                (growth.LINKS, -1),
            ):
                self._who[wide:, column] = value
        if entities > many:
            self._what = _longer(self._what, entities)
            self._what[many:, growth.NEWEST] = -1


def _longer(column: np.ndarray, size: int) -> np.ndarray:
    """Lengthen an array by zeros along its first axis; it is returned as it is where it is long enough."""
    if len(column) >= size:
        return column
    longer = np.zeros((size, *column.shape[1:]), dtype=column.dtype)  # takes memory only as far as it is written to
    longer[: len(column)] = column
    return longer
