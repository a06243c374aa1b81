"""Which rows train, which stop and calibrate, which judge: by time, with a gap, and without shared people.

A random split would let a model learn a ring on Monday and be praised for recognising it on Tuesday. Windows follow one
another, labels count only if they were known when the later window began, and an earlier row that shares a customer,
device, address, payment or phone with a later one, directly or through others, is left out of the training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from data_contracts import LABELS

ENTITIES: tuple[str, ...] = ("customer_id", "device_id", "address_id", "payment_id", "phone_id")
"""What makes two claims related."""


@dataclass(frozen=True)
class Window:
    """One side of a split, as it is logged: dates, rows, class counts."""

    first_filed_at: str | None
    last_filed_at: str | None
    rows: int
    classes: dict[str, int]

    @classmethod
    def of(cls, filed_at: pd.Series, labels: np.ndarray, rows: np.ndarray) -> Window:
        """Describe the rows of a mask."""
        times, found = filed_at[rows], np.asarray(labels)[rows]
        first, last = (times.min().isoformat(), times.max().isoformat()) if len(times) else (None, None)
        return cls(first, last, int(rows.sum()), {label: int((found == label).sum()) for label in LABELS})


@dataclass(frozen=True)
class Split:
    """Masks of an earlier and a later window.

    Parameters
    ----------
    train, valid
        Boolean masks, shape (rows,); disjoint.
    cut
        Where the later window begins.
    train_window, valid_window
        What each side holds.
    purged
        Training rows left out because they share a component with the later window.
    """

    train: np.ndarray
    valid: np.ndarray
    cut: pd.Timestamp
    train_window: Window
    valid_window: Window
    purged: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the log of the split as plain JSON values."""
        return {
            "cut": self.cut.isoformat(),
            "train": asdict(self.train_window),
            "valid": asdict(self.valid_window),
            "purged": self.purged,
        }


def components(frame: pd.DataFrame, columns: Sequence[str] = ENTITIES, hub_cap: int = 20) -> np.ndarray:
    """Return the connected component of each row, numbered from 0 by first appearance.

    Parameters
    ----------
    frame
        Rows with entity columns; columns that are absent are not used, missing values connect nothing.
    columns
        Two rows that share a value of any of these are connected.
    hub_cap
        A value found in more rows than this is a hub (a parcel shop, a shared office) and connects nothing.

    Examples
    --------
    >>> frame = pd.DataFrame({"customer_id": ["a", "b", "c"], "device_id": ["x", "x", "y"]})
    >>> components(frame).tolist()
    [0, 0, 1]
    """
    size, offset = len(frame), len(frame)
    left, right = [], []
    for column in (name for name in columns if name in frame):
        codes, values = pd.factorize(frame[column])
        counts = np.bincount(codes[codes >= 0], minlength=len(values))
        rows = np.flatnonzero((codes >= 0) & (counts[np.maximum(codes, 0)] <= hub_cap) if len(values) else np.zeros(size, bool))
        left.append(rows)
        right.append(offset + codes[rows])
        offset += len(values)
    rows, nodes = np.concatenate([*left, []]).astype(np.intp), np.concatenate([*right, []]).astype(np.intp)
    graph = coo_matrix((np.ones(len(rows), dtype=np.int8), (rows, nodes)), shape=(offset, offset))
    _, found = connected_components(graph, directed=False)
    numbers: np.ndarray = pd.factorize(found[:size])[0].astype(np.int64)
    return numbers


def no_shared_component(
    frame: pd.DataFrame, earlier: np.ndarray, later: np.ndarray, columns: Sequence[str] = ENTITIES, hub_cap: int = 20
) -> np.ndarray:
    """Return the earlier rows that share no component with any later row, boolean, shape (rows,).

    Only rows of the two windows connect; a hub is judged by its count among them.

    Examples
    --------
    >>> frame = pd.DataFrame({"customer_id": ["a", "b", "a"]})
    >>> no_shared_component(frame, np.array([True, True, False]), np.array([False, False, True])).tolist()
    [False, True, False]
    """
    both = np.asarray(earlier) | np.asarray(later)
    component = np.full(len(frame), -1, dtype=np.int64)
    component[both] = components(frame[both], columns, hub_cap)
    kept: np.ndarray = np.asarray(earlier) & ~np.isin(component, np.unique(component[later]))
    return kept


def split_at(
    frame: pd.DataFrame,
    labels: np.ndarray,
    cut: pd.Timestamp,
    until: pd.Timestamp | None = None,
    gap: pd.Timedelta | None = None,
    known_at: pd.Series | None = None,
    columns: Sequence[str] = ENTITIES,
    hub_cap: int = 20,
) -> Split:
    """Split labelled claims at an instant.

    Parameters
    ----------
    frame
        Claims with ``filed_at`` and, as far as present, entity columns.
    labels
        Class of each row, for the log.
    cut, until
        The later window is filed in [cut, until); without ``until`` it is open.
    gap
        Training claims are filed before cut − gap; none by default.
    known_at
        When each label became known: training labels count if known before the cut. Left out, all count.
    columns, hub_cap
        What relates two claims; an empty sequence purges nothing.
    """
    filed = frame["filed_at"].reset_index(drop=True)
    valid = (filed >= cut).to_numpy() & ((filed < until).to_numpy() if until is not None else True)
    train = (filed < cut - (gap if gap is not None else pd.Timedelta(0))).to_numpy()
    if known_at is not None:
        train = train & (known_at < cut).to_numpy()
    kept = no_shared_component(frame.reset_index(drop=True), train, valid, columns, hub_cap) if len(columns) else train
    windows = Window.of(filed, labels, kept), Window.of(filed, labels, valid)
    return Split(kept, valid, pd.Timestamp(cut), *windows, purged=int(train.sum() - kept.sum()))


def time_split(
    frame: pd.DataFrame,
    labels: np.ndarray,
    valid_share: float = 0.25,
    gap: pd.Timedelta | None = None,
    known_at: pd.Series | None = None,
    columns: Sequence[str] = ENTITIES,
    hub_cap: int = 20,
) -> Split:
    """Split so that the latest share of claims, by ``filed_at``, is the later window.

    Parameters
    ----------
    valid_share
        Share of the rows, in (0, 1).
    frame, labels, gap, known_at, columns, hub_cap
        As in :func:`split_at`.

    Raises
    ------
    ValueError
        If there is no row, or the share is not inside (0, 1).
    """
    if frame.empty or not 0 < valid_share < 1:
        raise ValueError(f"split: expected rows and a share inside (0, 1), found {len(frame)} rows and {valid_share}")
    cut = frame["filed_at"].sort_values().iloc[min(len(frame) - 1, int((1 - valid_share) * len(frame)))]
    return split_at(frame, labels, cut, None, gap, known_at, columns, hub_cap)


def rolling_origin(
    frame: pd.DataFrame,
    labels: np.ndarray,
    cuts: Sequence[pd.Timestamp],
    until: pd.Timestamp | None = None,
    gap: pd.Timedelta | None = None,
    known_at: pd.Series | None = None,
    columns: Sequence[str] = ENTITIES,
    hub_cap: int = 20,
) -> Iterator[Split]:
    """Yield one split per cut: everything before it trains, claims up to the next cut are the later window.

    Parameters
    ----------
    cuts
        Where the later windows begin, rising. Each ends where the next begins; the last one at ``until``, or never.
    frame, labels, gap, known_at, columns, hub_cap
        As in :func:`split_at`. With ``known_at`` the gap is each label's own delay: a claim trains only if its label was known at the
        cut. ``gap`` is for labels whose delay is declared instead of recorded.

    Examples
    --------
    >>> days = pd.to_datetime(["2025-01-01", "2025-01-02", "2025-01-03", "2025-01-04"], utc=True)
    >>> frame, labels = pd.DataFrame({"filed_at": days}), np.array(["valid"] * 4)
    >>> [(int(split.train.sum()), int(split.valid.sum())) for split in rolling_origin(frame, labels, [days[1], days[2]])]
    [(1, 1), (2, 2)]
    """
    for cut, end in zip(cuts, [*cuts[1:], until], strict=True):
        yield split_at(frame, labels, cut, end, gap, known_at, columns, hub_cap)
