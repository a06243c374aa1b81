"""The knobs of the simulated marketplace, and its time line.

Every number is *chosen*, bracketed by the facts of the domain (claims base rates, published programme rules). The defaults
are calibrated so that the marketplace is learnable, yet not trivial: see the tests for the targets they meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

DAY = 86_400_000_000
"""Microseconds in a day."""

HOUR = DAY // 24
"""Microseconds in an hour."""


@dataclass(frozen=True)
class Market:
    """What the marketplace is like; money in dollars, times in days, shares and probabilities between 0 and 1.

    Parameters
    ----------
    orders_per_customer, orders_per_seller, orders_per_product
        Mean orders over the whole horizon; they set how many customers, sellers and products there are.
    lead_days
        Orders start this long before claims do, so that the first month of claims is like every other.
    abusive_share, unsubstantiated_share
        Truth mix averaged over the horizon; the rest is valid.
    drift_per_year
        Factor by which the share of abusive claims grows in a year.
    padding_share, fabrication_share
        Parts of the abusive claims; the rest is organised.
    ring_share, collusion_share
        Parts of the organised claims; the rest is sabotage of competitors.
    injury_share
        Share of claims for personal injury.
    property_median, property_sigma, injury_factor, injury_sigma
        Lognormal losses: median in dollars and σ of the logarithm; an injury's median is ``injury_factor`` times as high.
    fire_share, fire_from, fire_alpha
        Share of losses from fires, which are Pareto(``fire_alpha``) from ``fire_from`` dollars.
    price_correlation
        Correlation between the logarithms of loss and price.
    bunching, inventors_bunching
        Probability that an inflated (an invented) amount is put at $850–$999, or as far below a lower learned threshold.
    padding_factor
        Mean factor by which padders inflate what they do not bunch.
    burst_share
        Share of all claims that belong to honest bursts on a defective product.
    recalled_share
        Share of bursts that end in a recall.
    refiled_share
        Share of claims that are an honest customer's own second filing.
    stock_photo_share, boilerplate_share
        Honest claims that show a picture from the listing, or copy a public sample letter.
    fabricators_reuse, padders_reuse, rings_reuse
        Share of claims whose narrative or photograph is taken from an earlier claim of somebody else.
    coached_share
        Share of padders who file through a claims coach: one device and telephone, one story, many customers.
    quick_filing
        Additional probability that an abusive claim is filed within the first week.
    rotation_days
        Mean life of a ring's set of devices, addresses and payments before a denial makes it move on.
    own_identity
        Probability that a ring member uses an own device (address, payment, phone) after all.
    public_device_share
        Share of orders and claims from a device of a library or an office that many people use.
    desk_share
        Share of claims that the legacy rule score sends to desk review.
    audit_propensity
        Probability of the legacy random audit of every other claim.
    revealed_share
        Probability that an abusive claim that was paid without review is found out later.
    account_days
        Median age in days of inventors' accounts at their first order.
    claims_per_fabricator
        Mean claims of a lone fabricator.
    opportunists
        Share of customers who are inclined to pad.
    """

    orders_per_customer: float = 6.0
    orders_per_seller: float = 300.0
    orders_per_product: float = 30.0
    lead_days: float = 90.0
    abusive_share: float = 0.10
    unsubstantiated_share: float = 0.24
    drift_per_year: float = 1.7
    padding_share: float = 0.65
    fabrication_share: float = 0.22
    ring_share: float = 0.54
    collusion_share: float = 0.23
    injury_share: float = 0.10
    property_median: float = 230.0
    property_sigma: float = 1.6
    injury_factor: float = 1.5
    injury_sigma: float = 1.8
    fire_share: float = 0.003
    fire_from: float = 10_000.0
    fire_alpha: float = 1.2
    price_correlation: float = 0.45
    bunching: float = 0.44
    inventors_bunching: float = 0.30
    padding_factor: float = 2.6
    burst_share: float = 0.06
    recalled_share: float = 0.7
    refiled_share: float = 0.012
    stock_photo_share: float = 0.01
    boilerplate_share: float = 0.02
    fabricators_reuse: float = 0.40
    padders_reuse: float = 0.15
    coached_share: float = 0.30
    rings_reuse: float = 0.70
    quick_filing: float = 0.01
    rotation_days: float = 60.0
    own_identity: float = 0.25
    public_device_share: float = 0.012
    desk_share: float = 0.24
    audit_propensity: float = 0.08
    revealed_share: float = 0.05
    account_days: float = 420.0
    claims_per_fabricator: float = 1.35
    opportunists: float = 0.03


@dataclass(frozen=True)
class Horizon:
    """The time line in microseconds since 1970 (UTC): orders from ``orders_from``, claims in [``start``, ``end``), live from ``live_from``.

    >>> from datetime import datetime, UTC
    >>> Horizon.of(datetime(2024, 1, 1, tzinfo=UTC), 18, None, lead_days=90).days
    547.0
    """

    orders_from: int
    start: int
    live_from: int
    end: int

    @classmethod
    def of(cls, start: datetime, months: int, live_from: datetime | None, lead_days: float) -> Horizon:
        """Return the time line; without ``live_from`` the last sixth of the months (at least one) is live.

        Raises
        ------
        ValueError
            If a time has no zone, there are fewer than two months, or ``live_from`` is outside the horizon.
        """
        if start.tzinfo is None or (live_from is not None and live_from.tzinfo is None):
            raise ValueError("start, live_from: expected times with a zone such as datetime(2024, 1, 1, tzinfo=UTC), found a naive time")
        if months < 2:
            raise ValueError(f"months: expected at least 2, found {months}")
        end = months_after(start, months)
        live = live_from if live_from is not None else months_after(start, months - max(1, months // 6))
        if not start < live <= end:
            raise ValueError(f"live_from: expected a time between {start} and {end}, found {live}")
        first = instant(start)
        return cls(first - int(lead_days * DAY), first, instant(live), instant(end))

    @property
    def days(self) -> float:
        """Length of the claims' horizon in days."""
        return (self.end - self.start) / DAY


def months_after(start: datetime, months: int) -> datetime:
    """Return the same day and time ``months`` calendar months later (clipped to the 28th).

    >>> from datetime import datetime, UTC
    >>> months_after(datetime(2024, 11, 1, tzinfo=UTC), 3).date().isoformat()
    '2025-02-01'
    """
    month = start.month - 1 + months
    return start.replace(year=start.year + month // 12, month=month % 12 + 1, day=min(start.day, 28))


def instant(time: datetime) -> int:
    """Return microseconds since 1970.

    >>> from datetime import datetime, UTC
    >>> instant(datetime(1970, 1, 2, tzinfo=UTC)) == DAY
    True
    """
    return round((time.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)
