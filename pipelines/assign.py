"""Assign: on a morning, decides who is to look at which waiting case, which claims are one file, and which cases measure experts.

What experts err on is learned from everything they answered before the week began; the assignment is the most valuable one that leaves no
deadline to luck, and leases follow it for two days. One transaction and one mark: a morning that was planned is not planned again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pandas as pd
from sqlalchemy import Connection, exists, func, select

from data_contracts import LABELS
from models import dispatch
from models.assignment import Assignment
from models.known_experts import KnownExperts, known_experts
from models.policy import Policy
from models.quality_checks import Checks, golden
from models.review import Capacity
from models.splits import components
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.waiting import READ, Waiting, cases_of, waiting
from serving import handover, queue, ring_work, second_looks
from serving.casefile import Filed, keep_filings
from serving.expert_answers import answers_of, truths
from serving.instants import DAY, instants, micros, weekday
from serving.queue import CaseState, Tier
from serving.schema import CASES, CLAIMS_TABLE, EXPERT_ANSWERS, RECEIPTS
from serving.schema_parties import CASE_FILINGS, RING_FILES, SECOND_LOOKS
from serving.second_looks import Why
from serving.standing import Standing
from serving.store import Store, mark, set_mark

MARK = "assigned"
"""Names how far mornings are planned in the store."""

_MOST_ANSWERS = 20_000
_RELATED = 90 * DAY  # claims of one ring are filed within weeks of each other

Learned = Mapping[Tier, KnownExperts | None]
"""What is known of the experts of each tier, by now."""


@dataclass(frozen=True)
class Assigned:
    """What one morning brought.

    Parameters
    ----------
    waiting, assigned
        Cases that wait, and those of them that are meant for an expert now.
    files, filed
        Files of rings that were opened, and their cases.
    gold
        Cases of known truth given out to measure experts.
    broken
        Deadlines that will be missed whatever is done.
    value_cents
        What the looks that were assigned are expected to save.
    """

    waiting: int = 0
    assigned: int = 0
    files: int = 0
    filed: int = 0
    gold: int = 0
    broken: int = 0
    value_cents: int = 0


@dataclass
class Mornings:
    """Plans mornings one after the other.

    Parameters
    ----------
    store
        Its queue.
    claims, seller_events
        Tables of the lake.
    policy, checks
        Prices, and how experts are measured.
    """

    store: Store
    claims: pd.DataFrame
    seller_events: pd.DataFrame | None
    policy: Policy
    checks: Checks = field(default_factory=Checks)

    def __post_init__(self) -> None:
        self._standing = Standing(self.seller_events)
        self._learned: tuple[int, Learned] = (-1, {})

    @classmethod
    def at(cls, home: Home, store: Store, policy: Policy) -> Mornings:
        """Plan with the tables of a home."""
        lake = Lake.of(home)
        columns = tuple(dict.fromkeys((*READ, *Filed.model_fields)))
        return cls(store, lake.read("claims", columns), lake.read("seller_events"), policy)

    def __call__(self, morning: datetime) -> Assigned:
        """Plan a morning; one that was planned already is left as it is, and at the weekend nobody works."""
        now = micros(morning)
        with self.store.write() as tx:
            if (mark(tx, MARK) or -1) >= now or weekday(now) >= 5:
                return Assigned()  # what is meant for somebody on a weekend is free again before they come to work
            self._bring(tx)
            learned = self._known(tx, now)
            policy = dispatch.learned_policy(self.policy, learned[Tier.DESK], learned[Tier.INVESTIGATION])
            files = self._open_files(tx, policy, now)
            gold = self._give_gold(tx, now)
            found = self._assign(tx, learned, now)
            set_mark(tx, MARK, now)
        return Assigned(**{**found, "files": len(files), "filed": sum(map(len, files)), "gold": gold})

    def second_opinions(self, as_of: datetime) -> int:
        """Buy another look at what was answered by an instant and not judged yet, where it is worth more than it costs."""
        now = micros(as_of)
        with self.store.write() as tx:
            known = self._known(tx, now)[Tier.DESK]
            if known is None:
                return 0
            taken = exists().where(EXPERT_ANSWERS.c.claim_id == CASES.c.claim_id, RECEIPTS.c.message_id == EXPERT_ANSWERS.c.answer_id)
            looked = exists().where(SECOND_LOOKS.c.claim_id == CASES.c.claim_id)
            answered = (CASES.c.tier == Tier.DESK.value, CASES.c.state == CaseState.ANSWERED.value, ~taken, ~looked)
            cases = cases_of(tx, answered, self.claims, self._standing, self.policy, self.checks, worked_in=False)
            said = answers_of(tx, self.checks, _MOST_ANSWERS).drop_duplicates("claim_id").set_index("claim_id")
            rows = said.reindex(cases.rows["claim_id"])
            mine = rows["expert"].isin(known.names).to_numpy() & (rows["answered_at"] <= now).to_numpy()
            cases, rows = cases.only(mine), rows[mine]
            expert = rows["expert"].map({name: place for place, name in enumerate(known.names)}).to_numpy(dtype=np.intp)
            label = rows["label"].map({name: place for place, name in enumerate(LABELS)}).to_numpy(dtype=np.intp)
            time = self._plan(tx, Tier.DESK, known, waiting(tx, self.claims, self._standing, self.policy, self.checks, now), now)[1].prices
            worth = dispatch.worth_a_second(known, cases.priced, self.policy.desk, expert, label, time)
            return sum(second_looks.ask(tx, claim, Why.BOUGHT, now) is not None for claim in cases.rows["claim_id"][worth])

    def _known(self, tx: Connection, now: int) -> Learned:
        """Return what the answers before this week tell of the experts: the same on all its days, however often it is begun."""
        week = (now // DAY + 3) // 7
        if self._learned[0] != week:
            said = answers_of(tx, self.checks, _MOST_ANSWERS, (week * 7 - 3) * DAY)
            of = {tier: said[said["tier"] == tier.value] for tier in Tier}
            priors = {Tier.DESK: self.policy.desk.confusion, Tier.INVESTIGATION: self.policy.investigation.confusion}
            self._learned = (week, {tier: known_experts(rows, np.array(priors[tier])) if len(rows) else None for tier, rows in of.items()})
        return self._learned[1]

    def _bring(self, tx: Connection) -> None:
        """Bring what was filed to the cases of batches."""
        held = [exists().where(table.c.claim_id == CASES.c.claim_id) for table in (CLAIMS_TABLE, CASE_FILINGS)]
        missing = list(tx.execute(select(CASES.c.claim_id).where(*(~one for one in held))).scalars())
        if missing:
            keep_filings(tx, self.claims[self.claims["claim_id"].isin(missing)].to_dict("records"))

    def _open_files(self, tx: Connection, policy: Policy, now: int) -> list[tuple[str, ...]]:
        """Open files of rings, as many as investigators can still take this month."""
        filed, still = select(RING_FILES.c.claim_id), CASES.c.state.in_([CaseState.OPEN.value, CaseState.LEASED.value])
        alone = (
            select(func.count()).select_from(CASES).where(CASES.c.tier == Tier.INVESTIGATION.value, still, CASES.c.claim_id.not_in(filed))
        )
        begun = select(func.count(RING_FILES.c.file_id.distinct())).where(RING_FILES.c.opened_at > now - 30 * DAY)
        room = Capacity.of(policy, days=30).investigations - tx.execute(alone).scalar_one() - tx.execute(begun).scalar_one()
        if room <= 0:
            return []
        fresh = (CASES.c.state == CaseState.OPEN.value, CASES.c.token == 0, CASES.c.opened_at <= now, CASES.c.claim_id.not_in(filed))
        cases = cases_of(tx, (*fresh, CASES.c.due_at > now), self.claims, self._standing, policy, self.checks)
        found = dispatch.files_of_rings(policy, cases.priced, lambda: self._components(cases.rows["claim_id"], now))
        names, minutes = cases.rows["claim_id"].to_numpy(), queue.minutes_of(policy)[Tier.INVESTIGATION.value]
        opened = [
            ring_work.open_file(tx, names[list(file.claims)].tolist(), round(file.value_cents), now, minutes) for file in found[:room]
        ]
        return [claims for claims in opened if claims]

    def _components(self, claim_ids: pd.Series, now: int) -> np.ndarray:
        """Return the link component of each claim among those filed lately; -1 for an older one."""
        since, until = instants([now - _RELATED, now])
        related = self.claims[(self.claims["filed_at"] > since) & (self.claims["filed_at"] < until)]
        found = pd.Series(components(related), index=related["claim_id"]).reindex(claim_ids)
        numbers: np.ndarray = found.fillna(-1).to_numpy(dtype=np.int64)
        return numbers

    def _give_gold(self, tx: Connection, now: int) -> int:
        """Give out desk cases whose truth has come to light, so many that their share of all answers is what the checks say."""
        desk = CASES.c.tier == Tier.DESK.value
        answers = tx.execute(select(func.count()).select_from(EXPERT_ANSWERS.join(CASES)).where(desk)).scalar_one()
        asked = tx.execute(select(func.count()).select_from(SECOND_LOOKS).where(SECOND_LOOKS.c.why == Why.GOLD.value)).scalar_one()
        wanted = int(self.checks.gold * answers) - asked
        if wanted <= 0:
            return 0
        fresh = ~exists().where(SECOND_LOOKS.c.claim_id == CASES.c.claim_id)
        answered = select(CASES.c.claim_id).where(desk, CASES.c.state == CaseState.ANSWERED.value, fresh)
        known = truths(tx, now)
        candidates = [claim for claim in tx.execute(answered).scalars() if claim in known]
        return sum(second_looks.ask(tx, claim, Why.GOLD, now) is not None for claim in golden(self.checks, candidates)[:wanted])

    def _assign(self, tx: Connection, learned: Learned, now: int) -> dict[str, int]:
        cases = waiting(tx, self.claims, self._standing, self.policy, self.checks, now)
        counts = {"waiting": len(cases.rows), "assigned": 0, "broken": 0, "value_cents": 0}
        for tier, known in learned.items():
            if known is None:
                continue
            mine, found = self._plan(tx, tier, known, cases, now)
            given = {claim: known.names[place] for claim, place in zip(mine.rows["claim_id"], found.expert, strict=True) if place >= 0}
            counts["assigned"] += len(handover.assign(tx, given, now))
            counts["broken"] += found.broken
            counts["value_cents"] += round(found.value)
        return counts

    def _plan(self, tx: Connection, tier: Tier, known: KnownExperts, cases: Waiting, now: int) -> tuple[Waiting, Assignment]:
        """Return the cases of a tier and the best assignment of them to its experts."""
        mine = cases.only((cases.rows["tier"] == tier.value).to_numpy(dtype=bool))
        since, prices = now - 28 * DAY, self.policy.desk if tier is Tier.DESK else self.policy.investigation
        theirs = EXPERT_ANSWERS.join(CASES, CASES.c.claim_id == EXPERT_ANSWERS.c.claim_id)
        columns = (EXPERT_ANSWERS.c.expert, EXPERT_ANSWERS.c.answered_at)
        lately = select(*columns).select_from(theirs).where(CASES.c.tier == tier.value, EXPERT_ANSWERS.c.answered_at > since)
        said = pd.DataFrame([tuple(row) for row in tx.execute(lately)], columns=["expert", "answered_at"])
        room = dispatch.paces(said, known.names, now)
        return mine, dispatch.plan(known, mine.priced, prices, mine.allowed(tx, known.names), room, mine.due_in_days(now), weekday(now))
