"""What is too much for an entry of the audit log: the decisions of a batch, beside the entry that holds their SHA-256.

A batch makes tens of thousands of decisions in one transaction. An entry for each would write everything twice and bind no more than
one entry for all of them does: it says how many there are and which bytes they are, and the bytes, a Parquet file that any tool reads,
lie beside it. Neither they nor the rows of the decisions can be changed without :func:`unlike` noticing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_contracts import DECISIONS
from serving.driver import AT_ONCE, Driver
from serving.schema_attachments import AUDIT_ATTACHMENTS
from serving.written_columns import plain_columns

TOGETHER = "decisions"
"""The kind of entry that enters many decisions."""

_ROWS = f"SELECT {', '.join(column.name for column in DECISIONS.columns)} FROM decisions WHERE claim_id IN {{keys}}"
_REPEATED = [column.name for column in DECISIONS.columns if column.kind == "string" and column.name != DECISIONS.key]
"""Columns whose texts come again and again."""


def packed(decisions: pa.Table) -> bytes:
    """Write decisions as a Parquet file, as :mod:`pipelines.lake` keeps them too; equal tables are equal bytes.

    Parameters
    ----------
    decisions
        In the Arrow types of the decisions contract.
    """
    sink = pa.BufferOutputStream()
    plain = decisions.replace_schema_metadata()
    pq.write_table(plain, sink, compression="zstd", use_dictionary=[*_REPEATED, DECISIONS.event_time], write_statistics=False)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def body_of(decisions: pa.Table, content: bytes) -> bytes:
    """Return what the entry says: how many decisions, and the SHA-256 of their file.

    >>> body_of(DECISIONS.arrow.empty_table(), b"")[:35]
    b'{"decisions": 0, "sha256": "e3b0c44'
    """
    return json.dumps({"decisions": len(decisions), "sha256": sha256(content).hexdigest()}).encode()


def span(decisions: pa.Table) -> tuple[int, int]:
    """Return when the first and the last of some decisions were made, in microseconds."""
    found = pc.min_max(decisions[DECISIONS.event_time].cast(pa.int64()))
    return found["min"].as_py(), found["max"].as_py()


def attach(driver: Driver, seq: int, decisions: pa.Table, content: bytes) -> None:
    """Lay the file of some decisions beside the entry of this number."""
    driver.add(AUDIT_ATTACHMENTS, [(seq, *span(decisions), len(decisions), content)])


def decisions(driver: Driver) -> int:
    """Return how many decisions lie beside entries in all."""
    return int(driver.rows("SELECT COALESCE(SUM(decisions), 0) FROM audit_attachments")[0][0])


def unlike(driver: Driver, seq: int, body: bytes) -> str:
    """Say what is wrong with what lies beside an entry, or with the decisions in it; nothing if all is as it was entered.

    Parameters
    ----------
    driver
        Of a transaction.
    seq, body
        The entry.
    """
    held = driver.rows("SELECT content FROM audit_attachments WHERE seq = ?", (seq,))
    if not held:
        return "expected the decisions beside the entry, found none; they were taken away"
    content, told = bytes(held[0][0]), json.loads(body)["sha256"]
    if (found := sha256(content).hexdigest()) != told:
        return f"expected decisions with the SHA-256 {told[:12]} beside the entry, found {found[:12]}; they were altered"
    entered = pq.read_table(pa.BufferReader(content))
    for start in range(0, len(entered), AT_ONCE):
        if wrong := _altered(driver, entered.slice(start, AT_ONCE)):
            return wrong
    return ""


def rows_of(driver: Driver, claim_ids: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the decisions on those of the claims that are decided: plain values in the order of the contract."""
    return driver.among(_ROWS, claim_ids)


def _altered(driver: Driver, entered: pa.Table) -> str:
    columns = plain_columns(DECISIONS, entered)
    now = {row[0]: row for row in rows_of(driver, columns[0])}
    for row in zip(*columns, strict=True):
        if now.get(row[0]) != row:
            return (
                f"expected the decision on {row[0]} as it was entered, found {'another' if row[0] in now else 'none'}; the row was altered"
            )
    return ""


def entry_with(driver: Driver, claim_id: str) -> int | None:
    """Return the number of the entry that entered the decision on a claim together with others; ``None`` if there is none."""
    decided = driver.rows("SELECT decided_at FROM decisions WHERE claim_id = ?", (claim_id,))
    # Batches decide whole days, so hardly ever is more than one of them read.
    among = "SELECT seq, content FROM audit_attachments WHERE first_at <= ? AND last_at >= ? ORDER BY seq"
    for seq, content in driver.rows(among, decided[0] * 2) if decided else ():
        if _names(bytes(content), claim_id):
            return int(seq)
    return None


def _names(content: bytes, claim_id: str) -> bool:
    claims: Any = pq.read_table(pa.BufferReader(content), columns=[DECISIONS.key])[DECISIONS.key]
    return bool(pc.any(pc.equal(claims, claim_id)).as_py())
