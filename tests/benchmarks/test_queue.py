"""The killing of experts and payers, small; and that its judge sees everything that must not be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import queue as benchmark
from data_contracts import Label
from pipelines import resolve
from serving import queue
from serving.ledger import Account, Posting, post
from serving.queue import Tier
from serving.store import Store

ROOT = Path(__file__).parents[2]
SMALL = """
import json, sys, tempfile
from pathlib import Path
from benchmarks import queue
from tests.postgres import running
queue.TTL, queue.PAUSE, queue.AT_ONCE, queue.EXPERTS, queue.PAYERS = 300_000, (0.02, 0.1), 5, 4, 1
with running() as server, tempfile.TemporaryDirectory() as folder:
    print(json.dumps(queue.kills(server.database(), 120, Path(folder, "journals"))))
"""
NEVER = ("lost", "doubly_held", "answered_twice", "answers_too_late_taken", "paid_twice", "fees_unpaid_or_twice", "ledger_balance_cents")


def test_killed_again_and_again_nothing_is_lost_held_twice_or_paid_twice() -> None:
    done = subprocess.run([sys.executable, "-c", SMALL], check=False, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {name: found[name] for name in NEVER} == dict.fromkeys(NEVER, 0)
    assert found["answered"] == found["cases"] == 120 and found["kills"] > 0


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_the_judge_counts_leases_that_overlap_answers_that_came_too_late_and_sums_that_are_wrong(journal: Path, tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / 'store.db'}", "NORMAL") as store:
        claims, now = benchmark.filled(store, 4), benchmark._now()
        with store.write() as tx:
            for held in queue.lease(tx, Tier.DESK, "ann", now, 1_000, 3):
                queue.answer(tx, held, Label.VALID, 30, benchmark.FEE, now)
        resolve.run(store, {"claims": claims}, benchmark._now_stamp())
        first, second = claims["claim_id"][:2]
        calm = [f"leased {first} 1 100 200", f"leased {first} 2 200 300", f"answered {first} 2 0 0"]
        for more, wrong in (([], 0), ([f"leased {first} 3 299 400"], 1), ([f"leased {first} 1 500 600"], 2)):
            journal.write_text("\n".join([*calm, *more]), encoding="ascii")
            found = benchmark.verdict(store, claims, [journal])
            assert (found["doubly_held"], found["lost"], found["answered"]) == (wrong, 2, 3)  # one is neither answered nor paid
        journal.write_text(f"late {second} 1 0 0\nrefused {second} 1 0 0\ncut off", encoding="ascii")
        with store.write() as tx:
            post(tx, [Posting(first, "odd", now, ((Account.EXPERTS, 5), (Account.EXPERT_FEES, -5)))])
        found = benchmark.verdict(store, claims.assign(amount_cents=7), [journal])
        assert (found["answers_too_late_taken"], found["answers_too_late_refused"], found["paid_twice"]) == (1, 1, 3)
        assert (found["fees_unpaid_or_twice"], found["ledger_balance_cents"]) == (5, 0)
