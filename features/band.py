"""One band of MinHash: texts whose words in it are equal stand in one bucket, and each is compared with the latest before it there.

Bands are independent and each is walked from front to back: texts are dealt by the upper bits of their word to parts that a core's
cache holds, put into buckets there, and compared with what stands right before them. What rules nearly all of them out travels with
them (:func:`marks`), so that memory is asked for a set only where it may be alike. Two texts that meet in several bands are found in
each; :func:`once` keeps one of them.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from features.likeness import are_alike
from features.photographs import ones

_PART, _AT_ONCE = 2_048, 32
"""Texts of a part, about; how many briefs are compared at once, which is what the processor does best."""


@njit(cache=True, nogil=True)
def marks(starts, hashes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Mark each element of a set at one of 128 places: what is marked here and not there proves that an element is not there.

    Returns (texts, 3) words: two of marks, and the size of the set.
    """
    found = np.zeros((len(starts) - 1, 3), dtype=np.uint64)
    for text in range(len(found)):
        for word in hashes[starts[text] : starts[text + 1]]:
            found[text, np.int64((word >> np.uint64(57)) & np.uint64(1))] |= np.uint64(1) << (word >> np.uint64(58))
        found[text, 2] = starts[text + 1] - starts[text]
    return found


@njit(cache=True, nogil=True)
def meet(words, by_time, tied, held, marked, starts, hashes, ratio, look_back):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Compare each text of a band with those before it in its bucket: all of the same instant, and the latest earlier ones.

    ``words``, ``held`` and ``marked`` are by text, ``by_time`` lists the texts, and ``tied`` says for each place in that list where
    its instant begins. Returns the (pairs,) later and earlier texts that are alike.
    """
    ends, who, word, mark = _dealt(words, by_time, marked)
    largest = 1 + np.max(ends[1:] - ends[:-1])
    mask = 1
    while mask < 2 * largest:
        mask *= 2
    table, kinds, free = np.empty(mask, np.int32), np.empty(largest, np.uint64), np.empty(largest + 1, np.int32)
    order, heard = np.empty(largest, np.int32), np.empty(largest, np.int32)
    told, may = np.zeros((3, largest + _AT_ONCE), np.uint64), np.empty(largest + _AT_ONCE, np.bool_)
    left, right, count = np.empty(1024, np.int32), np.empty(1024, np.int32), 0
    for part in range(len(ends) - 1):
        begin, end = ends[part], ends[part + 1]
        buckets = _bucketed(word[begin:end], table, kinds, free, order)
        for bucket in range(buckets):
            first, known = free[bucket], free[bucket]
            if free[bucket + 1] - first == 1:
                continue
            for place in range(first, free[bucket + 1]):
                at = begin + order[place]
                text = by_time[who[at]]
                low = _low(heard, first, known, tied[who[at]], look_back)
                if _may(mark[at], told, low, known, ratio, may):
                    mine = hashes[starts[text] : starts[text + 1]]
                    for other in range(known - 1, low - 1, -1):
                        if may[other]:
                            earlier = by_time[heard[other]]
                            if are_alike(mine, hashes[starts[earlier] : starts[earlier + 1]], ratio):
                                if count == len(left):
                                    left, right = _longer(left), _longer(right)
                                left[count], right[count] = text, earlier
                                count += 1
                if held[text]:
                    heard[known] = who[at]
                    for word_of in range(3):
                        told[word_of, known] = mark[at, word_of]
                    known += 1
    return left[:count], right[:count]


@njit(cache=True, nogil=True)
def _dealt(words, by_time, marked):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Deal texts to parts by the upper bits of their words, in order of time; where each part ends, and what travels with a text."""
    n, bits = len(words), 0
    while n >> bits > _PART:
        bits += 1
    # By a multiplicative hash: where words come from is nobody's business here.
    turn, shift = np.uint64(0x9E3779B97F4A7C15), np.uint64(63 - bits)
    ends = np.zeros((1 << bits) + 1, dtype=np.int64)
    for word in words:
        ends[np.int64((word * turn) >> np.uint64(1) >> shift) + 1] += 1
    ends = np.cumsum(ends)
    free = ends[:-1].copy()
    who, held, mark = np.empty(n, np.int32), np.empty(n, np.uint64), np.empty((n, 3), np.uint64)
    for place in range(n):
        text = by_time[place]
        part = np.int64((words[text] * turn) >> np.uint64(1) >> shift)
        at = free[part]
        who[at], held[at] = place, words[text]
        for word_of in range(3):
            mark[at, word_of] = marked[text, word_of]
        free[part] = at + 1
    return ends, who, held, mark


@njit(cache=True, nogil=True)
def _bucketed(words, table, kinds, free, order):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Put a part's texts into buckets of equal words, in the order given; ``free`` then says where buckets begin. Returns how many."""
    n, mask, buckets = len(words), 1, 0
    while mask < 2 * n:
        mask *= 2
    bound = np.uint64(mask - 1)
    table[:mask] = -1
    free[: n + 1] = 0
    number = np.empty(n, np.int32)
    for i in range(n):
        slot = (words[i] ^ (words[i] >> np.uint64(32))) & bound
        while table[slot] >= 0 and kinds[table[slot]] != words[i]:
            slot = (slot + np.uint64(1)) & bound
        if table[slot] < 0:
            table[slot], kinds[buckets] = buckets, words[i]
            buckets += 1
        number[i] = table[slot]
        free[number[i] + 1] += 1
    for bucket in range(buckets):
        free[bucket + 1] += free[bucket]
    for i in range(n - 1, -1, -1):  # from behind: a bucket's end is counted down to its beginning, which leaves ``free`` one early
        free[number[i] + 1] -= 1
        order[free[number[i] + 1]] = i
    for bucket in range(buckets):
        free[bucket] = free[bucket + 1]
    free[buckets] = n
    return buckets


@njit(cache=True, nogil=True)
def _low(heard, first, known, tied, look_back):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find where those begin that a text is compared with: all of its instant, and so many of the latest before."""
    earlier = known - 1
    while earlier >= first and heard[earlier] >= tied:
        earlier -= 1
    return max(first, earlier - look_back + 1)


@njit(cache=True, nogil=True)
def _may(mark, told, low, known, ratio, may):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Tell which of those told may be alike by their marks; return how many, counting what lies beyond them up to a round number."""
    one, two, mine, count = mark[0], mark[1], np.int64(mark[2]), 0
    for other in range(low, low + (known - low + _AT_ONCE - 1) // _AT_ONCE * _AT_ONCE):
        first, second, size = told[0, other], told[1, other], np.int64(told[2, other])
        here, there = ones(one & ~first) + ones(two & ~second), ones(first & ~one) + ones(second & ~two)
        shared = min(mine - here, size - there)
        may[other] = (ratio[0] + ratio[1]) * shared >= ratio[0] * (mine + size)
        count += may[other]
    return count


@njit(cache=True, nogil=True)
def _longer(values):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    found = np.empty(2 * len(values), values.dtype)
    found[: len(values)] = values
    return found


@njit(cache=True, nogil=True)
def once(left, right, n):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Keep each pair of texts (below n) once, by the later one and then in the order given."""
    starts = np.zeros(n + 1, dtype=np.int64)
    for text in left:
        starts[text + 1] += 1
    for text in range(n):
        starts[text + 1] += starts[text]
    free, others, seen = starts[:-1].copy(), np.empty_like(right), np.full(n, -1, dtype=np.int32)
    for pair in range(len(left)):
        others[free[left[pair]]] = right[pair]
        free[left[pair]] += 1
    one, other, count = np.empty_like(left), np.empty_like(right), 0
    for text in range(n):
        for place in range(starts[text], starts[text + 1]):
            if seen[others[place]] != text:
                seen[others[place]] = text
                one[count], other[count] = text, others[place]
                count += 1
    return one[:count], other[:count]
