"""Re-used stories and pictures of more claims than memory holds: the numbers of :mod:`features.duplicates`, with the texts on disk.

Texts are dealt to parts on disk by what they say, so that equal ones come together and a part is made distinct by itself. Of all
contents there remain on disk the runs of words of each, in order of time, and the words of every band; a band is read when it is
compared. Memory holds one part, one band for each thread, the pairs that are near, and some words of every claim.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from features import duplicates
from features.band import marks
from features.duck import Duck, deal
from features.duplicates import COLUMNS, Claims, Contents, Distinct
from features.facts import PROBES, Facts, FeatureError
from features.history import Floats, Ints
from features.likeness import Shingles, Words
from features.names import Names, parts_of
from features.narratives import BANDS, near_signed, shingles, sign
from features.photographs import hashes_of, near_photographs
from features.stored import ROW, frame

TIMES = 12
"""How many times the bytes of its texts a part takes while it is made distinct."""

_AT_ONCE = 1 << 18
_TEXT = "text"


@dataclass(frozen=True, eq=False)
class Dealt:
    """The comparison of all stories and pictures of a log, once.

    Parameters
    ----------
    duck
        Where the claims come from.
    folder
        An existing folder of its own.
    parts
        To how many parts texts are dealt; no result depends on it.
    most
        Bytes that a part may have on disk.
    threads
        How many threads may compare stories.
    """

    duck: Duck
    folder: Path
    parts: int
    most: int
    threads: int = 1

    def answers(self, names: Sequence[str], columns: Sequence[str]) -> Iterator[tuple[Ints, Floats]]:
        """Answer all claims.

        Parameters
        ----------
        names
            Which of :data:`~features.duplicates.DUPLICATE_FEATURES`.
        columns
            Columns of the claims that these need.

        Yields
        ------
        tuple of ndarray
            (n,) numbers of claims and (n, names) float64.

        Raises
        ------
        FeatureError
            If a part is larger than it may be: one text, told so often.
        """
        claims, measured = self._claims([c for c in columns if c not in COLUMNS.values()]), {}
        for kind in duplicates.kinds_of(names):
            found = self._contents(kind, claims)
            measured[kind] = self._array(f"{kind}-measured", (len(claims.filed), len(duplicates.names_of(kind))), np.float64)
            at = 0
            for some in duplicates.measure(found, claims):
                measured[kind][at : at + len(some)] = some
                at += len(some)
        places = {name: (kind, at) for kind in measured for at, name in enumerate(duplicates.names_of(kind))}
        for begin in range(0, len(claims.filed), _AT_ONCE):
            rows = np.arange(begin, min(begin + _AT_ONCE, len(claims.filed)))
            yield rows, np.column_stack([measured[kind][rows, at] for kind, at in (places[name] for name in names)])

    def _claims(self, columns: Sequence[str]) -> Claims:
        """Read whose the claims are and when they are known, in the order of the matrix."""
        n, names = self.duck.rows["claims"], Names()
        told, filed, whose = (self._array(name, (n,), np.int64) for name in ("told", "filed", "whose"))
        for batch in self.duck.batches("claims", columns):
            table = frame(pa.Table.from_batches([batch]))
            facts, rows = Facts({"claims": table}, table), table[ROW].to_numpy(dtype=np.int64)
            told[rows], filed[rows] = facts.known("claims"), facts.instants(PROBES, "filed_at")
            whose[rows] = names.number(facts.texts("claims", "customer_id"))
        return Claims(told, whose, filed, whose, len(names))

    def _contents(self, kind: str, claims: Claims) -> Contents:
        """Find the distinct contents of a kind and which are nearly the same, as :func:`features.duplicates.contents` does."""
        deal((self._placed(kind, batch) for batch in self.duck.batches("claims", [COLUMNS[kind]])), self.folder, kind)
        held, asked = (self._array(f"{kind}-{name}", (len(claims.filed),), np.int64) for name in ("held", "asked"))
        held[:], asked[:], n = -1, -1, 0
        for rows, texts in self._parts(kind):
            some = duplicates.distinct(kind, pa.chunked_array([texts]), None, claims.told[rows], claims.filed[rows])
            held[rows], asked[rows] = n + some.held, n + some.asked
            if kind == "narrative":
                self._sign(some, rows)
            else:
                self._add(kind, hashes_of(some.texts))
            n += len(some.texts)
        if kind == "narrative":
            order = self._in_time()
            _renumber(held, asked, order)
            left, right = self._near(order)
        else:
            left, right = near_photographs(self._read(kind, np.uint64))
        return Contents(held, asked, *duplicates.side_by_side(left, right, n))

    def _placed(self, kind: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Say of each text which part it belongs to: −1, into none, where there is no text."""
        texts = duplicates.reduced(kind, pa.chunked_array([batch[COLUMNS[kind]]]).cast(pa.large_string())).combine_chunks()
        part = parts_of(texts, self.parts).astype(np.int16)
        return pa.record_batch({_TEXT: texts, ROW: batch[ROW], "bucket": pa.array(part)})

    def _parts(self, kind: str) -> Iterator[tuple[Ints, pa.Array]]:
        """Read one part after the other, in the order of the matrix, and forget it."""
        for part in range(self.parts):
            file = self.folder / f"{kind}-{part}.arrows"
            if not file.exists():
                continue
            if (size := file.stat().st_size) > self.most:
                raise FeatureError(
                    f"duplicates: expected memory for {size:,} bytes of {COLUMNS[kind]} that are the same or were dealt together, "
                    f"found room for {self.most:,}; allow {(size - self.most) * TIMES / (1 << 30):.2f} GB more, "
                    "or leave the duplicates out of the catalogue"
                )
            with pa.OSFile(str(file)) as opened:
                table = pa.ipc.open_stream(opened).read_all()
            file.unlink()
            rows = table[ROW].to_numpy()
            order = np.argsort(rows, kind="stable")
            yield rows[order], table[_TEXT].take(pa.array(order)).combine_chunks()

    def _sign(self, some: Distinct, rows: Ints) -> None:
        """Put down what is compared of the stories of a part."""
        sets = shingles(some.texts, self.threads)
        bands, whole = sign(sets, self.threads)
        row = np.full(len(some.texts), np.iinfo(np.int64).max)  # that of the claim that comes first, as stories are numbered in memory
        np.minimum.at(row, some.held, rows)
        columns = {"first": some.first, "spoken": some.told, "whole": whole, "row": row, "sizes": np.diff(sets.starts), "runs": sets.hashes}
        for name, values in (columns | {f"band-{band}": bands[band] for band in range(BANDS)}).items():
            self._add(name, values)

    def _in_time(self) -> Ints:
        """Order stories by when they were told, those of one instant by what they say, and by where they come first."""
        first, whole, row = self._read("first", np.int64), self._read("whole", np.uint64), self._read("row", np.int64)
        order: Ints = np.lexsort((row, whole, first))
        return order

    def _near(self, order: Ints) -> tuple[Ints, Ints]:
        """Find pairs of stories that are nearly the same, numbered in order of time."""
        sizes = self._read("sizes", np.int64)
        before, starts = np.append(0, np.cumsum(sizes)), np.append(0, np.cumsum(sizes[order]))
        runs = self._array("runs-in-time", (int(starts[-1]),), np.uint64)
        if len(runs):
            _gather(before, np.asarray(np.memmap(self.folder / "runs", np.uint64, "r+")), order, runs)
        (self.folder / "runs").unlink(missing_ok=True)
        marked = self._array("marks", (len(order), 3), np.uint64)
        for begin in range(0, len(order), _AT_ONCE):
            marked[begin : begin + _AT_ONCE] = marks(starts[begin : begin + _AT_ONCE + 1], runs)
        first, whole, told = (self._read(*column)[order] for column in (("first", np.int64), ("whole", np.uint64), ("spoken", np.bool_)))
        return near_signed(_Bands(self, order), whole, Shingles(starts, runs), marked, first, told, self.threads)

    def _array(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """Make an array whose pages lie in a file: the system may take the memory that they have whenever it is wanted."""
        path, size = self.folder / name, (max(1, shape[0]), *shape[1:])  # a file has a byte at least
        with path.open("wb") as file:
            if hasattr(os, "posix_fallocate"):  # a full disk is an error here, and not the end of the process at some page
                os.posix_fallocate(file.fileno(), 0, math.prod(size) * np.dtype(dtype).itemsize)
            else:
                file.truncate(math.prod(size) * np.dtype(dtype).itemsize)
        return np.asarray(np.memmap(path, dtype, "r+", shape=size))[: shape[0]]

    def _add(self, name: str, values: npt.NDArray[Any]) -> None:
        with (self.folder / name).open("ab") as file:
            values.tofile(file)

    def _read(self, name: str, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        path = self.folder / name
        return np.fromfile(path, dtype) if path.exists() else np.empty(0, dtype)


@dataclass(frozen=True, eq=False)
class _Bands:
    """The words of each band on disk, in order of time as they are read."""

    held: Dealt
    order: Ints

    def __getitem__(self, band: int) -> Words:
        words: Words = self.held._read(f"band-{band}", np.uint64)[self.order]
        return words


def _renumber(held: Ints, asked: Ints, order: Ints) -> None:
    """Give contents other numbers: their places in an order."""
    place = np.empty(len(order) + 1, dtype=np.int64)
    place[order], place[-1] = np.arange(len(order)), -1  # the last is that of no content
    for begin in range(0, len(held), _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        held[some], asked[some] = place[held[some]], place[asked[some]]


@njit(cache=True, nogil=True)
def _gather(starts, hashes, order, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Lay sets one after the other in another order."""
    at = 0
    for one in order:
        for place in range(starts[one], starts[one + 1]):
            found[at] = hashes[place]
            at += 1
