"""A search sees nothing of the latest window, begins with the settings as they are, and goes on where it was stopped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest

from models.classifier import Hyperparameters
from models.material import Material, prepare
from models.policy import default_policy
from models.settings import TrainingSettings
from models.splits import components
from models.tuning import Priced, Tried, folds_of, open_study, running_figures, search
from tests.models.conftest import known_of
from tests.models.synthetic import sample

DATA = sample(700)
BASE = TrainingSettings(folds=4, hyperparameters=Hyperparameters(max_rounds=12, learning_rate=0.15, patience=5))
PRICED = Priced(default_policy(), DATA.claims["amount_cents"].to_numpy(), np.arange(700) % 2 == 0)


def material(labels: np.ndarray = DATA.labels) -> Material:
    return prepare(DATA.matrix, DATA.claims, known_of(DATA).assign(label=labels), DATA.inputs.features, BASE)


def searched(trials: int, storage: optuna.storages.BaseStorage | None = None, what: Material | None = None) -> list[Tried]:
    return search(open_study(storage, "s", {"data": "d"}), what or material(), PRICED, trials, BASE, seed=3)


@pytest.fixture(scope="module")
def eight() -> list[Tried]:
    return searched(8)


def test_folds_follow_one_another_before_the_latest_window_know_only_known_labels_and_share_nobody() -> None:
    rows = material()
    folds, judge = folds_of(rows, BASE), rows.judge
    component = components(rows.rows)
    for fold in folds:
        assert not (fold.valid & judge).any() and not (fold.train & judge).any()
        assert (rows.rows["known_at"][fold.train] < fold.cut).all() and (rows.rows["filed_at"][fold.valid] >= fold.cut).all()
        assert not set(component[fold.train]) & set(component[fold.valid])
    assert len(folds) == BASE.folds and sum(fold.valid for fold in folds).max() == 1


def test_the_latest_window_has_no_say(eight: list[Tried]) -> None:
    labels = DATA.labels.copy()
    judge = material().judge
    labels[judge] = np.roll(labels[judge], 1)
    assert (labels != DATA.labels).sum() > 20
    assert searched(8, what=material(labels)) == eight


def test_the_settings_as_they_are_come_first_and_the_best_is_never_dearer(eight: list[Tried]) -> None:
    first = next(tried for tried in eight if tried.number == 0)
    assert first.settings == BASE and first.state == "complete"
    assert eight[0].state == "complete" and eight[0].cost_cents == min(t.cost_cents for t in eight if t.state == "complete")
    assert len({tried.settings for tried in eight}) == 8 and sorted(tried.number for tried in eight) == list(range(8))
    assert all(replace(t.settings, fit_cap=1.0, hyperparameters=BASE.hyperparameters) == BASE for t in eight)


def test_a_search_that_was_stopped_or_killed_ends_as_one_that_was_not(eight: list[Tried], tmp_path: Path) -> None:
    def storage() -> optuna.storages.BaseStorage:
        return optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'studies.db'}")

    searched(3, storage())
    open_study(storage(), "s", {"data": "d"}).ask()  # killed half-way
    assert searched(8, storage()) == eight
    assert searched(5, storage()) == eight


def test_a_study_of_something_else_is_refused() -> None:
    storage = optuna.storages.InMemoryStorage()
    open_study(storage, "s", {"data": "d"})
    with pytest.raises(ValueError, match="study s: expected one with data e, found d; choose another --study"):
        open_study(storage, "s", {"data": "e"})


def test_the_figures_are_running_means_over_the_folds_after_the_first() -> None:
    rows = material()
    folds = folds_of(rows, BASE)
    figures = list(running_figures(rows, folds, PRICED, BASE))
    assert len(figures) == BASE.folds - 1
    fewer = list(running_figures(rows, folds[:-1], PRICED, BASE))
    assert fewer == figures[:-1]
    sizes = [fold.valid.sum() for fold in folds[1:]]
    alone = (figures[-1][0] * sum(sizes) - figures[-2][0] * sum(sizes[:-1])) / sizes[-1]
    last = folds[-1].valid
    paid = PRICED.cost(np.tile([1.0, 0.0, 0.0], (int(last.sum()), 1)), rows.labels, last).mean()
    assert 0 < alone < paid


def test_too_few_labels_for_two_folds_are_a_clear_error() -> None:
    early = DATA.claims.assign(filed_at=DATA.claims["filed_at"].iloc[0] + pd.to_timedelta(np.arange(700), unit="s"))
    known = known_of(DATA).assign(known_at=early["filed_at"] + pd.Timedelta(days=9))
    late = prepare(DATA.matrix, early, known, DATA.inputs.features, BASE)
    with pytest.raises(ValueError, match="expected labels in at least two of 4 folds"):
        search(open_study(None, "s", {}), late, PRICED, 1, BASE)
