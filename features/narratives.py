"""Nearly equal narratives: MinHash signatures in bands find candidates, the true Jaccard similarity decides.

A narrative is the set of its runs of three words. Signatures of 128 minima in 32 bands of four bring together two
narratives of similarity s with probability 1 − (1 − s⁴)³²: 0.99 at 0.6 and above 0.9999 at 0.75 (Broder 1997; Indyk and
Motwani 1998). What is brought together is verified exactly, so nothing is counted that is not alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from features.history import Ints
from features.photographs import ones

Words = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int32]

ALIKE = (3, 5)
"""Two narratives are nearly the same from a Jaccard similarity of 3/5 on."""

LOOK_BACK = 64
"""In each band a narrative is compared with at most so many of the latest earlier ones, so that cost stays linear: of a template that
everybody fills in anew, each use meets at least so many earlier ones, not all."""

_RUN, _BANDS, _ROWS, _SEED = 3, 32, 4, 20210901

_OUTLINE, _SIZE_AT, _LARGE = np.uint64((1 << 56) - 1), np.uint64(56), 255
"""Which bits of a brief (:func:`briefs`) mark elements, where its size begins, and the size as which larger ones are told: of so many
elements 56 marks cannot rule out enough."""


@dataclass(frozen=True, eq=False)
class Shingles:
    """Sets of hashed word runs: set i is ``hashes[starts[i]:starts[i + 1]]``, ascending and without repetition."""

    starts: Ints
    hashes: Words


def plain(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Reduce texts to lower-case words between single spaces, so that case and punctuation do not matter.

    >>> plain(pa.chunked_array([["The cable, it  MELTED!"]])).to_pylist()
    ['the cable it melted']
    """
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(pc.utf8_lower(texts), _NO_WORD, " "))


_NO_WORD = r"[^\p{L}\p{N}]+"


def plain_text(text: str) -> str:
    """Reduce one text as :func:`plain` does; compiling that one's pattern would take longer than all else about a claim.

    >>> plain_text("The cable, it  MELTED!")
    'the cable it melted'
    """
    return " ".join(text.translate(_letters()).split())


class _Letters(dict[int, str]):
    """What each character becomes: its lower case if it is part of words, else a space; asked of :func:`plain` once each."""

    def __missing__(self, character: int) -> str:
        lower = pc.utf8_lower(pa.scalar(chr(character)))
        self[character] = found = str(pc.replace_substring_regex(lower, _NO_WORD, " "))
        return found


@cache
def _letters() -> _Letters:
    return _Letters()


def shingles(texts: pa.Array) -> Shingles:
    """Cut plain texts into hashed runs of three words; a shorter text is one run.

    Parameters
    ----------
    texts
        (n,) texts of :func:`plain`, none of them empty.
    """
    words = pc.split_pattern(texts, " ")
    coded = pc.dictionary_encode(words.flatten())
    hashes = _hashes(coded.dictionary.to_pylist())
    offsets = np.asarray(words.offsets.to_numpy(), dtype=np.int64)
    codes = np.asarray(coded.indices.to_numpy(), dtype=np.int64)
    return Shingles(*_cut(hashes[codes], offsets - offsets[:1], _RUN))


def shingle(text: str) -> Shingles:
    """Cut one plain text, not empty, as :func:`shingles` does.

    >>> shingle("it broke").hashes.tolist() == shingles(pa.array(["it broke"])).hashes.tolist()
    True
    """
    words = _hashes(text.split(" "))
    return Shingles(*_cut(words, np.array([0, len(words)]), _RUN))


def _hashes(words: Iterable[str]) -> Words:
    return np.frombuffer(b"".join([_digest(word) for word in words]), dtype="<u8").astype(np.uint64)


@lru_cache(maxsize=1 << 16)
def _digest(word: str) -> bytes:
    return hashlib.blake2b(word.encode(), digest_size=8).digest()


def near_narratives(sets: Shingles, first: Ints, told: npt.NDArray[np.bool_] | None = None, threads: int = 1) -> tuple[Ints, Ints]:
    """Find pairs of narratives that are nearly the same.

    Parameters
    ----------
    sets
        Distinct narratives.
    first
        (n,) when each was first told, in microseconds: a narrative is compared with earlier ones only, so that no later
        narrative can change what is known of it.
    told
        (n,) which of them others may be compared with; the rest only ask. All by default.
    threads
        How many threads may work; the result does not depend on it.

    Returns
    -------
    tuple of ndarray
        (pairs,) row of the later and of the earlier one; each pair once.

    Examples
    --------
    >>> told = shingles(pa.array(["it caught fire on the sofa at night", "it broke", "it caught fire on the sofa at night again"]))
    >>> near_narratives(told, np.array([1, 2, 3]))
    (array([2]), array([0]))
    """
    bands, whole = sign(sets)
    by_time = np.lexsort((whole, first))
    held = np.ones(len(first), dtype=bool) if told is None else told
    # What a text asks of its buckets lies side by side: all bands of one text are asked for together.
    bucket = np.empty((_BANDS, int(held.sum())), dtype=np.int32)
    place, begins = (np.empty((len(first), _BANDS), dtype=np.int32) for _ in range(2))
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda band: _place(bands[band], by_time, held, bucket[band], place[:, band], begins[:, band]), range(_BANDS)))
        pieces = np.array_split(by_time, 4 * threads)
        outlines = _outlines(sets.starts, sets.hashes)
        found = list(pool.map(lambda some: _near(sets, outlines, (bucket, place, begins), some, first), pieces))
    return np.concatenate([left for left, _ in found]), np.concatenate([right for _, right in found])


def _near(sets: Shingles, outlines: Words, buckets: tuple[Places, Places, Places], texts: Ints, first: Ints) -> tuple[Ints, Ints]:
    """Find the earlier texts that some are nearly the same as."""
    room = 16 * len(texts) + 1024
    while True:
        left, right, count = _compare(sets.starts, sets.hashes, outlines, *buckets, texts, first, ALIKE, LOOK_BACK, room)
        if count <= room:
            return left[:count], right[:count]
        room = count


def sign(sets: Shingles) -> tuple[Words, Words]:
    """Return (bands, n) the bucket of each narrative in each band, and (n,) a word for the whole that orders equal instants."""
    factors, shifts = _turns()
    return _sign(sets.starts, sets.hashes, factors, shifts, _BANDS)  # type: ignore[no-any-return]


@cache
def _turns() -> tuple[Words, Words]:
    """Draw the 128 ways of turning a hash (odd factors and shifts), the same for ever."""
    factors, shifts = np.random.default_rng(_SEED).integers(0, 2**64, size=(2, _BANDS * _ROWS), dtype=np.uint64)
    return factors | np.uint64(1), shifts


def briefs(sets: Shingles) -> Ints:
    """Describe each set in one word, by which most that are not alike can be told apart (:func:`may_be_alike`): its size, and marks.

    >>> [hex(brief) for brief in briefs(Shingles(np.array([0, 2]), np.array([1, 1 << 58], dtype=np.uint64)))]
    ['0x200000000000003']
    """
    sizes = np.minimum(np.diff(sets.starts), _LARGE).astype(np.uint64)
    return (_outlines(sets.starts, sets.hashes) & _OUTLINE | sizes << _SIZE_AT).view(np.int64)  # type: ignore[no-any-return]


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _cut(words, offsets, run):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Hash runs of words; keep each set ascending and without repetition."""
    hashes = np.empty(len(words), dtype=np.uint64)
    starts = np.zeros(len(offsets), dtype=np.int64)
    held = 0
    for text in range(len(offsets) - 1):
        begin, end = offsets[text], offsets[text + 1]
        runs = np.empty(max(1, end - begin - run + 1), dtype=np.uint64)
        for i in range(len(runs)):
            mixed = np.uint64(1469598103934665603)
            for word in words[begin + i : min(begin + i + run, end)]:
                mixed = (mixed ^ word) * np.uint64(1099511628211)
                mixed ^= mixed >> np.uint64(29)
            runs[i] = mixed
        runs.sort()
        for i in range(len(runs)):
            if i == 0 or runs[i] != runs[i - 1]:
                hashes[held] = runs[i]
                held += 1
        starts[text + 1] = held
    return starts, hashes[:held].copy()


@njit(cache=True, nogil=True)
def _sign(starts, hashes, factors, shifts, n_bands):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Hash the minima of every band into one word, and the whole set into another that breaks ties in time."""
    n, rows = len(starts) - 1, len(factors) // n_bands
    bands, whole = np.empty((n_bands, n), dtype=np.uint64), np.empty(n, dtype=np.uint64)
    for text in range(n):
        mine = hashes[starts[text] : starts[text + 1]]
        mixed = np.uint64(1469598103934665603)
        for word in mine:
            mixed = (mixed ^ word) * np.uint64(1099511628211)
        whole[text] = mixed
        for band in range(n_bands):
            mixed = np.uint64(1469598103934665603)
            for row in range(band * rows, (band + 1) * rows):
                least = np.uint64(0xFFFFFFFFFFFFFFFF)
                for word in mine:
                    turned = word * factors[row] + shifts[row]
                    turned ^= turned >> np.uint64(32)
                    least = min(least, turned)
                mixed = (mixed ^ least) * np.uint64(1099511628211)
                mixed ^= mixed >> np.uint64(31)
            bands[band, text] = mixed
    return bands, whole


@njit(cache=True, nogil=True)
def _place(words, by_time, held, bucket, place, begins):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Write the texts that others may be compared with bucket after bucket, each by time; how many come before each text and its bucket."""
    n, mask = len(words), np.uint64(0)
    while mask < 2 * n:
        mask += mask + np.uint64(1)
    table, number = np.full(mask + np.uint64(1), -1, dtype=np.int32), np.empty(n, dtype=np.int32)
    known, free, kinds = np.empty(n, dtype=np.uint64), np.zeros(n + 1, dtype=np.int32), 0
    for text in by_time:
        slot = (words[text] ^ (words[text] >> np.uint64(32))) & mask
        while table[slot] >= 0 and known[table[slot]] != words[text]:
            slot = (slot + np.uint64(1)) & mask
        if table[slot] < 0:
            table[slot], known[kinds] = kinds, words[text]
            kinds += 1
        number[text] = table[slot]
        free[number[text] + 1] += held[text]
    for kind in range(kinds):
        free[kind + 1] += free[kind]
    starts = free.copy()
    for text in by_time:
        kind = number[text]
        begins[text], place[text] = starts[kind], free[kind]
        if held[text]:
            bucket[free[kind]] = text
            free[kind] += 1


@njit(cache=True, nogil=True)
def _alike(one, other, ratio):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Whether two ascending sets have a Jaccard similarity of at least ratio, in integers; stops where it cannot be reached any more."""
    needed = _needed(len(one), len(other), ratio)
    i, j, common = 0, 0, 0
    while common + min(len(one) - i, len(other) - j) >= needed and i < len(one) and j < len(other):
        left, right = one[i], other[j]
        common += left == right
        i += left <= right
        j += right <= left
    return common >= needed


@njit(cache=True, nogil=True)
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
        found[other] = _alike(one, hashes[starts[other] : starts[other + 1]], ratio)
    return found


@njit(cache=True, nogil=True)
def _compare(starts, hashes, outlines, bucket, place, begins, texts, first, ratio, look_back, room):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Compare each text with those before it in its buckets: all of the same instant, and the latest earlier ones."""
    left, right = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    compared = np.full(len(first), -1, dtype=np.int32)
    count = 0
    for text in texts:
        mine = hashes[starts[text] : starts[text + 1]]
        for band in range(len(bucket)):
            looked = 0
            for at in range(place[text, band] - 1, begins[text, band] - 1, -1):
                if looked == look_back:
                    break
                other = bucket[band, at]
                looked += looked > 0 or first[other] < first[text]  # before an earlier one all are earlier
                if compared[other] == text:
                    continue
                compared[other] = text
                size = starts[other + 1] - starts[other]
                shared = min(len(mine) - ones(outlines[text] & ~outlines[other]), size - ones(outlines[other] & ~outlines[text]))
                if shared < _needed(len(mine), size, ratio):
                    continue
                if _alike(mine, hashes[starts[other] : starts[other + 1]], ratio):
                    if count < room:
                        left[count], right[count] = text, other
                    count += 1
    return left, right, count
