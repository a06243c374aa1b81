"""What was decided: one priced decision per claim, with everything needed to replay it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from data_contracts.contract import Contract, Identifier, Instant, Probability, Reference, Row


class Action(StrEnum):
    """What the marketplace can do with a claim; the first four need nobody, the last two an external expert."""

    PAY = "PAY"
    REQUEST_EVIDENCE = "REQUEST_EVIDENCE"
    DENY_UNSUBSTANTIATED = "DENY_UNSUBSTANTIATED"
    DENY_ABUSIVE = "DENY_ABUSIVE"
    DESK = "DESK"
    INVESTIGATE = "INVESTIGATE"


class Route(StrEnum):
    """Why a claim went where it went."""

    AUTOMATIC = "automatic"
    VALUE_OF_REVIEW = "value_of_review"
    AUDIT = "audit"
    RULE = "rule"


class Decision(Row):
    """The decision on one claim: probabilities, action, price, reasons, versions and propensity."""

    key_column: ClassVar[str] = "claim_id"
    event_column: ClassVar[str] = "decided_at"
    known_column: ClassVar[str] = "decided_at"
    references = (Reference("claim_id", "claims", not_before=(("decided_at", "filed_at"),)),)

    claim_id: Identifier = Field(description="the claim decided")
    decided_at: Instant = Field(description="the instant as of which it was decided")
    p_valid: Probability = Field(description="calibrated probability that the claim is valid")
    p_unsubstantiated: Probability = Field(description="calibrated probability that the claim lacks proof")
    p_abusive: Probability = Field(description="calibrated probability that the claim is abusive")
    action: Action = Field(description="what is done now")
    automatic_action: Action = Field(description="the action of least expected cost without any review that no rule forbids")
    route: Route = Field(description="why: automatic, worth a review, drawn for the audit, or made stricter by a rule")
    propensity: Annotated[float, Field(ge=1e-6, le=1.0)] = Field(
        description="probability, given the policy, that a claim decided like this one is reviewed by an expert"
    )
    automatic_cost_cents: Annotated[int, Field(ge=0)] = Field(description="expected cost of the automatic action in cents")
    review_value_cents: int = Field(description="value of the best review in cents; negative where a review costs more than it saves")
    reasons: Annotated[str, Field(max_length=2000)] = Field(
        description="reason codes for the investigator, strongest first, separated by semicolons"
    )
    claimant_reason: Annotated[str, Field(max_length=500)] = Field(description="the plain reason told to the claimant")
    bundle: Identifier = Field(description="hash of the model bundle that decided")
    policy: Identifier = Field(description="version and hash of the policy file that priced")
    rules: Annotated[str, Field(min_length=1, max_length=16_000)] | None = Field(
        default=None, description="version and hash of the rules file, and the verdict of every rule, as JSON; empty without rules"
    )


DECISIONS = Contract("decisions", Decision)
