"""How the simulated firm reaches an endpoint: one that runs somewhere, by an address and keys, or one of its own in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from models.policy import Policy, default_policy
from pipelines.firm import Firm
from serving.app import Outside
from serving.auth import Caller, Scope
from serving.case_client import CaseClient
from serving.client import Client
from serving.inside import AtOnce, Inside
from serving.office import create_office
from serving.queue import Tier
from serving.store import Store

Desks = Callable[[str], CaseClient]
"""Gives each expert the client that has their key."""

SCOPES = {Tier.DESK: frozenset({Scope.EXPERT}), Tier.INVESTIGATION: frozenset({Scope.EXPERT, Scope.INVESTIGATOR})}
"""What the key of an expert of each tier must allow."""


@contextmanager
def office_of(store: Store, firm: Firm, policy: Policy | None = None) -> Iterator[Desks]:
    """Open an endpoint of the firm's own over a store, in this process, that believes its clock.

    Nobody else can reach it, so its keys are the experts' names.
    """
    people = {expert.name: Caller(expert.name, SCOPES[expert.tier]) for expert in firm.experts}

    def known(credential: str | None) -> Caller | None:
        return people.get(credential or "")

    outside, clock = Outside(known, simulated=True), lambda: datetime.now(UTC)
    with Inside(create_office(store, policy or default_policy(), clock, outside, AtOnce())) as inside:
        yield lambda name: CaseClient(Client("http://office", name, exchange=inside))


@contextmanager
def desks_at(url: str, keys: Mapping[str, str], firm: Firm) -> Iterator[Desks]:
    """Reach a running endpoint, each expert with their key.

    Parameters
    ----------
    url
        Of an endpoint in development mode: any other refuses the simulated clock.
    keys
        Expert → key, as :func:`read_keys` finds them.
    firm
        Who needs one.

    Raises
    ------
    ValueError
        If somebody has none.
    """
    without = [expert.name for expert in firm.experts if expert.name not in keys]
    if without:
        made = "touchstone keys create --name NAME --scope expert (investigators: --scope investigator as well)"
        raise ValueError(f"keys: expected one for each expert, found none for {', '.join(without)}; {made} makes them")
    clients = {expert.name: Client(url, keys[expert.name]) for expert in firm.experts}
    try:
        yield lambda name: CaseClient(clients[name])
    finally:
        for client in clients.values():
            client.close()


def read_keys(path: Path) -> dict[str, str]:
    """Return the keys in a file: a line for each expert, name and key; empty lines and those that begin with # say nothing.

    Raises
    ------
    ValueError
        If a line is something else, or a name comes twice. No key is ever told.
    """
    keys: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2 or words[0] in keys:
            raise ValueError(f"{path}, line {number}: expected a name that is new and its key, found {len(words)} words")
        keys[words[0]] = words[1]
    return keys
