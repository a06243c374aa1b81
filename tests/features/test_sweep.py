"""The sweep against plain loops over Python integers, to the last bit, however the work is cut."""

from __future__ import annotations

import threading
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.history import Ints
from features.sources import Events
from features.spec import DAY_US, Aggregate, Closed, How, Window
from features.sweep import Desk, Lines, _cut, sweep
from features.windows import answer
from tests.strategies import MANY

N_KEYS, N_DEVICES = 5, 3
SIZES = {"customer_id": N_KEYS, "device_id": N_DEVICES}
COLUMNS = ("cents", "device_id")
COLUMN: dict[How, str] = {
    **dict.fromkeys(("count", "since_first", "since_last"), "claims"),
    **dict.fromkeys(("sum", "mean", "min", "max", "last"), "claims.cents"),
    **dict.fromkeys(("first_seen", "distinct"), "claims.device_id"),
}
event_rows = st.lists(
    st.tuples(st.integers(-1, N_KEYS - 1), st.integers(0, 12), st.integers(-4, 4), st.integers(-1, N_DEVICES - 1)), max_size=40
)
probe_rows = st.lists(st.tuples(st.integers(-1, N_KEYS - 1), st.integers(0, 14)), max_size=20)
windows = st.builds(Window, st.integers(1, 9) | st.none(), st.integers(0, 4), st.sampled_from(["left", "right", "both", "neither"]))


def every(*over: Window) -> list[Aggregate]:
    return [Aggregate(on, ("customer_id",), how, window) for (how, on), window in product(COLUMN.items(), over)]


def matrix(columns: int, rows: list[tuple[int, ...]]) -> Ints:
    return np.array(rows, dtype=np.int64).reshape(-1, columns).T.copy()


def found_for(parts: list[Aggregate], rows: list[tuple[int, ...]], asked: list[tuple[int, int]], desk: Desk) -> np.ndarray:
    """The result as a matrix; days are the unit of time."""
    keys, days, cents, devices = matrix(4, rows)
    whose, now = matrix(2, asked)
    events = Events(days * DAY_US, {"customer_id": keys, "cents": cents, "device_id": devices})
    found = answer(parts, events, Events(now * DAY_US, {"customer_id": whose}), SIZES, desk)
    return np.array([found[part] for part in parts]).T.reshape(len(asked), len(parts))


def by_hand(part: Aggregate, rows: list[tuple[int, ...]], key: int, now: int) -> float:
    if key < 0:
        return float("nan")
    lower, upper = part.over.edges
    now *= DAY_US
    mine = sorted((day * DAY_US, cents, device) for k, day, cents, device in rows if k == key and day * DAY_US < now - upper)
    inside = [row for row in mine if lower is None or row[0] >= now - lower]
    earlier = {device for _, _, device in mine[: len(mine) - len(inside)]}
    values, devices = [cents for _, cents, _ in inside], {device for _, _, device in inside if device >= 0}
    counted = {"count": len(inside), "sum": sum(values), "distinct": len(devices), "first_seen": len(devices - earlier)}
    if part.how in counted:
        return float(counted[part.how])
    if not inside:
        return float("nan")
    days = {"since_first": (now - inside[0][0]) / DAY_US, "since_last": (now - inside[-1][0]) / DAY_US}
    return float((days | {"min": min(values), "max": max(values), "mean": sum(values) / len(values), "last": inside[-1][1]})[part.how])


@MANY
@given(event_rows, probe_rows, st.lists(windows, min_size=1, max_size=3), st.integers(1, 20))
def test_every_statistic_over_any_windows_equals_a_plain_loop(
    rows: list[tuple[int, ...]], asked: list[tuple[int, int]], over: list[Window], block: int
) -> None:
    parts = every(*over)
    expected = [[by_hand(part, rows, key, now) for part in parts] for key, now in asked]
    found = found_for(parts, rows, asked, Desk(block=block))
    np.testing.assert_array_equal(found, np.array(expected).reshape(found.shape))


def large(n: int, seed: int) -> tuple[list[tuple[int, ...]], list[tuple[int, int]]]:
    """Half of all events are of one key."""
    rng = np.random.default_rng(seed)
    keys = np.where(rng.random(n) < 0.5, 2, rng.integers(-1, N_KEYS, n))
    rows = np.stack([keys, rng.integers(0, 400, n), rng.integers(-(2**40), 2**40, n), rng.integers(-1, N_DEVICES, n)], axis=1)
    asked = np.stack([rng.integers(-1, N_KEYS, n // 5), rng.integers(0, 420, n // 5)], axis=1)
    return rows.tolist(), asked.tolist()


@pytest.mark.parametrize(("threads", "block"), [(1, 1), (1, 500), (2, 1), (3, 200), (8, 1)])
def test_any_number_of_threads_and_any_size_of_blocks_give_the_same_bits(threads: int, block: int) -> None:
    rows, asked = large(3_000, 1)
    parts = every(Window(7), Window(None), Window(90, 3, "both"))
    expected = found_for(parts, rows, asked, Desk())
    assert found_for(parts, rows, asked, Desk(threads, block)).tobytes() == expected.tobytes()


def test_the_order_of_rows_changes_nothing() -> None:
    rows, asked = large(2_000, 2)
    parts, order = every(Window(30), Window(None)), np.random.default_rng(3).permutation(2_000).tolist()
    turned = found_for(parts, [rows[i] for i in order], asked[::-1], Desk())[::-1]
    np.testing.assert_array_equal(turned, found_for(parts, rows, asked, Desk()))


def test_a_key_with_most_events_is_counted_as_if_it_were_alone_and_so_are_the_others() -> None:
    rows, asked = large(4_000, 4)
    parts = every(Window(30), Window(None, 5))
    whole = found_for(parts, rows, asked, Desk(block=100))
    for key in range(N_KEYS):
        mine = [i for i, (whose, _) in enumerate(asked) if whose == key]
        alone = found_for(parts, [row for row in rows if row[0] == key], [asked[i] for i in mine], Desk())
        np.testing.assert_array_equal(whole[mine], alone)


def test_a_desk_keeps_nothing_of_earlier_work() -> None:
    desk, parts = Desk(2, 300), every(Window(30))
    for n, seed in ((3_000, 5), (50, 6), (5_000, 7), (1_000, 8)):
        rows, asked = large(n, seed)
        assert found_for(parts, rows, asked, desk).tobytes() == found_for(parts, rows, asked, Desk()).tobytes()


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 60)), min_size=1, max_size=60), st.integers(1, 5), st.integers(1, 200))
def test_every_block_is_some_threads_and_no_thread_has_more_than_its_fair_share_and_one_block(
    lines: list[tuple[int, int]], threads: int, size: int
) -> None:
    events, probes = np.array(lines, dtype=np.int64).T
    blocks = _cut(events, probes, size)
    work = np.diff((blocks.events + blocks.probes)[blocks.first])
    turns = blocks.turns(threads)
    assert sorted(block for mine in turns for block in mine) == list(range(len(work)))
    assert all(mine.tolist() == sorted(mine) for mine in turns)
    assert all(work[mine].sum() <= work.sum() / threads + work.max() for mine in turns)


def test_threads_end_with_their_desk() -> None:
    before, desk = threading.active_count(), Desk(3, 100)
    rows, asked = large(3_000, 9)
    found_for(every(Window(30)), rows, asked, desk)
    working = [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPool")]
    del desk
    for thread in working:
        thread.join(10)
    assert working and threading.active_count() <= before


def test_sums_stay_exact_where_floats_would_not() -> None:
    """Running floats would lose the single cents beside 2⁶⁰; so would a running sum that passes 2⁶³ if it did not come back."""
    rows = [(0, 0, 2**60, 0), (0, 1, 1, 0), (0, 2, -(2**60), 0), (0, 3, 2**62, 0), (0, 4, 2**62, 0), (0, 5, 2**62, 0), (0, 6, 7, 0)]
    week = [Aggregate("claims.cents", ("customer_id",), how, Window(1)) for how in ("sum", "mean", "last")]
    assert found_for(week, rows, [(0, 2), (0, 7)], Desk()).tolist() == [[1.0] * 3, [7.0] * 3]
    everything = Aggregate("claims.cents", ("customer_id",), "sum", Window(4))
    assert found_for([everything], rows, [(0, 4)], Desk()).tolist() == [[float(2**62 + 1)]]


@pytest.mark.parametrize("closed", ["left", "right", "both", "neither"])
def test_an_event_on_either_end_counts_only_where_the_window_is_closed(closed: Closed) -> None:
    rows = [(0, 3, 1, 0), (0, 10, 10, 0)]
    found = found_for([Aggregate("claims.cents", ("customer_id",), "sum", Window(7, 0, closed))], rows, [(0, 10)], Desk())
    assert found.item() == {"left": 1, "right": 10, "both": 11, "neither": 0}[closed]


def test_rows_of_the_result_are_those_the_probes_name_and_nobody_is_undefined() -> None:
    told = Lines(np.array([1, 1]), np.array([0, 1]))
    asked = Lines(np.array([-1, 1, 0]), np.array([1, 2, 3]), (np.array([2, 0, 1]),))
    found = sweep([Aggregate("claims", ("customer_id",), "count", Window(None))], told, (), asked, {}, 2, Desk())
    np.testing.assert_array_equal(found, [[2.0], [0.0], [np.nan]])


@pytest.mark.parametrize("how", ["distinct", "first_seen"])
def test_a_column_of_codes_in_which_nothing_ever_occurs_counts_none(how: How) -> None:
    days = np.arange(5, dtype=np.int64) * DAY_US
    nobody = Events(days, {"customer_id": np.zeros(5, dtype=np.int64), "device_id": np.full(5, -1, dtype=np.int64)})
    part = Aggregate("orders.device_id", ("customer_id",), how, Window(30))
    for events in (nobody, nobody.only(np.empty(0, dtype=np.int64))):
        assert answer([part], events, nobody, {"customer_id": 1, "device_id": 0}, Desk())[part].tolist() == [0.0] * 5
