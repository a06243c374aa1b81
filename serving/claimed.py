"""Drafts written down: claims, decisions, keys and history of a group, in the transaction of the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import count
from typing import Any

import numpy as np
from sqlalchemy import Connection

from data_contracts import CLAIMS
from features.facts import RECORDED
from serving import known
from serving.decided import write_decisions
from serving.draft import Asked, Draft, Reading
from serving.driver import Driver
from serving.known import kept_of, named
from serving.schema import CLAIMS_TABLE, PARITY_SAMPLES
from serving.written import plain


@dataclass(frozen=True, slots=True)
class Written:
    """A decision that was written down, and the answer."""

    draft: Draft
    body: bytes


def write(
    tx: Connection, reading: Reading, drafts: Sequence[Draft], minutes: Mapping[str, int], sample: float, earliest: int
) -> list[Written]:
    """Write a group of drafts.

    Parameters
    ----------
    tx
        A write transaction that holds the locks of audit log and history.
    reading
        What it knows.
    drafts
        That hold.
    minutes
        Expected expert minutes per case by tier.
    sample
        Share of the claims whose feature row is kept to be checked.
    earliest
        The claims become history no earlier than at this instant, microseconds UTC.

    Returns
    -------
    list of Written
        In the same order.
    """
    driver = reading.driver
    rows = _recorded([one.asked.values for one in drafts], [one.is_known for one in drafts], max(reading.watermark + 1, earliest))
    new = [(row, one) for row, one in zip(rows, drafts, strict=True) if not one.is_known]
    driver.add(CLAIMS_TABLE, [tuple(row[column.name] for column in CLAIMS.columns) for row in rows])
    known.keep(driver, [(named("claims", row["claim_id"]), kept_of("claims", row), one.asked.print) for row, one in new])
    bodies, reading.head = write_decisions(tx, [plain(one.decision) for one in drafts], minutes, reading.head)
    samples = [one for one in drafts if drawn(one.asked.claim.claim_id, sample)]
    if samples:
        catalog = reading.history.catalog.hash
        driver.add(PARITY_SAMPLES, [(one.asked.claim.claim_id, catalog, packed(one.vector), None) for one in samples])
    reading.history.append_reads([replace(one.read, claim={**one.read.claim, RECORDED: (row[RECORDED],)}) for row, one in new])
    return [Written(one, body) for one, body in zip(drafts, bodies, strict=True)]


def keep_keys(driver: Driver, group: Sequence[Asked]) -> None:
    """Note with which claim each key came first, whether the claim was new or not."""
    keyed = [(asked.key, asked.claim.claim_id, asked.print) for asked in group if asked.key is not None]
    if keyed:
        driver.run("INSERT INTO idempotency_keys (key, claim_id, print) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING", keyed)


def _recorded(rows: Sequence[dict[str, Any]], known_already: Sequence[bool], earliest: int) -> list[dict[str, Any]]:
    """Let the claims of a group become known one after the other once all are filed: none was read with another in its history."""
    instants = [max(row["filed_at"], row[RECORDED] or row["filed_at"]) for row in rows]
    after = count(max([earliest, *(i for i, old in zip(instants, known_already, strict=True) if not old)]))
    found = []
    for row, old in zip(rows, known_already, strict=True):
        at = row["filed_at"] if old else next(after)
        found.append(row if row["filed_at"] == at else {**row, RECORDED: at})
    return found


def drawn(claim_id: str, share: float) -> bool:
    """Tell whether a claim is one of the sample: the same for ever, whoever asks.

    >>> sum(drawn(f"C{i}", 0.1) for i in range(1_000))
    92
    """
    return int.from_bytes(blake2b(claim_id.encode(), digest_size=4, person=b"parity").digest(), "big") < share * 2**32


def packed(vector: np.ndarray) -> bytes:
    """Return a feature row as bytes: float64, little-endian."""
    return np.ascontiguousarray(vector, dtype="<f8").tobytes()
