"""Tunes the training of a home on what was known at an instant, and leaves the best settings where ``train`` finds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import optuna
import pandas as pd

from data_contracts import LABELS
from models.decision import decide
from models.evaluation import PROBABILITIES
from models.judgement import judged, with_intervals
from models.material import Material, prepare
from models.metrics import Interval
from models.policy import Policy
from models.settings import TrainingSettings
from models.splits import components
from models.training import train
from models.tuning import Priced, Tried, folds_of, open_study, search
from pipelines.history import History, history_of_home
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.replacing import replacing
from pipelines.train import hash_of

Progress = Callable[[str, int, int], None]
"""Told (what, steps done, steps in all)."""

BEFORE, AFTER = "as it was", "tuned"


@dataclass(frozen=True)
class Tuning:
    """What a search found.

    Parameters
    ----------
    study
        Its name.
    tried
        Every trial, the best first.
    first
        The trial of the settings as they were.
    latest
        Both settings on the latest window, which the search never saw: measures of automatic decisions with their intervals.
    claims
        Labelled claims of that window.
    settings
        The file that was written.
    """

    study: str
    tried: list[Tried]
    first: Tried
    latest: dict[str, dict[str, Interval]]
    claims: int
    settings: Path

    @property
    def best(self) -> Tried:
        """The cheapest trial over the folds."""
        return self.tried[0]


def tune(
    home: Home,
    as_of: datetime,
    policy: Policy,
    trials: int = 40,
    seed: int = 0,
    study: str | None = None,
    base: TrainingSettings | None = None,
    progress: Progress = lambda *_: None,
    num_threads: int = 1,
) -> Tuning:
    """Search settings and write the best to ``settings.toml`` of the home.

    Parameters
    ----------
    home
        Lake; trials are kept in ``studies.db``, the manifest in ``runs/tune-<study>.json``.
    as_of
        Claims filed and labels known strictly before it are used.
    policy
        Prices.
    trials
        Trials in all; those that the study holds already count.
    seed
        Of the sampler.
    study
        Name; by default the day of ``as_of``.
    base
        Settings to begin with; the defaults where left out.
    progress
        Told how far it is.
    num_threads
        Threads for the boosters.

    Raises
    ------
    ValueError
        If nothing is labelled by then, there are no trials, or the study was made of other data, policy or seed.
    """
    if trials < 1:
        raise ValueError(f"trials: expected at least 1, found {trials}")
    base, name = base or TrainingSettings(), study or f"{as_of:%Y-%m-%d}"
    history = history_of_home(home, policy)
    known = history.known(as_of)
    material = prepare(history.matrix, history.claims, known, history.described, base, history.confusions)
    storage = optuna.storages.RDBStorage(f"sqlite:///{home.studies}")
    made_of = {"data": hash_of(material.features, material.rows), "policy": policy.identifier, "seed": seed, "base": base.to_toml()}
    priced = _priced(history, material, policy)
    opened = open_study(storage, name, made_of)
    tried = search(opened, material, priced, trials, base, seed, lambda done, total: progress("tune", done, total), num_threads)
    progress("judge on the latest window", 0, 1)
    latest = _on_the_latest_window(history, known, as_of, priced, {BEFORE: base, AFTER: tried[0].settings}, seed, num_threads)
    with replacing(home.settings) as draft:
        draft.write_text(f"# touchstone tune --as-of {as_of.isoformat()}, study {name}\n{tried[0].settings.to_toml()}", encoding="utf-8")
    progress("judge on the latest window", 1, 1)
    first = next(trial for trial in tried if trial.number == 0)
    found = Tuning(name, tried, first, latest, int(material.judge.sum()), home.settings)
    folds = [fold.to_json() for fold in folds_of(material, base)]
    written = {"as_of": as_of.isoformat(), "made_of": made_of, "folds": folds, "tried": [asdict(trial) for trial in tried]}
    Lake(home.root).manifest(f"tune-{name}", written | {"latest": {w: {m: asdict(i) for m, i in f.items()} for w, f in latest.items()}})
    return found


def _priced(history: History, material: Material, policy: Policy) -> Priced:
    place = pd.Index(history.claims["claim_id"]).get_indexer(pd.Index(material.rows["claim_id"]))
    return Priced(policy, history.claims["amount_cents"].to_numpy()[place], history.insured[place])


def _on_the_latest_window(
    history: History,
    known: pd.DataFrame,
    as_of: datetime,
    priced: Priced,
    settings: dict[str, TrainingSettings],
    seed: int,
    num_threads: int,
) -> dict[str, dict[str, Interval]]:
    """Train with each settings and judge the automatic decisions on the latest window, pairwise."""
    candidates, groups = {}, np.zeros(0)
    for name, setting in settings.items():
        trained = train(
            history.matrix, history.claims, known, as_of, history.catalog_hash, history.described, setting,
            num_threads=num_threads, confusions=history.confusions,
        )  # fmt: skip
        rows, here = trained.judge, trained.material.rows[trained.judge]
        proba, amount, insured = trained.proba[rows], priced.amount_cents[rows], priced.insured[rows]
        action = decide(priced.policy, proba, amount, insured)["automatic_action"]
        frame = pd.DataFrame(dict(zip(PROBABILITIES, proba.T[: len(LABELS)], strict=True))).assign(action=action, automatic_action=action)
        weights, sources = trained.weights[rows], here["source"].to_numpy()
        candidates[name] = judged(priced.policy, frame, trained.labels[rows], weights, amount, insured, sources, history.confusions)
        groups = components(here.reset_index(drop=True))
    return with_intervals(candidates, AFTER, groups, np.random.default_rng(seed))
