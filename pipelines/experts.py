"""Lets the simulated external firm work the queue, day by day, under leases like anybody else.

One day is one transaction: the leases taken, the answers given, and the mark of how far the firm has come. So a killed run,
started again, ends with the same answers as one that was never disturbed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection, func, select

from data_contracts import Label
from pipelines.firm import Finding, Firm, caseload, examine, hire
from serving import queue
from serving.instants import DAY, SECOND, micros
from serving.queue import CaseState, Lease, Tier
from serving.schema import CASES, DECISIONS_TABLE
from serving.store import Store, mark, set_mark

MARK = "experts"
"""Name of the mark: the firm has worked every day before it."""

_OPENING = 9 * 3600 * SECOND  # the day's cases are taken at nine, one expert a minute after the other

Progress = Callable[[int, int], None]
"""Told (days done, days in all) after every day."""

Truths = Mapping[str, tuple[Label, float]]
"""Claim → (truth, difficulty)."""


@dataclass(frozen=True)
class Worked:
    """What one call did: days worked, cases leased, cases answered."""

    days: int
    leased: int
    answered: int


class UnknownTruthError(ValueError):
    """No case that is with an expert is in the sealed world: it is the world of another simulation."""


def work(
    store: Store,
    world: pd.DataFrame,
    as_of: pd.Timestamp,
    seed: int = 0,
    firm: Firm | None = None,
    progress: Progress | None = None,
) -> Worked:
    """Work the queue through every whole day that ends by ``as_of``.

    Parameters
    ----------
    store
        The case store.
    world
        Sealed rows ``claim_id, truth, difficulty`` of at least the claims in the queue.
    as_of
        Present simulated instant; every answer is before it.
    seed
        Fixes all chance: the same store, world, seed and days give the same answers.
    firm
        Who works; by default :func:`pipelines.firm.hire` with the same seed.
    progress
        Told how far the run is.

    Returns
    -------
    Worked
        What was done by this call; zero days if the firm has come this far already or the queue was never used.

    Raises
    ------
    UnknownTruthError
        If a case that is examined is not in the world.
    """
    firm = firm or hire(seed)
    truths = {
        claim: (Label(truth), float(hard))
        for claim, truth, hard in zip(world["claim_id"], world["truth"], world["difficulty"], strict=True)
    }
    days = _days_to_work(store, micros(as_of))
    leased = answered = 0
    for done, day in enumerate(days, start=1):
        with store.write() as tx:
            leased += _take_cases(tx, firm, day, seed)
            answered += _answer_cases(tx, firm, day, truths, seed)
            set_mark(tx, MARK, day + DAY)
        if progress is not None:
            progress(done, len(days))
    return Worked(len(days), leased, answered)


def _days_to_work(store: Store, until: int) -> range:
    with store.view() as view:
        start = mark(view, MARK)
        if start is None:
            first = view.execute(select(func.min(CASES.c.opened_at))).scalar_one()
            start = until if first is None else first // DAY * DAY
    return range(start, until - DAY + 1, DAY)


def _take_cases(tx: Connection, firm: Firm, day: int, seed: int) -> int:
    taken = 0
    for place, expert in enumerate(firm.experts):
        cases = caseload(firm, expert, day, seed)
        if cases:
            now = day + _OPENING + place * 60 * SECOND
            taken += len(queue.lease(tx, expert.tier, expert.name, now, firm.lease_for(expert.tier), limit=cases))
    return taken


def _answer_cases(tx: Connection, firm: Firm, day: int, truths: Truths, seed: int) -> int:
    due: list[tuple[Lease, Finding]] = []
    running = _held(tx, day)
    # A claim that came by the endpoint was never simulated: nobody can examine it here, and it is left to its clock.
    examinable = [(held, scores) for held, scores in running if held.claim_id in truths]
    if running and not examinable:
        case = running[0][0].claim_id
        raise UnknownTruthError(f"case {case}: expected in the sealed world, found nothing; use the world of this simulation")
    for held, scores in examinable:
        found = examine(firm, held, *truths[held.claim_id], scores, seed)
        if found is not None and found.answered_at < min(day + DAY, held.expires_at):
            due.append((held, found))
    for held, found in sorted(due, key=lambda pair: (pair[1].answered_at, pair[0].claim_id)):
        queue.answer(tx, held, found.label, found.minutes, found.fee_cents, found.answered_at)
    return len(due)


def _held(tx: Connection, day: int) -> list[tuple[Lease, tuple[float, float, float]]]:
    """Return every lease that still runs on a day, with the model's probabilities as the expert sees them."""
    query = (
        select(CASES, DECISIONS_TABLE.c.p_valid, DECISIONS_TABLE.c.p_unsubstantiated, DECISIONS_TABLE.c.p_abusive)
        .join(DECISIONS_TABLE, DECISIONS_TABLE.c.claim_id == CASES.c.claim_id)
        .where(CASES.c.lease_expires_at > day, CASES.c.state.in_([CaseState.LEASED.value, CaseState.WITHDRAWN.value]))
    )
    return [
        (
            Lease(row.claim_id, Tier(row.tier), row.holder, row.token, row.leased_at, row.lease_expires_at),
            (row.p_valid, row.p_unsubstantiated, row.p_abusive),
        )
        for row in tx.execute(query)
    ]
