"""Equal treatment: whether an honest claimant's chance of being paid at once depends on who or where they are.

The measure is the equal-opportunity gap (Hardt, Price and Srebro 2016): among *valid* claims, how much the share that is not paid
automatically (denied, or asked for evidence) differs between the slices of an attribute. It is looked at from the claimant's side and
needs labels, weighted like every other figure; a slice with few of them is shown, not judged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_contracts import Action, Label
from models.bands import EDGES_CENTS, band_names
from models.gates import Gate, Gates
from models.metrics import Interval, cluster_bootstraps

ATTRIBUTES = ("region", "account age", "seller country", "claim kind", "amount")
"""What claims are sliced by."""

_AGES = (30.0, 180.0, 365.0)
_AGE_NAMES = ("under 30 days", "30 to 180 days", "180 days to a year", "a year and more")
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Slice:
    """One slice of the valid labelled claims.

    Parameters
    ----------
    attribute, name
        Which one.
    claims
        Valid labelled claims in it.
    champion, challenger
        Weighted share of them that each model does not pay automatically.
    judged
        Whether there are enough of them.
    """

    attribute: str
    name: str
    claims: int
    champion: float
    challenger: float
    judged: bool


@dataclass(frozen=True)
class Gap:
    """The largest difference between judged slices of an attribute: the champion's, the challenger's with its interval.

    NaN where fewer than two slices could be judged.
    """

    attribute: str
    champion: float
    challenger: Interval


def attributes(claims: pd.DataFrame, customers: pd.DataFrame, sellers: pd.DataFrame) -> pd.DataFrame:
    """Return the slice of each claim by each attribute.

    Parameters
    ----------
    claims, customers, sellers
        Rows of their contracts; a claim whose customer or seller is absent is in the slice ``unknown``.

    Returns
    -------
    DataFrame
        One text column per attribute of :data:`ATTRIBUTES`, one row per claim, in their order.

    Examples
    --------
    >>> at = pd.to_datetime(["2025-03-01"], utc=True)
    >>> claims = pd.DataFrame({"customer_id": ["U1"], "seller_id": ["S1"], "filed_at": at, "kind": ["injury"], "amount_cents": [9_000]})
    >>> customers = pd.DataFrame({"customer_id": ["U1"], "region": ["north"], "created_at": at - pd.Timedelta(days=30)})
    >>> attributes(claims, customers, pd.DataFrame({"seller_id": [], "country": []})).iloc[0].tolist()
    ['north', '30 to 180 days', 'unknown', 'injury', 'under $100']
    """
    who = customers.set_index("customer_id")
    opened = claims["customer_id"].map(who["created_at"])
    days = ((claims["filed_at"] - opened) / pd.Timedelta(days=1)).to_numpy(dtype=np.float64)
    age = np.where(np.isnan(days), _UNKNOWN, np.array(_AGE_NAMES, dtype=object)[np.searchsorted(_AGES, days, side="right").clip(0, 3)])
    band = np.searchsorted(np.array(EDGES_CENTS), claims["amount_cents"].to_numpy(), side="right")
    found = {
        "region": claims["customer_id"].map(who["region"]),
        "account age": age,
        "seller country": claims["seller_id"].map(sellers.set_index("seller_id")["country"]),
        "claim kind": claims["kind"],
        "amount": np.array(band_names(), dtype=object)[band],
    }
    columns = {name: pd.Series(np.asarray(values, dtype=object)).fillna(_UNKNOWN).astype("str") for name, values in found.items()}
    return pd.DataFrame(columns)


def compare(
    sliced: pd.DataFrame,
    labels: np.ndarray,
    weights: np.ndarray,
    champion: np.ndarray,
    challenger: np.ndarray,
    groups: np.ndarray,
    gates: Gates,
    rng: np.random.Generator,
    draws: int = 400,
) -> tuple[tuple[Slice, ...], tuple[Gap, ...]]:
    """Return every slice and the gap of every attribute.

    Parameters
    ----------
    sliced
        Slice of each claim by attribute, from :func:`attributes`.
    labels, weights
        Class and weight, shape (claims,); 0 where nobody examined.
    champion, challenger
        Automatic actions of each model, shape (claims,).
    groups
        Which claims belong together, for the intervals.
    gates
        How many claims a slice needs, and the confidence of the intervals.
    rng, draws
        Of the bootstrap.

    Notes
    -----
    The greatest difference of noisy shares is too large on average, and larger still in a resample. The interval is therefore the
    basic one, (2g − q_high, 2g − q_low), which takes that bias back (Davison & Hinkley 1997, section 5.2).
    """
    valid = (labels == Label.VALID.value) & (weights > 0)
    mass = weights[valid]
    unpaid = np.stack([champion[valid] != Action.PAY.value, challenger[valid] != Action.PAY.value]).astype(np.float64)
    slices: list[Slice] = []
    judged: dict[str, tuple[np.ndarray, int]] = {}
    for attribute in sliced.columns:
        code, names = pd.factorize(sliced.loc[valid, attribute], sort=True)
        count = np.bincount(code, minlength=len(names))
        enough = count >= gates.slice_fewest
        rates = _rates(code, len(names), mass, unpaid)
        slices += [
            Slice(attribute, str(name), int(count[k]), float(rates[0, k]), float(rates[1, k]), bool(enough[k]))
            for k, name in enumerate(names)
        ]
        place = np.full(len(names) + 1, -1)
        place[np.flatnonzero(enough)] = np.arange(enough.sum())
        judged[attribute] = place[code], int(enough.sum())

    def widths(rows: np.ndarray) -> dict[str, float]:
        found: dict[str, float] = {}
        for attribute, (code, count) in judged.items():
            used = rows[code[rows] >= 0]
            rates = _rates(code[used], count, mass[used], unpaid[:, used])
            found |= {f"{attribute}\n{k}": _width(rates[k]) for k in (0, 1)}
        return found

    drawn = cluster_bootstraps(widths, groups[valid], rng, draws, gates.gap_confidence)
    gaps = (Gap(name, drawn[f"{name}\n0"].estimate, _basic(drawn[f"{name}\n1"])) for name in judged)
    return tuple(slices), tuple(gaps)


def gate(gap: Gap, slices: tuple[Slice, ...], gates: Gates) -> Gate:
    """Return whether honest claimants of all slices of an attribute are treated alike, as far as labels can tell."""
    own = [found for found in slices if found.attribute == gap.attribute]
    able = sorted((found for found in own if found.judged), key=lambda found: found.challenger)
    few = [found.name for found in own if not found.judged]
    silent = f"; fewer than {gates.slice_fewest} labelled valid claims, not judged: {', '.join(few)}" if few else ""
    name = f"equal treatment by {gap.attribute}"
    if len(able) < 2:
        return Gate(name, True, float("nan"), gates.gap, f"fewer than two slices have enough labelled valid claims to be judged{silent}")
    limit = max(gates.gap, gap.champion + gates.gap_margin)
    found = gap.challenger
    why = (
        f"of valid claims {able[-1].challenger:.0%} are not paid automatically where it is worst ({able[-1].name}) and "
        f"{able[0].challenger:.0%} where it is best ({able[0].name}): a gap of {found.estimate:.1%} "
        f"({gates.gap_confidence:.0%} interval {found.low:.1%} to {found.high:.1%}, champion {gap.champion:.1%}), "
        f"at most {limit:.1%}{silent}"
    )
    return Gate(name, not found.low > limit, found.estimate, limit, why)


def _rates(code: np.ndarray, count: int, mass: np.ndarray, unpaid: np.ndarray) -> np.ndarray:
    """Return the weighted share not paid, shape (2, slices); NaN for an empty slice."""
    total = np.bincount(code, weights=mass, minlength=count)
    hit = np.stack([np.bincount(code, weights=mass * row, minlength=count) for row in unpaid])
    rates: np.ndarray = np.divide(hit, total, out=np.full(hit.shape, np.nan), where=total > 0)
    return rates


def _width(rates: np.ndarray) -> float:
    found = rates[~np.isnan(rates)]
    return float(found.max() - found.min()) if len(found) > 1 else float("nan")


def _basic(found: Interval) -> Interval:
    low, high = 2 * found.estimate - found.high, 2 * found.estimate - found.low
    return Interval(found.estimate, float(np.clip(low, 0, 1)), float(np.clip(high, 0, 1)), found.draws)
