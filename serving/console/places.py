"""Every address of the console with the roles that reach it: the one table of who may do what here."""

from __future__ import annotations

import re
from dataclasses import dataclass

from serving.console.roles import EVERYBODY, EXPERTS, OVERSEERS, Role

ROOT = "/console"
"""Where the console is."""


@dataclass(frozen=True)
class Place:
    """A method and a path.

    Parameters
    ----------
    method, path
        The path behind :data:`ROOT` as a template, such as ``/cases/{claim_id}``.
    does
        Names the function that answers, see :data:`serving.console.answers.ANSWERS`.
    roles
        Whose it is; ``None``: it is there for people who have not signed in, too.
    """

    method: str
    path: str
    does: str
    roles: frozenset[Role] | None = EVERYBODY

    def match(self, path: str) -> dict[str, str] | None:
        """Return the parameters of a path that this place answers; ``None`` if it does not.

        >>> Place("GET", "/cases/{claim_id}", "case").match("/cases/C1"), Place("GET", "/help", "help").match("/helpless")
        ({'claim_id': 'C1'}, None)
        """
        found = re.fullmatch(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]{1,64})", re.escape(self.path)), path)
        return None if found is None else found.groupdict()


_OPERATIONS, _ADMIN = frozenset({Role.OPERATIONS}), frozenset({Role.ADMIN})

PLACES = (
    Place("GET", "/sign-in", "ask_to_sign_in", None),
    Place("POST", "/sign-in", "sign_in", None),
    Place("POST", "/sign-out", "sign_out"),
    Place("GET", "/", "show_first_page"),
    Place("GET", "/queue", "show_queue"),
    Place("GET", "/cases/{claim_id}", "show_case"),
    Place("POST", "/cases/take", "take_cases", EXPERTS),
    Place("POST", "/cases/{claim_id}/answer", "answer_case", EXPERTS),
    Place("POST", "/cases/{claim_id}/evidence", "ask_for_evidence", EXPERTS),
    Place("POST", "/cases/{claim_id}/escalate", "escalate_case", EXPERTS),
    Place("POST", "/cases/{claim_id}/renew", "renew_case", EXPERTS),
    Place("POST", "/cases/{claim_id}/release", "release_case", EXPERTS),
    Place("POST", "/cases/{claim_id}/recuse", "recuse_case", EXPERTS),
    Place("POST", "/cases/{claim_id}/assign", "assign_case", _OPERATIONS),
    Place("POST", "/cases/{claim_id}/second-opinion", "ask_for_second_opinion", _OPERATIONS),
    Place("GET", "/operations", "show_operations", OVERSEERS),
    Place("GET", "/experts", "show_experts", OVERSEERS),
    Place("GET", "/audit", "show_audit", OVERSEERS),
    Place("GET", "/users", "show_users", _ADMIN),
    Place("POST", "/users", "add_user", _ADMIN),
    Place("POST", "/users/{name}/disable", "disable_user", _ADMIN),
    Place("POST", "/users/{name}/enable", "enable_user", _ADMIN),
    Place("POST", "/users/{name}/password", "give_password", _ADMIN),
    Place("GET", "/account", "show_account"),
    Place("POST", "/account", "change_password"),
    Place("GET", "/help", "show_help"),
)
"""All of them; where two match, the first counts."""


def places(path: str) -> list[tuple[Place, dict[str, str]]]:
    """Return the places at a path behind :data:`ROOT`, whatever the method, each with the path's parameters.

    >>> [place.does for place, _ in places("/users")]
    ['show_users', 'add_user']
    """
    return [(place, found) for place in PLACES if (found := place.match(path)) is not None]
