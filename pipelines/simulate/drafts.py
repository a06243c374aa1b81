"""A claim in the making: what every part of the simulator says about the claims it plans, before documents and names.

Drafts are frames of integers (one row per claim), so that parts can be planned apart and put together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.simulate.frames import NEVER, Ints
from pipelines.simulate.market import DAY, Horizon, Market

VALID, UNSUBSTANTIATED, ABUSIVE = 0, 1, 2

SCHEMES = ("honest", "careless", "padding", "fabrication", "ring", "collusion", "sabotage", "defect_burst")
HONEST, CARELESS, PADDING, FABRICATION, RING, COLLUSION, SABOTAGE, BURST = range(8)
ORGANISED = (RING, COLLUSION, SABOTAGE)

OPTIONAL = ("device", "address", "payment", "phone", "denial")
"""Columns that are ``NEVER`` where the ordinary course of things decides."""


def draft(scheme: int, truth: int, columns: Mapping[str, npt.NDArray[Any]]) -> pd.DataFrame:
    """Return drafts of one scheme.

    Parameters
    ----------
    scheme, truth
        Positions in ``SCHEMES`` and in the order of the labels.
    columns
        Arrays of shape (n,): ``customer, product, ordered, filed, incident`` (microseconds) and, optionally, ``entity``,
        ``ceiling`` (cents: amounts stay below; 0 = none), and those of ``OPTIONAL``.
    """
    frame = pd.DataFrame(dict(columns))
    frame["scheme"], frame["truth"] = scheme, truth
    for name in ("entity", *OPTIONAL):
        if name not in frame:
            frame[name] = NEVER
    if "ceiling" not in frame:
        frame["ceiling"] = 0
    return frame.astype("int64")


def filing_times(count: int, horizon: Horizon, growth: npt.NDArray[np.float64], rng: np.random.Generator) -> Ints:
    """Draw filing times whose daily density is proportional to ``growth`` (one value per day of the horizon)."""
    ends = np.concatenate([[0.0], np.cumsum(growth)])
    day = np.interp(rng.random(count) * ends[-1], ends, np.linspace(0.0, horizon.days, len(ends)))
    filed = horizon.start + (day * DAY).astype(np.int64)
    return np.asarray(np.minimum(filed, horizon.end - 1))


def abusive_rate(horizon: Horizon, market: Market) -> npt.NDArray[np.float64]:
    """Return the share of abusive claims on each day: exponential drift around the horizon's mean share."""
    rate = market.drift_per_year ** (np.arange(int(np.ceil(horizon.days))) / 365.25)
    return np.asarray(market.abusive_share * rate / rate.mean())
