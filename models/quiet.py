"""Which weeks are compared: the current window, the reference, and pairs of quiet windows that show what is ordinary.

The reference is the end of the training window of the model that decides: what it last learned from. The quiet pairs are the same two
windows moved back in time, a step after the other, until the history ends: as long, as far apart, and wholly before the training's end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class LayoutSettings:
    """How long the windows are.

    Parameters
    ----------
    current_days, reference_days
        Lengths of the two windows.
    step_days, most_pairs
        How far a quiet pair lies before the next one, and how many are used at most, the latest first.
    fewest_claims, fewest_pairs
        A window with fewer claims is not compared; with fewer pairs nothing can be said.
    """

    current_days: int = 28
    reference_days: int = 84
    step_days: int = 28
    most_pairs: int = 8
    fewest_claims: int = 30
    fewest_pairs: int = 2


@dataclass(frozen=True)
class Span:
    """From ``start`` inclusive to ``end`` exclusive, UTC."""

    start: pd.Timestamp
    end: pd.Timestamp

    def holds(self, times: pd.Series) -> np.ndarray:
        """Return which of the instants lie in the span, boolean, shape as given."""
        inside: np.ndarray = ((times >= self.start) & (times < self.end)).to_numpy()
        return inside

    def moved(self, days: float) -> Span:
        """Return the span so many days later (earlier where negative)."""
        by = pd.Timedelta(days=days)
        return Span(self.start + by, self.end + by)


@dataclass(frozen=True)
class Layout:
    """The windows of a comparison.

    Parameters
    ----------
    reference, current
        The two windows.
    quiet
        Pairs (reference, current) in quiet time, the latest first.
    same_distance
        Whether the pairs are as far apart as the windows under test; false where the history is too short for that, and the pairs are
        adjacent: natural growth then is understated.
    """

    reference: Span
    current: Span
    quiet: tuple[tuple[Span, Span], ...]
    same_distance: bool


def layout(filed: pd.Series, trained_until: datetime, as_of: datetime, settings: LayoutSettings | None = None) -> Layout:
    """Lay the windows out.

    Parameters
    ----------
    filed
        Instants at which the claims of the whole history were filed.
    trained_until
        The instant of the training of the model that decides.
    as_of
        End of the current window. It starts ``current_days`` earlier, but never before the training ended.

    Raises
    ------
    ValueError
        If nothing was filed between training and ``as_of`` yet, or the history before the training is too short.

    Examples
    --------
    >>> filed = pd.Series(pd.date_range("2024-01-01", "2025-06-01", freq="6h", tz="UTC"))
    >>> found = layout(filed, pd.Timestamp("2025-04-01", tz="UTC"), pd.Timestamp("2025-05-27", tz="UTC"))
    >>> f"{found.reference.start:%m-%d} {found.current.start:%m-%d}", len(found.quiet), found.same_distance
    ('01-07 04-29', 8, True)
    >>> f"{found.quiet[0][0].end:%m-%d} {found.quiet[0][1].start:%m-%d} {found.quiet[0][1].end:%m-%d}"  # 28 days apart, over by 1 April
    '02-04 03-04 04-01'
    """
    settings = settings or LayoutSettings()
    trained, now = pd.Timestamp(trained_until), pd.Timestamp(as_of)
    if now <= trained:
        raise ValueError(
            f"monitor: expected an instant after the training of {trained:%Y-%m-%d}, found {now:%Y-%m-%d}; choose a later --as-of"
        )
    current = Span(max(trained, now - pd.Timedelta(days=settings.current_days)), now)
    reference = Span(trained - pd.Timedelta(days=settings.reference_days), trained)
    apart = (current.start - trained) / pd.Timedelta(days=1)
    pairs, same = _pairs(filed, reference, current, apart, settings), True
    if len(pairs) < settings.fewest_pairs:
        pairs, same = _pairs(filed, reference, current, 0.0, settings), False
    if len(pairs) < settings.fewest_pairs:
        raise ValueError(
            f"monitor: expected at least {settings.fewest_pairs} pairs of windows of {settings.reference_days} and "
            f"{settings.current_days} days with {settings.fewest_claims} claims each before {trained:%Y-%m-%d}, found {len(pairs)}; "
            "monitor with shorter windows or after a longer history"
        )
    return Layout(reference, current, pairs, same)


def _pairs(filed: pd.Series, reference: Span, current: Span, apart: float, settings: LayoutSettings) -> tuple[tuple[Span, Span], ...]:
    length = (current.end - current.start) / pd.Timedelta(days=1)
    beside = Span(reference.end, reference.end + (current.end - current.start)).moved(apart)
    first, found = filed.min(), []
    for k in range(settings.most_pairs):
        back = -(apart + length + k * settings.step_days)
        pair = reference.moved(back), beside.moved(back)
        if pair[0].start < first:
            break
        if all(int(span.holds(filed).sum()) >= settings.fewest_claims for span in pair):
            found.append(pair)
    return tuple(found)
