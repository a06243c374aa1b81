"""The ledger: who paid, who bore it, to the cent; append-only, balanced at all times, and no step is ever posted twice.

Sign convention: **positive is received, negative is borne**. The customers' balance is what they have received; every
other balance is minus what that party bears. A posting's lines sum to zero, so the sum over all accounts is always zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, func, insert, select

from serving.schema import LEDGER, POSTINGS

PAY = "pay"
"""The one step by which a claimant can be paid: its key is unique, so nobody is paid twice."""


class LedgerError(ValueError):
    """A posting that does not balance, or a step posted again with other amounts."""


class Account(StrEnum):
    """Who receives or bears money."""

    CUSTOMER = "customer"
    SELLER = "seller"
    INSURER = "insurer"
    ADVANCED = "advanced"
    MARKETPLACE_ABSORBED = "marketplace_absorbed"
    RECEIVABLE_FROM_SELLER = "receivable_from_seller"
    RECEIVABLE_FROM_CUSTOMER = "receivable_from_customer"
    WRITTEN_OFF = "written_off"
    EXPERTS = "experts"
    EXPERT_FEES = "expert_fees"


PENDING = (Account.ADVANCED, Account.RECEIVABLE_FROM_SELLER, Account.RECEIVABLE_FROM_CUSTOMER)
"""Accounts that hold money whose bearer is not yet settled; all zero once a case is closed."""


@dataclass(frozen=True)
class Posting:
    """One balanced step of one claim.

    Parameters
    ----------
    claim_id
        The claim.
    step
        Names the step within the claim; (claim_id, step) is the idempotency key.
    at
        Instant in microseconds UTC.
    lines
        Pairs (account, signed cents): at least two, no account twice, none zero, sum zero.

    Raises
    ------
    LedgerError
        If the lines break one of these rules, or pay the customer in any other step than ``pay``.

    Examples
    --------
    >>> Posting("C1", "pay", 0, ((Account.CUSTOMER, 500), (Account.ADVANCED, -400)))
    Traceback (most recent call last):
        ...
    serving.ledger.LedgerError: C1/pay: expected lines that sum to zero, found customer +500, advanced -400
    """

    claim_id: str
    step: str
    at: int
    lines: tuple[tuple[Account, int], ...]

    def __post_init__(self) -> None:
        shown = ", ".join(f"{account.value} {cents:+d}" for account, cents in self.lines)
        accounts = [account for account, _ in self.lines]
        if sum(cents for _, cents in self.lines) != 0:
            raise LedgerError(f"{self.claim_id}/{self.step}: expected lines that sum to zero, found {shown}")
        if len(self.lines) < 2 or len(set(accounts)) != len(accounts) or any(cents == 0 for _, cents in self.lines):
            raise LedgerError(
                f"{self.claim_id}/{self.step}: expected two or more lines, each account once, none zero; found {shown or 'none'}"
            )
        if self.step != PAY and any(account is Account.CUSTOMER and cents > 0 for account, cents in self.lines):
            raise LedgerError(f"{self.claim_id}/{self.step}: a customer is paid in the step {PAY!r} only, found {shown}")


def post(tx: Connection, postings: Iterable[Posting]) -> int:
    """Append postings; one that is already there with the same lines is left alone.

    Parameters
    ----------
    tx
        An open write transaction of the store.
    postings
        Balanced steps.

    Returns
    -------
    int
        How many were new.

    Raises
    ------
    LedgerError
        If a step was posted before with other amounts: the money has already moved differently, so a person must look.
    """
    wanted = list(postings)
    known = lines_of(tx, sorted({posting.claim_id for posting in wanted}))
    new = []
    for posting in wanted:
        lines = dict(posting.lines)
        posted = known.setdefault((posting.claim_id, posting.step), {})
        if not posted:
            posted.update(lines)
            new.append(posting)
        elif posted != lines:
            raise LedgerError(f"{posting.claim_id}/{posting.step}: already posted as {posted}, found {lines}; nothing was posted")
    if new:
        tx.execute(insert(POSTINGS), [{"claim_id": p.claim_id, "step": p.step, "at": p.at} for p in new])
        tx.execute(
            insert(LEDGER),
            [
                {"claim_id": p.claim_id, "step": p.step, "account": account.value, "amount_cents": cents}
                for p in new
                for account, cents in p.lines
            ],
        )
    return len(new)


def lines_of(tx: Connection, claim_ids: list[str]) -> dict[tuple[str, str], dict[Account, int]]:
    """Return the lines of some claims' postings, by (claim_id, step)."""
    found: dict[tuple[str, str], dict[Account, int]] = {}
    for row in tx.execute(select(LEDGER).where(LEDGER.c.claim_id.in_(claim_ids))):
        found.setdefault((row.claim_id, row.step), {})[Account(row.account)] = row.amount_cents
    return found


def balances(tx: Connection) -> dict[Account, int]:
    """Return the balance of every account over all claims, in signed cents; they sum to zero."""
    query = select(LEDGER.c.account, func.sum(LEDGER.c.amount_cents)).group_by(LEDGER.c.account)
    total = {account: int(cents) for account, cents in tx.execute(query)}
    return {account: total.get(account.value, 0) for account in Account}


def balances_of(tx: Connection, claim_ids: list[str]) -> dict[str, dict[Account, int]]:
    """Return the balances of single claims in signed cents, accounts at zero left out."""
    total = func.sum(LEDGER.c.amount_cents)
    query = select(LEDGER.c.claim_id, LEDGER.c.account, total).where(LEDGER.c.claim_id.in_(claim_ids))
    found: dict[str, dict[Account, int]] = {}
    for claim_id, account, cents in tx.execute(query.group_by(LEDGER.c.claim_id, LEDGER.c.account).having(total != 0)):
        found.setdefault(claim_id, {})[Account(account)] = int(cents)
    return found


def borne(balance: Mapping[Account, int]) -> dict[str, int]:
    """Return who bears how much of what was paid out, in cents, zero or more for each.

    Examples
    --------
    >>> borne({Account.CUSTOMER: 700, Account.SELLER: -200, Account.MARKETPLACE_ABSORBED: -500})["seller"]
    200
    """
    return {a.value: -balance.get(a, 0) for a in Account if a not in (Account.CUSTOMER, Account.EXPERTS)}
