"""Functions compiled without counting who holds an array."""

import sys

import numpy as np
import pytest
from numba.core.errors import TypingError

from features.borrowing import borrowing


@borrowing(cache=False)
def _total_of(pair, first):
    both = pair[0][first:], pair[1][first:]
    total = 0
    for one in both:
        for value in one:
            total += value
    return total


@borrowing(cache=False)
def _doubled(values):
    return np.append(values, values)


def test_a_borrowing_function_computes_what_python_does_and_leaves_its_arrays_held_as_they_were() -> None:
    pair = (np.arange(5), np.arange(7))
    held = [sys.getrefcount(array) for array in pair]
    assert _total_of(pair, 2) == _total_of.py_func(pair, 2) == 29
    assert [sys.getrefcount(array) for array in pair] == held


def test_a_function_that_makes_an_array_of_its_own_cannot_borrow() -> None:
    with pytest.raises(TypingError):
        _doubled(np.arange(3))
