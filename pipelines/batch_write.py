"""A batch's decisions into the case store, without asking again what nobody can have changed.

Whether a claim is decided already is looked up for all of them before the first is decided. Every decision, whoever makes it, ends in the
audit log, so as long as the log ends where the batch left it, what was looked up still holds; only when somebody else wrote in
between are the claims of a piece looked up once more, inside the transaction that writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from serving import audit
from serving.audit import Head
from serving.decided import write_table
from serving.driver import Driver
from serving.opening import Parties
from serving.store import Store, add_decisions


@dataclass(eq=False)
class Writer:
    """Writes piece after piece of a batch.

    Parameters
    ----------
    store
        Where to.
    head
        Where the audit log ended before it was looked up which claims are undecided; moved on with every piece.
    """

    store: Store
    head: Head

    @classmethod
    def of(cls, store: Store) -> Writer:
        """Note where the log ends: to be called before the claims are looked up."""
        with store.view() as view:
            return cls(store, audit.head(Driver(view)))

    def keep(self, decisions: pa.Table, minutes: Mapping[str, int], parties: Parties, content: bytes | None = None) -> int:
        """Keep decisions on claims that were undecided when they were looked up, each claim once, in one transaction.

        Parameters
        ----------
        decisions
            In the Arrow types of the decisions contract.
        minutes, parties
            As for :meth:`serving.store.Store.record_decisions`.
        content
            What :func:`serving.attachments.packed` makes of the decisions, if that is at hand.

        Returns
        -------
        int
            How many were new: all, unless somebody else has decided some of the claims meanwhile.
        """
        with self.store.write() as tx:
            driver = Driver(tx)
            audit.lock(driver)
            if audit.head(driver) == self.head:
                new, head = len(decisions), write_table(tx, decisions, minutes, parties, self.head, content)
            else:
                new, head = add_decisions(tx, decisions, minutes, parties), audit.head(driver)
        self.head = head
        return new
