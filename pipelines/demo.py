"""The whole loop in one command, on a simulated marketplace: from raw files to a report and a challenger that had to win.

Everything happens in a folder of its own, which is emptied first, with the same verbs that a scheduler calls one by one.
"""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from models.policy import Policy
from models.promotion import Verdict
from pipelines import experts
from pipelines.assign import Mornings
from pipelines.build import build
from pipelines.diary import FILE, Diary
from pipelines.evaluate import Evaluation, evaluate
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.promote import promote
from pipelines.report import report
from pipelines.resolve import Resolution, settle
from pipelines.score import score
from pipelines.simulated import examined_truths, parties, simulate_into
from pipelines.train import TrainingRun, train
from pipelines.validate import Validated, validate
from pipelines.work_told import WorkTold, work_told
from serving.store import Store

Progress = Callable[[str, int, int], None]
"""Told (what is being done, steps done, steps in all)."""

_MARKER = "demo.json"
CYCLE = timedelta(days=7)
SETTLING_WEEKS = 9
"""Weeks after the last claim in which experts and parties still answer: the longest investigation, then an appeal."""
HELD_BACK = timedelta(days=42)
"""The challenger learns from nothing in the last six weeks of claims, so that both models can be compared on them."""


@dataclass(frozen=True)
class Demo:
    """Everything the demo found, step by step."""

    home: Home
    validated: Validated
    trained: TrainingRun
    retrained: TrainingRun
    verdict: Verdict
    evaluation: Evaluation
    resolution: Resolution
    work: WorkTold
    page: Path
    seconds: float
    peak_rss_mb: float

    def summary(self) -> dict[str, Any]:
        """Return the figures of the demo as plain values; money in integer cents."""
        quality, costs = self.evaluation.quality, self.evaluation.costs
        counts = self.validated.tables.values()
        return {
            "rows_read": sum(c.read for c in counts),
            "rows_accepted": sum(c.accepted for c in counts),
            "rows_quarantined": sum(c.quarantined for c in counts),
            "claims_decided": self.evaluation.claims,
            "auc_abusive": quality.auc_abusive.estimate,
            "auc_abusive_interval": [quality.auc_abusive.low, quality.auc_abusive.high],
            "ap_abusive": quality.ap_abusive.estimate,
            "ap_abusive_interval": [quality.ap_abusive.low, quality.ap_abusive.high],
            "ece": quality.ece.estimate,
            "ece_interval": [quality.ece.low, quality.ece.high],
            "cost_pay_everything": costs.pay_everything,
            "cost_model": costs.model,
            "cost_model_experts": costs.model_experts,
            "cost_perfect": costs.perfect,
            "cases_open": self.resolution.cases_open,
            "cases_resolved": self.resolution.cases_resolved,
            "ledger_balance_cents": self.resolution.ledger_balance_cents,
            "paid_cents": self.resolution.paid_cents,
            "borne_cents": dict(self.resolution.borne_cents),
            "experts": asdict(self.work),
            "promoted": self.verdict.promote,
            "verdict": self.verdict.why,
            "report": str(self.page),
            "data_docs": str(self.home.data_docs / "index.html"),
            "mlflow": self.home.mlflow_url,
            "seconds": round(self.seconds, 1),
            "peak_rss_mb": round(self.peak_rss_mb, 1),
        }


def demo(home: Home, policy: Policy, progress: Progress, orders: int = 300_000, claims: int = 20_000, seed: int = 0) -> Demo:
    """Run the whole loop in the folder ``demo`` of a home.

    Parameters
    ----------
    home
        The folder ``demo`` in it is emptied and used.
    policy
        Prices and capacities.
    progress
        Told what is being done and how far it is.
    orders, claims, seed
        Size and seed of the marketplace.

    Raises
    ------
    FileExistsError
        If there is a folder ``demo`` that no demo made.
    """
    began = time.monotonic()
    home = _emptied(Home(home.root / "demo"))
    progress("simulate a marketplace", 0, 1)
    simulation = simulate_into(home, orders, claims, seed)
    live_from, end = simulation.live_from, simulation.end
    progress("simulate a marketplace", 1, 1)
    validated = _step(progress, "validate against the contracts", lambda: validate(home))
    _step(progress, "build features as of filing", lambda: build(home))
    trained = _step(progress, "train the champion", lambda: train(home, live_from, policy))
    resolution = live(home, policy, live_from, end, progress, seed)
    settled = end + SETTLING_WEEKS * CYCLE
    retrained = _step(progress, "train a challenger on what was learned", lambda: train(home, end - HELD_BACK, policy))
    verdict = _step(progress, "compare challenger and champion", lambda: promote(home, settled, policy))
    progress("write the report", 0, 1)
    tables = Lake.of(home).tables()
    with Store(home.store_url) as store:
        evaluation = evaluate(home, policy, store, tables)
        page = report(home, settled, policy, store, tables, evaluation)
        work = work_told(store, policy)
    progress("write the report", 1, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Demo(home, validated, trained, retrained, verdict, evaluation, resolution, work, page, time.monotonic() - began, peak)


def live(home: Home, policy: Policy, live_from: datetime, end: datetime, progress: Progress, seed: int = 0) -> Resolution:
    """Decide the live claims week by week, let the experts work and the parties answer, and settle what is open afterwards."""
    weeks = -(-(end - live_from) // CYCLE) + SETTLING_WEEKS
    truths, answers, diary = examined_truths(home), parties(home, seed), Diary(home.root / FILE)
    for week in range(1, weeks + 1):
        as_of = live_from + week * CYCLE
        if as_of - CYCLE < end:
            score(home, as_of, policy, since=live_from)
        with Store(home.store_url, synchronous="NORMAL") as store:
            morning = Mornings.at(home, store, policy)
            experts.work_here(store, truths, live_from, as_of, seed, diary=diary, policy=policy, morning=morning)
            resolution = settle(home, store, pd.Timestamp(as_of), policy, answers)
        progress("score, review and resolve, week by week", week, weeks)
    return resolution


def _step(progress: Progress, name: str, act: Callable[[], Any]) -> Any:
    progress(name, 0, 1)
    result = act()
    progress(name, 1, 1)
    return result


def _emptied(home: Home) -> Home:
    marker = home.root / _MARKER
    if home.root.exists() and any(home.root.iterdir()) and not marker.exists():
        raise FileExistsError(f"{home.root}: expected an empty folder or the one of an earlier demo; move it away or choose another --home")
    shutil.rmtree(home.root, ignore_errors=True)
    home.root.mkdir(parents=True)
    marker.write_text('{"made_by": "touchstone demo"}\n', encoding="utf-8")
    return home
