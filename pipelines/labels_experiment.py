"""What honest labels are worth: the same training on four readings of the same history, judged against the simulator's truth.

``naive``           a claim that nobody examined is taken for valid, as a table of outcomes would have it
``reviewed only``   examined claims, each counting once
``weighted``        examined claims, each counting for as many as its chance of examination says
``matured``         the same, divided by the chance that a label of this age is known already
``truth``           every claim with its true class: what no marketplace has, and the most that labels could give

Everything else is equal: features, settings, policy, experts, the claims decided, the one road. The truth is opened for the last
reading and for the judgement. What the weights save against another reading is paired claim by claim, with the interval of a bootstrap
of linked claims: a few large claims decide the money.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from data_contracts import Label
from data_contracts.resolutions import Source
from models.judgement import Judged, judged, measures
from models.labels import as_known, examination_delays
from models.metrics import Interval, cluster_bootstraps
from models.policy import Policy
from models.settings import TrainingSettings
from models.splits import components
from models.training import Trained, train
from pipelines.evaluate import true_classes
from pipelines.history import History, history_of_home
from pipelines.home import Home
from pipelines.replay import Road

READINGS = ("naive", "reviewed only", "weighted", "matured", "truth")
"""The readings, in the order of tables."""

SHOWN = ("automatic_cents", "cost_cents", "auc_abusive", "ap_abusive", "ece", "log_loss", "wrongful_denials", "stopped_cents_share")
"""Measures of :data:`models.judgement.MEASURES` that the table holds."""

SAVED = ("saved_cents", "saved_low", "saved_high")
"""Columns of what the weighted reading saves against another one, per claim as decided, with its 95 % interval."""

Progress = Callable[[str, int, int], None]
"""Told (what, steps done, steps in all)."""


@dataclass(frozen=True)
class Reading:
    """Labels as one reads them.

    Parameters
    ----------
    known
        As :func:`models.labels.as_known` returns them.
    fallible
        Whether the errors of experts are reckoned with.
    """

    known: pd.DataFrame
    fallible: bool


def readings(history: History, truth: pd.Series, as_of: datetime) -> dict[str, Reading]:
    """Return the labels of the claims filed before an instant under every reading.

    Parameters
    ----------
    history
        Claims and resolutions.
    truth
        True class by ``claim_id``.
    as_of
        Nothing at or after it is read.
    """
    claims = history.claims[history.claims["filed_at"] < as_of]
    weighted = as_known(history.resolutions, claims, as_of)
    examined = weighted[weighted["weight"] > 0]
    every = claims[["claim_id", "filed_at"]].merge(weighted, on="claim_id", how="left", validate="one_to_one")
    taken = every.assign(
        label=every["label"].fillna(Label.VALID.value),
        known_at=every["known_at"].fillna(every["filed_at"]),
        source=every["source"].fillna(Source.AUTOMATIC.value),
        weight=1.0,
    )[weighted.columns]
    delays = examination_delays(history.resolutions, claims, as_of)
    return {
        "naive": Reading(taken, fallible=False),
        "reviewed only": Reading(examined.assign(weight=1.0), fallible=True),
        "weighted": Reading(weighted, fallible=True),
        "matured": Reading(as_known(history.resolutions, claims, as_of, delays=delays), fallible=True),
        "truth": Reading(taken.assign(label=taken["claim_id"].map(truth)), fallible=False),
    }


def compare_readings(
    home: Home,
    policy: Policy,
    as_of: datetime,
    until: datetime,
    settings: TrainingSettings | None = None,
    progress: Progress = lambda *_: None,
    num_threads: int = 1,
    seed: int = 0,
    draws: int = 400,
) -> pd.DataFrame:
    """Train on every reading of a simulated home's labels, decide the later claims, and judge all by the truth.

    Parameters
    ----------
    home
        A simulated marketplace, validated.
    policy
        Prices and capacities.
    as_of, until
        Trained on what was known at ``as_of``; claims filed in [as_of, until) are decided.
    settings
        Of the trainings.
    progress
        Told how far it is.
    num_threads
        Threads for the boosters.
    seed, draws
        Of the bootstrap.

    Returns
    -------
    DataFrame
        One row per reading: ``reading``, ``labels`` (rows trained on), ``abusive`` (share of the weight they call abusive), ``SHOWN`` and
        ``SAVED``; cents per claim, shares.
    """
    history, truth = history_of_home(home, policy), true_classes(home)
    filed = history.claims["filed_at"]
    later = np.flatnonzero(((filed >= as_of) & (filed < until)).to_numpy())
    classes = truth.loc[history.claims["claim_id"].iloc[later]].to_numpy(dtype=object)
    amount, rows, outcomes = history.claims["amount_cents"].to_numpy()[later], [], {}
    for done, (name, reading) in enumerate(readings(history, truth, as_of).items()):
        progress("train on every reading", done, len(READINGS))
        trained = _trained(history, reading, as_of, settings, num_threads)
        road = Road(history, policy, num_threads)
        road.decide(trained.bundle, later)
        decided = pd.concat(road.decided, ignore_index=True)
        outcomes[name] = judged(policy, decided, classes, np.ones(len(later)), amount, history.insured[later])
        found = measures(outcomes[name], np.arange(len(later)))
        abusive = float(np.average(trained.labels == Label.ABUSIVE.value, weights=trained.weights))
        rows.append({"reading": name, "labels": len(trained.labels), "abusive": abusive, **{measure: found[measure] for measure in SHOWN}})
    progress("train on every reading", len(READINGS), len(READINGS))
    blocks = components(history.claims.iloc[later].reset_index(drop=True))
    saved = savings(outcomes, "weighted", blocks, np.random.default_rng(seed), draws)
    ends = zip(SAVED, ("estimate", "low", "high"), strict=True)
    return pd.DataFrame(rows).assign(**{name: [getattr(saved[reading], end) for reading in READINGS] for name, end in ends})


def savings(outcomes: Mapping[str, Judged], ours: str, blocks: np.ndarray, rng: np.random.Generator, draws: int) -> dict[str, Interval]:
    """Return what one way of deciding saves per claim against every other, in cents, with 95 % intervals.

    Parameters
    ----------
    outcomes
        Ways of deciding the same claims, by name.
    ours
        The way that the others are compared with; 0 against itself.
    blocks
        Block of each claim, shape (claims,).
    rng, draws
        Of the bootstrap; all ways share its resamples.
    """
    more = {name: one.after.cost_cents - outcomes[ours].after.cost_cents for name, one in outcomes.items()}
    return cluster_bootstraps(lambda rows: {name: float(cents[rows].mean()) for name, cents in more.items()}, blocks, rng, draws)


def _trained(history: History, reading: Reading, as_of: datetime, settings: TrainingSettings | None, num_threads: int) -> Trained:
    confusions = history.confusions if reading.fallible else {}
    return train(
        history.matrix, history.claims, reading.known, as_of, history.catalog_hash, history.described, settings,
        num_threads=num_threads, confusions=confusions,
    )  # fmt: skip
