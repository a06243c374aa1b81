"""The contestants learn the same thing from the same data."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks._training_contest import CONTESTANTS, synthetic


def test_the_same_seed_gives_the_same_rows_and_classes_have_their_shares() -> None:
    (matrix, labels), (again, _) = synthetic(20_000, 60, 3), synthetic(20_000, 60, 3)
    np.testing.assert_array_equal(matrix, again)
    shares = np.bincount(labels) / len(labels)
    assert np.all(np.abs(shares - [0.70, 0.23, 0.07]) < 0.02)
    assert 0.01 < np.isnan(matrix).mean() < 0.1


@pytest.mark.parametrize("name", sorted(CONTESTANTS))
def test_every_contestant_learns(name: str) -> None:
    (matrix, labels), (later, truth) = synthetic(6_000, 60, 1), synthetic(4_000, 60, 2)
    proba = CONTESTANTS[name](matrix, labels, 1)(later)
    assert proba.shape == (4_000, 3)
    assert all(roc_auc_score(truth == place, proba[:, place]) > 0.6 for place in range(3))
