"""What makes two stories, or two pictures, nearly the same, in the form in which a log can be asked for it.

A kind of content knows how to read a column, in which buckets a content lies, in which ones its near equals may lie, and
which of those found there really are near. The rules are those of :mod:`features.narratives` and
:mod:`features.photographs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
from numba import njit

from features.history import Ints
from features.narratives import (
    BANDS,
    LOOK_BACK,
    Shingles,
    Words,
    alike,
    briefs,
    may_be_alike,
    near_narratives,
    plain_text,
    shingle,
    shingles,
    sign,
)
from features.online_rows import alone, code, hashed, log_on
from features.pages import join
from features.photographs import MAX_BITS, near_photographs, ones

_WIDTHS, _TURNED = (13, 13, 13, 13, 12), 2
"""How a photograph's 64 bits are cut into bands, and in how many of them a bit may be turned.

Of two hashes that differ in six bits (:data:`~features.photographs.MAX_BITS`) one of the first two bands differs in at most one
bit, or both differ in two and one of the other three in none. Both are looked in, which finds all with 31 look-ups instead of
the 68 of four bands; the batch looks in memory, where that does not matter (Norouzi, Punjani, Fleet, CVPR 2012, section 3).
"""

_SHIFTS = np.cumsum((0, *_WIDTHS[:-1])).astype(np.uint64)
_MASKS = np.array([(1 << width) - 1 for width in _WIDTHS], dtype=np.uint64)
_WHOLE = np.array([(band, 0) for band in range(BANDS)], dtype=np.int64)
_LOOKED_IN = np.array(
    [(band, turned) for band, width in enumerate(_WIDTHS) for turned in (0, *(1 << bit for bit in range(width) if band < _TURNED))],
    dtype=np.int64,
)


@dataclass(frozen=True, eq=False)
class Contents:
    """Some distinct contents of one kind.

    Parameters
    ----------
    entries
        (n, columns) what is written under each of their buckets: first their codes (a hash of the text, or the bits of the perceptual
        hash), then of narratives their briefs.
    buckets
        (n, bands) the bucket of each band under which each is found.
    whole
        (n,) order among contents first told at the same instant.
    sets
        What narratives are compared by.
    """

    entries: Ints
    buckets: Ints
    whole: Words
    sets: Shingles

    @property
    def codes(self) -> Ints:
        """(n,) their codes."""
        return self.entries[:, 0]

    def mark(self, row: int) -> bytes:
        """Return what the content of a row is compared by."""
        return self.sets.hashes[self.sets.starts[row] : self.sets.starts[row + 1]].tobytes()


@dataclass(frozen=True)
class Stories:
    """Narratives: equal as plain words, near by MinHash and Jaccard."""

    name: str = "narrative"
    column: str = "narrative"
    log: int = 0x8020
    look_back: int = LOOK_BACK
    marked: bool = True  # what its like are compared by has to be asked for

    def text(self, value: str) -> str:
        """Reduce a text to what makes contents equal, to nothing where there is none."""
        return plain_text(value)

    def contents(self, texts: pa.Array) -> Contents:
        """Prepare distinct contents."""
        return self._signed(hashed(pa.chunked_array([texts])), shingles(texts))

    def few(self, texts: Sequence[str]) -> Contents:
        """Prepare a few contents, of which some may be equal."""
        return self._signed(np.array([code(text) for text in texts], dtype=np.int64), shingle(texts))

    def _signed(self, codes: Ints, sets: Shingles) -> Contents:
        bands, whole = sign(sets)
        return Contents(np.stack([codes, briefs(sets)], axis=1), np.ascontiguousarray(bands.T).view(np.int64), whole, sets)

    def pairs(self, contents: Contents, first: Ints) -> tuple[Ints, Ints]:
        """Find all pairs (row, row) of near equals, given when each was first known."""
        return near_narratives(contents.sets, first)

    @property
    def asked(self) -> Ints:
        """(asked, 2) the bands in which near equals of a content may lie, and which bits of its bucket are turned there."""
        return _WHOLE

    def candidates(self, contents: Contents, words: Ints, bounds: Ints, now: int, until: int) -> Ints:
        """Return the codes in some buckets that may be near, among all from ``now`` to ``until`` and the latest before of each."""
        found: Ints = _take(words, bounds, now, until, self.look_back, contents.entries[0, 1])
        return found

    def near(self, contents: Contents, codes: Ints, marks: Sequence[bytes]) -> Ints:
        """Return those candidates whose contents are near a single content."""
        words, bounds = join(marks)
        return codes[alike(contents.sets.hashes, Shingles(bounds, words.view(np.uint64)))]


@dataclass(frozen=True)
class Pictures:
    """Photographs: equal as perceptual hashes, near by the number of differing bits."""

    name: str = "photo"
    column: str = "photo_hash"
    log: int = 0x8028
    look_back: int = 0  # all are looked at
    marked: bool = False  # pictures are compared by their codes

    def text(self, value: str) -> str:
        """Reduce a text to what makes contents equal, to nothing where there is none."""
        return value

    def contents(self, texts: pa.Array) -> Contents:
        """Prepare distinct contents."""
        return self.few(texts.to_pylist())

    def few(self, texts: Sequence[str]) -> Contents:
        """Prepare a few contents, of which some may be equal."""
        hashes = np.array([int(text, 16) for text in texts], dtype=np.uint64)
        buckets = (hashes[:, None] >> _SHIFTS & _MASKS).view(np.int64)
        nothing = Shingles(np.zeros(1 + len(texts), dtype=np.int64), np.empty(0, dtype=np.uint64))  # they are compared by their codes
        return Contents(hashes.view(np.int64)[:, None], buckets, hashes, nothing)

    def pairs(self, contents: Contents, first: Ints) -> tuple[Ints, Ints]:
        """Find all pairs (row, row) of near equals, given when each was first known."""
        return near_photographs(contents.whole)

    @property
    def asked(self) -> Ints:
        """(asked, 2) the bands in which near equals of a content may lie, and which bits of its bucket are turned there."""
        return _LOOKED_IN

    def candidates(self, contents: Contents, words: Ints, bounds: Ints, now: int, until: int) -> Ints:
        """Return the codes in some buckets that are near; no more has to be known of a picture."""
        found: Ints = _take_near(words, bounds, until, contents.whole[0], MAX_BITS)
        return found

    def near(self, contents: Contents, codes: Ints, marks: Sequence[bytes]) -> Ints:
        """Return the candidates: all of them are near."""
        return codes


@njit(cache=True, nogil=True)
def _take(words, bounds, now, until, look_back, brief):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Gather the codes of each page that are not ruled out by their briefs, each once: from ``now`` to ``until``, and the latest before."""
    found, count = np.empty(len(words) // 3, dtype=np.int64), 0
    for page in range(len(bounds) - 1):
        row, looked = bounds[page + 1] - 3, 0
        while row > bounds[page] and looked < look_back:
            if words[row] < until:
                looked += words[row] < now
                if may_be_alike(brief, words[row + 2]):
                    found[count] = words[row + 1]
                    count += 1
            row -= 3
    return np.unique(found[:count])


@njit(cache=True, nogil=True)
def _take_near(words, bounds, until, whole, most):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Gather the codes of each page that differ from a hash in few bits, each once: all before ``until``."""
    found, count = np.empty(len(words) // 2, dtype=np.int64), 0
    for page in range(len(bounds) - 1):
        for row in range(bounds[page] + 2, bounds[page + 1], 2):
            if words[row] >= until:
                break
            if ones(np.uint64(words[row + 1]) ^ whole) <= most:
                found[count] = words[row + 1]
                count += 1
    return np.unique(found[:count])


Kind = Stories | Pictures

KNOWN, USES, OWN, NEAR, BUCKET = range(5)
"""Logs of a kind of content: by content what it is compared by, its uses, those of a customer, its near equals; and by bucket."""


@cache
def log_of(kind: Kind, what: int) -> int:
    """Return the number of a log; the uses of a content and what is near it stand together, the others are asked alone."""
    number = kind.log + what
    return alone(number) if what in (KNOWN, OWN, BUCKET) else log_on(kind.log, number)


def looked_in(kind: Kind, contents: Contents) -> Ints:
    """Return (asked, 2) bands and buckets in which near equals of a single content may lie."""
    band, turned = kind.asked.T
    return np.stack([band, contents.buckets[0][band] ^ turned], axis=1)


KINDS: tuple[Kind, ...] = (Stories(), Pictures())
"""The kinds of content a claim may carry."""
