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
    also
        Further scopes, each of which is enough.
    large
        Whether the body may have the size of a batch instead of that of one claim.
    """

    method: str
    path: str
    scope: Scope | None
    large: bool = False
    also: tuple[Scope, ...] = ()

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Every scope that opens it; ``admin`` opens it as well."""
        return () if self.scope is None else (self.scope, *self.also)


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
    Door("GET", "/v1/resolutions", Scope.SELLER, also=(Scope.INSURER, Scope.CUSTOMERS, Scope.RULINGS)),
    Door("GET", "/v1/resolutions/{claim_id}", Scope.SELLER, also=(Scope.INSURER, Scope.CUSTOMERS, Scope.RULINGS)),
    Door("POST", "/v1/resolutions:accept", Scope.SELLER, also=(Scope.INSURER,)),
    Door("POST", "/v1/resolutions:counter", Scope.SELLER, also=(Scope.INSURER,)),
    Door("POST", "/v1/resolutions:reject", Scope.SELLER, also=(Scope.INSURER,)),
    Door("POST", "/v1/resolutions:insure", Scope.SELLER),
    Door("POST", "/v1/resolutions:appeal", Scope.SELLER, also=(Scope.CUSTOMERS,)),
    Door("POST", "/v1/resolutions:prove", Scope.CUSTOMERS),
    Door("POST", "/v1/resolutions:repay", Scope.CUSTOMERS),
    Door("POST", "/v1/resolutions:rule", Scope.RULINGS),
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

CONSOLE = Door("*", "/console", None)
"""The console and all below it: people sign in there, and :mod:`serving.console.places` says who may do what."""

_EXACT = {door.path: door for door in DOORS if "{" not in door.path}
_UNDER = {door.path.partition("{")[0]: door for door in DOORS if "{" in door.path}


def door(path: str) -> Door:
    """Return the door that a path leads to, whatever the method.

    >>> door("/v1/decisions/C1").path, door("/nowhere").scope.value
    ('/v1/decisions/{claim_id}', 'read')
    """
    found = _EXACT.get(path) or _UNDER.get(path[: path.rfind("/") + 1])
    if found is None:
        return CONSOLE if path == CONSOLE.path or path.startswith("/console/") else ELSEWHERE
    return found
