"""Rows of one instant behind logs of any kind, one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from features.pages import Key, Pages, append

Row = tuple[Key, tuple[int, ...], tuple[int, ...]]
"""A row for a log: its key, how its columns run, and what it adds to each."""


def append_each(pages: Pages, added: Sequence[Row], time: int) -> None:
    for key, kinds, values in added:
        told = np.array([values], dtype=np.int64).reshape(1, len(kinds))
        append(pages, [key], np.array([0, 1]), np.array([time]), told, np.array(kinds, dtype=np.int64))
