"""Nearly equal photographs: every pair of 64-bit perceptual hashes within a few bits of each other, found exactly.

Multi-index hashing (Norouzi, Punjani, Fleet, CVPR 2012): cut into four bands of 16 bits, two hashes that differ in at most
seven bits agree in some band up to one bit. Looking up each band and its 16 one-bit neighbours therefore misses no pair.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from features.history import Ints, group

MAX_BITS = 6
"""Photographs whose hashes differ in at most so many bits count as nearly the same (up to 7 are found exactly)."""

_BANDS, _WIDTH = 4, 16


def near_photographs(hashes: npt.NDArray[np.uint64]) -> tuple[Ints, Ints]:
    """Find all pairs of distinct hashes within :data:`MAX_BITS` bits.

    Parameters
    ----------
    hashes
        (n,) distinct 64-bit perceptual hashes.

    Returns
    -------
    tuple of ndarray
        (pairs,) row of the one and of the other; each pair once.

    Examples
    --------
    >>> near_photographs(np.array([0b0, 0b111, 0xFFFF], dtype=np.uint64))
    (array([1]), array([0]))
    """
    keys = bands_of(hashes)
    never = np.zeros(len(hashes), dtype=np.int64)
    tables = [group(keys[:, band], never, 1 << _WIDTH) for band in range(_BANDS)]
    starts, orders = np.stack([t.starts for t in tables]), np.stack([t.order for t in tables])
    room = 1024
    while True:
        left, right, count = _search(hashes, keys, starts, orders, MAX_BITS, room)
        if count <= room:
            return left[:count], right[:count]
        room = count


def bands_of(hashes: npt.NDArray[np.uint64]) -> Ints:
    """Cut (n,) hashes into (n, bands) bands of 16 bits."""
    shifts = np.arange(_BANDS, dtype=np.uint64) * np.uint64(_WIDTH)
    return ((hashes[:, None] >> shifts) & np.uint64((1 << _WIDTH) - 1)).astype(np.int64)


@njit(cache=True, nogil=True)
def ones(word):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Count the ones of a 64-bit word, for compiled functions (Knuth, The Art of Computer Programming 4A, 7.1.3)."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True, nogil=True)
def _found_before(one, other, band):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether an earlier band already brought the two together."""
    for earlier in range(band):
        differing = one[earlier] ^ other[earlier]
        if differing & (differing - 1) == 0:
            return True
    return False


@njit(cache=True, nogil=True)
def _search(hashes, keys, starts, orders, limit, room):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    left, right = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    count = 0
    for one in range(len(hashes)):
        for band in range(keys.shape[1]):
            for flip in range(17):  # the band itself, then each of its 16 bits turned
                key = keys[one, band] if flip == 16 else keys[one, band] ^ (1 << flip)
                for place in range(starts[band, key], starts[band, key + 1]):
                    other = orders[band, place]
                    if other >= one:
                        break
                    if ones(hashes[one] ^ hashes[other]) <= limit and not _found_before(keys[one], keys[other], band):
                        if count < room:
                            left[count], right[count] = one, other
                        count += 1
    return left, right, count
