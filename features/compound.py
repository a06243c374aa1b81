"""Keys of several columns as codes: each combination that somebody asks about gets a number, in linear time.

Of events only the combinations asked about matter, and those are far fewer than events; so the probes' combinations go
into a table by hash, where each event looks up its own.
"""

# mypy: disable-error-code="misc,no-untyped-def,untyped-decorator"

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from features.history import Ints

_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ over the golden ratio: neighbouring codes end up far apart


def shared_codes(asked: Sequence[Ints], held: Sequence[Ints], sizes: Sequence[int]) -> tuple[Ints, Ints, int]:
    """Give codes to the combinations of probes and events.

    Parameters
    ----------
    asked, held
        For each column of the key the codes of the probes and those of the events; negative where missing.
    sizes
        How many codes each column has.

    Returns
    -------
    tuple
        Codes of the probes, codes of the events, how many there are. A combination of which a part is missing has −1, and
        so has an event's that nobody asks about, unless the key is a single column, which keeps its codes.

    Examples
    --------
    >>> customer, seller = np.array([0, 1, 0, -1]), np.array([2, 2, 2, 2])
    >>> probes, events, n = shared_codes([customer[:1], seller[:1]], [customer, seller], [2, 3])
    >>> probes.tolist(), events.tolist(), n
    ([0], [0, -1, 0, -1], 1)
    """
    probes, events, n_keys = asked[0], held[0], sizes[0]
    for right, theirs, n_right in zip(asked[1:], held[1:], sizes[1:], strict=True):
        if n_keys * n_right > np.iinfo(np.int64).max:
            raise OverflowError(f"compound key: expected at most 2⁶³ combinations, found {n_keys} × {n_right}")
        room = 1 << (2 * max(len(probes), 1) - 1).bit_length()
        table = np.full((room, 2), -1, dtype=np.int64)
        probes, n_keys = _number(probes, right, n_right, table)
        events = _find(events, theirs, n_right, table)
    return probes, events, n_keys


@njit(cache=True, nogil=True)
def _slot(pair, table):  # noqa: ANN001, ANN202
    """Find where a pair is, or the free place where it belongs; at most half of the places are taken."""
    mask = np.uint64(len(table) - 1)
    slot = ((np.uint64(pair) * _SPREAD) >> np.uint64(20)) & mask
    while table[slot, 0] >= 0 and table[slot, 0] != pair:
        slot = (slot + np.uint64(1)) & mask
    return slot


@njit(cache=True, nogil=True)
def _number(left, right, n_right, table):  # noqa: ANN001, ANN202
    """Give numbers to the pairs in the order in which they occur, and put them into the table."""
    found, n = np.full(len(left), -1, dtype=np.int64), 0
    for i in range(len(left)):
        if left[i] >= 0 and right[i] >= 0:
            slot = _slot(left[i] * n_right + right[i], table)
            if table[slot, 0] < 0:
                table[slot, 0], table[slot, 1] = left[i] * n_right + right[i], n
                n += 1
            found[i] = table[slot, 1]
    return found, n


@njit(cache=True, nogil=True)
def _find(left, right, n_right, table):  # noqa: ANN001, ANN202
    """Look up the numbers of pairs, −1 where the table has none."""
    found = np.full(len(left), -1, dtype=np.int64)
    for i in range(len(left)):
        if left[i] >= 0 and right[i] >= 0:
            found[i] = table[_slot(left[i] * n_right + right[i], table), 1]
    return found
