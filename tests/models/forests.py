"""Small LightGBM models of every kind that the tree kernels read, and rows that ask about their edges."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
from hypothesis import strategies as st

EDGES = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-35, -1e-35, 1e-36, 2e-35, 1e300, -1e300, -1.0, 0.5, 31.0, 32.0, 1e10)
"""Values at which LightGBM's rules of missing, zero and categories turn."""


def table(seed: int, rows: int = 240, columns: int = 6) -> np.ndarray:
    """Return columns of several characters: continuous, counts, flags, two categorical ones (the last), gaps and zeros everywhere."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, columns))
    values[:, 1::3] = np.floor(np.exp(values[:, 1::3]))
    values[:, -2:] = rng.integers(0, 40, size=(rows, 2))
    values[rng.random(values.shape) < 0.15] = np.nan
    values[rng.random(values.shape) < 0.15] = 0.0
    return values


def grown(seed: int, rounds: int = 8, columns: int = 6, rows: int = 240, **parameters: Any) -> tuple[lgb.Booster, np.ndarray]:
    """Grow a booster on a table; return both. ``categorical=True`` makes the last two columns sets of categories."""
    values = table(seed, rows, columns)
    rng = np.random.default_rng(seed + 1)
    seen = np.nan_to_num(values)
    answer = (seen[:, 0] * seen[:, 2] + np.sin(seen[:, -1]) + np.isnan(values[:, 1]) + rng.normal(size=rows) > 0.3).astype(float)
    categorical = [columns - 2, columns - 1] if parameters.pop("categorical", False) else []
    plain = {
        "objective": "binary",
        "num_leaves": 15,
        "min_data_in_leaf": 2,
        "min_data_per_group": 2,
        "cat_smooth": 1.0,
        "max_cat_to_onehot": 2,
    }
    settings = plain | {"num_threads": 1, "verbosity": -1, "seed": seed, "min_data_in_bin": 1} | parameters
    data = lgb.Dataset(values, answer, categorical_feature=categorical, params=settings)
    return lgb.train(settings, data, rounds), values


def chained(columns: int) -> tuple[lgb.Booster, np.ndarray]:
    """Grow trees that ask about one flag after the other: their longest path reads nearly all columns."""
    rng = np.random.default_rng(0)
    values = (rng.random((4000, columns)) < 0.9).astype(float)
    answer = np.cumprod(values, axis=1).sum(axis=1) + rng.normal(size=4000) / 100
    plain = {"objective": "regression", "num_leaves": columns + 1, "min_data_in_leaf": 1, "num_threads": 1, "verbosity": -1}
    return lgb.train(plain, lgb.Dataset(values, answer, params=plain), 1), values


def with_edges(values: np.ndarray, seed: int, rows: int = 40) -> np.ndarray:
    """Return some rows as they are, and as many with edge values strewn in."""
    rng = np.random.default_rng(seed)
    strewn = values[rng.integers(0, len(values), rows)].copy()
    strewn[rng.random(strewn.shape) < 0.4] = np.nan
    place = rng.random(strewn.shape) < 0.4
    strewn[place] = rng.choice(EDGES, place.sum())
    return np.concatenate([values[:rows], strewn])


KINDS = st.fixed_dictionaries(
    {"seed": st.integers(0, 10_000), "num_leaves": st.integers(2, 31)},
    optional={
        "categorical": st.just(True),
        "zero_as_missing": st.just(True),
        "use_missing": st.just(False),
        "max_depth": st.integers(1, 4),
        "extra_trees": st.just(True),
        "bagging_fraction": st.just(0.6),
        "boost_from_average": st.just(False),
        "rounds": st.integers(1, 12),
        "columns": st.integers(3, 12),
    },
).map(lambda kind: kind | ({"bagging_freq": 1} if "bagging_fraction" in kind else {}))
"""Arguments of :func:`grown`."""
