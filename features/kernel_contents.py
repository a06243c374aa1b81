"""Re-used stories and pictures of one claim, compiled: its measures, and the rows that it adds to the logs of contents.

For each content there is a log of its uses and one of its near equals and, under each of its buckets, a row
(:mod:`features.online_duplicates`). The near equals of a content that is known are written down; a new one looks for them in its
buckets, as far back as the batch does. Nothing is kept between reading a claim and appending it: looking anew costs less.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from features.arena import BEGIN, LENGTH, MISSING, NONE, look, rows_before
from features.arena_rows import cell, page, row
from features.history import NEVER, Ints
from features.kernel_links import earlier_page, latest_rows
from features.likeness import ALIKE, Words, are_alike, may_be_alike
from features.online_contents import BUCKET, KNOWN, NEAR, OWN, USES, Kind, log_of
from features.pages import END, OTHER, RAW
from features.photographs import MAX_BITS, ones
from features.spec import DAY_US


class Shelves(NamedTuple):
    """The logs of a kind of content, as compiled functions get them.

    Parameters
    ----------
    known, uses, own, near, bucket
        By content what it is compared by, its uses, those of a customer, its near equals; by band and bucket those in it.
    look_back
        How many contents of a bucket are looked at, the latest first; 0 for all.
    asked
        (asked, 2) the bands in which near equals of a content are looked for, and which bits of its bucket are turned there.
    """

    known: int
    uses: int
    own: int
    near: int
    bucket: int
    look_back: int
    asked: Ints

    @classmethod
    def of(cls, kind: Kind) -> Shelves:
        """Name the logs of a kind of content."""
        known, uses, own, near, bucket = (log_of(kind, log) for log in (KNOWN, USES, OWN, NEAR, BUCKET))
        return cls(known, uses, own, near, bucket, kind.look_back, kind.asked)


class Told(NamedTuple):
    """What some claims tell or show, as compiled functions get it.

    Parameters
    ----------
    place
        (claims,) the row of each in what follows, −1 where it has none.
    entries, buckets
        (contents, columns) and (contents, bands) as in :class:`features.online_contents.Contents`.
    starts, hashes
        What narratives are compared by, as in :class:`features.likeness.Shingles`; of pictures there are none.
    """

    place: Ints
    entries: Ints
    buckets: Ints
    starts: Ints
    hashes: Words

    @classmethod
    def of(cls, kind: Kind, claims: Sequence[Mapping[str, Any]]) -> Told:
        """Prepare what some claims tell; whose customer is not even missing, as where there is no such column, tells nothing."""
        texts = [kind.text(claim.get(kind.column) or "") if "customer_id" in claim else "" for claim in claims]
        held = np.array([text != "" for text in texts], dtype=bool)
        found = kind.few([text for text in texts if text])
        return cls(np.where(held, np.cumsum(held) - 1, -1), found.entries, found.buckets, found.sets.starts, found.sets.hashes)


@njit(cache=True)
def measure_all(pool, kinds, told, customers, now, done, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Measure the contents of some claims, as far as what is needed is in the arena; the rest is asked for.

    Parameters
    ----------
    pool
        The arena's arrays.
    kinds, told
        Tuples of :class:`Shelves`, and of what the claims :class:`Told` of each kind.
    customers
        (claims,) whose they are, −1 where that is not known.
    now
        (claims,) the instants of filing.
    done
        (claims, kinds) what is measured; changed here.
    found
        (claims, kinds, 3) is filled: uses by others, by the customer, and days since the latest by others.
    """
    for claim in range(len(now)):
        for place, logs in enumerate(kinds):
            if not done[claim, place]:
                mine = told[place].place[claim]
                done[claim, place] = measure(pool, logs, told[place], mine, customers[claim], now[claim], found[claim, place])


@njit(cache=True)
def measure(pool, logs, told, mine, customer, now, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Measure one claim whose content is a row of those told; tell whether everything was there."""
    found[:] = np.nan
    if mine < 0 or customer < 0:
        return True
    code = told.entries[mine, 0]
    known = look(pool, logs.known, (code,), now)
    if known >= 0:
        written, missed = latest_rows(pool, logs.near, code, 2, now, END, NEVER)
        near = written[:, 0].copy()
    else:
        near, missed = search(pool, logs, told, mine, now, now)
    missed |= known == MISSING
    total, own, latest = 0, 0, np.int64(NEVER)
    for i in range(len(near) + 1):
        one = near[i] if i < len(near) else code
        slot, his = look(pool, logs.uses, (one,), now), look(pool, logs.own, (one, customer), now)
        missed |= min(slot, his) == MISSING
        if slot >= 0:
            begin, before = pool.slots[slot, BEGIN], rows_before(pool, slot, 3, now)
            last = begin + 3 * before
            total += pool.words[begin] + before
            latest = max(latest, pool.words[last + 2] if pool.words[last + 1] == customer else pool.words[last])
        if his >= 0:
            own += pool.words[pool.slots[his, BEGIN]] + rows_before(pool, his, 1, now)
    found[0], found[1] = total - own, own
    if latest != NEVER:
        found[2] = (now - latest) / DAY_US
    return not missed


@njit(cache=True)
def search(pool, logs, told, mine, now, until):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Find the near equals of a content in its buckets, among all from ``now`` to ``until`` and the latest before.

    Returns their codes, ascending, and whether something is missing.
    """
    found, count, missed = np.empty(16, dtype=np.int64), 0, False
    for band, turned in logs.asked:
        bucket = told.buckets[mine, band] ^ turned
        found, count, more = _in_bucket(pool, logs, told.entries[mine], band, bucket, now, until, found, count)
        missed |= more
    codes = np.unique(found[:count])
    if logs.look_back == 0 or not len(codes):  # of pictures no more has to be known
        return codes, missed
    hashes, near = told.hashes[told.starts[mine] : told.starts[mine + 1]], 0
    for code in codes:
        slot = look(pool, logs.known, (code,), END)
        missed |= slot == MISSING
        if slot >= 0:
            begin = pool.slots[slot, BEGIN]
            theirs = pool.words[begin : begin + pool.slots[slot, LENGTH]].view(np.uint64)
            if are_alike(hashes, theirs, ALIKE):
                codes[near] = code
                near += 1
    return codes[:near], missed


@njit(cache=True)
def _in_bucket(pool, logs, entry, band, bucket, now, until, found, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Add the codes in a bucket that may be near; return all, how many, and whether a page is missing."""
    width, looked = 1 + len(entry), 0
    slot = look(pool, logs.bucket, (band, bucket), until)
    while slot >= 0:
        begin = pool.slots[slot, BEGIN]
        at = begin + width * rows_before(pool, slot, width, until)
        while at > begin and (logs.look_back == 0 or looked < logs.look_back):
            looked += pool.words[at] < now
            if logs.look_back:
                may_be = may_be_alike(entry[1], pool.words[at + 2])
            else:
                may_be = ones(np.uint64(entry[0]) ^ np.uint64(pool.words[at + 1])) <= MAX_BITS
            if may_be:
                if count == len(found):
                    found = np.concatenate((found, np.empty_like(found)))
                found[count] = pool.words[at + 1]
                count += 1
            at -= width
        if at > begin or pool.words[begin] == 0 or (logs.look_back and looked >= logs.look_back):
            return found, count, False
        slot = earlier_page(pool, slot, width)
    return found, count, slot == MISSING


@njit(cache=True)
def note_all(pool, added, kinds, told, claim, customer, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Note the rows that a claim adds to the logs of its contents.

    Parameters
    ----------
    pool, added
        The arena's arrays, and the rows noted so far.
    kinds, told, claim
        As for :func:`measure_all`, and which of the claims it is.
    customer
        Whose it is, −1 if that is not known.
    at
        The instant from which it is known, after everything that is.

    Returns
    -------
    bool
        Whether everything was there.
    """
    whole = True
    for place, logs in enumerate(kinds):
        if told[place].place[claim] >= 0:
            whole &= note(pool, added, logs, told[place], told[place].place[claim], customer, at)
    return whole


@njit(cache=True)
def note(pool, added, logs, told, mine, customer, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Note the rows of one content, a row of those told; tell whether everything was there."""
    code, missed = told.entries[mine, 0], False
    known = look(pool, logs.known, (code,), END)
    if known < 0:
        near, missed = search(pool, logs, told, mine, at, at + 1)
        missed |= known != NONE
        page(pool, added, logs.known, (code,))
        for word in told.hashes[told.starts[mine] : told.starts[mine + 1]]:
            cell(added, RAW, np.int64(word))
        for other in near:
            row(pool, added, logs.near, (other,))
            cell(added, RAW, code)
        for other in near:
            row(pool, added, logs.near, (code,))
            cell(added, RAW, other)
        for band in range(told.buckets.shape[1]):
            row(pool, added, logs.bucket, (band, told.buckets[mine, band]))
            for value in told.entries[mine]:
                cell(added, RAW, value)
    if customer >= 0:
        row(pool, added, logs.uses, (code,))
        cell(added, RAW, customer)
        cell(added, OTHER, NEVER)
        row(pool, added, logs.own, (code, customer))
    return not missed
