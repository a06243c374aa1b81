"""What a feature is: a frozen declaration that names itself.

An aggregate is three words and a span: *on* what, *by* whom, *how*, *over* which window. Ratios and differences are made of
aggregates. ``Direct`` declares a feature that a module computes by its own means (the claim itself, links, duplicates).
Nothing here touches data; :mod:`features.windows` evaluates these declarations and tests generate SQL from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DAY_US = 86_400_000_000
"""Microseconds of a day; every instant of the package is an integer of microseconds since 1970."""

How = Literal["count", "sum", "mean", "min", "max", "since_first", "since_last", "first_seen", "distinct"]
Closed = Literal["left", "right", "both", "neither"]
Family = Literal["claim", "links", "duplicates"]

_NEEDS_COLUMN = frozenset({"sum", "mean", "min", "max", "first_seen", "distinct"})


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
class Aggregate:
    """One number about a key's history: ``how`` of column ``on`` of a source, ``by`` key, ``over`` a window.

    Parameters
    ----------
    on
        A source of :mod:`features.sources`, with a column where ``how`` reads one: ``"claims"``, ``"claims.amount_cents"``.
    by
        Key columns of both source and claim; several make a compound key.
    how
        ``count``, ``sum``, ``mean``, ``min``, ``max``; ``since_first``, ``since_last``: days since the
        earliest and the latest event; ``first_seen``: how
        many values of the column occur in the window for the first time ever for that key; ``distinct``: how many
        values occur in the window. Sums and counts over nothing are 0; everything else is undefined (NaN).
    over
        The window.

    Examples
    --------
    >>> Aggregate("claims", ("customer_id",), "count", Window(30)).name
    'claims_count_customer_30d'
    >>> Aggregate("orders.amount_cents", ("customer_id", "seller_id"), "sum", ALL).name
    'orders_sum_amount_cents_customer_seller_all'
    """

    on: str
    by: tuple[str, ...]
    how: How
    over: Window

    def __post_init__(self) -> None:
        if not self.by:
            raise SpecError(f"Aggregate on {self.on!r}: expected at least one key column in by, found none")
        if (self.how in _NEEDS_COLUMN) != (self.column is not None):
            wanted = "a column ('source.column')" if self.how in _NEEDS_COLUMN else "no column ('source')"
            raise SpecError(f"Aggregate {self.how!r}: expected {wanted} in on, found {self.on!r}")

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
        return "_".join(word for word in (self.source, self.how, (self.column or "").removesuffix("_id")) if word)

    @property
    def scope(self) -> str:
        """Key and window: the last words of the name."""
        return "_".join([*(key.removesuffix("_id") for key in self.by), self.over.name])

    @property
    def name(self) -> str:
        """``<source>_<how>[_<column>]_<key>_<window>``."""
        return f"{self.stem}_{self.scope}"

    @property
    def parts(self) -> tuple[Aggregate, ...]:
        """The aggregates it is made of: itself."""
        return (self,)


@dataclass(frozen=True)
class Ratio:
    """One aggregate over another; undefined (NaN) where the denominator is 0 or undefined.

    >>> claims, orders = (Aggregate(on, ("customer_id",), "count", ALL) for on in ("claims", "orders"))
    >>> Ratio(claims, orders).name
    'claims_count_per_orders_count_customer_all'
    """

    top: Aggregate
    bottom: Aggregate

    @property
    def name(self) -> str:
        """The two names joined by ``per``; what they share is said once."""
        if self.top.scope == self.bottom.scope:
            return f"{self.top.stem}_per_{self.bottom.stem}_{self.top.scope}"
        return f"{self.top.name}_per_{self.bottom.name}"

    @property
    def parts(self) -> tuple[Aggregate, ...]:
        """The aggregates it is made of."""
        return (self.top, self.bottom)


@dataclass(frozen=True)
class Difference:
    """One aggregate less another.

    With the claim's own customer added to the key of the second, it is what *other* customers did with that key:

    >>> device = Aggregate("claims", ("device_id",), "count", ALL)
    >>> Difference(device, Aggregate("claims", ("device_id", "customer_id"), "count", ALL)).name
    'claims_count_device_all_excluding_customer'
    """

    left: Aggregate
    right: Aggregate

    @property
    def name(self) -> str:
        """The two names joined by ``minus``, or ``excluding`` the additional key."""
        mine, theirs = self.left, self.right
        if (mine.stem, mine.over, mine.by) == (theirs.stem, theirs.over, theirs.by[:-1]):
            return f"{mine.name}_excluding_{theirs.by[-1].removesuffix('_id')}"
        return f"{mine.name}_minus_{theirs.name}"

    @property
    def parts(self) -> tuple[Aggregate, ...]:
        """The aggregates it is made of."""
        return (self.left, self.right)


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


Windowed = Aggregate | Ratio | Difference
Feature = Aggregate | Ratio | Difference | Direct
