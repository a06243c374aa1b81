"""The bodies of requests and answers about cases of the expert queue."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from data_contracts import Label
from data_contracts.contract import Identifier
from serving.casefile import CaseFile
from serving.queue import Tier
from serving.ties import TieKind

MOST_AT_ONCE = 20
"""Cases leased by one request at most."""

MOST_LISTED = 100
"""Cases on one page of a list at most."""

_TEXT = r"^[^\x00]*$"  # a NUL is no character that every database keeps
Words = Annotated[str, Field(min_length=1, max_length=4000, pattern=_TEXT)]
Token = Annotated[int, Field(ge=1, le=2**53, description="the token that came with the lease")]


class Asked(BaseModel):
    """A request; a field that is not known is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Wanted(Asked):
    """How many cases of which tier are wanted."""

    tier: Tier = Field(default=Tier.DESK, description="the desk's cases, or the investigators'")
    limit: int = Field(default=1, ge=1, le=MOST_AT_ONCE, description="so many at most")


class Held(Asked):
    """A lease."""

    claim_id: Identifier = Field(description="the case")
    token: Token


class Answered(Held):
    """What an expert found."""

    label: Label = Field(description="valid, unsubstantiated or abusive")
    minutes: int = Field(ge=0, le=100_000, description="working time in minutes")
    rationale: Words = Field(description="why, in plain words; kept, and read by whoever decides and audits")


class Given(Held):
    """A case that is given back."""

    to: Annotated[str, Field(min_length=1, max_length=255, pattern=_TEXT)] | None = Field(
        default=None, description="who shall be offered it first; by default whoever asks next"
    )


class Escalated(Held):
    """A case that needs an investigation."""

    rationale: Words = Field(description="why, in plain words; kept")


class Recused(Held):
    """A conflict of interest."""

    tied_to: TieKind = Field(description="whom of the case the expert is tied to; none of that party's cases is offered any more")


class Status(StrEnum):
    """Which cases a list holds."""

    HELD = "held"
    WAITING = "waiting"
    ANSWERED = "answered"


class Listing(BaseModel):
    """Which cases are asked for, and from where on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status = Field(default=Status.HELD, description="those that you hold, that you may lease, or that you have answered")
    tier: Tier = Field(default=Tier.DESK, description="of those that wait: the desk's or the investigators'")
    limit: int = Field(default=50, ge=1, le=MOST_LISTED, description="so many at most")
    cursor: str | None = Field(default=None, max_length=200, description="next_cursor of the page before")


class Listed(BaseModel):
    """A case in a list: what it is about is told to whoever holds it."""

    claim_id: str = Field(description="the case")
    tier: Tier = Field(description="whose work it is")
    minutes: int = Field(description="expected working time in minutes")
    opened_at: datetime = Field(description="since when it waits")
    due_at: datetime = Field(description="when it is decided without an answer")
    token: int | None = Field(description="of your lease; null unless you hold it")
    expires_at: datetime | None = Field(description="when your lease ends; null unless you hold it")


class Page(BaseModel):
    """A page of a list, in order of ``claim_id``."""

    cases: list[Listed] = Field(description="the cases")
    next_cursor: str | None = Field(description="asks for the next page; null on the last")


class Leases(BaseModel):
    """The cases leased by a request, the most urgent and most valuable first; none if nothing waits or you hold enough."""

    cases: list[CaseFile] = Field(description="the cases with their tokens")


class Renewed(BaseModel):
    """A lease that was prolonged."""

    claim_id: str = Field(description="the case")
    token: int = Field(description="the same token")
    expires_at: datetime = Field(description="when the lease ends now")


class Kept(BaseModel):
    """An answer that was kept."""

    answer_id: str = Field(description="its key")
    fee_cents: int = Field(description="the fee due for it")
    answered_at: datetime = Field(description="when it was received")


class Left(BaseModel):
    """A case that you no longer hold."""

    claim_id: str = Field(description="the case")
    cases: list[str] = Field(description="every case taken back from you by this")
