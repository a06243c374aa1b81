"""The backtest: replays labelled history, judges every way of deciding on the same claims, and writes page and manifest.

Figures come from labels as they stand at the end, each weighted by one over the chance of examination, so they speak for all claims
decided. On a simulated home the sealed truth is opened after everything is decided, for a section of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from data_contracts import Action
from models.baselines import BASELINES
from models.challengers import ABSENT, absent
from models.coverage import by_month, missed
from models.evaluation import PROBABILITIES
from models.judgement import judged, with_intervals
from models.metrics import Interval
from models.policy import Policy
from models.rule_worth import worth
from models.rules import Rules, evaluate
from models.sensitivity import Claims, sensitivity
from models.settings import TrainingSettings
from models.splits import components
from pipelines.backtest_page import write
from pipelines.backtested import Backtest, Judgement
from pipelines.history import History
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.replay import OURS, Progress, Replay, replay

BLOCKS = ("components", "weeks")
"""What stays together in a resample: claims linked by customer, device, address, payment or phone; or claims of one week."""

PAID = "pay everything"
"""Name of the way of deciding that decides nothing."""

_PROBABILISTIC = ("ece", "log_loss", "auc_abusive", "ap_abusive")


def backtest(
    home: Home,
    history: History,
    start: datetime,
    end: datetime,
    policy: Policy,
    cadence: str = "monthly",
    challengers: Sequence[str] = (),
    blocks: str = "components",
    settings: TrainingSettings | None = None,
    truth: pd.Series | None = None,
    rules: Rules | None = None,
    seed: int = 0,
    draws: int = 200,
    progress: Progress = lambda *_: None,
    num_threads: int = 1,
) -> tuple[Backtest, Path]:
    """Replay history and judge it.

    Parameters
    ----------
    home
        Where page and manifest go: ``reports/backtest-<from>-<to>.html`` and ``runs/backtest-<from>-<to>.json``.
    history, start, end, policy, cadence, challengers, settings, progress, num_threads
        As in :func:`pipelines.replay.replay`.
    blocks
        One of ``BLOCKS``.
    truth
        True class by ``claim_id``, of simulated claims; not looked at before everything is decided.
    rules
        Rules to be judged on our decisions, each by itself, as if all were in force; they change no decision here.
    seed, draws
        Of the bootstrap.

    Returns
    -------
    tuple
        What was found, and the page.

    Raises
    ------
    ValueError
        If nothing was filed or labelled in the stretch.
    """
    if blocks not in BLOCKS:
        raise ValueError(f"blocks: expected one of {', '.join(BLOCKS)}, found {blocks!r}")
    missing = [name for name in challengers if absent(name)]
    done = replay(history, start, end, policy, cadence, challengers, settings, progress, num_threads)
    progress("judge", 0, 1)
    rng = np.random.default_rng(seed)
    found = Backtest(
        start,
        end,
        len(done.claims),
        history.unpriced,
        done.folds,
        _by_labels(history, done, policy, blocks, rng, draws),
        None if truth is None else _by_truth(history, done, policy, blocks, truth, rng, draws),
        [f"{name} ({ABSENT})" for name in missing],
        None if rules is None else _ruled(history, done, policy, rules),
        _prices(history, done, policy),
        {
            "history": history.name,
            "retrain": cadence,
            "blocks": blocks,
            "seed": seed,
            "draws": draws,
            "policy": policy.identifier,
            "accused_share": policy.harm.accused_share,
            "missed_shares": list(missed(policy.harm)),
        },
    )
    name = f"backtest-{start:%Y-%m-%d}-{end:%Y-%m-%d}"
    Lake(home.root).manifest(name, found.manifest())
    page = write(home.reports / f"{name}.html", found)
    progress("judge", 1, 1)
    return found, page


def _prices(history: History, done: Replay, policy: Policy) -> pd.DataFrame:
    proba = done.decisions[OURS][PROBABILITIES].to_numpy(dtype=np.float64)
    return sensitivity(policy, Claims(proba, history.claims["amount_cents"].to_numpy()[done.claims], history.insured[done.claims]))


def _ruled(history: History, done: Replay, policy: Policy, rules: Rules) -> pd.DataFrame:
    """Judge every rule on our decisions; a rule that begins later than the stretch is judged as if it had begun."""
    claims, known = history.claims.iloc[done.claims], history.settled()
    matrix, labelled = history.matrix.loc[claims["claim_id"]], known[known["weight"] > 0].set_index("claim_id")
    at = max([claims["filed_at"].max(), *(pd.Timestamp(rule.since) for rule in rules.rules)])
    verdicts = evaluate(rules, matrix, claims.reset_index(drop=True), at)
    amount, insured = claims["amount_cents"].to_numpy(), history.insured[done.claims]
    return worth(policy, rules, verdicts, done.decisions[OURS], labelled["label"], labelled["weight"], amount, insured)


def _by_labels(history: History, done: Replay, policy: Policy, blocks: str, rng: np.random.Generator, draws: int) -> Judgement:
    known = history.settled()
    labelled = known[known["weight"] > 0].set_index("claim_id")
    ids = history.claims["claim_id"].iloc[done.claims]
    kept = np.flatnonzero(ids.isin(labelled.index).to_numpy())
    if not len(kept):
        raise ValueError("backtest: expected labelled claims among those decided, found none; choose an earlier stretch")
    rows = labelled.loc[ids.iloc[kept]]
    weights, sources = rows["weight"].to_numpy(dtype=np.float64), rows["source"].to_numpy()
    return _judge(history, done, policy, kept, rows["label"].to_numpy(dtype=object), weights, sources, blocks, rng, draws)


def _by_truth(
    history: History, done: Replay, policy: Policy, blocks: str, truth: pd.Series, rng: np.random.Generator, draws: int
) -> Judgement:
    every = np.arange(len(done.claims))
    classes = truth.loc[history.claims["claim_id"].iloc[done.claims]].to_numpy(dtype=object)
    return _judge(history, done, policy, every, classes, np.ones(len(every)), None, blocks, rng, draws)


def _judge(
    history: History,
    done: Replay,
    policy: Policy,
    kept: np.ndarray,
    classes: np.ndarray,
    weights: np.ndarray,
    sources: np.ndarray | None,
    blocks: str,
    rng: np.random.Generator,
    draws: int,
) -> Judgement:
    """Judge the decided claims at some positions of the replay, all ways on the same rows."""
    place = done.claims[kept]
    claims, insured = history.claims.iloc[place], history.insured[place]
    decided = {name: frame.iloc[kept].reset_index(drop=True) for name, frame in done.decisions.items()}
    pay = {"action": Action.PAY.value, "automatic_action": Action.PAY.value}
    decided[PAID] = decided[OURS].assign(**pay)
    amount = claims["amount_cents"].to_numpy()
    # Calibrated models aim at the truth behind the label; baselines were fitted to labels as they are.
    candidates = {
        name: judged(policy, frame, classes, weights, amount, insured, sources, {} if name in BASELINES else history.confusions)
        for name, frame in decided.items()
    }
    block = _blocks(claims, blocks)
    ways = {name: dict(figures) for name, figures in with_intervals(candidates, OURS, block, rng, draws).items()}
    for name in _PROBABILISTIC:
        ways[PAID][name] = Interval(float("nan"), float("nan"), float("nan"), 0)
    filed = claims["filed_at"]
    folds = [np.flatnonzero(((filed >= fold.start) & (filed < fold.end)).to_numpy()) for fold in done.folds]
    by_fold = [with_intervals({OURS: candidates[OURS]}, OURS, block, rng, draws, rows)[OURS] for rows in folds]
    promises = _promises(done, decided[OURS], claims, classes, weights, block, rng, draws)
    return Judgement(len(kept), len(np.unique(block)), ways, by_fold, candidates[OURS], promises)


def _promises(
    done: Replay,
    decided: pd.DataFrame,
    claims: pd.DataFrame,
    classes: np.ndarray,
    weights: np.ndarray,
    block: np.ndarray,
    rng: np.random.Generator,
    draws: int,
) -> dict[str, dict[str, Interval]]:
    fold = (
        np.searchsorted(
            [fold.start.value for fold in done.folds], claims["filed_at"].astype("datetime64[ns, UTC]").astype("int64"), "right"
        )
        - 1
    )
    return by_month(
        claims["filed_at"].dt.strftime("%Y-%m").to_numpy(dtype=object),
        decided[PROBABILITIES].to_numpy(dtype=np.float64),
        np.array([fold.sets for fold in done.folds])[fold],
        decided["automatic_action"].to_numpy(dtype=object),
        classes,
        weights,
        block,
        rng,
        draws,
    )


def _blocks(claims: pd.DataFrame, blocks: str) -> np.ndarray:
    if blocks == "components":
        return components(claims.reset_index(drop=True))
    monday = pd.Timestamp("2024-01-01", tz="UTC")
    weeks: np.ndarray = ((claims["filed_at"] - monday) // pd.Timedelta(days=7)).to_numpy()
    return weeks
