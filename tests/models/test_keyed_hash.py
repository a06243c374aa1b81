"""The law of many hashes at once: each is what the library makes of its text, whatever its length and place."""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.keyed_hash import keyed_hashes
from tests.strategies import MANY

texts = st.one_of(st.text(max_size=70), st.sampled_from(["", "C1", "a" * 127, "a" * 128, "a" * 129, "ü" * 64, "ü" * 65]))


def by_library(key: bytes, text: str) -> bytes:
    return hashlib.blake2b(text.encode(), key=key, digest_size=8).digest()


@MANY
@given(st.binary(min_size=1, max_size=64), st.lists(texts, min_size=1, max_size=12), st.integers(0, 3))
def test_every_hash_is_that_of_the_library(key: bytes, drawn: list[str], skipped: int) -> None:
    many = drawn * 300
    expected = [by_library(key, text) for text in many]
    assert [int(one).to_bytes(8, "big") for one in keyed_hashes(key, many).tolist()] == expected
    # Part of a column begins within its bytes.
    assert keyed_hashes(key, pa.array(many)[skipped:]).tolist() == keyed_hashes(key, many).tolist()[skipped:]
    assert keyed_hashes(key, pa.chunked_array([drawn] * 300)).tolist() == keyed_hashes(key, many).tolist()
    assert keyed_hashes(key, drawn).tolist() == keyed_hashes(key, many).tolist()[: len(drawn)]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_no_text_gives_no_hash(kind: pa.DataType) -> None:
    assert keyed_hashes(b"k", pa.array([], kind)).tolist() == []
