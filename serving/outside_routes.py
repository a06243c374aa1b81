"""The routes for people outside: external experts, the parties of a case, receivers of webhooks; as the OpenAPI document tells them.

Apart from :mod:`serving.app`, so that an endpoint that decides nothing can offer them as well (:mod:`serving.office`).
"""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Header, Query

from data_contracts.contract import Identifier
from serving.call import add
from serving.case_messages import Answered, Escalated, Given, Held, Kept, Leases, Left, Listing, Page, Recused, Renewed, Wanted
from serving.casefile import CaseFile
from serving.party_messages import (
    Accepted,
    Appealed,
    CaseListing,
    Countered,
    Insured,
    PartyCase,
    PartyPage,
    Proven,
    Rejected,
    Repaid,
    Ruled,
    Said,
)
from serving.routes_cases import CaseRoutes
from serving.routes_resolutions import ResolutionRoutes

KEY_HEADER = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, description="sent again with the same request: answered as before"),
]

_REFUSES = (400, 404, 408, 409, 413, 415, 422, 503)


def add_cases(app: FastAPI, routes: CaseRoutes) -> None:
    """Add what external experts ask for."""
    listed = {"listing": Annotated[Listing, Query()]}
    add(app, "GET", "/v1/cases", routes.list_cases, Page, listed, (422, 503), summary="List cases")
    add(app, "GET", "/v1/cases/{claim_id}", routes.get_case, CaseFile, {"claim_id": Identifier}, (404, 422, 503), summary="Read a case")
    for name, handler, takes, answers, summary in (
        ("lease", routes.lease_cases, Wanted, Leases, "Lease the next cases"),
        ("renew", routes.renew_case, Held, Renewed, "Prolong a lease"),
        ("answer", routes.answer_case, Answered, Kept, "Answer a case"),
        ("release", routes.release_case, Given, Left, "Give a case back"),
        ("escalate", routes.escalate_case, Escalated, Left, "Ask for an investigation"),
        ("recuse", routes.recuse_case, Recused, Left, "Declare a conflict of interest"),
    ):
        body = {"asked": takes, "idempotency_key": KEY_HEADER}
        add(app, "POST", f"/v1/cases:{name}", handler, answers, body, _REFUSES, summary=summary)


def add_resolutions(app: FastAPI, routes: ResolutionRoutes) -> None:
    """Add what the parties of a claim ask for."""
    listed, one = {"listing": Annotated[CaseListing, Query()]}, {"claim_id": Identifier}
    add(app, "GET", "/v1/resolutions", routes.list_resolutions, PartyPage, listed, (422, 503), summary="List claims that concern you")
    add(app, "GET", "/v1/resolutions/{claim_id}", routes.get_resolution, PartyCase, one, (404, 422, 503), summary="Read such a claim")
    for name, handler, takes, summary in (
        ("accept", routes.accept_claim, Accepted, "Pay all that is due"),
        ("counter", routes.counter_claim, Countered, "Pay a part and contest the rest"),
        ("reject", routes.reject_claim, Rejected, "Pay nothing"),
        ("insure", routes.insure_claim, Insured, "Prove an insurance"),
        ("appeal", routes.appeal_claim, Appealed, "Appeal"),
        ("prove", routes.prove_claim, Proven, "Bring proof of loss"),
        ("repay", routes.repay_claim, Repaid, "Pay back"),
        ("rule", routes.rule_claim, Ruled, "Rule"),
    ):
        body = {"asked": takes, "idempotency_key": KEY_HEADER}
        add(app, "POST", f"/v1/resolutions:{name}", handler, Said, body, _REFUSES, summary=summary)
