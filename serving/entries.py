"""What each ledger entry moves, to the cent, given a case and its balances."""

from __future__ import annotations

from collections.abc import Mapping

from serving.case import Case
from serving.ledger import PENDING, Account
from serving.resolution import Entry


def moved(entry: Entry, case: Case, balances: Mapping[Account, int], given_cents: int) -> dict[Account, int]:
    """Return the lines of one entry.

    Parameters
    ----------
    entry
        What a transition does to the ledger.
    case
        Whose claim; only its amount is read.
    balances
        The claim's balances before the entry, in signed cents (negative: borne).
    given_cents
        Money that came with the event; more than is owed is cut off.

    Returns
    -------
    dict
        Account → signed cents, zeros left out, sum zero; empty if nothing moves.
    """
    return {account: cents for account, cents in _lines(entry, case, balances, given_cents).items() if cents}


def _lines(entry: Entry, case: Case, balances: Mapping[Account, int], given_cents: int) -> dict[Account, int]:
    amount = case.amount_cents
    if entry is Entry.ADVANCE:
        return {Account.CUSTOMER: amount, Account.ADVANCED: -amount}
    if entry is Entry.STEP_IN:
        return {Account.CUSTOMER: amount, Account.RECEIVABLE_FROM_SELLER: -amount}
    if entry in (Entry.SELLER_PAYS_CLAIMANT, Entry.INSURER_PAYS_CLAIMANT):
        payer = Account.SELLER if entry is Entry.SELLER_PAYS_CLAIMANT else Account.INSURER
        part = min(given_cents, amount)
        return {Account.CUSTOMER: amount, payer: -part, Account.RECEIVABLE_FROM_SELLER: part - amount}
    if entry in _RECOVERED:
        receivable, payer = _RECOVERED[entry]
        part = min(given_cents, -balances.get(receivable, 0))
        return {receivable: part, payer: -part}
    sources, target = _SHIFTED[entry]
    shifted = {source: -balances.get(source, 0) for source in sources}
    return {**shifted, target: -sum(shifted.values())}


_RECOVERED = {
    Entry.RECOVER_FROM_SELLER: (Account.RECEIVABLE_FROM_SELLER, Account.SELLER),
    Entry.RECOVER_FROM_INSURER: (Account.RECEIVABLE_FROM_SELLER, Account.INSURER),
    Entry.RECOVER_FROM_CUSTOMER: (Account.RECEIVABLE_FROM_CUSTOMER, Account.CUSTOMER),
}
_BEARERS = (
    Account.ADVANCED,
    Account.RECEIVABLE_FROM_SELLER,
    Account.MARKETPLACE_ABSORBED,
    Account.WRITTEN_OFF,
    Account.SELLER,
    Account.INSURER,
)
_SHIFTED: dict[Entry, tuple[tuple[Account, ...], Account]] = {
    Entry.ABSORB: ((Account.ADVANCED, Account.RECEIVABLE_FROM_SELLER), Account.MARKETPLACE_ABSORBED),
    Entry.DEMAND: ((Account.ADVANCED,), Account.RECEIVABLE_FROM_SELLER),
    # Nobody else need bear an abusive claim: seller and insurer are refunded, the claimant owes all of it.
    Entry.CLAIM_BACK: (_BEARERS, Account.RECEIVABLE_FROM_CUSTOMER),
    Entry.WRITE_OFF: (PENDING, Account.WRITTEN_OFF),
}
