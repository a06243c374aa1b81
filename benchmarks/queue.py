"""Kill -9 among experts and runs of ``touchstone resolve`` on one PostgreSQL store; then how many leases a second each database gives.

Eight processes lease cases, answer most, forget some and try to answer those when their leases have long ended; two more carry claims
forward and pay. A random one of the ten is killed again and again, and another takes its place, until every case is answered. At the end:
no case is lost, none was held by two at once (each process writes down what it was leased), none has two answers, nobody was paid twice or
another sum than claimed, no fee was paid twice, and the ledger balances.

The rates are of leases alone, of one case or twenty at a time, by one process or eight, without kills.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pandas as pd
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from benchmarks._record import record
from data_contracts import DECISIONS, Label
from data_contracts.check import check
from pipelines import resolve
from serving import queue
from serving.instants import DAY, SECOND
from serving.ledger import PAY, balances
from serving.queue import CaseState, StaleLeaseError, Tier
from serving.schema import CASES
from serving.store import Store
from tests.postgres import running

EXPERTS, PAYERS, CASES_EACH, CASES_RATED = 8, 2, 5_000, 20_000
"""Processes that answer and that pay, the cases for each of those that answer, and those of the queue whose leases are timed."""

TTL, AT_ONCE, FORGOTTEN, FEE = 2 * SECOND, 20, 0.02, 6_000
"""How long a lease lasts, cases leased at once, share of them that is forgotten, cents per answer."""

PAUSE, RATE_SECONDS, LONGEST = (0.05, 0.4), 4.0, 480.0
"""Seconds between two kills, that a rate is measured for, and after which cases that are still unanswered are called lost."""

_FORK = multiprocessing.get_context("fork")  # a new process is at work at once, with everything imported


def main() -> int:
    """Do both, print the figures and write ``results/queue.json``."""
    with running() as server, tempfile.TemporaryDirectory() as folder:
        killed = kills(server.database(), EXPERTS * CASES_EACH, Path(folder, "journals"))
        rows = [rate(server.database(), processes, limit) for processes in (1, EXPERTS) for limit in (1, AT_ONCE)]
        lite = (f"sqlite:///{folder}/{number}.db" for number in range(9))
        rows += [rate(next(lite), processes, limit) for processes in (1, EXPERTS) for limit in (1, AT_ONCE)]
    by = {f"leases_per_second_{row['database']}_{row['processes']}x{row['limit']}": row["leases_per_second"] for row in rows}
    ratios = {
        "answered_vs_cases": killed["answered"] / killed["cases"],
        "postgresql_eight_processes_vs_one": by["leases_per_second_postgresql_8x20"] / by["leases_per_second_postgresql_1x20"],
        "postgresql_vs_sqlite_eight_processes": by["leases_per_second_postgresql_8x20"] / by["leases_per_second_sqlite_8x20"],
    }
    record("queue", {"ratios": ratios, "metrics": killed | by, "rows": rows}, ("sqlalchemy", "psycopg", "pandas"))
    for key, value in {**killed, **by, **ratios}.items():
        print(f"   {key:44s} {round(value, 3):,}")
    return 1 if killed["lost"] + killed["doubly_held"] + killed["paid_twice"] + killed["answers_too_late_taken"] else 0


def filled(store: Store, cases: int) -> pd.DataFrame:
    """Put so many decided claims of at most $1,000 into a store, each a case of the desk, and return the claims."""
    rng = random.Random(1)
    ids = [f"C{number:06d}" for number in range(cases)]
    whose = {"customer_id": [f"K{n}" for n in range(cases)], "seller_id": [f"S{n % 200:03d}" for n in range(cases)], "product_id": "P"}
    claims = pd.DataFrame({"claim_id": ids, **whose, "amount_cents": [rng.randint(1_000, 100_000) for _ in ids]})
    fixed = {"p_valid": 0.5, "p_unsubstantiated": 0.3, "p_abusive": 0.2, "action": "DESK", "automatic_action": "PAY"}
    fixed |= {"route": "value_of_review", "propensity": 1.0, "automatic_cost_cents": 0, "reasons": "", "claimant_reason": ""}
    decided = pd.Timestamp(time.time() - 86_400, unit="s", tz="UTC").floor("us")
    values = [rng.randint(0, 20_000) for _ in ids]
    frame = pd.DataFrame({"claim_id": ids, "decided_at": decided, "review_value_cents": values, "bundle": "b", "policy": "p", **fixed})
    parties = {row.claim_id: (row.customer_id, row.seller_id) for row in claims.itertuples()}
    store.record_decisions(check(frame, DECISIONS).accepted, parties=parties)
    return claims


def kills(url: str, cases: int, folder: Path, seed: int = 0) -> dict[str, int | float]:
    """Let everybody work while somebody is killed again and again, and return what was found at the end."""
    folder.mkdir()
    with Store(url) as store:
        claims = filled(store, cases)
    jobs: dict[str, Callable[[str], None]] = {f"expert-{n}": lambda name: _expert(url, name, folder / name) for n in range(EXPERTS)}
    jobs |= {f"payer-{n}": lambda _: _payer(url, claims) for n in range(PAYERS)}
    crew, rng, began = _Crew(jobs), random.Random(seed), time.monotonic()
    crew.start()
    with Store(url) as store:
        while _unanswered(store) and time.monotonic() - began < LONGEST:
            time.sleep(rng.uniform(*PAUSE))
            crew.kill(rng.choice(sorted(jobs)))
        seconds = time.monotonic() - began
        crew.end()
        resolve.run(store, {"claims": claims}, _now_stamp())
        return {"cases": cases, "seconds": round(seconds, 1), "kills": crew.kills} | verdict(store, claims, sorted(folder.iterdir()))


@dataclass
class _Crew:
    """Processes by name; one that ends or is killed is followed by another of its name."""

    jobs: dict[str, Callable[[str], None]]
    at_work: dict[str, BaseProcess] = field(default_factory=dict)
    kills: int = 0

    def start(self) -> None:
        for name, job in self.jobs.items():
            if name not in self.at_work or not self.at_work[name].is_alive():
                self.at_work[name] = _FORK.Process(target=job, args=(name,), daemon=True)
                self.at_work[name].start()

    def kill(self, name: str) -> None:
        victim = self.at_work[name]
        if victim.is_alive() and victim.pid is not None:
            os.kill(victim.pid, signal.SIGKILL)
            self.kills += 1
        victim.join()
        self.start()

    def end(self) -> None:
        for process in self.at_work.values():
            process.kill()
            process.join()


def _expert(url: str, name: str, journal: Path) -> None:
    """Lease, answer, forget, come too late; write down every lease and every answer that was taken."""
    rng, forgotten = random.Random(os.getpid()), []
    me = f"{name}-{os.getpid()}"
    with Store(url) as store, journal.open("a", encoding="ascii") as told:
        while True:
            with store.write() as tx:
                leases = queue.lease(tx, Tier.DESK, me, _now(), TTL, AT_ONCE)
            told.writelines(f"leased {held.claim_id} {held.token} {held.leased_at} {held.expires_at}\n" for held in leases)
            told.flush()
            for held in leases:
                if rng.random() < FORGOTTEN:
                    forgotten.append(held)
                    continue
                told.write(f"{_answered(store, held)} {held.claim_id} {held.token} 0 0\n")
            for held in [one for one in forgotten if one.expires_at < _now()]:
                forgotten.remove(held)
                told.write(f"{'late' if _answered(store, held) == 'answered' else 'refused'} {held.claim_id} {held.token} 0 0\n")
            told.flush()
            if not leases:
                time.sleep(0.05)


def _answered(store: Store, held: queue.Lease) -> str:
    try:
        with store.write() as tx:
            queue.answer(tx, held, Label.VALID, 30, FEE, _now())
    except StaleLeaseError:
        return "stale"
    return "answered"


def _payer(url: str, claims: pd.DataFrame) -> None:
    with Store(url) as store:
        while True:
            resolve.run(store, {"claims": claims}, _now_stamp())
            time.sleep(1.0)


def _unanswered(store: Store) -> int:
    with store.view() as tx:
        return int(tx.execute(select(func.count()).select_from(CASES).where(CASES.c.state != CaseState.ANSWERED.value)).scalar_one())


def verdict(store: Store, claims: pd.DataFrame, journals: list[Path]) -> dict[str, int | float]:
    """Count everything that must not be, from the store and from what each process wrote down of its own."""
    told = [line.split() for journal in journals for line in journal.read_text(encoding="ascii").splitlines() if len(line.split()) == 5]
    leases = pd.DataFrame([(c, int(t), int(at), int(end)) for what, c, t, at, end in told if what == "leased"], columns=list("ctab"))
    leases = leases.sort_values(["c", "t"], ignore_index=True)
    again = leases["c"].eq(leases["c"].shift())
    doubly = int((again & (leases["a"] < leases["b"].shift())).sum()) + int(leases.duplicated(["c", "t"]).sum())
    answers, cases, ledger = store.read("expert_answers"), store.read("cases"), store.read("ledger")
    paid = ledger[(ledger["account"] == "customer") & (ledger["step"] == PAY)]
    claimed = claims.set_index("claim_id")["amount_cents"]
    wrong = int((paid["amount_cents"].to_numpy() != claimed.reindex(paid["claim_id"]).to_numpy()).sum())
    fees = ledger[ledger["account"] == "experts"]
    with store.view() as tx:
        owed = sum(balances(tx).values())
    said = Counter(what for what, *_ in told)
    return {
        "answered": int((cases["state"] == CaseState.ANSWERED.value).sum()),
        "lost": len(claims) - answers["claim_id"].nunique() + len(claims) - paid["claim_id"].nunique(),
        "doubly_held": doubly,
        "answered_twice": int(answers.duplicated("claim_id").sum()),
        "answers_too_late_taken": said["late"],
        "answers_too_late_refused": said["refused"] + said["stale"],
        "leased_again": int(cases["token"].sum()) - len(cases),
        "paid_twice": int(paid.duplicated("claim_id").sum()) + wrong,
        "fees_unpaid_or_twice": abs(int(fees["amount_cents"].sum()) - FEE * len(answers)),
        "ledger_balance_cents": owed,
    }


def rate(url: str, processes: int, limit: int, cases: int = CASES_RATED) -> dict[str, Any]:
    """Measure how many cases a second are leased from a full queue."""
    with Store(url, "FULL") as store:
        filled(store, cases)
    counts = _FORK.Queue()
    crew = [_FORK.Process(target=_leaser, args=(url, f"e{n}", limit, counts), daemon=True) for n in range(processes)]
    for process in crew:
        process.start()
    found = [counts.get() for _ in crew]
    for process in crew:
        process.join()
    leased, seconds = sum(count for count, _ in found), max(took for _, took in found)
    name = "postgresql" if url.startswith("postgresql") else "sqlite"
    return {"database": name, "processes": processes, "limit": limit, "cases": cases, "leases_per_second": leased / seconds}


def _leaser(url: str, name: str, limit: int, counts: Any) -> None:
    leased = 0
    with Store(url, "FULL") as store:
        began = time.monotonic()
        while time.monotonic() - began < RATE_SECONDS:
            with suppress(OperationalError), store.write() as tx:
                got = len(queue.lease(tx, Tier.DESK, name, _now(), DAY, limit))
            leased += got
            if not got:
                break
        counts.put((leased, time.monotonic() - began))


def _now() -> int:
    return time.time_ns() // 1000


def _now_stamp() -> pd.Timestamp:
    return pd.Timestamp(_now(), unit="us", tz="UTC")


if __name__ == "__main__":
    raise SystemExit(main())
