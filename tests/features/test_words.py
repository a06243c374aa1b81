"""Words of texts as bytes: what compiled loops make of them is what Arrow, Python and hashlib make of them."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from features.narratives import _plain_of_any, plain, plain_text
from features.words import buffers_of, hash_words
from tests.strategies import MANY

_texts = st.lists(st.none() | st.text() | st.text("aZ09 .,-!\t\né"), max_size=12)


@MANY
@given(_texts, st.integers(0, 3))
def test_texts_become_plain_as_arrows_own_functions_have_it(texts: list[str | None], cut: int) -> None:
    held = pa.array([*texts, None, "It MELTED!"], pa.large_string()).slice(cut if cut <= len(texts) else 0)
    found = plain(pa.chunked_array([held, pa.array([], pa.large_string())]))
    assert found.to_pylist() == _plain_of_any(held).to_pylist()
    assert found.combine_chunks().validate(full=True) is None
    assert [None if text is None else plain_text(text) for text in held.to_pylist()] == found.to_pylist()


@MANY
@given(st.lists(st.lists(st.text("abcé", max_size=150), min_size=1, max_size=6).map(" ".join), min_size=1, max_size=6), st.integers(0, 2))
def test_a_words_hash_is_blake2b_of_its_bytes_whatever_its_length(texts: list[str], cut: int) -> None:
    held = texts[min(cut, len(texts) - 1) :]
    starts, hashes = hash_words(*buffers_of(pa.array(texts, pa.large_string()).slice(min(cut, len(texts) - 1))))
    words = [word.encode() for text in held for word in text.split(" ")]
    expected = [int.from_bytes(hashlib.blake2b(word, digest_size=8).digest(), "little") for word in words]
    assert hashes.tolist() == expected
    assert np.diff(starts).tolist() == [len(text.split(" ")) for text in held]


def test_more_words_than_are_remembered_keep_their_hashes() -> None:
    words = [f"model-{i}" for i in range(30_000)] * 2
    _, hashes = hash_words(*buffers_of(pa.array([" ".join(words)], pa.large_string())))
    assert hashes[:30_000].tolist() == hashes[30_000:].tolist()
    assert hashes[29_999] == int.from_bytes(hashlib.blake2b(b"model-29999", digest_size=8).digest(), "little")
