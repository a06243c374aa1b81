"""What the OpenAPI document says of webhooks: every message with its headers and its body, as receivers get it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header
from pydantic import BaseModel, Field

from serving.queue import Tier
from serving.webhooks import Kind

_ID = Annotated[str, Header(alias="webhook-id", description="names the message; it may come twice under one name")]
_AT = Annotated[int, Header(alias="webhook-timestamp", description="when it was sent, seconds since 1970")]
_BY = Annotated[str, Header(alias="webhook-signature", description="`v1,` and HMAC-SHA256 of name, instant and body, in base 64")]


class _Told(BaseModel):
    timestamp: datetime = Field(description="when it happened")


class OpenedCase(BaseModel):
    """A case that waits."""

    claim_id: str = Field(description="the case")
    tier: Tier = Field(description="whose work it is")
    due_at: datetime = Field(description="when it is decided without an answer")


class AnsweredCase(BaseModel):
    """A case that was answered."""

    claim_id: str = Field(description="the case")
    answer_id: str = Field(description="the answer")


class ChangedResolution(BaseModel):
    """A claim that has moved."""

    claim_id: str = Field(description="the claim; where it stands is told by GET /v1/resolutions/{claim_id}")


class CaseOpened(_Told):
    """A case waits for the experts of a tier: newly, since it was escalated, or once more."""

    type: Literal["case.opened"]
    data: OpenedCase


class CaseAnswered(_Told):
    """An expert has answered a case."""

    type: Literal["case.answered"]
    data: AnsweredCase


class ResolutionChanged(_Told):
    """A claim has moved."""

    type: Literal["resolution.changed"]
    data: ChangedResolution


def describe(webhooks: APIRouter) -> None:
    """Add every message to what an application says of its webhooks; nothing is served by it."""

    def opened(body: CaseOpened, name: _ID, at: _AT, signature: _BY) -> None:
        """Tell that a case waits for the experts of a tier: newly, since it was escalated, or once more."""

    def answered(body: CaseAnswered, name: _ID, at: _AT, signature: _BY) -> None:
        """Tell that an expert has answered a case."""

    def changed(body: ResolutionChanged, name: _ID, at: _AT, signature: _BY) -> None:
        """Tell that a claim has moved."""

    receivers: tuple[Callable[..., None], ...] = (opened, answered, changed)
    for kind, told in zip(Kind, receivers, strict=True):
        webhooks.add_api_route(kind.value, told, methods=["POST"], status_code=204, summary=kind.value, tags=["webhooks"])


def mended(schema: dict[str, Any]) -> None:
    """Put in place what receivers may answer: they are not held to the refusals of our routes."""
    for operations in schema["webhooks"].values():
        for operation in operations.values():
            operation["responses"] = {
                "2XX": {"description": "Taken. Anything else is tried again, ten times in all."},
                "410": {"description": "No messages any more: the endpoint is ended."},
            }
            operation["security"] = []
