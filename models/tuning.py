"""Choosing how to train by the money that later claims would have cost, fold after fold, never looking past the latest window.

A setting is tried as it would have been used: at each cut a model is grown on the labels known by then, stopped on the latest of
these, calibrated on earlier folds, and decides the claims up to the next cut. Settings that fall behind are given up after a few folds.
The latest window of the training takes no part, so what it says about the chosen setting is news.

Every trial draws from a generator of its own number, and trials live in a storage: a search that was stopped goes on as if it had not
been.

References
----------
Akiba et al., Optuna, KDD 2019. Bergstra et al., Algorithms for hyper-parameter optimization, NeurIPS 2011 (the sampler).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from models.calibration import fit as fit_calibration
from models.classifier import fit, grow_again
from models.costs import realised_cost
from models.decision import decide
from models.material import Material
from models.metrics import log_loss
from models.out_of_time import Scorer, scored_folds
from models.policy import Policy
from models.settings import TrainingSettings
from models.splits import Split, rolling_origin

STOPPING_SHARE = 0.2
"""Part of what a fold's model is grown on, the latest, that settles its number of trees."""

Progress = Callable[[int, int], None]
"""Told (trials done, trials in all)."""


@dataclass(frozen=True)
class Priced:
    """What the claims of some material cost to decide.

    Parameters
    ----------
    policy
        Prices.
    amount_cents, insured
        As in :func:`models.costs.cost_matrix`, in the order of the material's rows.
    """

    policy: Policy
    amount_cents: np.ndarray
    insured: np.ndarray

    def cost(self, proba: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return what automatic decisions by some probabilities cost under the labels, cents per claim of the rows."""
        amount, insured = self.amount_cents[rows], self.insured[rows]
        action = decide(self.policy, proba, amount, insured)["automatic_action"].to_numpy()
        return realised_cost(self.policy, action, labels[rows], amount, insured)


@dataclass(frozen=True)
class Tried:
    """One trial.

    Parameters
    ----------
    number
        Its place.
    state
        ``complete``, or ``pruned``: given up.
    cost_cents
        Lost per claim over the folds it saw.
    log_loss
        Over the same folds.
    settings
        What was tried.
    """

    number: int
    state: str
    cost_cents: float
    log_loss: float
    settings: TrainingSettings


def folds_of(material: Material, settings: TrainingSettings) -> list[Split]:
    """Return the folds of a search: those of the training before its latest window, the gap being each label's own delay."""
    cuts = [fold.cut for fold in material.folds]
    known = material.rows["known_at"]
    return list(rolling_origin(material.rows, material.labels, cuts[:-1], cuts[-1], known_at=known, hub_cap=settings.hub_cap))


def running_figures(
    material: Material, folds: list[Split], priced: Priced, settings: TrainingSettings, num_threads: int = 1
) -> Iterator[tuple[float, float]]:
    """Yield what a setting loses per claim, and its log-loss, over the folds so far, from the second fold on.

    Parameters
    ----------
    material
        Labelled claims; its growing weights are capped again by ``settings``.
    folds
        From :func:`folds_of`.
    priced
        Amounts and prices.
    settings
        What is tried.
    num_threads
        Threads for the boosters.
    """
    labels, weights, even = material.labels, material.weights, np.minimum(material.weights, settings.fit_cap)
    scores, seen = np.full((len(labels), 3), np.nan), np.zeros(len(labels), dtype=bool)
    lost = surprise = mass = 0.0

    def grow(rows: np.ndarray) -> Scorer:
        place = np.flatnonzero(rows)
        late = np.zeros_like(rows)
        late[place[math.ceil((1 - STOPPING_SHARE) * len(place)) :]] = True
        stopped = fit(
            material.features, labels, even, rows & ~late, late, material.inputs, settings.hyperparameters, settings.seed, num_threads
        )
        mine = material.features[rows], labels[rows], even[rows]
        return grow_again(stopped, *mine, settings.hyperparameters, settings.seed, num_threads).raw

    for _, rows, found in scored_folds(folds, material.features, grow):
        scores[rows] = found
        if seen.any():
            calibration = fit_calibration("nested", scores[seen], labels[seen], weights[seen], material.likelihood[seen])
            proba = calibration.proba(found)
            here = weights[rows].sum()
            lost += float((weights[rows] * priced.cost(proba, labels, rows)).sum())
            surprise += here * log_loss(labels[rows], proba, weights[rows])
            mass += here
            yield lost / mass, surprise / mass
        seen |= rows


def search(
    study: optuna.Study,
    material: Material,
    priced: Priced,
    trials: int,
    base: TrainingSettings,
    seed: int = 0,
    progress: Progress = lambda *_: None,
    num_threads: int = 1,
) -> list[Tried]:
    """Bring a study up to a number of trials.

    Parameters
    ----------
    study
        From :func:`open_study`; trials that it holds already count.
    material, priced
        What is learned from, and what it costs.
    trials
        Trials in all.
    base
        Settings whose windows, folds and seed stay; it is the first trial, so that the best is never worse on the folds.
    seed
        Of the sampler. The n-th trial draws from a generator of (seed, n).
    progress
        Told after every trial.
    num_threads
        Threads for the boosters; results do not depend on it.

    Returns
    -------
    list of Tried
        Every trial of the study, completed ones first, cheapest first.

    Raises
    ------
    ValueError
        If there are too few labels for two folds.
    """
    folds = folds_of(material, base)
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)  # killed half-way; tried again under a new number
    if not study.trials:
        study.enqueue_trial(_drawn_from(base))
    done = _finished(study)
    for number in range(done, trials):
        progress(number, trials)
        study.sampler = optuna.samplers.TPESampler(seed=int(np.random.SeedSequence([seed, number]).generate_state(1)[0]))
        _try(study, material, folds, priced, base, num_threads)
    progress(max(done, trials), max(done, trials))
    order = {"complete": 0, "pruned": 1}
    return sorted(_tried(study, base), key=lambda tried: (order[tried.state], tried.cost_cents, tried.number))


def open_study(storage: optuna.storages.BaseStorage | None, name: str, made_of: Mapping[str, Any]) -> optuna.Study:
    """Open a study or begin it.

    Parameters
    ----------
    storage
        Where trials are kept; ``None`` keeps them in memory.
    name
        Of the study.
    made_of
        What its figures depend on (data, policy, seed); a study of something else is refused.

    Raises
    ------
    ValueError
        If a study of this name was made of something else.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=5)
    study = optuna.create_study(storage=storage, study_name=name, direction="minimize", pruner=pruner, load_if_exists=True)
    for key, value in made_of.items():
        found = study.user_attrs.get(key, value)
        if found != value:
            raise ValueError(f"study {name}: expected one with {key} {value}, found {found}; choose another --study")
        study.set_user_attr(key, value)
    return study


def _try(study: optuna.Study, material: Material, folds: list[Split], priced: Priced, base: TrainingSettings, num_threads: int) -> None:
    trial = study.ask()
    settings, figures = _suggested(trial, base), (math.nan, math.nan)
    for step, figures in enumerate(running_figures(material, folds, priced, settings, num_threads)):
        trial.report(figures[0], step)
        trial.set_user_attr("log_loss", figures[1])
        if step < len(folds) - 2 and trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            return
    if math.isnan(figures[0]):
        study.tell(trial, state=TrialState.FAIL)
        raise ValueError(f"tune: expected labels in at least two of {len(folds)} folds, found fewer; choose a later instant")
    study.tell(trial, figures[0])


_RANGES: dict[str, tuple[float, float, bool]] = {
    "fit_cap": (1.0, 20.0, True),
    "learning_rate": (0.01, 0.15, True),
    "num_leaves": (3, 48, True),
    "min_data_in_leaf": (5, 150, True),
    "feature_fraction": (0.1, 0.9, False),
    "bagging_fraction": (0.5, 1.0, False),
    "lambda_l2": (0.1, 50.0, True),
}
"""What is searched: lowest, highest, and whether steps are ratios."""


def _drawn_from(settings: TrainingSettings) -> dict[str, Any]:
    values = {"fit_cap": settings.fit_cap} | asdict(settings.hyperparameters)
    return {name: values[name] for name in _RANGES}


def _with(base: TrainingSettings, drawn: Mapping[str, Any]) -> TrainingSettings:
    growth = {name: value for name, value in drawn.items() if name != "fit_cap"}
    return replace(base, fit_cap=drawn["fit_cap"], hyperparameters=replace(base.hyperparameters, **growth))


def _suggested(trial: optuna.Trial, base: TrainingSettings) -> TrainingSettings:
    drawn: dict[str, Any] = {}
    for name, now in _drawn_from(base).items():
        low, high, ratio = _RANGES[name]
        # Wide enough for the settings as they are: they are the first trial.
        low, high = min(low, now), max(high, now)
        if isinstance(now, int):
            drawn[name] = trial.suggest_int(name, int(low), int(high), log=ratio)
        else:
            drawn[name] = trial.suggest_float(name, low, high, log=ratio)
    return _with(base, drawn)


def _finished(study: optuna.Study) -> int:
    return len(study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED)))


def _tried(study: optuna.Study, base: TrainingSettings) -> Iterator[Tried]:
    for number, trial in enumerate(study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))):
        cost = trial.intermediate_values[max(trial.intermediate_values)]
        yield Tried(number, trial.state.name.lower(), float(cost), float(trial.user_attrs["log_loss"]), _with(base, trial.params))
