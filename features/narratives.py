"""Nearly equal narratives: MinHash signatures in bands find candidates, the true Jaccard similarity decides.

A narrative is the set of its runs of three words. Signatures of 128 minima in 32 bands of four bring together two
narratives of similarity s with probability 1 − (1 − s⁴)³²: 0.99 at 0.6 and above 0.9999 at 0.75 (Broder 1997; Indyk and
Motwani 1998). What is brought together is verified exactly, so nothing is counted that is not alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from itertools import accumulate, chain
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from features.band import marks, meet, once
from features.history import Ints
from features.likeness import ALIKE, Shingles, Words, alike, briefs, may_be_alike
from features.words import Bytes, buffers_of, hash_words, letters_and_digits

__all__ = [
    "ALIKE",
    "BANDS",
    "LOOK_BACK",
    "Shingles",
    "Words",
    "alike",
    "briefs",
    "may_be_alike",
    "near_narratives",
    "near_signed",
    "plain",
    "plain_text",
    "shingle",
    "shingles",
    "sign",
]

Places = npt.NDArray[np.int32]

LOOK_BACK = 64
"""In each band a narrative is compared with at most so many of the latest earlier ones, so that cost stays linear: of a template that
everybody fills in anew, each use meets at least so many earlier ones, not all."""

_RUN, BANDS, _ROWS, _SEED, _FEW = 3, 32, 4, 20210901, 32

Part = TypeVar("Part")


class Bands(Protocol):
    """The (n,) words of each band, by its number: an array, or what reads them when they are asked for."""

    def __getitem__(self, band: int, /) -> Words:
        """Return the words of one band."""


_MERGED = 1 << 20
"""Pairs that may be held twice before repetitions are taken out."""


def plain(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Reduce texts to lower-case words between single spaces, so that case and punctuation do not matter.

    >>> plain(pa.chunked_array([["The cable, it  MELTED!"]])).to_pylist()
    ['the cable it melted']
    """
    chunks = [letters_and_digits(chunk, _plain_of_any) for chunk in texts.cast(pa.large_string()).chunks]
    return pa.chunked_array(chunks, pa.large_string())


def _plain_of_any(texts: pa.Array) -> pa.Array:
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


def shingles(texts: pa.Array, threads: int = 1) -> Shingles:
    """Cut plain texts into hashed runs of three words; a shorter text is one run.

    Parameters
    ----------
    texts
        (n,) texts of :func:`plain`, none of them empty.
    threads
        How many threads may work; the result does not depend on it.
    """
    data, offsets = buffers_of(pc.cast(texts, pa.large_string()))
    parts = _in_parts(lambda begin, end: _runs(data, offsets[begin : end + 1]), len(texts), threads)
    sizes = np.concatenate([np.diff(starts) for starts, _ in parts])
    return Shingles(np.append(0, np.cumsum(sizes)), np.concatenate([hashes for _, hashes in parts]))


def _in_parts(work: Callable[[int, int], Part], n: int, threads: int) -> list[Part]:
    """Do some work on as many parts of n things as there are threads; a single claim's story waits for no thread to begin."""
    if threads == 1:
        return [work(0, n)]
    cuts = np.linspace(0, n, threads + 1).astype(int).tolist()
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, cuts[:-1], cuts[1:]))


def _runs(data: Bytes, offsets: Ints) -> tuple[Ints, Words]:
    starts, words = hash_words(data, offsets)
    return _cut(words, starts, _RUN)  # type: ignore[no-any-return]


def shingle(texts: Sequence[str]) -> Shingles:
    """Cut a few plain texts, none of them empty, as :func:`shingles` does: whose words are remembered from one time to the next.

    >>> shingle(["it broke"]).hashes.tolist() == shingles(pa.array(["it broke"])).hashes.tolist()
    True
    """
    words = [text.split(" ") for text in texts]
    starts = np.array([*accumulate(map(len, words), initial=0)], dtype=np.int64)
    hashes = np.frombuffer(b"".join(map(_digest, chain.from_iterable(words))), dtype="<u8").astype(np.uint64)
    return Shingles(*_cut(hashes, starts, _RUN))


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
    bands, whole = sign(sets, threads)
    held = np.ones(len(first), dtype=bool) if told is None else told
    return near_signed(bands, whole, sets, marks(sets.starts, sets.hashes), first, held, threads)


def near_signed(
    bands: Bands, whole: Words, sets: Shingles, marked: Words, first: Ints, told: npt.NDArray[np.bool_], threads: int = 1
) -> tuple[Ints, Ints]:
    """Find pairs of narratives that are nearly the same, wherever what is known of them lies.

    Parameters
    ----------
    bands, whole
        As :func:`sign` makes them; bands are asked for one after the other.
    sets, first, told, threads
        As for :func:`near_narratives`.
    marked
        (n, 3) as :func:`features.band.marks` makes them.
    """
    by_time, tied = _in_time(first, whole)
    known = (told, marked, sets.starts, sets.hashes, ALIKE, LOOK_BACK)
    left = right = np.empty(0, dtype=np.int32)
    kept = _MERGED
    with ThreadPoolExecutor(threads) as pool:
        for begin in range(0, BANDS, threads):
            found = list(pool.map(lambda band: meet(bands[band], by_time, tied, *known), range(begin, min(begin + threads, BANDS))))
            left, right = (np.concatenate([before, *(pairs[side] for pairs in found)]) for side, before in enumerate((left, right)))
            # A template that everybody uses meets itself in every band: what was found twice must not pile up.
            if len(left) > 2 * kept:
                left, right = once(left, right, len(first))
                kept = max(_MERGED, len(left))
    left, right = once(left, right, len(first))
    return left.astype(np.int64), right.astype(np.int64)


def _in_time(first: Ints, whole: Words) -> tuple[Places, Places]:
    """List narratives by when they were told, those of one instant by what they say; and for each place where its instant begins."""
    order: Ints = np.arange(len(first)) if bool(np.all(first[1:] > first[:-1])) else np.lexsort((whole, first))
    begins = np.append(True, np.diff(first[order]) != 0)[: len(first)]
    return order.astype(np.int32), np.maximum.accumulate(np.where(begins, np.arange(len(first)), 0)).astype(np.int32)


def sign(sets: Shingles, threads: int = 1) -> tuple[Words, Words]:
    """Return (bands, n) the bucket of each narrative in each band, and (n,) a word for the whole that orders equal instants."""
    n, (factors, shifts) = len(sets.starts) - 1, _turns()
    bands, whole = np.empty((BANDS, n), dtype=np.uint64), np.empty(n, dtype=np.uint64)
    _in_parts(lambda begin, end: _sign(sets.starts, sets.hashes, factors, shifts, bands, whole, begin, end), n, threads)
    return bands, whole


@cache
def _turns() -> tuple[Words, Words]:
    """Draw the 128 ways of turning a hash (odd factors and shifts), the same for ever."""
    factors, shifts = np.random.default_rng(_SEED).integers(0, 2**64, size=(2, BANDS * _ROWS), dtype=np.uint64)
    return factors | np.uint64(1), shifts


@njit(cache=True, nogil=True)
def _cut(words, offsets, run):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Hash runs of words; keep each set ascending and without repetition."""
    hashes = np.empty(len(words), dtype=np.uint64)
    starts = np.zeros(len(offsets), dtype=np.int64)
    held = 0
    for text in range(len(offsets) - 1):
        begin, end = offsets[text], offsets[text + 1]
        runs = hashes[held : held + max(1, end - begin - run + 1)]
        for i in range(len(runs)):
            mixed = np.uint64(1469598103934665603)
            for word in words[begin + i : min(begin + i + run, end)]:
                mixed = (mixed ^ word) * np.uint64(1099511628211)
                mixed ^= mixed >> np.uint64(29)
            runs[i] = mixed
        _arrange(runs)
        kept = 0
        for i in range(len(runs)):
            if i == 0 or runs[i] != runs[kept - 1]:
                runs[kept] = runs[i]
                kept += 1
        held += kept
        starts[text + 1] = held
    return starts, hashes[:held].copy()


@njit(cache=True, nogil=True)
def _arrange(runs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Sort in place; a few by insertion, which is what nearly every story has."""
    if len(runs) > _FEW:
        runs.sort()
        return
    for i in range(1, len(runs)):
        run, at = runs[i], i
        while at > 0 and runs[at - 1] > run:
            runs[at] = runs[at - 1]
            at -= 1
        runs[at] = run


@njit(cache=True, nogil=True)
def _sign(starts, hashes, factors, shifts, bands, whole, first, last):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Hash the minima of every band into one word, and the whole set into another that breaks ties in time.

    What all bands do alike lies side by side, so that the processor does it for several at once.
    """
    n_bands, rows = len(bands), len(factors) // len(bands)
    turns, adds = factors.reshape(n_bands, rows).T.copy().ravel(), shifts.reshape(n_bands, rows).T.copy().ravel()
    least, mixed = np.empty(len(factors), dtype=np.uint64), np.empty(n_bands, dtype=np.uint64)
    for text in range(first, last):
        least[:], mixed[:] = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(1469598103934665603)
        together = np.uint64(1469598103934665603)
        for at in range(starts[text], starts[text + 1]):
            word = hashes[at]
            together = (together ^ word) * np.uint64(1099511628211)
            for way in range(len(least)):
                turned = word * turns[way] + adds[way]
                turned ^= turned >> np.uint64(32)
                least[way] = turned if turned < least[way] else least[way]
        whole[text] = together
        for row in range(rows):
            for band in range(n_bands):
                hashed = (mixed[band] ^ least[row * n_bands + band]) * np.uint64(1099511628211)
                mixed[band] = hashed ^ (hashed >> np.uint64(31))
        for band in range(n_bands):
            bands[band, text] = mixed[band]
