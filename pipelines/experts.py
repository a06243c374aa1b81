"""Lets the simulated external firm work the queue, day by day, as nothing but a client of the endpoint's ``/v1/cases``.

A day: at nine the day's cases are leased, in working hours answers are sent, in the evening leases that would end too soon are prolonged.
What the firm holds and how far it has come stands in a diary of its own, written at the end of each day. A day that was broken off is
done again: its leases carry idempotency keys and an answer sent twice is one answer, so it ends like a day that was never disturbed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import pandas as pd

from data_contracts import Label
from models.policy import Policy
from pipelines.diary import Diary
from pipelines.firm import Expert, Finding, Firm, caseload, examine, hire, is_present, is_weekend
from pipelines.firm_desks import Desks, office_of
from serving.case_messages import MOST_AT_ONCE
from serving.casefile import CaseFile
from serving.client import ProblemError
from serving.instants import DAY, SECOND, micros, moment
from serving.store import Store

_MORNING, _OPENING, _EVENING = 8 * 3600 * SECOND, 9 * 3600 * SECOND, 17 * 3600 * SECOND  # one expert a minute after the other
_HOUR = 3600 * SECOND

Progress = Callable[[int, int], None]
"""Told (days done, days in all) after every day."""

Morning = Callable[[datetime], object]
"""Told the morning of every day before the firm begins it: where the marketplace plans who is to look at what."""

Truths = Mapping[str, tuple[Label, float]]
"""Claim → (truth, difficulty)."""


@dataclass(frozen=True)
class Worked:
    """What one call did: days worked, cases leased, cases answered, and what the endpoint refused (too late, contradictory)."""

    days: int
    leased: int
    answered: int
    refused: int = 0


class UnknownTruthError(ValueError):
    """No case that is with an expert is in the sealed world: it is the world of another simulation."""


def work(
    desks: Desks,
    world: pd.DataFrame,
    since: datetime,
    as_of: datetime,
    seed: int = 0,
    firm: Firm | None = None,
    progress: Progress | None = None,
    diary: Diary | None = None,
    morning: Morning | None = None,
) -> Worked:
    """Work the queue through every whole day that ends by ``as_of``.

    Parameters
    ----------
    desks
        How the endpoint is reached; it must believe the simulated clock.
    world
        Sealed rows ``claim_id, truth, difficulty`` of at least some claims in the queue.
    since
        The firm's first day, where its diary is empty.
    as_of
        Present simulated instant; every answer is before it.
    seed
        Fixes all chance: the same cases, world, seed and days give the same answers.
    firm
        Who works; by default :func:`pipelines.firm.hire` with the same seed.
    progress
        Told how far the run is.
    diary
        What the firm holds and how far it has come; by default an empty one, kept nowhere.
    morning
        Told every day's beginning; the firm knows nothing of what is done then.

    Returns
    -------
    Worked
        What was done by this call; zero days if the firm has come this far already.

    Raises
    ------
    UnknownTruthError
        If none of the cases that are with an expert is in the world.
    serving.client.ProblemError
        If the endpoint refuses what a firm may do.
    """
    firm, diary = firm or hire(seed), diary or Diary()
    truths = {
        claim: (Label(truth), float(hard))
        for claim, truth, hard in zip(world["claim_id"], world["truth"], world["difficulty"], strict=True)
    }
    days = range(micros(since) // DAY * DAY if diary.day is None else diary.day, micros(as_of) - DAY + 1, DAY)
    counts: Counter[str] = Counter()
    for done, day in enumerate(days, start=1):
        if morning is not None:
            morning(moment(day + _MORNING))
        counts += _Day(firm, desks, truths, seed, day, dict(diary.held)).spend(diary)
        if progress is not None:
            progress(done, len(days))
    return Worked(len(days), counts["leased"], counts["answered"], counts["refused"])


def work_here(
    store: Store,
    world: pd.DataFrame,
    since: datetime,
    as_of: datetime,
    seed: int = 0,
    firm: Firm | None = None,
    progress: Progress | None = None,
    diary: Diary | None = None,
    policy: Policy | None = None,
    morning: Morning | None = None,
) -> Worked:
    """Let the firm work a store through an endpoint of its own; the rest as in :func:`work` and :func:`pipelines.firm_desks.office_of`."""
    firm = firm or hire(seed)
    with office_of(store, firm, policy) as desks:
        return work(desks, world, since, as_of, seed, firm, progress, diary, morning)


@dataclass
class _Day:
    """One day of the firm; ``held`` is what its people hold, claim → (holder, file)."""

    firm: Firm
    desks: Desks
    truths: Truths
    seed: int
    day: int
    held: dict[str, tuple[str, CaseFile]]

    def spend(self, diary: Diary) -> Counter[str]:
        counts: Counter[str] = Counter(leased=self._lease())
        if self.held and not any(claim in self.truths for claim in self.held):
            raise UnknownTruthError(f"case {min(self.held)}: expected in the sealed world, found nothing; use the world of this simulation")
        findings = self._findings()
        counts += self._answer({claim: found for claim, found in findings.items() if found is not None and found.at < self.day + DAY})
        self._renew(findings)
        diary.keep(self.day + DAY, {claim: one for claim, one in self.held.items() if micros(one[1].expires_at) > self.day + DAY})
        return counts

    def _lease(self) -> int:
        taken = 0
        for place, expert in enumerate(self.firm.experts):
            wanted = caseload(self.firm, expert, self.day, self.seed)
            desk = self.desks(expert.name).at(moment(self.day + _OPENING + place * 60 * SECOND))
            for start in range(0, wanted, MOST_AT_ONCE):
                key = f"{self.seed}:{self.day}:{start}"
                files = desk.lease(expert.tier, min(MOST_AT_ONCE, wanted - start), key)
                self.held |= {file.claim_id: (expert.name, file) for file in files}
                taken += len(files)
                if not files:
                    break
        return taken

    def _findings(self) -> dict[str, Finding | None]:
        people = {expert.name: expert for expert in self.firm.experts}
        found: dict[str, Finding | None] = {}
        for claim, (name, file) in self.held.items():
            # A claim that came by the endpoint was never simulated: nobody can examine it here, and it is left to its clock.
            known = claim in self.truths and name in people
            found[claim] = examine(self.firm, people[name], file, *self.truths[claim], self.seed) if known else None
        return found

    def _answer(self, due: Mapping[str, Finding]) -> Counter[str]:
        counts: Counter[str] = Counter()
        for claim, finding in sorted(due.items(), key=lambda pair: (pair[1].at, pair[0])):
            name, file = self.held.pop(claim)
            desk = partial(self._say, name, file, minutes=finding.minutes)
            counts["answered" if desk(finding.at, finding.label) else "refused"] += 1
            if finding.contradicts is not None:
                counts["refused"] += not desk(finding.at + _HOUR, finding.contradicts)
        return counts

    def _say(self, name: str, file: CaseFile, at: int, label: Label, minutes: int) -> bool:
        """Send an answer, and tell whether it was taken."""
        try:
            self.desks(name).at(moment(at)).answer(file.claim_id, file.token, label, minutes, f"Examined and found {label.value}.")
        except ProblemError as refused:
            if refused.problem.status != 409:
                raise
            return False
        return True

    def _renew(self, findings: Mapping[str, Finding | None]) -> None:
        """Prolong in the evening the leases that might end while their holder is away for a day."""
        until = self.day + _EVENING
        for _ in range(2):
            until = _next_weekday(until)
        for place, expert in enumerate(self.firm.experts):
            if not is_present(self.firm, expert, self.day, self.seed):
                continue
            at = self.day + _EVENING + place * 60 * SECOND
            for claim, (name, file) in sorted(self.held.items()):
                found = findings.get(claim)
                ends = micros(file.expires_at)
                if name == expert.name and found is not None and not found.forgets and ends <= until and found.at >= ends:
                    self.held[claim] = (name, self._prolonged(expert, file, at))

    def _prolonged(self, expert: Expert, file: CaseFile, at: int) -> CaseFile:
        try:
            renewed = self.desks(expert.name).at(moment(at)).renew(file.claim_id, file.token)
        except ProblemError as refused:
            if refused.problem.status != 409:  # decided without the expert, or the lease is over
                raise
            return file
        return file.model_copy(update={"expires_at": renewed.expires_at})


def _next_weekday(instant: int) -> int:
    instant += DAY
    while is_weekend(instant // DAY * DAY):
        instant += DAY
    return instant
