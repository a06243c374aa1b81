"""No pair of near photographs is missed and none is made up."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.photographs import MAX_BITS, hashes_of, near_photographs
from tests.features.tables import photographs
from tests.strategies import MANY


def every_pair(hashes: list[int]) -> set[frozenset[int]]:
    return {frozenset((i, j)) for j in range(len(hashes)) for i in range(j) if (hashes[i] ^ hashes[j]).bit_count() <= MAX_BITS}


def must_find_every_pair(hashes: list[int]) -> None:
    left, right = near_photographs(np.array(hashes, dtype=np.uint64))
    pairs = [frozenset(pair) for pair in zip(left.tolist(), right.tolist(), strict=True)]
    assert len(pairs) == len(set(pairs))
    assert set(pairs) == every_pair(hashes)


@MANY
@given(st.integers(0, 2**64 - 1), st.lists(st.lists(st.integers(0, 63), max_size=9), max_size=20))
def test_exactly_the_pairs_within_the_limit_are_found(word: int, turned: list[list[int]]) -> None:
    hashes = {word}
    for bits in turned:
        other = word
        for bit in bits:
            other ^= 1 << bit
        hashes.add(other)
    must_find_every_pair(sorted(hashes))


def test_thousands_of_photographs_have_the_pairs_of_the_plain_search() -> None:
    must_find_every_pair(sorted({int(word, 16) for word in photographs(np.random.default_rng(5), 2_500)}))


def test_no_photographs_no_pairs() -> None:
    left, right = near_photographs(np.empty(0, dtype=np.uint64))
    assert len(left) == len(right) == 0


def test_perceptual_hashes_are_read_as_python_reads_hexadecimal_numbers() -> None:
    texts = ["0", "00ff", "DeadBeef", "f" * 16, "0123456789abcdef"]
    assert hashes_of(pa.array(texts, pa.large_string())).tolist() == [int(text, 16) for text in texts]
    odd = [*texts, "0xff"]
    assert hashes_of(pa.array(odd, pa.large_string())).tolist() == [int(text, 16) for text in odd]
    with pytest.raises(ValueError, match="xyz"):
        hashes_of(pa.array([*texts, "xyz"], pa.large_string()))
