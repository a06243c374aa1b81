"""Resolve: carries every decided claim forward to an instant, in order of time, until nothing more happens.

A verb over the store: experts' findings, parties' answers and clocks become events, money and labels, a few hundred claims
per transaction. Running again for the same instant changes nothing; killed anywhere and run again, it ends where an
undisturbed run ends.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data_contracts import ANSWERS, RESOLUTIONS, Action, Label
from data_contracts.check import check
from models.experts import after_answer
from models.policy import Policy
from models.review import TIERS, action_after
from pipelines.assign import Mornings
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.received import export_received
from pipelines.source import read_file
from pipelines.validate import Counts, count
from serving import casework, proceedings, second_looks
from serving.case import Advance, Case, Message, as_found
from serving.instants import micros
from serving.ledger import Account, balances, borne
from serving.proceedings import ClaimFacts
from serving.resolution import RESOLVED
from serving.standing import Standing
from serving.store import Store

CLAIMS_PER_TRANSACTION = 500
"""Small enough that a reader never waits long, large enough that transactions cost nothing."""

Progress = Callable[[int, int], None]
"""Told (claims done, claims in all) after every transaction."""


@dataclass(frozen=True)
class Resolution:
    """What one run did and where everything stands now.

    Parameters
    ----------
    opened, events, answers, verdicts
        Claims opened, transitions taken, messages taken and rows added to the resolutions by this run.
    cases_open, cases_resolved
        Claims whose money is not yet, and is, settled; together all claims decided by now.
    by_state
        Claims in each state.
    ledger_balance_cents
        Sum of all ledger lines: always zero.
    paid_cents
        What customers have received and kept, in cents.
    borne_cents
        Who bears how much of what was paid out, in cents.
    """

    opened: int
    events: int
    answers: int
    verdicts: int
    cases_open: int
    cases_resolved: int
    by_state: Mapping[str, int]
    ledger_balance_cents: int
    paid_cents: int
    borne_cents: Mapping[str, int]


def run(
    store: Store,
    tables: Mapping[str, pd.DataFrame],
    as_of: pd.Timestamp,
    parties: casework.Respond | None = None,
    progress: Progress | None = None,
    policy: Policy | None = None,
) -> Resolution:
    """Carry every decided claim forward to ``as_of``.

    Parameters
    ----------
    store
        Decisions, experts' answers and the inbox; receives proceedings, ledger and resolutions.
    tables
        ``claims`` and, if there are any, ``seller_events``.
    as_of
        Up to when, inclusive; every resolution of the run is known at this instant.
    parties
        Asked what sellers, insurers and customers say to a case as it stands; without it only the inbox counts.
    progress
        Told how far the run is.
    policy
        Prices what follows from an expert's finding; without it an expert is taken at their word.

    Returns
    -------
    Resolution
        What happened, and the totals.

    Raises
    ------
    serving.proceedings.UnknownClaimError
        If a decided claim is missing in ``tables["claims"]``.
    """
    until = micros(as_of)
    with store.write() as tx:
        second_looks.lapse(tx, until)
    with store.view() as view:
        new = proceedings.unopened(view, until)
        todo = sorted({*new, *proceedings.awaited(view, until, parties is not None)})
    facts = _facts(tables["claims"], new)
    standing = Standing(tables.get("seller_events"))
    conclude = as_found if policy is None else _Priced(policy, standing)
    done = _Done()
    for start in range(0, len(todo), CLAIMS_PER_TRANSACTION):
        some = todo[start : start + CLAIMS_PER_TRANSACTION]
        with store.write() as tx:
            proceedings.hold(tx, some)  # two runs at once would move a claim twice
            cases = proceedings.load(tx, some, facts)
            waiting, taken = proceedings.messages(tx, some, until)
            moved = []
            for case in cases:
                inbox, seen = waiting.get(case.claim_id, ()), taken.get(case.claim_id, ())
                moved.append((case, casework.advance(case, inbox, seen, until, parties or _silent, standing.compliant, conclude)))
            proceedings.write(tx, moved, until)
        done.add(moved)
        if progress is not None:
            progress(start + len(some), len(todo))
    return _totals(store, done)


def settle(
    home: Home,
    store: Store,
    as_of: pd.Timestamp,
    policy: Policy,
    parties: casework.Respond | None = None,
    progress: Progress | None = None,
) -> Resolution:
    """Buy second opinions where they are worth it, carry every case forward, and bring what was resolved into the lake.

    Resolutions recorded at one instant are one batch of the lake, so a run that was killed between store and lake is
    completed by the next one. Parameters as in :func:`run`.
    """
    export_received(home, store)
    lake = Lake.of(home)
    tables = lake.tables(["claims", "seller_events"])
    Mornings(store, tables["claims"], tables["seller_events"], policy).second_opinions(as_of.to_pydatetime())
    done = run(store, tables, as_of, parties, progress, policy)
    recorded = store.read(RESOLUTIONS.name)
    for known_at, rows in recorded.groupby("known_at", sort=True):
        batch = f"resolve-{known_at:%Y%m%dT%H%M%S.%f}"
        if lake.count(RESOLUTIONS.name, batch) != len(rows):
            lake.append(RESOLUTIONS.name, rows, batch)
    return done


def receive(home: Home, store: Store, file: Path) -> Counts:
    """Put a file of answers into the inbox: good rows to the store, bad rows to quarantine with every reason.

    Parameters
    ----------
    home
        Lake (the claims that answers refer to) and quarantine.
    store
        Its inbox receives the answers; one that is there already is left alone.
    file
        ``.csv`` or ``.parquet`` with the columns of the contract ``answers``.

    Returns
    -------
    Counts
        Rows read, accepted and quarantined; the quarantine's batch is named by the file and its content.

    Raises
    ------
    data_contracts.ContractError
        If the file cannot be read by the contract at all.
    """
    export_received(home, store)
    arrived = read_file(file, ANSWERS)
    lake = Lake.of(home)
    halves = check(arrived.frame, ANSWERS, {"claims": lake.read("claims")})
    quarantined = pd.concat([halves.quarantined, arrived.broken], ignore_index=True)
    if len(quarantined):
        lake.quarantine(ANSWERS.name, quarantined, _batch_of(file))
    store.add_answers(halves.accepted)
    return count(ANSWERS.name, arrived, halves, quarantined)


def _batch_of(file: Path) -> str:
    """Name a file's batch so that another file of the same name replaces nothing, whatever characters the name has."""
    content = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    return f"received-{re.sub('[^A-Za-z0-9_.+-]', '-', file.stem)}-{content}"


@dataclass(frozen=True)
class _Priced:
    """Concludes from a finding by the prices: the action of least expected cost once the finding is known (Bayes' rule)."""

    policy: Policy
    standing: Standing

    def __call__(self, case: Case, label: Label) -> Action:
        insured = np.array([self.standing.insured_at(case.seller_id, case.opened_at)])
        amount, proba, tier = np.array([case.amount_cents]), np.array([case.proba]), case.tier.value
        *earlier, last = case.findings or (label,)
        for one in earlier:
            proba = after_answer(proba, np.array([one.value]), np.array(self.policy.tiers[TIERS.index(tier)].confusion))
        after = action_after(self.policy, proba, tier, np.array([last.value]), amount, insured)
        return Action(after["automatic_action"].iloc[0])


class _Done:
    """Counts what a run did."""

    def __init__(self) -> None:
        self.opened = self.events = self.answers = self.verdicts = 0

    def add(self, moved: list[tuple[Case, Advance]]) -> None:
        for before, after in moved:
            self.opened += before.seq == 0
            self.events += len(after.steps)
            self.answers += len(after.receipts)
            self.verdicts += len(after.noted) + sum(step.resolved is not None for step in after.steps)


def _silent(_: Case) -> tuple[Message, ...]:
    return ()


def _facts(claims: pd.DataFrame, wanted: list[str]) -> dict[str, ClaimFacts]:
    mine = claims[claims["claim_id"].isin(wanted)]
    columns = (mine[name].tolist() for name in ("claim_id", "customer_id", "seller_id", "product_id", "amount_cents"))
    return {claim_id: ClaimFacts(*rest) for claim_id, *rest in zip(*columns, strict=True)}


def _totals(store: Store, done: _Done) -> Resolution:
    with store.view() as view:
        states, balance = proceedings.by_state(view), balances(view)
    resolved = sum(states[state] for state in RESOLVED)
    return Resolution(
        opened=done.opened,
        events=done.events,
        answers=done.answers,
        verdicts=done.verdicts,
        cases_open=sum(states.values()) - resolved,
        cases_resolved=resolved,
        by_state={state.value: count for state, count in states.items()},
        ledger_balance_cents=sum(balance.values()),
        paid_cents=balance[Account.CUSTOMER],
        borne_cents=borne(balance),
    )
