"""What sellers and insurers are told of where a claim stands, and when they are told that it has moved."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from data_contracts.resolutions import Party
from serving.case import Advance, Case
from serving.resolution import State
from serving.schema_parties import SELLER_INSURERS
from serving.webhooks import MARKETPLACE, Happening, resolution_changed

PRESENTED = (State.PROOF_AWAITED, State.PRESENTED, State.REIMBURSEMENT_DEMANDED)
"""States from which on the seller knows of a claim: nobody hears of one that may not be valid."""

_TO_SELLERS = {*PRESENTED, State.SELLER_APPEALED, State.WITHHOLDING, State.SETTLED, State.CLOSED}

WITHDRAWN = "withdrawn"
"""What a seller or insurer is told of a claim that is not asked of them any more: why is between the marketplace and its customer."""


def stage(party: Party, state: State) -> str:
    """Return the name of a state as a party is told it.

    >>> stage(Party.SELLER, State.DENIED_ABUSIVE), stage(Party.CUSTOMER, State.DENIED_ABUSIVE), stage(Party.SELLER, State.PRESENTED)
    ('withdrawn', 'denied_abusive', 'presented')
    """
    told = party in (Party.CUSTOMER, Party.MARKETPLACE) or state in _TO_SELLERS
    return state.value if told else WITHDRAWN


def seller_hears(before: Case, after: Advance) -> bool:
    """Tell whether the seller is to hear that a claim has moved: it knows of the claim, and is told another stage than before."""
    knew = before.state in _TO_SELLERS or any(step.transition.to in PRESENTED for step in after.steps)
    return knew and stage(Party.SELLER, before.state) != stage(Party.SELLER, after.case.state)


def changes(tx: Connection, moved: Iterable[tuple[Case, Advance]], now: int) -> list[Happening]:
    """Return what is to be told of claims that moved: the marketplace everything, sellers and their insurers what they may hear.

    Parameters
    ----------
    tx
        A transaction of the store.
    moved
        Pairs (case as it was, what happened to it).
    now
        When it is told, microseconds UTC.
    """
    moved = [(before, after) for before, after in moved if after.steps]
    insurers = _insurers(tx, {after.case.seller_id for before, after in moved if seller_hears(before, after)})
    found = []
    for before, after in moved:
        seller = after.case.seller_id
        whom = (f"seller:{seller}", *insurers.get(seller, ())) if seller_hears(before, after) else ()
        found.append(resolution_changed(after.case.claim_id, after.case.seq, now, (MARKETPLACE, *whom)))
    return found


def _insurers(tx: Connection, sellers: set[str]) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    if sellers:
        query = select(SELLER_INSURERS.c.seller_id, SELLER_INSURERS.c.insurer).where(SELLER_INSURERS.c.seller_id.in_(sorted(sellers)))
        for seller, insurer in tx.execute(query.order_by(SELLER_INSURERS.c.insurer)):
            named.setdefault(seller, []).append(f"insurer:{insurer}")
    return named
