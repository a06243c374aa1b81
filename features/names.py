"""Names as numbers: the same text has the same number, counted in the order in which texts are first met.

A log of a million claims names customers, orders, devices twenty million times. Texts are hashed where they lie in Arrow's buffers and
looked up in a table of open addressing; what a step will look at is asked of memory a few steps ahead, so that a name costs some
nanoseconds however many there are. Equal hashes prove nothing: the letters are compared.
"""

# Compiled functions take arrays and tuples of arrays, which annotations cannot say.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# ruff: noqa: ANN001, ANN202

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.borrowing import borrowing
from features.history import Ints
from features.prefetch import AHEAD, prefetch
from features.words import Bytes, buffers_of

_FEW, _AT_ONCE = 1 << 10, 1 << 16
_SLACK, _TAG, _HASH_BITS = 1 << 12, 32, 31
_NUMBERS = (1 << _TAG) - 1
_PRIME, _START = np.uint64(0x9E3779B97F4A7C15), np.uint64(1469598103934665603)


class Names:
    """Numbers of texts.

    Examples
    --------
    >>> names = Names()
    >>> names.number(pa.chunked_array([["b", "a"], [None, "b"]])).tolist()
    [0, 1, -1, 0]
    >>> names.find(pa.chunked_array([["c", "a"]])).tolist(), len(names), names.texts().to_pylist()
    ([-1, 1], 2, ['b', 'a'])
    """

    def __init__(self) -> None:
        self._table = np.full(_FEW, -1, dtype=np.int64)  # 31 bits of the hash above the number; −1 is free
        self._ends, self._letters = np.zeros(_FEW + 1, dtype=np.int64), np.empty(_SLACK, dtype=np.uint8)
        self._held = 0

    def __len__(self) -> int:
        return self._held

    def number(self, texts: pa.ChunkedArray) -> Ints:
        """Return (n,) the numbers of texts, −1 for a missing one; those that are new get the next ones."""
        return self._of(texts, add=True)

    def find(self, texts: pa.ChunkedArray) -> Ints:
        """Return (n,) the numbers of texts, −1 for a missing or unknown one."""
        return self._of(texts, add=False)

    def texts(self) -> pa.Array:
        """Return the (len,) different texts, by number; they share memory with what is held here."""
        buffers = pa.py_buffer(self._ends[: self._held + 1]), pa.py_buffer(self._letters[: self._ends[self._held]])
        return pa.LargeStringArray.from_buffers(self._held, *buffers)

    def _of(self, texts: pa.ChunkedArray, add: bool) -> Ints:
        found = np.empty(len(texts), dtype=np.int64)
        at = 0
        for chunk in texts.cast(pa.large_string()).chunks:
            data, offsets = buffers_of(chunk)
            valid = np.asarray(chunk.is_valid().to_numpy(zero_copy_only=False)) if chunk.null_count else np.ones(1, dtype=bool)
            for begin in range(0, len(chunk), _AT_ONCE):
                end = min(begin + _AT_ONCE, len(chunk))
                some = valid[begin:end] if chunk.null_count else valid
                self._look(data, offsets[begin : end + 1], some, found[at : at + end - begin], add)
                at += end - begin
        return found

    def _look(self, data: Bytes, offsets: Ints, valid: npt.NDArray[np.bool_], found: Ints, add: bool) -> None:
        hashes = np.empty(len(found), dtype=np.int64)
        _hash(data, offsets, hashes)
        if add:
            self._make_room(len(found), int(offsets[-1] - offsets[0]))
        self._held = _number(data, offsets, valid, hashes, self._table, self._ends, self._letters, self._held, add, found)

    def _make_room(self, texts: int, letters: int) -> None:
        """Have room for so many more texts and letters, even if all are new."""
        self._ends = _longer(self._ends, self._held + texts + 1)
        self._letters = _longer(self._letters, int(self._ends[self._held]) + letters)
        if 2 * (self._held + texts) > len(self._table):
            fewer, size = self._table, len(self._table)
            while size < 2 * (self._held + texts):
                size *= 2
            self._table = np.full(size, -1, dtype=np.int64)
            _move(fewer, self._table)


def different(texts: pa.ChunkedArray) -> int:
    """Count the different texts; missing ones count for nothing.

    >>> different(pa.chunked_array([["a", None], ["a", "b"]]))
    2
    """
    names = Names()
    names.number(texts)
    return len(names)


def parts_of(texts: pa.Array, parts: int) -> Ints:
    """Deal texts to parts by what they say: (n,) numbers below ``parts``, the same for equal texts; −1 for a missing one.

    >>> parts = parts_of(pa.array(["a", None, "b", "a"], pa.large_string()), 500)
    >>> bool(parts[0] == parts[3] >= 0), int(parts[1])
    (True, -1)
    """
    hashes = np.empty(len(texts), dtype=np.int64)
    _hash(*buffers_of(texts), hashes)
    # By the upper bits: the lower ones say where a text is looked up, and must not be the same in all of a part.
    return np.where(texts.is_valid().to_numpy(zero_copy_only=False), hashes * parts >> _HASH_BITS, -1)


def _longer(values: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Lengthen an array to twice its size at least, unless it is long enough."""
    if len(values) >= size:
        return values
    found = np.empty(max(size, 2 * len(values)), dtype=values.dtype)
    found[: len(values)] = values
    return found


@borrowing
def _hash(data, offsets, hashes):
    for text in range(len(hashes)):
        code = _START
        at, end = offsets[text], offsets[text + 1]
        while at < end:
            word = np.uint64(0)
            if at + 8 <= end:
                for byte in range(8):  # one load, to the compiler
                    word |= np.uint64(data[at + byte]) << np.uint64(8 * byte)
            else:
                for byte in range(end - at):
                    word |= np.uint64(data[at + byte]) << np.uint64(8 * byte)
            code = (code ^ word) * _PRIME
            code ^= code >> np.uint64(29)
            at += 8
        hashes[text] = np.int64(code >> np.uint64(33))


@borrowing
def _number(data, offsets, valid, hashes, table, ends, letters, held, add, found):
    """Look up texts one after the other; returns how many are held afterwards."""
    n = len(hashes)
    for text in range(n):
        _expect(hashes, table, ends, letters, text)
        if not valid[text % len(valid)]:
            found[text] = -1
            continue
        begin, size = offsets[text], offsets[text + 1] - offsets[text]
        slot = _slot(data, begin, size, hashes[text], table, ends, letters)
        if table[slot] < 0 and add:
            table[slot] = hashes[text] << _TAG | held
            for at in range(size):
                letters[ends[held] + at] = data[begin + at]
            ends[held + 1] = ends[held] + size
            held += 1
        found[text] = table[slot] & _NUMBERS if table[slot] >= 0 else -1
    return held


@borrowing
def _expect(hashes, table, ends, letters, text):
    """Ask memory for what later texts will look at: first their entries, then what these point to."""
    last, mask = len(hashes) - 1, len(table) - 1
    prefetch(table, hashes[min(text + AHEAD, last)] & mask)
    near, nearer = table[hashes[min(text + AHEAD // 2, last)] & mask], table[hashes[min(text + AHEAD // 4, last)] & mask]
    if near >= 0:
        prefetch(ends, near & _NUMBERS)
    if nearer >= 0:
        prefetch(letters, ends[nearer & _NUMBERS])


@borrowing
def _slot(data, begin, size, code, table, ends, letters):
    """Find where a text is in the table, or the free place where it belongs."""
    mask = len(table) - 1
    slot = code & mask
    while table[slot] >= 0:
        if table[slot] >> _TAG == code:
            first, at = ends[table[slot] & _NUMBERS], 0
            if ends[(table[slot] & _NUMBERS) + 1] - first == size:
                while at < size and letters[first + at] == data[begin + at]:
                    at += 1
                if at == size:
                    break
        slot = (slot + 1) & mask
    return slot


@borrowing
def _move(fewer, more):
    """Put the entries of a table into a larger one."""
    mask = len(more) - 1
    for entry in fewer:
        if entry >= 0:
            slot = entry >> _TAG & mask
            while more[slot] >= 0:
                slot = (slot + 1) & mask
            more[slot] = entry
