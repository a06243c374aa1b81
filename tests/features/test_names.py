"""Numbers of texts against a dictionary that counts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import names as module
from features.names import Names, different
from tests.strategies import MANY

TEXTS = st.lists(st.one_of(st.none(), st.text("ab\0é", max_size=20)), max_size=30)


def counted(chunks: list[list[str | None]]) -> list[int]:
    numbers: dict[str, int] = {}
    return [-1 if text is None else numbers.setdefault(text, len(numbers)) for chunk in chunks for text in chunk]


@MANY
@given(st.lists(TEXTS, max_size=4), st.integers(0, 5), st.integers(1, 7))
def test_texts_are_numbered_in_the_order_in_which_they_are_met_however_they_are_cut(
    chunks: list[list[str | None]], skipped: int, at_once: int
) -> None:
    held = pa.chunked_array([pa.array(["left out"] * skipped + chunk, pa.string()).slice(skipped) for chunk in chunks], pa.string())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_AT_ONCE", at_once)
        names = Names()
        assert names.number(held).tolist() == counted(chunks)
    assert names.find(held).tolist() == counted(chunks)
    texts = list(dict.fromkeys(text for chunk in chunks for text in chunk if text is not None))
    assert (names.texts().to_pylist(), len(names), different(held)) == (texts, len(texts), len(texts))


def test_many_texts_keep_their_numbers_while_the_table_grows_though_tags_of_some_are_equal() -> None:
    numbers = np.random.default_rng(1).integers(0, 150_000, 300_000)
    names = Names()
    found = names.number(pa.chunked_array([pa.array(numbers).cast(pa.string())]))
    _, first, inverse = np.unique(numbers, return_index=True, return_inverse=True)
    assert np.array_equal(found, np.argsort(np.argsort(first))[inverse])


def test_texts_whose_hashes_are_equal_are_told_apart_by_their_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_hash", lambda data, offsets, hashes: hashes.fill(7))
    names = Names()
    assert names.number(pa.chunked_array([["a", "b", "ab", "a", "b"]])).tolist() == [0, 1, 2, 0, 1]
    assert names.find(pa.chunked_array([["ba", "ab"]])).tolist() == [-1, 2]


def test_looking_for_a_text_does_not_make_it_known() -> None:
    names = Names()
    assert names.find(pa.chunked_array([["x", None]])).tolist() == [-1, -1]
    assert len(names) == 0
    assert names.number(pa.chunked_array([["y", "x"]])).tolist() == [0, 1]
