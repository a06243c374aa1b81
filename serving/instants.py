"""How an instant is stored: ``int64`` microseconds since 1970-01-01 UTC, exact in every database and comparable as a number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

SECOND = 1_000_000
"""Microseconds in a second."""

DAY = 86_400 * SECOND
"""Microseconds in a day."""

_ZERO = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


def micros(instant: datetime) -> int:
    """Return an instant as microseconds since 1970-01-01 UTC.

    Parameters
    ----------
    instant
        A ``datetime`` or pandas ``Timestamp`` with a time zone.

    Raises
    ------
    ValueError
        If the instant has no time zone, for then nobody knows which moment it means.

    Examples
    --------
    >>> import pandas as pd
    >>> micros(pd.Timestamp("1970-01-02", tz="UTC"))
    86400000000
    """
    if instant.tzinfo is None:
        raise ValueError(f"expected an instant with a time zone such as 2025-03-01T00:00:00Z, found {instant.isoformat()}")
    return int((instant - _ZERO) // _TICK)


def weekday(at: int) -> int:
    """Return the day of the week of stored microseconds, Monday 0, UTC.

    >>> weekday(0)  # 1970-01-01 was a Thursday
    3
    """
    return (at // DAY + 3) % 7


def moment(at: int) -> datetime:
    """Return stored microseconds as an instant.

    >>> moment(86_400_000_000).isoformat()
    '1970-01-02T00:00:00+00:00'
    """
    return _ZERO + timedelta(microseconds=at)


def instants(values: list[int | None]) -> pd.Series:
    """Return stored microseconds as a ``datetime64[us, UTC]`` series; ``None`` becomes missing.

    >>> instants([86_400_000_000, None]).isna().tolist()
    [False, True]
    """
    missing = np.iinfo(np.int64).min
    raw = np.array([missing if value is None else value for value in values], dtype=np.int64)
    return pd.Series(pd.DatetimeIndex(raw.view("datetime64[us]")).tz_localize("UTC"))
