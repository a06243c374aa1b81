"""A group written down: its claims and their history, then its decisions, and its keys; all in the transaction of the caller.

Claims come first: while they become history the trees say what is to be decided on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from itertools import count
from typing import Any

import numpy as np
from sqlalchemy import Connection

from data_contracts import CLAIMS
from features.facts import RECORDED
from serving import known
from serving.decided import write_decisions
from serving.decider import Decider
from serving.draft import Draft, Look, settle
from serving.driver import Driver
from serving.known import kept_of, named
from serving.reading import Asked, Reading
from serving.schema import CLAIMS_TABLE, PARITY_SAMPLES
from serving.written import plain


@dataclass(frozen=True, slots=True)
class Written:
    """A decision that was written down, and the answer."""

    draft: Draft
    body: bytes


def write(
    tx: Connection,
    reading: Reading,
    looks: Mapping[int, Look],
    decider: Decider,
    now: datetime,
    minutes: Mapping[str, int],
    sample: float,
    earliest: int,
) -> dict[int, Written]:
    """Write claims down, decide them, and write the decisions down.

    Parameters
    ----------
    tx
        A write transaction that holds the locks of audit log and history.
    reading
        What it knows; the audit log's new head is noted there.
    looks
        Claims that wait for their decision, by place.
    decider
        Decides.
    now
        The present instant.
    minutes
        Expected expert minutes per case by tier.
    sample
        Share of the claims whose feature row is kept to be checked.
    earliest
        The claims become history no earlier than at this instant, microseconds UTC.

    Returns
    -------
    dict
        What was written, by place.
    """
    if not looks:
        return {}
    _keep_claims(reading, list(looks.values()), earliest)
    drafts = settle(reading, looks, decider, now)
    bodies, reading.head = write_decisions(tx, [plain(one.decision) for one in drafts.values()], minutes, reading.head)
    samples = [one for one in drafts.values() if drawn(one.asked.claim.claim_id, sample)]
    if samples:
        catalog = reading.history.catalog.hash
        reading.driver.add(PARITY_SAMPLES, [(one.asked.claim.claim_id, catalog, packed(one.vector), None) for one in samples])
    return {place: Written(one, body) for (place, one), body in zip(drafts.items(), bodies, strict=True)}


def _keep_claims(reading: Reading, looks: Sequence[Look], earliest: int) -> None:
    """Keep new claims and let them become history, while their trees are walked."""
    driver = reading.driver
    rows = _recorded([one.asked.values for one in looks], [one.is_known for one in looks], max(reading.watermark + 1, earliest))
    new = [(row, one) for row, one in zip(rows, looks, strict=True) if not one.is_known]
    driver.add(CLAIMS_TABLE, [tuple(row[column.name] for column in CLAIMS.columns) for row in rows])
    known.keep(driver, [(named("claims", row["claim_id"]), kept_of("claims", row), one.asked.print) for row, one in new])
    reading.history.append_reads([replace(one.read, claim={**one.read.claim, RECORDED: row[RECORDED]}) for row, one in new])


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
