"""Nearly equal photographs: every pair of 64-bit perceptual hashes within a few bits of each other, found exactly.

Multi-index hashing (Norouzi, Punjani, Fleet, CVPR 2012): cut into four bands of 16 bits, two hashes that differ in at most
seven bits agree in some band up to one bit. Looking up each band and its 16 one-bit neighbours therefore misses no pair.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from features.borrowing import borrowing
from features.history import Ints, group
from features.words import buffers_of

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
    never = np.zeros(len(hashes), dtype=np.int64)
    found = []
    for band in range(_BANDS):
        table = group(_band_of(hashes, band), never, 1 << _WIDTH)
        # A bucket's hashes lie side by side: asking memory for each by itself would cost more than all comparisons.
        found.append(_pairs(np.int64(band), table.starts, table.order, hashes[table.order]))
    return np.concatenate([left for left, _ in found]), np.concatenate([right for _, right in found])


def hashes_of(texts: pa.Array) -> npt.NDArray[np.uint64]:
    """Read perceptual hashes written as hexadecimal numbers.

    >>> hashes_of(pa.array(["00ff", "FFFFFFFFFFFFFFFF"], pa.large_string())).tolist() == [255, 2**64 - 1]
    True
    """
    data, offsets = buffers_of(texts)
    found = np.zeros(len(texts), dtype=np.uint64)
    if _digits(data, offsets, found):
        return found
    return np.array([int(text, 16) for text in texts.to_pylist()], dtype=np.uint64)  # a sign, a prefix, or an error with the text in it


@borrowing
def _digits(data, offsets, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Put together hexadecimal digits; false where there is something else, too many of them, or none."""
    for text in range(len(found)):
        if not 0 < offsets[text + 1] - offsets[text] <= 16:
            return False
        for byte in data[offsets[text] : offsets[text + 1]]:
            small = byte | 32
            if 48 <= byte <= 57:
                digit = byte - 48
            elif 97 <= small <= 102:
                digit = small - 87
            else:
                return False
            found[text] = found[text] << np.uint64(4) | np.uint64(digit)
    return True


def bands_of(hashes: npt.NDArray[np.uint64]) -> Ints:
    """Cut (n,) hashes into (n, bands) bands of 16 bits."""
    return np.column_stack([_band_of(hashes, band) for band in range(_BANDS)])


def _band_of(hashes: npt.NDArray[np.uint64], band: int) -> Ints:
    return ((hashes >> np.uint64(band * _WIDTH)) & np.uint64((1 << _WIDTH) - 1)).astype(np.int64)


@borrowing
def ones(word):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Count the ones of a 64-bit word, for compiled functions (Knuth, The Art of Computer Programming 4A, 7.1.3)."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


def _pairs(band: np.int64, starts: Ints, rows: Ints, held: npt.NDArray[np.uint64]) -> tuple[Ints, Ints]:
    """Find the pairs that no earlier band brings together."""
    room = 1024
    while True:
        left, right, count = _search(band, starts, rows, held, MAX_BITS, room)
        if count <= room:
            return left[:count], right[:count]
        room = count


@borrowing
def _found_before(differing, band):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether an earlier band already brought two together that differ in these bits."""
    for _ in range(band):
        turned = differing & np.uint64((1 << _WIDTH) - 1)
        if turned & (turned - np.uint64(1)) == 0:
            return True
        differing >>= np.uint64(_WIDTH)
    return False


@njit(cache=True, nogil=True)
def _search(band, starts, rows, held, limit, room):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Compare each bucket with itself and with those one bit away."""
    left, right = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    count = 0
    for key in range(len(starts) - 1):
        for flip in range(_WIDTH + 1):  # each bit turned, then the bucket itself
            other = key if flip == _WIDTH else key ^ (1 << flip)
            if other < key:
                continue  # the two buckets have met
            for one in range(starts[key], starts[key + 1]):
                for place in range(one + 1 if other == key else starts[other], starts[other + 1]):
                    differing = held[one] ^ held[place]
                    if ones(differing) <= limit and not _found_before(differing, band):
                        if count < room:
                            left[count], right[count] = max(rows[one], rows[place]), min(rows[one], rows[place])
                        count += 1
    return left, right, count
