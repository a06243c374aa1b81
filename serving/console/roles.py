"""What the people of the console may do: five roles, each user has one."""

from __future__ import annotations

from enum import StrEnum

from serving.queue import Tier


class Role(StrEnum):
    """A user's role."""

    OPERATIONS = "operations"
    EXPERT = "expert"
    INVESTIGATOR = "investigator"
    AUDITOR = "auditor"
    ADMIN = "admin"


EXPERTS = frozenset({Role.EXPERT, Role.INVESTIGATOR})
"""Those who answer cases; they see the cases that they hold, and no other."""

OVERSEERS = frozenset({Role.OPERATIONS, Role.AUDITOR, Role.ADMIN})
"""Those who see every case whose parties they are not tied to."""

EVERYBODY = frozenset(Role)
"""Whoever is signed in."""

MEANING = {
    Role.OPERATIONS: "sees every case, assigns cases and asks for second opinions",
    Role.EXPERT: "takes cases of the desk and answers them",
    Role.INVESTIGATOR: "takes investigations as well",
    Role.AUDITOR: "sees everything and changes nothing",
    Role.ADMIN: "sees everything and manages users; answers no case",
}
"""What each role does, in words."""


def tiers(role: Role) -> tuple[Tier, ...]:
    """Return the tiers whose cases a role may take.

    >>> [tier.value for tier in tiers(Role.INVESTIGATOR)], tiers(Role.ADMIN)
    (['desk', 'investigation'], ())
    """
    if role is Role.INVESTIGATOR:
        return (Tier.DESK, Tier.INVESTIGATION)
    return (Tier.DESK,) if role is Role.EXPERT else ()
