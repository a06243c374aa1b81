"""Bands of amounts divide the claims; a planted error is found in its band and class, and none where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from data_contracts import LABELS
from models.bands import EDGES_CENTS, band_names, reliability_by_band

RNG = np.random.default_rng(6)
ROWS = 20_000
AMOUNT = np.exp(RNG.normal(10.3, 1.4, ROWS)).astype("int64")
PROBA = RNG.dirichlet((4, 2, 1), ROWS)
TRUE = np.array(LABELS, dtype=object)[(PROBA.cumsum(axis=1) < RNG.random((ROWS, 1))).sum(axis=1)]
WEIGHTS = RNG.choice([0.0, 1.0, 12.5], ROWS)


def test_the_bands_of_a_class_divide_its_claims_and_their_gaps_add_up() -> None:
    table = reliability_by_band(TRUE, PROBA, WEIGHTS, AMOUNT)
    used = WEIGHTS > 0
    for place, label in enumerate(LABELS):
        rows = table[table["label"] == label]
        assert rows["band"].tolist() == band_names() and rows["rows"].sum() == used.sum()
        band = np.searchsorted(EDGES_CENTS, AMOUNT[used], side="right")
        mass = np.array([WEIGHTS[used][band == k].sum() for k in range(len(rows))])
        whole = np.average((TRUE[used] == label) - PROBA[used, place], weights=WEIGHTS[used])
        assert (mass * rows["gap"]).sum() / mass.sum() == pytest.approx(whole)
        np.testing.assert_allclose(rows["observed"] - rows["predicted"], rows["gap"], atol=1e-12)


def test_true_probabilities_stay_within_their_errors_and_a_planted_gap_does_not() -> None:
    table = reliability_by_band(TRUE, PROBA, np.ones(ROWS), AMOUNT)
    assert (table["gap"].abs() < 3.5 * table["error"]).all()
    bent = PROBA.copy()
    here = np.searchsorted(EDGES_CENTS, AMOUNT, side="right") == 3
    bent[here] = bent[here] * [1.0, 1.0, 0.3]
    bent /= bent.sum(axis=1, keepdims=True)
    found = reliability_by_band(TRUE, bent, np.ones(ROWS), AMOUNT).set_index(["label", "band"])
    assert found.loc[("abusive", band_names()[3]), "gap"] > 4 * found.loc[("abusive", band_names()[3]), "error"]
    assert abs(found.loc[("abusive", band_names()[0]), "gap"]) < 3.5 * found.loc[("abusive", band_names()[0]), "error"]


def test_an_amount_on_an_edge_belongs_to_the_band_above_and_an_empty_band_is_left_out() -> None:
    table = reliability_by_band(np.array(["valid"]), np.array([[1.0, 0.0, 0.0]]), np.ones(1), np.array([EDGES_CENTS[0]]))
    assert set(table["band"]) == {band_names()[1]} and len(table) == 3
