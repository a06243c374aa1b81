"""Where a claim stands at this very instant: as the last run of ``touchstone resolve`` left it, plus what was said and ran out since.

Nothing is written: carrying claims forward is the run's business. Two things only the run can judge are left out: what follows from an
expert's finding, which needs prices, and whether a proof of insurance is good, which needs the seller's standing.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from data_contracts.resolutions import AnswerKind
from serving.case import Case
from serving.casework import advance
from serving.proceedings import load, messages
from serving.resolution import State

_REVIEWED = (State.FILED, State.UNDER_REVIEW, State.UNDER_INVESTIGATION, State.EXAMINED)


def present(tx: Connection, claim_id: str, now: int) -> Case:
    """Return a case with proceedings as it stands at an instant.

    Parameters
    ----------
    tx
        A transaction of the store.
    claim_id
        A claim that has proceedings.
    now
        The instant, microseconds UTC.
    """
    (case,) = load(tx, [claim_id], {})
    if case.state in _REVIEWED:
        return case
    waiting, taken = messages(tx, [claim_id], now)
    before = now - 1  # what is said at the very deadline is in time, so a clock that ends now has not run out
    said = [
        replace(one, at=min(one.at, before))
        for one in waiting.get(claim_id, ())
        if one.party is not None and one.says is not AnswerKind.INSURANCE_PROOF
    ]
    return advance(case, said, taken.get(claim_id, set()), before, lambda _: (), lambda *_: True).case
