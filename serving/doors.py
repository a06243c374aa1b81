"""Every address of the endpoint with the scope it needs and the most it may be sent: the one table of who may reach what."""

from __future__ import annotations

from dataclasses import dataclass

from serving.auth import Scope


@dataclass(frozen=True)
class Door:
    """A method and a path.

    Parameters
    ----------
    method, path
        The path as a template, such as ``/v1/claims/{claim_id}``.
    scope
        What a caller must be allowed; ``None``: open to everybody.
    large
        Whether the body may have the size of a batch instead of that of one claim.
    """

    method: str
    path: str
    scope: Scope | None
    large: bool = False


DOORS = (
    Door("POST", "/v1/claims:score", Scope.SCORE),
    Door("POST", "/v1/claims:batchScore", Scope.SCORE, large=True),
    Door("GET", "/v1/claims/{claim_id}", Scope.READ),
    Door("GET", "/v1/decisions/{claim_id}", Scope.READ),
    Door("POST", "/v1/events", Scope.EVENTS, large=True),
    Door("GET", "/v1/cases", Scope.EXPERT),
    Door("GET", "/v1/cases/{claim_id}", Scope.EXPERT),
    Door("POST", "/v1/cases:lease", Scope.EXPERT),
    Door("POST", "/v1/cases:renew", Scope.EXPERT),
    Door("POST", "/v1/cases:answer", Scope.EXPERT),
    Door("POST", "/v1/cases:release", Scope.EXPERT),
    Door("POST", "/v1/cases:escalate", Scope.EXPERT),
    Door("POST", "/v1/cases:recuse", Scope.EXPERT),
    Door("POST", "/invocations", Scope.SCORE, large=True),
    Door("GET", "/metrics", Scope.READ),
    Door("GET", "/version", Scope.READ),
    Door("GET", "/openapi.json", Scope.READ),
    Door("GET", "/healthz", None),
    Door("GET", "/readyz", None),
    Door("GET", "/ping", None),
)
"""All of them."""

ELSEWHERE = Door("*", "elsewhere", Scope.READ)
"""Any other address: who has no key does not learn what is there."""

_EXACT = {door.path: door for door in DOORS if "{" not in door.path}
_UNDER = {door.path.partition("{")[0]: door for door in DOORS if "{" in door.path}


def door(path: str) -> Door:
    """Return the door that a path leads to, whatever the method.

    >>> door("/v1/decisions/C1").path, door("/nowhere").scope.value
    ('/v1/decisions/{claim_id}', 'read')
    """
    return _EXACT.get(path) or _UNDER.get(path[: path.rfind("/") + 1]) or ELSEWHERE
