"""Eight numbers at once: each operation is the plain one, rounding included."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit

from models.tree_lanes import LANES, aligned, fma, load, mul, pick, splat, store, sub, total


@njit
def _computed(left, right, number, out):  # type: ignore[no-untyped-def]
    for row in range(len(left) // LANES):
        a, b, s = load(left, row), load(right, row), splat(number)
        store(out, 4 * row, sub(a, b))
        store(out, 4 * row + 1, mul(a, b))
        store(out, 4 * row + 2, fma(a, b, s))
        store(out, 4 * row + 3, splat(total(a)))


def test_every_operation_is_the_plain_one_number_by_number() -> None:
    rng = np.random.default_rng(0)
    left, right, number = rng.normal(size=3 * LANES), rng.normal(size=3 * LANES) * 1e8, 1.0 / 3.0
    out = np.empty(4 * len(left))
    _computed(left, right, number, out)
    found = out.reshape(3, 4, LANES)
    a, b = left.reshape(3, LANES), right.reshape(3, LANES)
    assert np.array_equal(found[:, 0], a - b)
    assert np.array_equal(found[:, 1], a * b)
    once_rounded = [[math.fsum([*_exact(x, y), number]) for x, y in zip(p, q, strict=True)] for p, q in zip(a, b, strict=True)]
    assert np.array_equal(found[:, 2], once_rounded)
    halves = a[:, :4] + a[:, 4:]
    quarters = halves[:, :2] + halves[:, 2:]
    assert np.array_equal(found[:, 3], np.repeat((quarters[:, 0] + quarters[:, 1])[:, None], LANES, axis=1))


def _exact(x: float, y: float) -> list[float]:
    """Return numbers that add up to x·y without rounding: both split into halves of their bits (Veltkamp)."""
    parts = []
    for value in (float(x), float(y)):
        high = (big := 134217729.0 * value) - (big - value)
        parts.append((high, value - high))
    return [p * q for p in parts[0] for q in parts[1]]


@njit
def _picked(numbers, places, out):  # type: ignore[no-untyped-def]
    for k in range(len(out)):
        out[k] = pick(numbers, places[k])


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint64, np.float64])
def test_one_number_is_read_as_it_stands_whatever_its_type(kind: type) -> None:
    numbers, places = np.arange(7).astype(kind), np.array([6, 0, 3])
    out = np.empty(3, dtype=kind)
    _picked(numbers, places, out)
    assert out.tolist() == [6, 0, 3]


@pytest.mark.parametrize("numbers", [1, 8, 1001])
def test_aligned_numbers_begin_where_a_cache_line_does(numbers: int) -> None:
    found = aligned(numbers)
    assert found.shape == (numbers,) and found.ctypes.data % 64 == 0
