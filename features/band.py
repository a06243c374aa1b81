"""One band of MinHash: texts whose words in it are equal stand in one bucket, and each is compared with the latest before it there.

Bands are independent and each is walked from front to back: texts are dealt by the upper bits of their word to parts that a core's
cache holds, put into buckets there, and compared with what stands right before them. What rules nearly all of them out travels with
them (:func:`marks`), so that memory is asked for a set only where it may be alike. Two texts that meet in several bands are found in
each; :func:`once` keeps one of them.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from features.borrowing import borrowing
from features.likeness import are_alike
from features.photographs import ones
from features.prefetch import AHEAD, prefetch

_PART, _TOGETHER, _AT_ONCE = 4_096, 1 << 20, 32
"""Texts of a part, about; texts that are dealt together, so that memory stays bounded however many there are; how many briefs are
compared at once, which is what the processor does best."""

_WORD, _MARKS, _SIZE, _TEXT, _WORDS = 0, 1, 3, 4, 5
"""What travels with a text: its word; two words of marks; its size, whether others are compared with it, its place in time; its number
and where its instant begins."""

_HALF, _LOWER, _HELD, _SIZES = np.uint64(32), np.uint64(0xFFFFFFFF), np.uint64(1 << 31), np.uint64((1 << 31) - 1)
_TURN = np.uint64(0x9E3779B97F4A7C15)  # where words come from is nobody's business here: they are turned by a multiplicative hash


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
    ends, shift = _ends(words)
    largest = 1 + np.max(ends[1:] - ends[:-1])
    mask = 1
    while mask < 2 * largest:
        mask *= 2
    table, kinds, number = np.empty(mask, np.int32), np.empty(largest, np.uint64), np.empty(largest, np.int32)
    order, free, heard = np.empty(largest, np.int32), np.empty(largest + 1, np.int32), np.empty((2, largest), np.int32)
    told, may = np.zeros((3, largest + _AT_ONCE), np.uint64), np.empty(largest + _AT_ONCE, np.bool_)
    bench = table, kinds, number, order, free, heard, told, may
    left, right, count, part, dealt_to = np.empty(1024, np.int32), np.empty(1024, np.int32), 0, 0, 0
    dealt = np.empty((0, _WORDS), np.uint64)
    while part < len(ends) - 1:
        if part == dealt_to:
            begin, dealt_to = ends[part], _reach(ends, part)
            dealt = np.empty((ends[dealt_to] - begin, _WORDS), np.uint64)
            _deal(words, by_time, tied, held, marked, shift, part, ends[part:dealt_to] - begin, dealt)
        mine = dealt[ends[part] - begin : ends[part + 1] - begin]
        found = _within(mine, ratio, look_back, bench, left[count:], right[count:])
        if count + found > len(left):  # no room: once more with more of it
            left, right = _longer(left, 2 * (count + found)), _longer(right, 2 * (count + found))
        else:
            count += _verified(starts, hashes, ratio, left[count : count + found], right[count : count + found])
            part += 1
    return left[:count], right[:count]


@borrowing
def _within(dealt, ratio, look_back, bench, left, right):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Compare the marks of one part's texts, and put down who may be alike as far as there is room; returns how many pairs there are."""
    table, kinds, number, order, free, heard, told, may = bench
    count = 0
    for bucket in range(_bucketed(dealt, table, kinds, number, free, order)):
        first, known = free[bucket], free[bucket]
        if free[bucket + 1] - first == 1:
            continue
        for place in range(first, free[bucket + 1]):
            mine = dealt[order[place]]
            text = np.int64(mine[_TEXT] & _LOWER)
            low = _low(heard[0], first, known, np.int64(mine[_TEXT] >> _HALF), look_back)
            if _may(mine, told, low, known, ratio, may):
                for other in range(known - 1, low - 1, -1):
                    if may[other]:
                        if count < len(left):
                            left[count], right[count] = text, heard[1, other]
                        count += 1
            if mine[_SIZE] & _HELD:
                heard[0, known], heard[1, known] = mine[_SIZE] >> _HALF, text
                told[0, known], told[1, known], told[2, known] = mine[_MARKS], mine[_MARKS + 1], mine[_SIZE] & _SIZES
                known += 1
    return count


@borrowing
def _verified(starts, hashes, ratio, left, right):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Keep the pairs that are alike, in front; returns how many. Sets lie anywhere in memory, which is asked for them ahead of time."""
    kept, last = 0, len(left) - 1
    for pair in range(len(left)):
        far, near = min(pair + AHEAD, last), min(pair + AHEAD // 2, last)
        prefetch(starts, left[far])
        prefetch(starts, right[far])
        for line in range(0, 16, 8):  # a cache line holds eight hashes
            prefetch(hashes, starts[left[near]] + line)
            prefetch(hashes, starts[right[near]] + line)
        one, other = left[pair], right[pair]
        if are_alike(hashes[starts[one] : starts[one + 1]], hashes[starts[other] : starts[other + 1]], ratio):
            left[kept], right[kept] = one, other
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def _ends(words):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Count how many texts each part gets: where each ends if they lie one after the other, and which bits say the part."""
    n, bits = len(words), 0
    while n >> bits > _PART:
        bits += 1
    ends = np.zeros((1 << bits) + 1, dtype=np.int64)
    shift = np.uint64(63 - bits)
    for word in words:
        ends[np.int64((word * _TURN) >> np.uint64(1) >> shift) + 1] += 1
    return np.cumsum(ends), shift


@borrowing
def _reach(ends, part):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find up to which part texts are dealt together from this one on: at least to one, and to as many as hold so many texts."""
    reach = part + 1
    while reach < len(ends) - 1 and ends[reach + 1] - ends[part] <= _TOGETHER:
        reach += 1
    return reach


@borrowing
def _deal(words, by_time, tied, held, marked, shift, first, free, dealt):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Deal texts to some parts by the upper bits of their words, in order of time: what travels with each, where its part begins."""
    for place in range(len(words)):
        text = by_time[place]
        part = np.int64((words[text] * _TURN) >> np.uint64(1) >> shift) - first
        if not 0 <= part < len(free):
            continue
        mine = dealt[free[part]]
        free[part] += 1
        mine[_WORD], mine[_MARKS], mine[_MARKS + 1] = words[text], marked[text, 0], marked[text, 1]
        mine[_SIZE] = marked[text, 2] | (_HELD if held[text] else np.uint64(0)) | np.uint64(place) << _HALF
        mine[_TEXT] = np.uint64(text) | np.uint64(tied[place]) << _HALF


@borrowing
def _bucketed(dealt, table, kinds, number, free, order):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Put a part's texts into buckets of equal words, in the order given; ``free`` then says where buckets begin. Returns how many."""
    n, mask, buckets = len(dealt), 1, 0
    while mask < 2 * n:
        mask *= 2
    bound = np.uint64(mask - 1)
    table[:mask] = -1
    free[: n + 1] = 0
    for i in range(n):
        word = dealt[i, _WORD]
        slot = (word ^ (word >> np.uint64(32))) & bound
        while table[slot] >= 0 and kinds[table[slot]] != word:
            slot = (slot + np.uint64(1)) & bound
        if table[slot] < 0:
            table[slot], kinds[buckets] = buckets, word
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


@borrowing
def _low(heard, first, known, tied, look_back):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find where those begin that a text is compared with: all of its instant, and so many of the latest before."""
    earlier = known - 1
    while earlier >= first and heard[earlier] >= tied:
        earlier -= 1
    return max(first, earlier - look_back + 1)


@borrowing
def _may(mine, told, low, known, ratio, may):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Tell which of those told may be alike by their marks; return how many, counting what lies beyond them up to a round number."""
    one, two, own, count = mine[_MARKS], mine[_MARKS + 1], np.int64(mine[_SIZE] & _SIZES), 0
    for other in range(low, low + (known - low + _AT_ONCE - 1) // _AT_ONCE * _AT_ONCE):
        first, second, size = told[0, other], told[1, other], np.int64(told[2, other])
        here, there = ones(one & ~first) + ones(two & ~second), ones(first & ~one) + ones(second & ~two)
        shared = min(own - here, size - there)
        may[other] = (ratio[0] + ratio[1]) * shared >= ratio[0] * (own + size)
        count += may[other]
    return count


@njit(cache=True, nogil=True)
def _longer(values, size):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    found = np.empty(size, values.dtype)
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
