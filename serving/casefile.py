"""What an expert is shown of a case: only what the work needs, and no opinion of the model where it must be hidden.

Every field is listed here; nothing reaches an expert because it was added elsewhere. Left out: who the claimant is, order, device,
address, payment, telephone, photograph hash, value and priority of the case. On the slice of cases that measures automation bias
(:class:`models.quality_checks.Checks`) probabilities and reasons are left out as well: reasons tell what the model thinks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pandas as pd
from pydantic import BaseModel, Field
from sqlalchemy import Connection, Select, insert, select

from data_contracts.claims import Channel, ClaimKind
from models.quality_checks import Checks, draw
from serving.instants import moment
from serving.queue import Tier
from serving.schema import CASES, CLAIMS_TABLE, DECISIONS_TABLE
from serving.schema_parties import CASE_FILINGS, RING_FILES


class Filed(BaseModel):
    """What the claimant filed, as far as an expert needs it."""

    kind: ClaimKind = Field(description="property damage or personal injury")
    channel: Channel = Field(description="where the claim was filed")
    incident_at: datetime = Field(description="when the harm happened, as stated")
    filed_at: datetime = Field(description="when the claim was filed")
    amount_cents: int = Field(description="amount claimed in cents")
    narrative: str = Field(description="what happened, in the claimant's words")
    seller_id: str = Field(description="the seller of the product")
    product_id: str = Field(description="the product")
    photo_count: int = Field(description="photographs attached")
    has_receipt: bool = Field(description="a receipt or repair estimate is attached")
    has_dated_photo: bool = Field(description="at least one photograph carries a date")
    has_medical_record: bool = Field(description="a medical record is attached")


class Opinion(BaseModel):
    """What the model thinks of it."""

    p_valid: float = Field(description="probability that the claim is valid")
    p_unsubstantiated: float = Field(description="probability that the claim lacks proof")
    p_abusive: float = Field(description="probability that the claim is abusive")
    reasons: list[str] = Field(description="reason codes, strongest first")


class CaseFile(BaseModel):
    """A case in the hands of the expert who asks, with the token that they need to answer it."""

    claim_id: str = Field(description="the case")
    tier: Tier = Field(description="whose work it is")
    token: int = Field(description="proves the lease; a later lease has a higher one")
    leased_at: datetime = Field(description="when the lease began")
    expires_at: datetime = Field(description="when the lease ends unless it is renewed")
    due_at: datetime = Field(description="when the case is decided without an answer")
    minutes: int = Field(description="expected working time in minutes")
    file: str | None = Field(default=None, description="of a case that is investigated together with others: their common file, paid once")
    filed: Filed | None = Field(description="the claim; null until `touchstone assign` has brought that of a batch's case here")
    opinion: Opinion | None = Field(description="the model's opinion; null where the expert is to judge without it")


_FILED = tuple(Filed.model_fields)
_OPINION = ("p_valid", "p_unsubstantiated", "p_abusive", "reasons")
_CASE = ("claim_id", "tier", "token", "leased_at", "lease_expires_at", "due_at", "minutes")


def case_files(tx: Connection, claim_ids: Iterable[str], checks: Checks) -> list[CaseFile]:
    """Return what may be shown of leased cases, in the order asked for.

    Parameters
    ----------
    tx
        A transaction of the store.
    claim_ids
        Cases that are leased to whoever will see the files.
    checks
        Draws the cases that are judged without the model's opinion.
    """
    wanted = list(claim_ids)
    rows = {row["claim_id"]: row for row in tx.execute(_query().where(CASES.c.claim_id.in_(wanted))).mappings()}
    hidden = draw(checks, pd.Series(wanted, dtype="str")).hidden.tolist() if wanted else []
    return [_file(rows[claim], blind) for claim, blind in zip(wanted, hidden, strict=True)]


def keep_filings(tx: Connection, claims: Iterable[Mapping[str, Any]]) -> int:
    """Keep what was filed with cases whose claims the store did not receive itself, and return how many were new.

    Parameters
    ----------
    tx
        A write transaction.
    claims
        Rows of the claims' contract; columns that experts are not shown are not kept.
    """
    rows = {row["claim_id"]: Filed(**{name: row[name] for name in _FILED}).model_dump_json() for row in claims}
    known = set(tx.execute(select(CASE_FILINGS.c.claim_id).where(CASE_FILINGS.c.claim_id.in_(list(rows)))).scalars())
    new = [{"claim_id": claim, "body": body} for claim, body in rows.items() if claim not in known]
    if new:
        tx.execute(insert(CASE_FILINGS), new)
    return len(new)


def _query() -> Select[Any]:
    filed = [CLAIMS_TABLE.c[name].label(f"filed_{name}") for name in _FILED]
    joined = CASES.join(DECISIONS_TABLE, DECISIONS_TABLE.c.claim_id == CASES.c.claim_id)
    joined = joined.outerjoin(CLAIMS_TABLE, CLAIMS_TABLE.c.claim_id == CASES.c.claim_id)
    joined = joined.outerjoin(CASE_FILINGS, CASE_FILINGS.c.claim_id == CASES.c.claim_id)
    joined = joined.outerjoin(RING_FILES, RING_FILES.c.claim_id == CASES.c.claim_id)
    shown = [CASE_FILINGS.c.body.label("filing"), RING_FILES.c.file_id]
    return select(*(CASES.c[name] for name in _CASE), *(DECISIONS_TABLE.c[name] for name in _OPINION), *filed, *shown).select_from(joined)


def _file(row: Mapping[Any, Any], blind: bool) -> CaseFile:
    filed = {name: row[f"filed_{name}"] for name in _FILED}
    instants = {name: moment(filed[name]) for name in ("incident_at", "filed_at") if filed[name] is not None}
    opinion = {name: row[name] for name in _OPINION[:3]} | {"reasons": [code for code in row["reasons"].split(";") if code]}
    return CaseFile(
        claim_id=row["claim_id"],
        tier=row["tier"],
        token=row["token"],
        leased_at=moment(row["leased_at"]),
        expires_at=moment(row["lease_expires_at"]),
        due_at=moment(row["due_at"]),
        minutes=row["minutes"],
        file=row["file_id"],
        filed=Filed(**filed | instants) if filed["filed_at"] is not None else _kept(row["filing"]),
        opinion=None if blind else Opinion(**opinion),
    )


def _kept(filing: str | None) -> Filed | None:
    return None if filing is None else Filed.model_validate_json(filing)
