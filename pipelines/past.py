"""The case store as it stood at an instant: a page about a day in the past must not know what came after it.

Logs are cut by their own instants. Of the queue's cases the store keeps where they stand now: what came later is taken back by the log of
answers and the instant of the lease. A withdrawal has no instant: a case withdrawn by now counts as withdrawn from its beginning.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pandas as pd

from serving.ledger import Account
from serving.queue import CaseState
from serving.store import Store

_KNOWN_AT = {
    "decisions": "decided_at",
    "cases": "opened_at",
    "expert_answers": "answered_at",
    "shadow_decisions": "decided_at",
    "postings": "at",
    "second_looks": "asked_at",
}
"""By table: the instant at which a row came to be."""


class Readable(Protocol):
    """Whatever gives the store's tables as frames: the store itself, or its past."""

    def read(self, table: str) -> pd.DataFrame:
        """Return a table in order of its key."""
        ...


@dataclass(frozen=True)
class Past:
    """What a store held at an instant.

    Parameters
    ----------
    store
        The store as it is now.
    as_of
        Rows count up to and including this instant.
    """

    store: Store
    as_of: datetime

    def read(self, table: str) -> pd.DataFrame:
        """Return a table as it stood; ``KeyError`` for one whose past is not known (any but those of this module and ``ledger``)."""
        if table == "ledger":
            posted = self.read("postings")[["claim_id", "step"]]
            return self.store.read("ledger").merge(posted, on=["claim_id", "step"], validate="many_to_one")
        if table not in _KNOWN_AT:
            raise KeyError(f"no past of the table {table!r}; expected ledger or one of {', '.join(sorted(_KNOWN_AT))}")
        rows = self._until(table)
        return self._as_it_stood(rows) if table == "cases" else rows

    def balances(self) -> dict[Account, int]:
        """Return the balance of every account over all claims, in signed cents; they sum to zero, as :func:`serving.ledger.balances`."""
        total = self.read("ledger").groupby("account")["amount_cents"].sum()
        return {account: int(total.get(account.value, 0)) for account in Account}

    def _until(self, table: str) -> pd.DataFrame:
        rows = self.store.read(table)
        return rows[rows[_KNOWN_AT[table]] <= pd.Timestamp(self.as_of)].reset_index(drop=True)

    def _as_it_stood(self, cases: pd.DataFrame) -> pd.DataFrame:
        """Take back answers, leases and second looks that came later."""
        until = pd.Timestamp(self.as_of)
        said = self.read("expert_answers").groupby("claim_id")["token"].max()
        looks = self.read("second_looks")
        again = looks[looks["due_at"] > until].groupby("claim_id")["token"].max()
        first, second = (tokens.reindex(cases["claim_id"], fill_value=-1).set_axis(cases.index) for tokens in (said, again))
        answered = (first > second) & (cases["state"] != CaseState.WITHDRAWN.value)
        later = (cases["state"] == CaseState.ANSWERED.value) | ((cases["state"] == CaseState.LEASED.value) & (cases["leased_at"] > until))
        state = cases["state"].mask(later, CaseState.OPEN.value)
        return cases.assign(state=state.mask(answered, CaseState.ANSWERED.value))
