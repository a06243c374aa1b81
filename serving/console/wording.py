"""How the console says things: money, instants, lengths of time, shares, and the names of states and actions in plain words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import isnan
from typing import Any

from serving.instants import DAY, SECOND

HOUR = 3600 * SECOND
MINUTE = 60 * SECOND

NAMES: Mapping[str, str] = {
    "PAY": "pay",
    "REQUEST_EVIDENCE": "request evidence",
    "DENY_UNSUBSTANTIATED": "deny, unsubstantiated",
    "DENY_ABUSIVE": "deny, abusive",
    "DESK": "desk expert",
    "INVESTIGATE": "investigation",
    "automatic": "decided automatically",
    "value_of_review": "worth a review",
    "audit": "drawn for the audit",
    "rule": "made stricter by a rule",
    "open": "waiting",
    "leased": "in hand",
    "answered": "answered",
    "withdrawn": "decided without",
    "desk": "desk",
    "investigation": "investigation",
    "property": "property damage",
    "injury": "personal injury",
}
"""Stored name → words, where they differ from the name without its underscores."""


def named(value: object) -> str:
    """Return a stored name in plain words.

    >>> named("value_of_review"), named("seller_appeals"), named(None)
    ('worth a review', 'seller appeals', '–')
    """
    return "–" if value is None else NAMES.get(str(value), str(value).replace("_", " "))


def dollars(cents: int | float | None, digits: int = 2) -> str:
    """Return cents as dollars.

    >>> dollars(-123_456), dollars(1_234_567, 0), dollars(None)
    ('−$1,234.56', '$12,346', '–')
    """
    if cents is None:
        return "–"
    return f"{'−' if cents < 0 else ''}${abs(cents) / 100:,.{digits}f}"


def percent(share: float | None, digits: int = 0) -> str:
    r"""Return a share in percent.

    >>> percent(0.125, 1), percent(0.004), percent(0.0)
    ('12.5\xa0%', '<\xa01\xa0%', '0\xa0%')
    """
    if share is None or isnan(share):
        return "–"
    least = 0.5 * 10**-digits / 100
    told = f"< {10**-digits:g} %" if 0 < share < least else f"{100 * share:.{digits}f} %"
    return told.replace(" ", "\u00a0")  # the sign never begins a line


def day(at: int | None) -> str:
    """Return an instant's day.

    >>> day(0)
    '1 Jan 1970'
    """
    if at is None:
        return "–"
    moment = datetime.fromtimestamp(at // SECOND, UTC)
    return f"{moment.day} {moment:%b %Y}"


def minute(at: int | None) -> str:
    """Return an instant to the minute, UTC.

    >>> minute(90 * MINUTE)
    '1 Jan 1970, 01:30'
    """
    return "–" if at is None else f"{day(at)}, {datetime.fromtimestamp(at // SECOND, UTC):%H:%M}"


def iso(at: int | None) -> str:
    """Return an instant as machines read it.

    >>> iso(0)
    '1970-01-01T00:00:00Z'
    """
    return "" if at is None else f"{datetime.fromtimestamp(at // SECOND, UTC):%Y-%m-%dT%H:%M:%SZ}"


def lasting(length: int) -> str:
    """Return a length of time (microseconds) in its two largest units.

    >>> lasting(3 * DAY + 5 * HOUR), lasting(95 * MINUTE), lasting(-30 * MINUTE), lasting(9 * DAY), lasting(40 * DAY + HOUR)
    ('3 d 5 h', '1 h 35 min', '30 min', '9 d', '40 d')
    """
    length = abs(length)
    days, hours, minutes = length // DAY, length % DAY // HOUR, length % HOUR // MINUTE
    if days:
        return f"{days} d" + (f" {hours} h" if hours and days < 10 else "")
    if hours:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    return f"{minutes} min"


def until(at: int, now: int) -> str:
    """Say how far an instant lies ahead or behind.

    >>> until(DAY, 0), until(0, DAY)
    ('in 1 d', '1 d ago')
    """
    return f"in {lasting(at - now)}" if at >= now else f"{lasting(now - at)} ago"


def many(number: int, one: str, more: str = "") -> str:
    """Return a number with its noun.

    >>> many(1, "case"), many(1200, "case"), many(2, "story", "stories")
    ('1 case', '1,200 cases', '2 stories')
    """
    return f"{number:,} {one if number == 1 else more or one + 's'}"


FILTERS: Mapping[str, Callable[..., Any]] = {
    "named": named,
    "dollars": dollars,
    "percent": percent,
    "day": day,
    "minute": minute,
    "iso": iso,
    "lasting": lasting,
    "until": until,
    "many": many,
    "signed": lambda number: f"{number:+.2f}".replace("-", "−"),
    "number": lambda number: f"{number:,}",
}
"""What templates can say."""
