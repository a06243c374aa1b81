"""The audit log: everything decided, answered and received, in order, each entry bound to the one before by its hash.

An entry's hash is SHA-256 over the hash before it, its number, instant, kind and subject, and its body. So whoever alters,
inserts, reorders or takes away an entry breaks the chain at that place; both databases refuse to change or delete one in the
first place. What only the chain cannot show is that its end was cut off: note number and hash of the head elsewhere, and give
them to :func:`verify`.

The body of a decision's entry is, byte for byte, what the caller was answered. What a batch decided at once is one entry, and the
decisions lie beside it (:mod:`serving.attachments`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from struct import Struct
from typing import NamedTuple

from sqlalchemy import Connection

from data_contracts import DECISIONS
from serving.attachments import TOGETHER, rows_of, unlike
from serving.driver import Driver
from serving.schema import AUDIT_LOG
from serving.written import json_of

DECISION, EVENT, FILLED, CASE = "decision", "event", "filled", "case"
"""Kinds of entry: what was decided on a claim, an event that was received, rows that were taken over from the lake, what an expert did.

What a batch decided is of the kind :data:`serving.attachments.TOGETHER`."""

_NAMES = tuple(column.name for column in DECISIONS.columns)
_LOCK = 7_310_001
_PAGE = 5_000
_PLACE, _SIZE = Struct(">QqI"), Struct(">I")


class Entry(NamedTuple):
    """One thing to be written down: what kind, about what, when (microseconds UTC), and in which words."""

    kind: str
    subject: str
    at: int
    body: bytes


@dataclass(frozen=True)
class Head:
    """Where the log ends: number and hash of its last entry."""

    seq: int
    hash: bytes


START = Head(0, bytes(32))
"""The head of an empty log."""


@dataclass(frozen=True)
class Verified:
    """What a verification found.

    Parameters
    ----------
    entries
        How many entries hold, from the first on.
    head
        The head of the part that holds.
    broken
        What is wrong at the first entry that does not hold; empty if all do.
    """

    entries: int
    head: Head
    broken: str = ""


def head(driver: Driver) -> Head:
    """Return where the log ends."""
    found = driver.rows("SELECT seq, hash FROM audit_log ORDER BY seq DESC LIMIT 1")
    return Head(found[0][0], bytes(found[0][1])) if found else START


def only_decided(driver: Driver, since: Head, until: Head) -> bool:
    """Tell whether nothing was entered between two heads but decisions and what experts did; no, if it is too much to look through."""
    if until.seq - since.seq > _PAGE:
        return False
    others = "SELECT seq FROM audit_log WHERE seq > ? AND kind NOT IN ('decision', 'decisions', 'case') LIMIT 1"
    return since == until or not driver.rows(others, (since.seq,))


def lock(driver: Driver) -> None:
    """Let nobody else write to the log before this transaction ends; on SQLite a write transaction is alone anyway."""
    if driver.dialect == "postgresql":
        driver.rows("SELECT pg_advisory_xact_lock(?)", (_LOCK,))


def append(driver: Driver, entries: Sequence[Entry], after: Head | None = None) -> Head:
    """Write entries behind the last one.

    Parameters
    ----------
    driver
        Of a write transaction.
    entries
        In order.
    after
        The head, if the caller holds the lock and has read it; otherwise both is done here.

    Returns
    -------
    Head
        The new one.

    Examples
    --------
    >>> from serving.store import Store
    >>> with Store("sqlite://") as store, store.write() as tx:
    ...     append(Driver(tx), [Entry("event", "orders/O1", 5, b"{}")]).seq
    1
    """
    if after is None:
        lock(driver)
        after = head(driver)
    hashes = _hashes(after, entries)
    driver.add(AUDIT_LOG, [(seq, *entry, at) for seq, (entry, at) in enumerate(zip(entries, hashes, strict=True), after.seq + 1)])
    return Head(after.seq + len(hashes), hashes[-1] if hashes else after.hash)


def chained(before: Head, entry: Entry) -> bytes:
    """Return the hash of the entry that follows a head."""
    return _bound(before.hash, before.seq + 1, *entry)


def _hashes(after: Head, entries: Iterable[tuple[str, str, int, bytes]]) -> list[bytes]:
    """Return the hash of each entry that follows a head."""
    hashes, at = [], after.hash
    for seq, (kind, subject, instant, body) in enumerate(entries, after.seq + 1):
        at = _bound(at, seq, kind, subject, instant, body)
        hashes.append(at)
    return hashes


def _bound(before: bytes, seq: int, kind: str, subject: str, at: int, body: bytes) -> bytes:
    word, about = kind.encode(), subject.encode()
    return sha256(
        b"".join((before, _PLACE.pack(seq, at, len(word)), word, _SIZE.pack(len(about)), about, _SIZE.pack(len(body)), body))
    ).digest()


def answers(driver: Driver, claim_ids: Iterable[str]) -> dict[str, bytes]:
    """Return what is answered on those of the claims that are decided, byte for byte.

    The endpoint's answers are in the log. On what a batch decided nobody was answered yet: the row is written as the endpoint would.
    """
    decided = {row[0]: row for row in rows_of(driver, list(claim_ids))}
    found = driver.among("SELECT subject, body FROM audit_log WHERE kind = 'decision' AND subject IN {keys}", list(decided))
    told = {subject: bytes(body) for subject, body in found}
    return told | {claim: json_of(DECISIONS, dict(zip(_NAMES, row, strict=True))) for claim, row in decided.items() if claim not in told}


def verify(tx: Connection, expected: Head | None = None) -> Verified:
    """Follow the chain from its first entry, and compare what batches decided with what they entered.

    Parameters
    ----------
    tx
        A transaction of the store.
    expected
        A head noted earlier, elsewhere: the log must still hold it, so that an end that was cut off is noticed.

    Returns
    -------
    Verified
        How far it holds, and what is wrong at the first break.
    """
    driver, at = Driver(tx), START
    while True:
        found = driver.rows("SELECT seq, kind, subject, at, body, hash FROM audit_log WHERE seq > ? ORDER BY seq LIMIT ?", (at.seq, _PAGE))
        for seq, kind, subject, instant, body, held in found:
            if seq != at.seq + 1:
                return Verified(
                    at.seq, at, f"entry {at.seq + 1}: expected the entry after {at.seq}, found entry {seq}; some were taken away"
                )
            now = Head(seq, chained(at, Entry(kind, subject, instant, bytes(body))))
            if now.hash != bytes(held):
                told = f"hash {now.hash.hex()[:12]} over the entry ({kind} of {subject}), found {bytes(held).hex()[:12]}"
                return Verified(at.seq, at, f"entry {seq}: expected {told}; it or one before it was altered")
            if kind == TOGETHER and (wrong := unlike(driver, seq, bytes(body))):
                return Verified(at.seq, at, f"entry {seq}: {wrong}")
            if expected is not None and seq == expected.seq and now.hash != expected.hash:
                return Verified(at.seq, at, f"entry {seq}: expected the noted hash {expected.hash.hex()[:12]}, found {now.hash.hex()[:12]}")
            at = now
        if len(found) < _PAGE:
            break
    if expected is not None and expected.seq > at.seq:
        return Verified(at.seq, at, f"entry {at.seq + 1}: expected entries up to the noted {expected.seq}, found none; the end was cut off")
    return Verified(at.seq, at)
