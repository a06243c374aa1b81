"""No claim is scored by a model that its own label, a later claim or a relative of its fold had a part in."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from models.out_of_time import out_of_time_scores, scored_folds
from models.splits import rolling_origin
from tests.models.synthetic import START, sample

DATA = sample(300)
DAY = pd.Timedelta(days=1)
CUTS = [START + k * DAY for k in (4, 7, 10)]


def test_every_claim_of_a_fold_is_scored_by_the_claims_before_it_that_are_not_related_to_its_fold() -> None:
    folds = list(rolling_origin(DATA.claims, DATA.labels, CUTS))

    def grow(train: np.ndarray):  # type: ignore[no-untyped-def]
        return lambda rows: np.full((len(rows), 3), float(train.sum()))

    scores, place = out_of_time_scores(folds, DATA.matrix, grow)
    for row in range(len(DATA.labels)):
        filed = DATA.claims["filed_at"].iloc[row]
        fold = sum(filed >= cut for cut in CUTS) - 1
        assert place[row] == fold
        if fold >= 0:
            assert (scores[row] == folds[fold].train.sum()).all()
            assert (DATA.claims["filed_at"][folds[fold].train] < CUTS[fold]).all()
            relatives = set(DATA.claims["customer_id"][folds[fold].valid])
            assert not relatives & set(DATA.claims["customer_id"][folds[fold].train])
        else:
            assert np.isnan(scores[row]).all()


def test_a_search_may_stop_after_any_fold_and_has_grown_nothing_beyond_it() -> None:
    grown: list[int] = []

    def grow(train: np.ndarray):  # type: ignore[no-untyped-def]
        grown.append(int(train.sum()))
        return lambda rows: np.zeros((len(rows), 3))

    two = list(itertools.islice(scored_folds(rolling_origin(DATA.claims, DATA.labels, CUTS), DATA.matrix, grow), 2))
    assert [number for number, _, _ in two] == [0, 1] and len(grown) == 2


def test_a_fold_without_rows_on_either_side_is_left_out() -> None:
    folds = rolling_origin(DATA.claims, DATA.labels, [START - DAY, START + 4 * DAY, START + 400 * DAY], columns=())
    assert [number for number, _, _ in scored_folds(folds, DATA.matrix, lambda _: lambda rows: np.zeros((len(rows), 3)))] == [1]
