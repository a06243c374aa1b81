"""Splits follow time, keep the gap, and share nobody."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.splits import ENTITIES, components, no_shared_component, rolling_origin, split_at, time_split
from tests.models.synthetic import START

DAY = pd.Timedelta(days=1)


def market(rows: int = 400, people: int = 300, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: [f"{name}{v}" for v in rng.integers(0, people, rows)] for name in ENTITIES[:2]})
    frame["filed_at"] = (START + pd.to_timedelta(np.sort(rng.integers(0, 200, rows)), unit="D")).astype("datetime64[us, UTC]")
    return frame


LABELLED = np.array(["valid", "abusive"] * 200)


def slow_components(frame: pd.DataFrame) -> list[int]:
    """Grow each component by looking at every pair until nothing changes."""
    number = list(range(len(frame)))
    columns = [frame[name].tolist() for name in ENTITIES if name in frame]
    changed = True
    while changed:
        changed = False
        for i in range(len(frame)):
            for j in range(i):
                if number[i] != number[j] and any(c[i] == c[j] and c[i] is not None for c in columns):
                    number[i] = number[j] = min(number[i], number[j])
                    changed = True
    return pd.factorize(np.array(number))[0].tolist()


ID = st.one_of(st.none(), st.sampled_from("abcdef"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(ID, ID), min_size=1, max_size=9))
def test_components_equal_those_of_a_slow_loop(rows: list) -> None:
    frame = pd.DataFrame(rows, columns=["customer_id", "device_id"], dtype=object)
    assert components(frame, hub_cap=100).tolist() == slow_components(frame)


def test_a_hub_connects_nobody() -> None:
    frame = pd.DataFrame({"address_id": ["shop"] * 5 + ["home"] * 2})
    assert components(frame, hub_cap=4).tolist() == [0, 1, 2, 3, 4, 5, 5]
    assert components(frame, hub_cap=5).tolist() == [0, 0, 0, 0, 0, 1, 1]


def test_no_earlier_row_that_is_kept_is_related_to_a_later_one_and_no_unrelated_row_is_dropped() -> None:
    frame = market()
    later = (frame.filed_at >= START + 150 * DAY).to_numpy()
    kept = no_shared_component(frame, ~later, later)
    related = set(components(frame)[later])
    assert np.array_equal(kept, ~later & ~np.isin(components(frame), list(related)))
    assert 0 < kept.sum() < (~later).sum()


def test_rows_of_neither_window_connect_nobody() -> None:
    frame = pd.DataFrame({"customer_id": ["a", "a", "b"], "device_id": ["x", "y", "y"]})
    earlier, later = np.array([True, False, False]), np.array([False, False, True])
    assert no_shared_component(frame, earlier, later).tolist() == [True, False, False]
    assert no_shared_component(frame, np.array([True, True, False]), later).tolist() == [False, False, False]


def test_training_is_filed_and_known_before_the_cut_less_the_gap() -> None:
    frame = market()
    known = frame.filed_at + pd.to_timedelta(np.arange(400) % 40, unit="D")
    split = time_split(frame, LABELLED, 0.25, 10 * DAY, known, columns=())
    assert (frame.filed_at[split.train] < split.cut - 10 * DAY).all()
    assert (known[split.train] < split.cut).all()
    assert (frame.filed_at[split.valid] >= split.cut).all()
    assert split.valid.sum() == pytest.approx(100, abs=5)
    assert not (split.train & split.valid).any()


def test_the_order_of_rows_changes_no_claims_side() -> None:
    frame = market()
    order = np.random.default_rng(1).permutation(400)
    here, there = time_split(frame, LABELLED), time_split(frame.iloc[order], LABELLED[order])
    assert np.array_equal(here.train[order], there.train)
    assert np.array_equal(here.valid[order], there.valid)


def test_a_split_logs_dates_sizes_and_classes() -> None:
    frame = market()
    split = time_split(frame, LABELLED)
    log = json.loads(json.dumps(split.to_json()))
    assert log["train"]["rows"] == split.train.sum() == sum(log["train"]["classes"].values())
    assert log["train"]["last_filed_at"] < log["cut"] <= log["valid"]["first_filed_at"]
    assert log["purged"] == (frame.filed_at < split.cut).sum() - split.train.sum()


def test_rolling_windows_follow_one_another_without_overlap_and_training_only_grows() -> None:
    frame = market()
    cuts = [START + (80 + 30 * k) * DAY for k in range(4)]
    folds = list(rolling_origin(frame, LABELLED, cuts, START + 200 * DAY, columns=()))
    assert [fold.cut for fold in folds] == cuts
    assert all((frame.filed_at[fold.valid] < end).all() for fold, end in zip(folds, [*cuts[1:], START + 200 * DAY], strict=True))
    for earlier, later in itertools.pairwise(folds):
        assert not (earlier.valid & later.valid).any()
        assert not (earlier.train & ~later.train).any()
    assert sum(fold.valid for fold in folds).max() == 1


def test_an_empty_window_is_logged_as_empty_and_an_impossible_share_is_refused() -> None:
    frame = market()
    log = split_at(frame, LABELLED, START + 1000 * DAY).to_json()
    assert log["valid"] == {
        "first_filed_at": None,
        "last_filed_at": None,
        "rows": 0,
        "classes": {"valid": 0, "unsubstantiated": 0, "abusive": 0},
    }
    with pytest.raises(ValueError, match=r"a share inside \(0, 1\), found 400 rows and 1\.0"):
        time_split(frame, LABELLED, 1.0)
    with pytest.raises(ValueError, match="found 0 rows"):
        time_split(frame.iloc[:0], LABELLED[:0])
