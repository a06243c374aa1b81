"""When two narratives are nearly the same: the Jaccard similarity of their sets of word runs, and what rules it out beforehand.

The similarity itself is counted over two ascending sets. Nearly all candidates are told apart without looking at a set at all, by a
*brief* of each: its size, and marks of what is in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from features.borrowing import borrowing
from features.history import Ints
from features.photographs import ones

Words = npt.NDArray[np.uint64]

ALIKE = (3, 5)
"""Two narratives are nearly the same from a Jaccard similarity of 3/5 on."""

_OUTLINE, _SIZE_AT, _LARGE = np.uint64((1 << 56) - 1), np.uint64(56), 255
"""Which bits of a brief (:func:`briefs`) mark elements, where its size begins, and the size as which larger ones are told: of so many
elements 56 marks cannot rule out enough."""


@dataclass(frozen=True, eq=False)
class Shingles:
    """Sets of hashed word runs: set i is ``hashes[starts[i]:starts[i + 1]]``, ascending and without repetition."""

    starts: Ints
    hashes: Words


def briefs(sets: Shingles) -> Ints:
    """Describe each set in one word, by which most that are not alike can be told apart (:func:`may_be_alike`): its size, and marks.

    >>> [hex(brief) for brief in briefs(Shingles(np.array([0, 2]), np.array([1, 1 << 58], dtype=np.uint64)))]
    ['0x200000000000003']
    """
    sizes = np.minimum(np.diff(sets.starts), _LARGE).astype(np.uint64)
    return (_outlines(sets.starts, sets.hashes) & _OUTLINE | sizes << _SIZE_AT).view(np.int64)  # type: ignore[no-any-return]


@borrowing
def may_be_alike(one, other):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Whether two sets can be nearly the same, for all that their briefs tell; for compiled functions."""
    one, other = np.uint64(one), np.uint64(other)
    mine, size = np.int64(one >> _SIZE_AT), np.int64(other >> _SIZE_AT)
    shared = min(mine - ones(one & ~other & _OUTLINE), size - ones(other & ~one & _OUTLINE))
    return shared >= _needed(mine, size, ALIKE)


def alike(one: Words, others: Shingles) -> npt.NDArray[np.bool_]:
    """Tell which sets are nearly the same as one ascending set of hashes: whose Jaccard similarity reaches :data:`ALIKE`."""
    found: npt.NDArray[np.bool_] = _all_alike(one, others.starts, others.hashes, ALIKE)
    return found


@borrowing
def are_alike(one, other, ratio):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Whether two ascending sets have a Jaccard similarity of at least ratio, in integers; stops where it cannot be reached any more."""
    needed = _needed(len(one), len(other), ratio)
    i, j, common = 0, 0, 0
    while common + min(len(one) - i, len(other) - j) >= needed and i < len(one) and j < len(other):
        left, right = one[i], other[j]
        common += left == right
        i += left <= right
        j += right <= left
    return common >= needed


@borrowing
def _needed(one, other, ratio):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """How many elements two sets of these sizes must share: common / (one + other - common) ≥ ratio, solved for common."""
    return -(-ratio[0] * (one + other) // (ratio[0] + ratio[1]))


@njit(cache=True, nogil=True)
def _outlines(starts, hashes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Mark each element of a set in one word of 64 bits: what is marked here and not there proves that an element is not there."""
    found = np.zeros(len(starts) - 1, dtype=np.uint64)
    for text in range(len(found)):
        for word in hashes[starts[text] : starts[text + 1]]:
            found[text] |= np.uint64(1) << (word >> np.uint64(58))
    return found


@njit(cache=True, nogil=True)
def _all_alike(one, starts, hashes, ratio):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    found = np.empty(len(starts) - 1, dtype=np.bool_)
    for other in range(len(found)):
        found[other] = are_alike(one, hashes[starts[other] : starts[other + 1]], ratio)
    return found
