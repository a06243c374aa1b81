"""What was done in the console, written into the audit log in the transaction of the deed itself."""

from __future__ import annotations

import json

from sqlalchemy import Connection

from serving import audit
from serving.driver import Driver

CONSOLE = "console"
"""The kind of entry; its subject is the user or the claim that the deed was about."""


def note(tx: Connection, who: str, did: str, about: str, now: int, **told: str) -> None:
    """Write down who did what about whom (``now`` in microseconds UTC); passwords and words of claimants are never told here.

    Examples
    --------
    >>> from serving.store import Store
    >>> with Store("sqlite://") as store, store.write() as tx:
    ...     note(tx, "ann", "sign-in", "ann", 5)
    ...     audit.head(Driver(tx)).seq
    1
    """
    body = json.dumps({"user": who, "did": did, **told}, sort_keys=True).encode()
    audit.append(Driver(tx), [audit.Entry(CONSOLE, about, now, body)])
