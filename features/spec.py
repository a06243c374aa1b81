"""What a feature is: a frozen declaration that names itself.

An aggregate is three words and a span: *on* what, *by* whom, *how*, *over* which window. Ratios and differences are made of
aggregates, or of one another. ``Direct`` declares a feature that a module of ours computes by its own means (the claim
itself, links, duplicates), ``Computed`` one that a function of the user computes. Nothing here touches data;
:mod:`features.windows` evaluates these declarations and tests generate SQL from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

DAY_US = 86_400_000_000
"""Microseconds of a day; every instant of the package is an integer of microseconds since 1970."""

ENTITIES = ("customer_id", "seller_id", "product_id", "order_id", "device_id", "address_id", "payment_id", "phone_id")
"""Columns that identify somebody or something: the keys of histories, with codes shared by all tables."""

How = Literal["count", "sum", "mean", "min", "max", "last", "rate", "since_first", "since_last", "first_seen", "distinct"]
Closed = Literal["left", "right", "both", "neither"]
Family = Literal["claim", "links", "duplicates"]

_OF_NUMBERS = frozenset({"sum", "mean", "min", "max", "last", "rate"})
_OF_ENTITIES = frozenset({"first_seen", "distinct"})


class SpecError(ValueError):
    """A feature declared in a way that has no meaning."""


@dataclass(frozen=True)
class Window:
    """A span of time before an instant t, from t − lag − days to t − lag.

    Parameters
    ----------
    days
        Length in days; ``None`` for the whole history.
    lag_days
        Distance of the later end from t in days.
    closed
        Which ends belong to the window, as in pandas. The default, ``"left"``, excludes t itself, so that an event at
        the very instant of filing is never seen; ``"right"`` and ``"both"`` with no lag would see it.

    Examples
    --------
    >>> Window(30).name, Window(7, lag_days=7).name, Window(None).name
    ('30d', '7d_lag7d', 'all')
    >>> Window(1).edges == (86_400_000_000, 0)
    True
    """

    days: int | None
    lag_days: int = 0
    closed: Closed = "left"

    def __post_init__(self) -> None:
        if self.lag_days < 0 or (self.days is not None and self.days <= 0):
            raise SpecError(f"Window: expected days > 0 (or None) and lag_days ≥ 0, found days={self.days}, lag_days={self.lag_days}")

    @property
    def name(self) -> str:
        """The last word of a feature's name."""
        lag = f"_lag{self.lag_days}d" if self.lag_days else ""
        ends = "" if self.closed == "left" else f"_{self.closed}"
        return ("all" if self.days is None else f"{self.days}d") + lag + ends

    @property
    def is_strict(self) -> bool:
        """Whether the window never sees an event at t itself."""
        return self.lag_days > 0 or self.closed in ("left", "neither")

    @property
    def edges(self) -> tuple[int | None, int]:
        """Offsets (lower, upper) in microseconds: the window holds the events with t − lower ≤ time < t − upper.

        Notes
        -----
        Times are integers, so an open or closed end is a shift by one microsecond: time ≤ T is time < T + 1.
        """
        lag = self.lag_days * DAY_US
        upper = lag - 1 if self.closed in ("right", "both") else lag
        if self.days is None:
            return None, upper
        lower = lag + self.days * DAY_US
        return (lower - 1 if self.closed in ("right", "neither") else lower), upper


ALL = Window(None)
"""The whole history before filing."""


@dataclass(frozen=True)
class Selection:
    """A source of history: rows of one table, perhaps only those whose ``column`` is one of ``values``, known at ``at``.

    A catalogue may bring selections of its own (:class:`features.catalog.Catalog`). Which numbers an aggregate reads
    from the rows needs no registration: any column of whole numbers, truths or instants will do.

    Parameters
    ----------
    table
        Its table.
    at
        The column of instants from which on a row may be used; later still where the table's ``recorded_at`` says so.
    column, values
        The rows wanted; all of them by default.

    Examples
    --------
    >>> from features.catalog import CATALOG, Catalog
    >>> injured = Catalog(CATALOG.entries, {"phoned": Selection("claims", "filed_at", "channel", ("phone",))})
    """

    table: str
    at: str
    column: str | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Aggregate:
    """One number about a key's history: ``how`` of column ``on`` of a source, ``by`` key, ``over`` a window.

    Parameters
    ----------
    on
        A source of :mod:`features.sources` or of the catalogue, with a column where ``how`` reads one: ``"claims"``,
        ``"claims.amount_cents"``.
    by
        Key columns of both source and claim, of :data:`ENTITIES`; several make a compound key.
    how
        ``count``; ``sum``, ``mean``, ``min``, ``max`` of numbers; ``last``: the number of the latest event (of several at
        that instant, the largest); ``rate``: the share of a 0/1 outcome among the outcomes known; ``since_first``,
        ``since_last``: days since the earliest and the latest event; ``first_seen``: how many values of an identifier
        column occur in the window for the first time ever for that key; ``distinct``: how many values occur in the
        window. Sums and counts over nothing are 0; everything else is undefined (NaN). A missing number is no number:
        whatever reads a column passes over events without it.
    over
        The window.
    among
        For ``rate`` alone: the column that adds up to the outcomes known, where outcomes are a standing (``"examined"``
        for ``"standing.abusive"``). By default each event with a value in the column is one.

    Examples
    --------
    >>> Aggregate("claims", ("customer_id",), "count", Window(30)).name
    'claims_count_customer_30d'
    >>> Aggregate("orders.amount_cents", ("customer_id", "seller_id"), "sum", ALL).name
    'orders_sum_amount_cents_customer_seller_all'
    >>> Aggregate("standing.abusive", ("seller_id",), "rate", ALL, among="examined").name
    'standing_rate_abusive_of_examined_seller_all'
    """

    on: str
    by: tuple[str, ...]
    how: How
    over: Window
    among: str | None = None

    def __post_init__(self) -> None:
        if not self.by or not set(self.by) <= set(ENTITIES):
            raise SpecError(f"Aggregate on {self.on!r}: expected at least one key column in by, of {', '.join(ENTITIES)}; found {self.by}")
        reads = self.how in _OF_NUMBERS | _OF_ENTITIES
        if reads != (self.column is not None):
            wanted = "a column ('source.column')" if reads else "no column ('source')"
            raise SpecError(f"Aggregate {self.how!r}: expected {wanted} in on, found {self.on!r}")
        if reads and (self.column in ENTITIES) != (self.how in _OF_ENTITIES):
            wanted = f"one of {', '.join(ENTITIES)}" if self.how in _OF_ENTITIES else "a column of numbers, not of identifiers,"
            raise SpecError(f"Aggregate {self.how!r}: expected {wanted} in on, found {self.on!r}")
        if self.among is not None and self.how != "rate":
            raise SpecError(f"Aggregate {self.how!r} on {self.on!r}: expected among only with 'rate', found {self.among!r}")

    @property
    def source(self) -> str:
        """Name of the source."""
        return self.on.partition(".")[0]

    @property
    def column(self) -> str | None:
        """Column of the source that is read, or ``None``."""
        return self.on.partition(".")[2] or None

    @property
    def stem(self) -> str:
        """Source, statistic and column: the first words of the name."""
        words = (self.source, self.how, (self.column or "").removesuffix("_id"), self.among and f"of_{self.among}")
        return "_".join(word for word in words if word)

    @property
    def scope(self) -> str:
        """Key and window: the last words of the name."""
        return "_".join([*(key.removesuffix("_id") for key in self.by), self.over.name])

    @property
    def name(self) -> str:
        """``<source>_<how>[_<column>]_<key>_<window>``."""
        return f"{self.stem}_{self.scope}"

    @property
    def measured(self) -> Aggregate | Ratio:
        """What has to be measured for it: itself; for a rate two sums, or the mean of the zeros and ones."""
        if self.how != "rate":
            return self
        if self.among is None:
            return replace(self, how="mean")
        outcomes = replace(self, how="sum", among=None)
        return Ratio(outcomes, replace(outcomes, on=f"{self.source}.{self.among}"))

    @property
    def parts(self) -> tuple[Aggregate, ...]:
        """The aggregates that have to be measured for it: itself, unless it is a rate."""
        return (self,) if self.measured is self else self.measured.parts


@dataclass(frozen=True)
class Ratio:
    """One number over another; undefined (NaN) where the lower one is 0, negative or undefined.

    >>> claims, orders = (Aggregate(on, ("customer_id",), "count", ALL) for on in ("claims", "orders"))
    >>> Ratio(claims, orders).name
    'claims_count_per_orders_count_customer_all'
    """

    top: Windowed
    bottom: Windowed

    @property
    def name(self) -> str:
        """The two names joined by ``per``; what they share is said once."""
        if isinstance(self.top, Aggregate) and isinstance(self.bottom, Aggregate) and self.top.scope == self.bottom.scope:
            return f"{self.top.stem}_per_{self.bottom.stem}_{self.top.scope}"
        return f"{self.top.name}_per_{self.bottom.name}"

    @property
    def operands(self) -> tuple[Windowed, Windowed]:
        """The upper and the lower number."""
        return (self.top, self.bottom)

    @property
    def parts(self) -> tuple[Aggregate, ...]:
        """The aggregates it is made of, each once."""
        return tuple(dict.fromkeys((*self.top.parts, *self.bottom.parts)))


@dataclass(frozen=True)
class Difference:
    """One number less another; undefined (NaN) where either is.

    With the claim's own customer added to the key of the second, it is what *other* customers did with that key:

    >>> device = Aggregate("claims", ("device_id",), "count", ALL)
    >>> Difference(device, Aggregate("claims", ("device_id", "customer_id"), "count", ALL)).name
    'claims_count_device_all_excluding_customer'
    """

    left: Windowed
    right: Windowed

    @property
    def name(self) -> str:
        """The two names joined by ``minus``, or ``excluding`` the additional key."""
        mine, theirs = self.left, self.right
        if (
            isinstance(mine, Aggregate)
            and isinstance(theirs, Aggregate)
            and (mine.stem, mine.over, mine.by) == (theirs.stem, theirs.over, theirs.by[:-1])
        ):
            return f"{mine.name}_excluding_{theirs.by[-1].removesuffix('_id')}"
        return f"{mine.name}_minus_{theirs.name}"

    @property
    def operands(self) -> tuple[Windowed, Windowed]:
        """The number and what is taken from it."""
        return (self.left, self.right)

    @property
    def parts(self) -> tuple[Aggregate, ...]:
        """The aggregates it is made of, each once."""
        return tuple(dict.fromkeys((*self.left.parts, *self.right.parts)))


@dataclass(frozen=True)
class Direct:
    """A feature that a module computes by its own means.

    Parameters
    ----------
    name
        Its name.
    family
        Which module computes it.
    needs
        ``"table.column"`` of everything without which the feature has no meaning; it is left out where one is missing.
        The claims asked about count as ``probes``.
    """

    name: str
    family: Family
    needs: tuple[str, ...]


@dataclass(frozen=True)
class Computed:
    """A feature that a function of the user computes, where no declaration can say it.

    Only the local engine can run it, and nothing but its author keeps it from looking into the future:
    ``touchstone validate --leakage`` shows whether it does.

    Parameters
    ----------
    name
        Its name.
    needs
        ``"table.column"`` of everything it reads, as for :class:`Direct`.
    compute
        Takes the :class:`~features.facts.Facts`, returns (probes,) float64 in the order of the probes. A named function,
        so that the compiled catalogue can say which.

    Examples
    --------
    >>> import numpy as np
    >>> def narrative_letters(facts):
    ...     return np.array([len(text or "") for text in facts.texts("probes", "narrative").to_pylist()], dtype=np.float64)
    >>> Computed("narrative_letters", ("probes.narrative",), narrative_letters).where.rpartition(".")[2]
    'narrative_letters'
    """

    name: str
    needs: tuple[str, ...]
    compute: Callable[[Any], Any]

    def __post_init__(self) -> None:
        if getattr(self.compute, "__qualname__", "<lambda>").endswith("<lambda>"):
            raise SpecError(f"Computed {self.name!r}: expected a function defined with a name, found {self.compute!r}")

    @property
    def where(self) -> str:
        """Module and qualified name of the function."""
        return f"{self.compute.__module__}.{self.compute.__qualname__}"


Windowed = Aggregate | Ratio | Difference
Feature = Aggregate | Ratio | Difference | Direct | Computed
