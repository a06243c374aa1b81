"""The marketplace is learnable, yet not trivial, and no feature gives the truth away."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from features.catalog import CATALOG
from features.matrix import build_matrix
from pipelines.simulate import simulate

LIVE = pd.Timestamp("2025-04-01", tz="UTC")
PARAMETERS = {
    "objective": "binary",
    "num_leaves": 31,
    "learning_rate": 0.05,
    "num_threads": 1,
    "verbose": -1,
    "deterministic": True,
    "force_row_wise": True,
}


def later_auc(matrix: pd.DataFrame, abusive: np.ndarray, live: np.ndarray) -> float:
    booster = lgb.train(PARAMETERS, lgb.Dataset(matrix[~live], abusive[~live]), num_boost_round=200)
    return float(roc_auc_score(abusive[live], booster.predict(matrix[live])))


@pytest.fixture(scope="module", params=[0, 1])
def problem(request: pytest.FixtureRequest) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Features, whether abusive, and whether filed in the live window, of one marketplace."""
    simulated = simulate(orders=180_000, claims=12_000, seed=request.param, dirt=0.0)
    abusive = (simulated.truth["truth"] == "abusive").to_numpy()
    return build_matrix(simulated.tables), abusive, (simulated.tables["claims"]["filed_at"] >= LIVE).to_numpy()


def test_abuse_is_learnable_not_trivial_and_partly_hidden_in_links_and_duplicates(
    problem: tuple[pd.DataFrame, np.ndarray, np.ndarray],
) -> None:
    matrix, abusive, live = problem
    alone = set(CATALOG.without("links", "duplicates").names)
    everything = later_auc(matrix, abusive, live)
    without = later_auc(matrix[[name for name in matrix if name in alone]], abusive, live)
    # The live window holds about 280 abusive claims here: one standard error of the area is about 0.013.
    assert 0.80 < everything < 0.91
    assert 0.70 < without < 0.83
    assert everything - without > 0.035


def test_no_single_feature_gives_the_truth_away(problem: tuple[pd.DataFrame, np.ndarray, np.ndarray]) -> None:
    matrix, abusive, _ = problem
    for name in matrix:
        area = roc_auc_score(abusive, matrix[name].fillna(matrix[name].median()).fillna(0.0))
        assert 0.25 < area < 0.75, f"{name} alone reaches {area:.3f}"
