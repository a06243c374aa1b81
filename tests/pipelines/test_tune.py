"""Tuning leaves settings that the next training uses, and touches nothing that came later."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from models.policy import default_policy
from models.settings import TrainingSettings
from models.shelf import Shelf
from pipelines.train import settings_of, train
from pipelines.tune import AFTER, BEFORE, tune
from tests.console import touchstone
from tests.pipelines.conftest import Market
from tests.pipelines.test_train import QUICK

POLICY = default_policy()


def test_the_best_settings_are_what_train_uses_and_the_future_changes_nothing(market: Market) -> None:
    at = market.simulation.live_from
    assert settings_of(market.home) == TrainingSettings()
    found = tune(market.home, at, POLICY, trials=3, base=QUICK)
    assert settings_of(market.home) == found.best.settings == TrainingSettings.parse(found.settings.read_text())
    trained = train(market.home, at, tracking=False)
    manifest = json.loads((market.home.bundles / trained.bundle / "manifest.json").read_text())
    assert manifest["trained"]["settings"]["hyperparameters"]["num_leaves"] == found.best.settings.hyperparameters.num_leaves
    assert Shelf(market.home.bundles).aliases()["challenger"] == trained.bundle
    written = json.loads((market.home.runs / f"tune-{found.study}.json").read_text())
    assert len(written["tried"]) == 3 and all(pd.Timestamp(fold["cut"]) < pd.Timestamp(at) for fold in written["folds"])
    assert found.latest[AFTER]["saved_cents"].estimate == 0.0
    saved = found.latest[BEFORE]["cost_cents"].estimate - found.latest[AFTER]["cost_cents"].estimate
    assert found.latest[BEFORE]["saved_cents"].estimate == pytest.approx(saved)


def test_a_study_of_another_day_under_the_same_name_is_refused_and_so_is_no_trial(market: Market) -> None:
    at = market.simulation.live_from
    tune(market.home, at, POLICY, trials=1, base=QUICK, study="mine")
    with pytest.raises(ValueError, match="choose another --study"):
        tune(market.home, at - pd.Timedelta(days=40), POLICY, trials=1, base=QUICK, study="mine")
    found = touchstone("tune", "--as-of", "2025-04-01", "--trials", "0", "--home", str(market.home.root))
    assert found.code == 2 and "expected at least 1, found 0" in found.err
