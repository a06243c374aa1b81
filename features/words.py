"""Texts as bytes: reduced to plain words, and words hashed, by compiled loops over Arrow's own buffers.

A million stories have ten million words, which are far too many to become Python strings. Every text of the first 128 characters of
Unicode is lower-cased, cleaned and hashed where it lies; the rest take the way of Arrow's own functions. A word's hash is the first
eight bytes of BLAKE2b of that digest size (RFC 7693), the same as :func:`hashlib.blake2b` gives one word at a time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from features.borrowing import borrowing
from features.history import Ints

Bytes = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint64]

_SPACE, _BLOCK, _REMEMBERED = 32, 128, 1 << 13
"""What separates words; bytes of a block of BLAKE2b; how many words a loop remembers the hashes of."""

_START = np.array(
    [
        *(0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1),
        *(0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179),
    ],
    dtype=np.uint64,
)
"""The state that BLAKE2b begins with: the first bits of the square roots of eight primes."""

_EIGHT_BYTES = np.uint64(0x01010008)
"""BLAKE2b's parameters, folded into the first word of its state: no key, no tree, a digest of eight bytes."""

_ORDER = np.array(
    [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
        [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
        [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
        [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
        [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
        [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
        [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
        [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
        [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
    ],
    dtype=np.int64,
)
"""In which order each round reads the words of a block."""


def letters_and_digits(texts: pa.Array, otherwise: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Reduce texts to lower-case words of letters and digits between single spaces.

    Parameters
    ----------
    texts
        (n,) ``large_string``.
    otherwise
        Does the same for texts with characters beyond ASCII.

    Examples
    --------
    >>> letters_and_digits(pa.array([" It  MELTED! ", None, "Größe"], pa.large_string()), pc.utf8_lower).to_pylist()
    ['it melted', None, 'größe']
    """
    data, offsets = buffers_of(texts)
    plain, ends, beyond = _plain(data, offsets)
    validity = texts.is_valid().buffers()[1] if texts.null_count else None
    found = pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(plain), validity, texts.null_count)
    if not beyond.any():
        return found
    mask = pa.array(beyond)
    return pc.replace_with_mask(found, mask, otherwise(texts.filter(mask)))


def buffers_of(texts: pa.Array) -> tuple[Bytes, Ints]:
    """Return the bytes of a ``large_string`` array, and (n + 1,) where each text begins and ends among them, without a copy."""
    _, places, data = texts.buffers()
    if not len(texts):
        return np.empty(0, dtype=np.uint8), np.zeros(1, dtype=np.int64)
    offsets = np.frombuffer(places, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(data or b"", dtype=np.uint8), offsets


@njit(cache=True, nogil=True)
def _plain(data, offsets):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Keep letters and digits, lower-case, one space between words; texts with other than ASCII bytes are left empty and marked."""
    n = len(offsets) - 1
    plain, ends, beyond = np.empty(offsets[n] - offsets[0], dtype=np.uint8), np.zeros(n + 1, dtype=np.int64), np.zeros(n, dtype=np.bool_)
    held = 0
    for text in range(n):
        begin, waiting = held, False
        for byte in data[offsets[text] : offsets[text + 1]]:
            if byte >= 128:
                beyond[text], held = True, begin
                break
            small = byte | 32 if 65 <= byte <= 90 else byte
            if 97 <= small <= 122 or 48 <= small <= 57:
                if waiting and held > begin:
                    plain[held] = _SPACE
                    held += 1
                plain[held], waiting = small, False
                held += 1
            else:
                waiting = True
        ends[text + 1] = held
    return plain[:held], ends, beyond


@borrowing
def count_words(data, offsets, counts):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Count the words between white space of each text of the first 128 characters of Unicode; −1 for a text with others."""
    for text in range(len(counts)):
        counts[text], within = 0, False
        for byte in data[offsets[text] : offsets[text + 1]]:
            if byte >= 128:
                counts[text] = -1
                break
            space = byte == _SPACE or 9 <= byte <= 13 or 28 <= byte <= 31
            counts[text] += not space and not within
            within = not space


@njit(cache=True, nogil=True)
def hash_words(data, offsets):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Hash the words of plain texts: (n + 1,) where the words of each text begin and end, and (words,) their hashes.

    Words are what single spaces separate, as :meth:`str.split` with a space has it. What was hashed lately is remembered, so that
    common words cost a comparison.
    """
    n, words = len(offsets) - 1, 0
    for byte in data[offsets[0] : offsets[n]]:
        words += byte == _SPACE
    starts, found = np.zeros(n + 1, dtype=np.int64), np.empty(words + n, dtype=np.uint64)
    seen_at, seen_size = np.zeros(_REMEMBERED, dtype=np.int64), np.full(_REMEMBERED, -1, dtype=np.int64)
    seen, state, block, mixed = np.empty(_REMEMBERED, np.uint64), np.empty(8, np.uint64), np.empty(16, np.uint64), np.empty(16, np.uint64)
    held = 0
    for text in range(n):
        begin, end = offsets[text], offsets[text + 1]
        while begin <= end:
            code, stop = np.uint64(1469598103934665603), begin
            while stop < end and data[stop] != _SPACE:
                code = (code ^ np.uint64(data[stop])) * np.uint64(1099511628211)
                stop += 1
            slot, size = np.int64((code ^ (code >> np.uint64(31))) & np.uint64(_REMEMBERED - 1)), stop - begin
            if seen_size[slot] != size or not _same(data, seen_at[slot], begin, size):
                seen_at[slot], seen_size[slot] = begin, size
                seen[slot] = _blake2b(data, begin, stop, state, block, mixed)
            found[held] = seen[slot]
            held, begin = held + 1, stop + 1
        starts[text + 1] = held
    return starts, found[:held]


@njit(cache=True, nogil=True)
def _same(data, one, other, size):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    at = 0
    while at < size and data[one + at] == data[other + at]:
        at += 1
    return at == size


@njit(cache=True, nogil=True)
def _blake2b(data, begin, end, state, block, mixed):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Return the eight bytes of BLAKE2b of ``data[begin:end]`` as a little-endian number; the arrays are scratch."""
    state[:] = _START
    state[0] ^= _EIGHT_BYTES
    at = begin
    while True:
        stop = min(at + _BLOCK, end)
        block[:] = 0
        for i in range(stop - at):
            block[i >> 3] |= np.uint64(data[at + i]) << np.uint64(8 * (i & 7))
        _compress(state, block, mixed, np.uint64(stop - begin), stop == end)
        if stop == end:
            return state[0]
        at = stop


@njit(cache=True, nogil=True)
def _compress(state, block, mixed, counted, last):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Mix one block into the state (RFC 7693, section 3.2)."""
    mixed[:8], mixed[8:] = state, _START
    mixed[12] ^= counted
    if last:
        mixed[14] = ~mixed[14]
    for turn in range(12):
        order = _ORDER[turn % 10]
        for i in range(4):
            _mix(mixed, i, 4 + i, 8 + i, 12 + i, block[order[2 * i]], block[order[2 * i + 1]])
        for i in range(4):
            _mix(mixed, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, block[order[8 + 2 * i]], block[order[9 + 2 * i]])
    for i in range(8):
        state[i] ^= mixed[i] ^ mixed[i + 8]


@njit(cache=True, nogil=True)
def _mix(v, a, b, c, d, x, y):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Do the mixing function G of RFC 7693."""
    v[a] = v[a] + v[b] + x
    v[d] = _turned(v[d] ^ v[a], 32)
    v[c] = v[c] + v[d]
    v[b] = _turned(v[b] ^ v[c], 24)
    v[a] = v[a] + v[b] + y
    v[d] = _turned(v[d] ^ v[a], 16)
    v[c] = v[c] + v[d]
    v[b] = _turned(v[b] ^ v[c], 63)


@njit(cache=True, nogil=True)
def _turned(word, by):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Rotate 64 bits to the right."""
    return (word >> np.uint64(by)) | (word << np.uint64(64 - by))
