"""What was lost and what is claimed, in cents.

Losses are a lognormal mixture of property damage and injury with a Pareto tail of fires, correlated with the price of the
product. Padders multiply a real loss or lift it to just below $1,000; inventors choose an amount under the threshold they know.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_contracts.contract import CAP_CENTS
from pipelines.simulate.drafts import ABUSIVE, PADDING, VALID
from pipelines.simulate.frames import Bools, Floats, Ints
from pipelines.simulate.market import Market

_BUNCH = (85_000, 99_999)
_INVENTED_MEDIAN, _INVENTED_SIGMA = 360.0, 0.9


@dataclass(frozen=True)
class Amounts:
    """Per claim: whether it is an injury; the amount claimed, the harm really suffered, and what is truly owed, in cents."""

    injury: Bools
    claimed: Ints
    harm: Ints
    owed: Ints


def draw_amounts(drafts: pd.DataFrame, price_cents: Ints, market: Market, rng: np.random.Generator) -> Amounts:
    """Draw harm and claimed amount of every draft.

    Parameters
    ----------
    drafts
        With columns ``truth, scheme, ceiling``.
    price_cents
        Shape (n,): price of the product.
    """
    count = len(drafts)
    truth, scheme = drafts["truth"].to_numpy(), drafts["scheme"].to_numpy()
    ceiling = drafts["ceiling"].to_numpy()
    injury = rng.random(count) < market.injury_share
    harm = _losses(injury, price_cents, market, rng)
    padded = scheme == PADDING
    invented = (truth == ABUSIVE) & ~padded
    bunch = rng.integers(_BUNCH[0], _BUNCH[1] + 1, count)
    bunched = rng.random(count) < np.where(padded, market.bunching, market.inventors_bunching)
    factor = 1.15 + rng.gamma(1.5, (market.padding_factor - 1.15) / 1.5, count)
    inflated = np.where(bunched & (harm > 8_000) & (harm < 80_000), bunch, np.minimum(harm * factor, CAP_CENTS))
    free = 100 * _INVENTED_MEDIAN * np.exp(_INVENTED_SIGMA * rng.normal(size=count))
    made_up = np.where(bunched, bunch * np.where(ceiling > 0, ceiling / 100_000, 1.0), free)
    over = (ceiling > 0) & (made_up >= ceiling)
    made_up = np.where(over, ceiling * (0.55 + 0.449 * rng.random(count)), made_up)
    harm = np.where(padded, np.minimum(harm, CAP_CENTS // 2), harm)
    claimed = np.where(padded, inflated, np.where(invented, made_up, harm))
    claimed = np.clip(_rounded(claimed, rng), 100, CAP_CENTS)
    suffered = np.where(invented, 0, np.where(padded, np.minimum(harm, claimed - 1), claimed)).astype(np.int64)
    owed = np.where((truth == VALID) | padded, suffered, 0)
    return Amounts(injury, claimed, suffered, owed)


def _losses(injury: Bools, price_cents: Ints, market: Market, rng: np.random.Generator) -> Floats:
    count = len(injury)
    price = np.log(price_cents)
    spread = price.std() if count > 1 and price.std() > 0 else 1.0
    rho = market.price_correlation
    z = rho * (price - price.mean()) / spread + np.sqrt(1 - rho**2) * rng.normal(size=count)
    median = market.property_median * np.where(injury, market.injury_factor, 1.0)
    loss = median * np.exp(np.where(injury, market.injury_sigma, market.property_sigma) * z)
    fire = rng.random(count) < market.fire_share
    loss = np.where(fire, market.fire_from * (1.0 - rng.random(count)) ** (-1.0 / market.fire_alpha), loss)
    return np.asarray(np.clip(loss * 100, 500, CAP_CENTS))


def _rounded(cents: Floats, rng: np.random.Generator) -> Ints:
    """Half of the claimants name whole dollars (rounded down, so that nobody crosses a threshold by rounding)."""
    whole = rng.random(len(cents)) < 0.5
    return np.where(whole & (cents >= 1_000), np.floor(cents / 100) * 100, np.floor(cents)).astype(np.int64)
