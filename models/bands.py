"""Calibration by class and amount: a probability that holds on average can still fail where the money is."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd

from data_contracts import LABELS

EDGES_CENTS: tuple[int, ...] = (10_000, 30_000, 85_000, 100_001)
"""Where the bands of amounts begin, after the first: the last but one is the stretch just under the limit, where abusers bunch."""


def band_names(edges_cents: tuple[int, ...] = EDGES_CENTS) -> list[str]:
    """Return the names of the bands in dollars.

    >>> band_names((10_000, 30_000))
    ['under $100', '$100 to $300', '$300 and more']
    """
    dollars = [f"${edge // 100:,}" for edge in edges_cents]
    return [
        f"under {dollars[0]}",
        *(f"{low} to {high}" for low, high in pairwise(dollars)),
        f"{dollars[-1]} and more",
    ]


def reliability_by_band(
    labels: np.ndarray,
    proba: np.ndarray,
    weights: np.ndarray,
    amount_cents: np.ndarray,
    edges_cents: tuple[int, ...] = EDGES_CENTS,
) -> pd.DataFrame:
    """Compare predicted and observed shares of every class in every band of amounts.

    Parameters
    ----------
    labels, proba, weights
        Classes, probabilities of shape (rows, 3), weights, as in :func:`models.metrics.reliability`.
    amount_cents
        Amounts claimed, shape (rows,).
    edges_cents
        Where the bands begin, rising; an amount on an edge belongs to the band above.

    Returns
    -------
    DataFrame
        ``label``, ``band``, ``rows``, ``predicted``, ``observed``, ``gap`` (observed − predicted) and ``error``, the standard error of the
        gap; one row per class and band that has rows of positive weight.

    Notes
    -----
    With weights w and hits h the gap is Σ w(h − p) / Σ w and its error √Σ w²(h − p − gap)² / Σ w, claims taken as independent.

    Examples
    --------
    >>> labels, proba = np.array(["valid", "abusive"]), np.array([[0.5, 0.0, 0.5]] * 2)
    >>> table = reliability_by_band(labels, proba, np.ones(2), np.array([5_000, 200_000]))
    >>> table[table["label"] == "abusive"][["band", "gap"]].to_numpy().tolist()
    [['under $100', -0.5], ['$1,000 and more', 0.5]]
    """
    used = np.asarray(weights) > 0
    weight = np.asarray(weights, dtype=np.float64)[used]
    band = np.searchsorted(np.array(edges_cents), np.asarray(amount_cents)[used], side="right")
    found = []
    for place, label in enumerate(LABELS):
        predicted, hit = np.asarray(proba)[used, place], (np.asarray(labels)[used] == label).astype(np.float64)
        for number, name in enumerate(band_names(edges_cents)):
            here = band == number
            if here.any():
                mass, short = weight[here], hit[here] - predicted[here]
                gap = float(np.average(short, weights=mass))
                error = float(np.sqrt(((mass * (short - gap)) ** 2).sum()) / mass.sum())
                observed = float(np.average(hit[here], weights=mass))
                found.append((label, name, int(here.sum()), observed - gap, observed, gap, error))
    return pd.DataFrame(found, columns=["label", "band", "rows", "predicted", "observed", "gap", "error"])
