"""From arrays of numbers to frames of a contract's columns and types: identifiers, instants, words.

The simulator computes with integers only; names are written once, here. A number is mixed by a bijection before it becomes
a name, so that nothing can be read off it (who was created by which part of the simulator).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import Contract

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NEVER = np.iinfo(np.int64).min
"""Stands for a missing instant or reference in an array of integers."""

_BITS = np.uint64((1 << 40) - 1)
_ODD = np.uint64(0x9E3779B97F4A7C15 & ((1 << 40) - 1) | 1)


def identifiers(prefix: str, numbers: Ints) -> Any:
    """Return names such as ``"C0123456789012"``: equal numbers equal names, different numbers different names.

    Parameters
    ----------
    prefix
        A letter or two; the name space.
    numbers
        Shape (n,), from 0 to 2⁴⁰ − 1, or ``NEVER`` for a missing name.

    Returns
    -------
    pandas string array of shape (n,)

    Examples
    --------
    >>> list(identifiers("C", np.array([1, 2, 1]))) == list(identifiers("C", np.array([1, 2, 1])))
    True
    """
    mixed = (numbers.astype(np.uint64) * _ODD) & _BITS
    mixed = ((mixed ^ (mixed >> np.uint64(19))) * _ODD) & _BITS
    return _named(prefix, mixed.astype(np.int64), numbers == NEVER, 13)


def numbered(prefix: str, count: int) -> Any:
    """Return ``count`` names in ascending order, for rows already in the order of their event time.

    >>> list(numbered("R", 2))
    ['R00000000', 'R00000001']
    """
    return _named(prefix, np.arange(count, dtype=np.int64), np.zeros(count, dtype=bool), 8)


def _named(prefix: str, numbers: Ints, missing: Bools, width: int) -> Any:
    text = pc.utf8_lpad(pc.cast(pa.array(numbers, mask=missing), pa.string()), width, "0")
    return pd.array(pc.binary_join_element_wise(prefix, text, ""), dtype="str")


def words(choices: Sequence[str], index: Ints) -> Any:
    """Return ``choices[index]`` as a string array.

    >>> list(words(("web", "app"), np.array([1, 0])))
    ['app', 'web']
    """
    return pd.array(pa.array(list(choices), pa.string()).take(pa.array(index)), dtype="str")


def instants(microseconds: Ints) -> Any:
    """Return UTC instants; ``NEVER`` becomes missing.

    >>> print(pd.Series(instants(np.array([0, NEVER]))).isna().tolist())
    [False, True]
    """
    return pd.Series(microseconds.view("datetime64[us]")).dt.tz_localize("UTC")


def contracted(columns: Mapping[str, Any], contract: Contract) -> pd.DataFrame:
    """Return a frame with the columns of a contract in its order; an optional one that is not given is empty.

    Raises
    ------
    KeyError
        If a column that the contract demands is not given.
    """
    frame = pd.DataFrame({c.name: columns[c.name] for c in contract.columns if c.name in columns or not c.optional})
    empty = {c.name: pd.Series(None, index=frame.index, dtype=c.pandas) for c in contract.columns if c.name not in frame}
    return frame.assign(**empty)[[c.name for c in contract.columns]]
