"""What bundles need to run: time per claim, bytes, and feature rows that the running code makes as the training had them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from features.catalog import CATALOG
from features.facts import Tables
from features.matrix import build_matrix
from models.bundle import Bundle, contracts_hash
from models.gates import Fitness, Gates, Parity

Clock = Callable[[], float]
"""Seconds from some origin, never going back."""


def fitness(
    champion: Bundle,
    challenger: Bundle,
    tables: Tables,
    claims: pd.DataFrame,
    matrix: pd.DataFrame,
    limits: Gates,
    rng: np.random.Generator,
    clock: Clock,
) -> Fitness:
    """Measure what the gates of latency, size and feature parity judge.

    Parameters
    ----------
    champion, challenger
        The bundles.
    tables
        The lake's tables, from which feature rows are computed anew.
    claims, matrix
        Claims and their kept feature rows, in the same order.
    limits
        How many claims are timed and how many computed anew.
    rng
        Draws them.
    clock
        Times them.
    """
    timed = matrix.iloc[_drawn(len(matrix), limits.latency_rows, rng)]
    before, after = medians([champion, challenger], timed, clock)
    chosen = _drawn(len(claims), limits.parity_rows, rng)
    found = parity(challenger, tables, claims.iloc[chosen], matrix.iloc[chosen])
    return Fitness(before, after, size(champion), size(challenger), found)


def medians(bundles: Sequence[Bundle], matrix: pd.DataFrame, clock: Clock) -> list[float]:
    """Return the median milliseconds in which each bundle predicts and explains one row; NaN without rows.

    The bundles take turns at every row, so that a busy moment of the machine hits all of them; the first row is run once beforehand.
    """
    took: list[list[float]] = [[] for _ in bundles]
    for row in [0, *range(len(matrix))] if len(matrix) else []:
        one = matrix.iloc[[row]]
        for place, bundle in enumerate(bundles):
            began = clock()
            bundle.predict_proba(one)
            bundle.classifier.contributions(one)
            took[place].append(1000 * (clock() - began))
    return [float(np.median(times[1:])) if times else float("nan") for times in took]


def size(bundle: Bundle) -> int:
    """Return the bytes of a bundle's files, without the manifest."""
    return sum(len(text.encode()) for text in bundle.files.values())


def parity(bundle: Bundle, tables: Tables, claims: pd.DataFrame, kept: pd.DataFrame) -> Parity:
    """Compare the bundle with the running code, and kept feature rows with rows computed anew for these claims alone."""
    anew = build_matrix(tables, claims) if len(claims) else kept
    names = bundle.inputs.names
    unknown = tuple(name for name in names if name not in anew.columns)
    differing = tuple(name for name in names if name in anew.columns and not same_bits(kept[name], anew[name]))
    return Parity(bundle.catalog_hash == CATALOG.hash, bundle.contract_hash == contracts_hash(), unknown, len(claims), differing)


def same_bits(kept: pd.Series, anew: pd.Series) -> bool:
    """Tell whether two columns are equal to the last bit; categories are compared as text, and missing equals missing.

    >>> same_bits(pd.Series([0.1 + 0.2, float("nan")]), pd.Series([0.3, float("nan")]))
    False
    >>> same_bits(pd.Series(["a", None], dtype="category"), pd.Series(["a", None], dtype="str"))
    True
    """
    if not pd.api.types.is_numeric_dtype(kept) or not pd.api.types.is_numeric_dtype(anew):
        return bool(kept.astype("object").where(kept.notna(), None).tolist() == anew.astype("object").where(anew.notna(), None).tolist())
    return bool(kept.to_numpy(dtype=np.float64).tobytes() == anew.to_numpy(dtype=np.float64).tobytes())


def _drawn(rows: int, most: int, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.choice(rows, min(rows, most), replace=False))
