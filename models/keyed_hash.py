"""BLAKE2b of many short texts behind one key: the bits of :mod:`hashlib`, at a third of the price and with the interpreter left to others.

A key fills a first block that is mixed in once for all texts; each text is a second block. A text longer than a block, or none, is left
to the library.

References
----------
RFC 7693, The BLAKE2 cryptographic hash and message authentication code (functions F and G, sections 3.1 and 3.2).
"""

# Compiled functions take arrays, which annotations cannot say.
# mypy: disable-error-code="no-untyped-def"
# ruff: noqa: ANN001, ANN202

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numba import njit

_BLOCK = 128
_FEW = 256
"""So many texts are left to the library: nothing has to be loaded for them."""

_INITIAL = np.array(
    [
        *(0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1),
        *(0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179),
    ],
    dtype=np.uint64,
)
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
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
    ],
    dtype=np.uint8,
)
"""The order in which the words of a block are mixed in, round by round (RFC 7693, section 2.7)."""

_compiled = njit(cache=True, nogil=True, error_model="numpy")


def keyed_hashes(key: bytes, texts: Sequence[str] | pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return the 8-byte keyed BLAKE2b of each text as a number, its first byte the highest: uint64, shape (texts,).

    Parameters
    ----------
    key
        1 to 64 bytes.
    texts
        Of any length.

    Examples
    --------
    >>> found = keyed_hashes(b"key", ["C1"] * 300)
    >>> int(found[-1]).to_bytes(8, "big") == hashlib.blake2b(b"C1", key=b"key", digest_size=8).digest()
    True
    """
    if len(texts) < _FEW:
        plain = texts.to_pylist() if isinstance(texts, pa.Array | pa.ChunkedArray) else texts
        return np.array([_by_library(key, text) for text in plain], dtype=np.uint64)
    held = _column(texts)
    _, places, letters = held.buffers()
    starts = np.frombuffer(places, dtype=np.int64)[held.offset : held.offset + len(held) + 1]
    found = np.zeros(len(held), dtype=np.uint64)
    _hash(_keyed(key), np.frombuffer(letters, dtype=np.uint8), starts, found)
    for row in np.flatnonzero((np.diff(starts) > _BLOCK) | (np.diff(starts) == 0)).tolist():
        found[row] = _by_library(key, held[row].as_py())
    return found


def _column(texts: Sequence[str] | pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return texts as one column whose places count in 64 bits."""
    if isinstance(texts, pa.ChunkedArray):
        return texts.cast(pa.large_string()).combine_chunks()
    return texts.cast(pa.large_string()) if isinstance(texts, pa.Array) else pa.array(texts, pa.large_string())


def _by_library(key: bytes, text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), key=key, digest_size=8).digest(), "big")


def _keyed(key: bytes) -> np.ndarray:
    """Return the state after the block of the key."""
    state = _INITIAL.copy()
    state[0] ^= np.uint64(0x01010000 ^ len(key) << 8 ^ 8)
    block = np.zeros(_BLOCK, dtype=np.uint8)
    block[: len(key)] = np.frombuffer(key, dtype=np.uint8)
    _compress(state, block.view(np.uint64), np.uint64(_BLOCK), False, np.empty(16, dtype=np.uint64))
    return state


@_compiled
def _hash(keyed, letters, starts, found):
    block, work, state = np.empty(_BLOCK, dtype=np.uint8), np.empty(16, dtype=np.uint64), np.empty(8, dtype=np.uint64)
    words = block.view(np.uint64)
    for row in range(len(found)):
        begin, size = starts[row], starts[row + 1] - starts[row]
        if 0 < size <= _BLOCK:
            words[:] = 0
            for place in range(size):
                block[place] = letters[begin + place]
            state[:] = keyed
            _compress(state, words, np.uint64(_BLOCK + size), True, work)
            found[row] = _turned(state[0])


@_compiled
def _compress(state, words, length, is_last, work):
    """Mix a block into the state: function F."""
    for place in range(8):
        work[place], work[8 + place] = state[place], _INITIAL[place]
    work[12] ^= length
    if is_last:
        work[14] = ~work[14]
    for turn in range(12):
        for column in range(4):
            _mix(work, column, 4 + column, 8 + column, 12 + column, words[_ORDER[turn, 2 * column]], words[_ORDER[turn, 2 * column + 1]])
        for line in range(4):
            first, second = words[_ORDER[turn, 8 + 2 * line]], words[_ORDER[turn, 9 + 2 * line]]
            _mix(work, line, 4 + (line + 1) % 4, 8 + (line + 2) % 4, 12 + (line + 3) % 4, first, second)
    for place in range(8):
        state[place] ^= work[place] ^ work[8 + place]


@_compiled
def _mix(work, a, b, c, d, first, second):
    """Mix two words into four: function G."""
    work[a] += work[b] + first
    work[d] = _rotated(work[d] ^ work[a], 32)
    work[c] += work[d]
    work[b] = _rotated(work[b] ^ work[c], 24)
    work[a] += work[b] + second
    work[d] = _rotated(work[d] ^ work[a], 16)
    work[c] += work[d]
    work[b] = _rotated(work[b] ^ work[c], 63)


@_compiled
def _rotated(word, by):
    return (word >> np.uint64(by)) | (word << np.uint64(64 - by))


@_compiled
def _turned(word):
    """Return a word with its bytes in the other order."""
    found = np.uint64(0)
    for _ in range(8):
        found = (found << np.uint64(8)) | (word & np.uint64(255))
        word >>= np.uint64(8)
    return found
