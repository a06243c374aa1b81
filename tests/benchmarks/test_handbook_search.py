"""What is tried is drawn from what is declared, and the best on the folds is taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks._handbook_protocol import Fold, Score
from benchmarks._handbook_search import SPACE, Measured, chosen, drawn, measure


def test_settings_are_drawn_once_each_from_the_space_and_alike_for_everyone() -> None:
    found = drawn(40)
    assert len(set(found)) == 40
    assert found == drawn(40)
    assert found != drawn(40, seed=1)
    assert all(getattr(setting, name) in values for setting in found for name, values in SPACE.items())
    assert all(setting.num_leaves == 2**setting.max_depth for setting in found)


def test_the_setting_with_the_best_mean_average_precision_is_chosen() -> None:
    settings, figures = drawn(3), ((0.2, 0.4), (0.1, 0.9), (0.4, 0.4))
    tried = [Measured(s, tuple(Score(0.5, ap, 0.1) for ap in aps), ()) for s, aps in zip(settings, figures, strict=True)]
    assert chosen(tried) is tried[1]
    assert tried[1].standard_error("ap") == pytest.approx(0.4)


def test_labels_that_teach_are_not_those_that_judge() -> None:
    rng = np.random.default_rng(0)
    signal = rng.random(3_000)
    days = pd.Timestamp("2018-05-01", tz="UTC") + pd.to_timedelta(np.arange(3_000) // 150, unit="D")
    customers = [f"C{row % 700}" for row in range(3_000)]
    log = pd.DataFrame({"customer_id": customers, "filed_at": days, "fraud": signal > 0.9})
    fold = Fold("2018-05-01", np.arange(1_500), np.arange(1_500, 3_000))
    setting, matrix = replace(drawn(1)[0], unstopped_rounds=15), pd.DataFrame({"signal": signal})
    taught = measure(matrix, log, [fold], setting, (0, 1))
    assert taught.mean("auc") > 0.99
    turned = measure(matrix, log, [fold], setting, (0,), ~log["fraud"].to_numpy())
    assert turned.mean("auc") < 0.01
    assert [len(taught.alone), len(taught.alone[0])] == [2, 1]
