"""The logs of re-used stories and pictures: what :mod:`features.duplicates` finds among all, found by looking up buckets.

For each content there is a log of its uses and one of its near equals and, under each of its buckets, a row. The near equals
of a content that is known are written down; a new one looks for them in its buckets, as far back as the batch does. Here is what many
events add at once; what one claim reads and adds is :mod:`features.kernel_contents`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.history import NEVER, Ints
from features.kernel_contents import Shelves
from features.online_contents import BUCKET, KINDS, KNOWN, NEAR, OWN, USES, Contents, Kind, log_of, looked_in
from features.online_rows import HashedFacts, Rows, keys_of
from features.online_sources import earlier_pages
from features.pages import END, OTHER, RAW, Key, Laid, Pages, append, join, rows
from features.spec import Direct

_NOTHING = bytes(8)
"""How a page begins that is the first of its log."""

_MEASURES = ("reuse_others", "reuse_own", "days_since_reuse_others")


@dataclass(frozen=True)
class DuplicatePlan:
    """Which features of the family ``duplicates`` are wanted, and of which kinds of content.

    Parameters
    ----------
    features
        The features.
    kinds, shelves
        The kinds of content, and their logs as compiled functions get them.
    places
        (features,) where each stands among the measures of all kinds, one kind after the other.
    """

    features: tuple[Direct, ...]
    kinds: tuple[Kind, ...]
    shelves: tuple[Shelves, ...]
    places: Ints

    @classmethod
    def of(cls, features: Iterable[Direct]) -> DuplicatePlan:
        """Prepare the features of the family ``duplicates``."""
        features = tuple(features)
        kinds = tuple(kind for kind in KINDS if any(f.name.startswith(f"{kind.name}_") for f in features))
        names = [f"{kind.name}_{what}" for kind in kinds for what in _MEASURES]
        places = np.array([names.index(feature.name) for feature in features], dtype=np.int64)
        return cls(features, kinds, tuple(Shelves.of(kind) for kind in kinds), places)


def write(facts: HashedFacts | Rows, plan: DuplicatePlan, pages: Pages, fresh: bool) -> None:
    """Add the contents of new claims."""
    for kind in plan.kinds:
        if facts.has(f"claims.{kind.column}", "claims.customer_id"):
            _write(facts, kind, pages, fresh)


def _write(facts: HashedFacts | Rows, kind: Kind, pages: Pages, fresh: bool) -> None:
    told = (kind.text(text or "") or None for text in facts.texts("claims", kind.column).to_pylist())
    texts = pa.array(told, type=pa.large_string())
    times, customers = facts.known("claims"), facts.codes("claims", "customer_id")
    held = np.flatnonzero(np.asarray(texts.is_valid().to_numpy(zero_copy_only=False), dtype=bool) & (times != NEVER))
    if not len(held):
        return
    held = held[np.argsort(times[held], kind="stable")]
    coded = pc.dictionary_encode(texts.take(pa.array(held)))  # in order of first use
    content = np.asarray(coded.indices.to_numpy(), dtype=np.int64)
    found = kind.contents(coded.dictionary)
    first = times[held][np.unique(content, return_index=True)[1]]
    if fresh:
        _add_all(kind, found, first, pages)
    else:
        known = pages.latest(keys_of(log_of(kind, KNOWN), found.codes[:, None]), [END] * len(first))
        new = [row for row in np.lexsort((found.whole, first)).tolist() if known[row] is None]
        for row in new:
            _add_one(kind, kind.few([coded.dictionary[row].as_py()]), int(first[row]), pages)
    whose = customers[held]
    _add_uses(kind, found.codes[content][whose >= 0], whose[whose >= 0], times[held][whose >= 0], pages, fresh)


def _add_all(kind: Kind, found: Contents, first: Ints, pages: Pages) -> None:
    """Write the very first contents: all pairs at once."""
    _introduce(kind, found, np.arange(len(first)), first, pages, True)
    by_time = np.lexsort((found.whole, first))
    for band in range(found.buckets.shape[1]):
        bucket = found.buckets[by_time, band]
        order = by_time[np.argsort(bucket, kind="stable")]
        codes = np.stack([np.full(len(order), band), found.buckets[order, band]], axis=1)
        _add_rows(log_of(kind, BUCKET), codes, first[order], found.entries[order], pages, True)
    left, right = kind.pairs(found, first)
    one, other = np.concatenate([left, right]), np.concatenate([right, left])
    times = np.maximum(first[one], first[other])
    order = np.lexsort((times, found.codes[one]))
    if len(order):
        _add_rows(log_of(kind, NEAR), found.codes[one[order], None], times[order], found.codes[other[order], None], pages, True)


def _add_one(kind: Kind, found: Contents, first: int, pages: Pages) -> None:
    """Write a new content: find its near equals among those before it, and those of the same instant written before it."""
    near = _search(kind, found, first, pages)
    _introduce(kind, found, np.zeros(1, dtype=np.int64), np.array([first]), pages, False)
    bands = np.stack([np.arange(found.buckets.shape[1]), found.buckets[0]], axis=1)
    mine = np.repeat(found.entries, len(bands), axis=0)
    _add_rows(log_of(kind, BUCKET), bands, np.full(len(bands), first), mine, pages, False)
    _add_near(kind, found, near, first, pages)


def _search(kind: Kind, found: Contents, first: int, pages: Pages) -> Ints:
    """Return the near equals of a content that is first told at an instant, as :func:`features.kernel_contents.search` does for a claim."""
    keys = keys_of(log_of(kind, BUCKET), looked_in(kind, found))
    words, bounds = _held_before(kind, found, keys, pages.latest(keys, [first + 1] * len(keys)), first, pages)
    codes = kind.candidates(found, words, bounds, first, first + 1)
    if not kind.marked or not len(codes):
        return codes
    marks = pages.latest(keys_of(log_of(kind, KNOWN), codes[:, None]), [END] * len(codes))
    return kind.near(found, codes, [mark or b"" for mark in marks])


def _add_near(kind: Kind, found: Contents, near: Ints, first: int, pages: Pages) -> None:
    """Write down which contents a new one is near, and with each that it is."""
    if len(near):
        one, other = np.append(near, np.full(len(near), found.codes[0])), np.append(np.full(len(near), found.codes[0]), near)
        _add_rows(log_of(kind, NEAR), one[:, None], np.full(len(one), first), other[:, None], pages, False)


def _introduce(kind: Kind, found: Contents, rows_of: Ints, first: Ints, pages: Pages, fresh: bool) -> None:
    """Write down since when contents are known, and what they are compared by."""
    keys = keys_of(log_of(kind, KNOWN), found.codes[rows_of, None])
    marks = [found.mark(row) for row in rows_of.tolist()]
    if fresh:
        ends = np.cumsum([len(mark) for mark in marks], dtype=np.int64)
        pages.put_new(keys, Laid(np.arange(len(keys)), first, np.append(0, ends[:-1]), ends, b"".join(marks)))
    else:
        pages.put(zip(keys, first.tolist(), marks, strict=True))


def _add_rows(log: int, codes: Ints, times: Ints, values: Ints, pages: Pages, fresh: bool) -> None:
    """Add a row, whose columns are as given, to the log of each row's key; rows of one key stand together and in order of time."""
    begins = np.ones(len(codes), dtype=bool)
    begins[1:] = np.any(codes[1:] != codes[:-1], axis=1)
    starts = np.append(np.flatnonzero(begins), len(codes))
    append(pages, keys_of(log, codes[starts[:-1]]), starts, times, values, np.full(values.shape[1], RAW), fresh)


def _add_uses(kind: Kind, contents: Ints, customers: Ints, times: Ints, pages: Pages, fresh: bool) -> None:
    """Write who used which content when: by content, and by content and customer; ``times`` ascend."""
    if not len(contents):
        return
    both = np.stack([contents, customers], axis=1)
    for log, codes, values, kinds in (
        (USES, both[:, :1], np.stack([customers, np.full(len(customers), NEVER)], axis=1), np.array([RAW, OTHER])),
        (OWN, both, np.empty((len(customers), 0), dtype=np.int64), np.empty(0, dtype=np.int64)),
    ):
        order = np.lexsort(codes.T[::-1])
        begins = np.ones(len(order), dtype=bool)
        begins[1:] = np.any(codes[order[1:]] != codes[order[:-1]], axis=1)
        starts = np.append(np.flatnonzero(begins), len(order))
        append(pages, keys_of(log_of(kind, log), codes[order[starts[:-1]]]), starts, times[order], values[order], kinds, fresh)


def _held_before(
    kind: Kind, found: Contents, keys: Sequence[Key], held: Sequence[bytes | None], now: int, pages: Pages
) -> tuple[Ints, Ints]:
    """Lay some buckets end to end, as far back from ``now`` as the kind of content looks."""
    whole, width = list(held), 1 + found.entries.shape[1]
    for place, page in enumerate(held):
        if page is None or page.startswith(_NOTHING):
            continue
        mine = rows(page, width)
        while mine[0, 0] > 0 and not (kind.look_back and mine[1:, 0].searchsorted(now) >= kind.look_back):
            mine = earlier_pages(keys[place], mine, width, pages)
            whole[place] = mine.tobytes()
    return join(whole)
