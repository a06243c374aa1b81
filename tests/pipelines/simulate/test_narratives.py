"""Accounts are the same under the same seed, honest ones rarely alike, and copied ones are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.simulate.narratives import reworded, write_narratives
from pipelines.simulate.people import CATEGORIES


def accounts(seed: int, count: int = 300, letter: bool = False) -> list[str]:
    place = np.arange(count)
    letters = np.full(count, letter)
    return write_narratives(
        place % len(CATEGORIES), place % 5 == 0, place % 3 == 0, letters, 100 * (place + 1), np.random.default_rng(seed)
    )


def likeness(one: str, other: str) -> float:
    """Jaccard likeness of the sets of three words in a row."""
    a, b = (set(zip(w, w[1:], w[2:], strict=False)) for w in (one.lower().split(), other.lower().split()))
    return len(a & b) / max(1, len(a | b))


@given(st.integers(0, 2**32 - 1))
def test_the_same_seed_tells_the_same_and_every_account_is_complete(seed: int) -> None:
    texts = accounts(seed, count=24)
    assert texts == accounts(seed, count=24)
    assert all(0 < len(text) <= 4_000 and "{" not in text and "}" not in text and text == text.strip() for text in texts)


def test_two_honest_accounts_are_rarely_alike_and_two_copies_of_a_letter_often_are() -> None:
    def alike(texts: list[str]) -> float:
        return float(np.mean([likeness(a, b) > 0.5 for i, a in enumerate(texts) for b in texts[:i]]))

    assert alike(accounts(1)) < 0.001
    assert alike(accounts(1, count=100, letter=True)) > 0.05


@pytest.mark.parametrize("text", accounts(2, count=8))
def test_the_more_a_copy_is_reworded_the_less_it_resembles_what_was_copied(text: str) -> None:
    found = [
        np.mean([likeness(text, reworded(text, share, np.random.default_rng(seed))) for seed in range(30)]) for share in (0, 0.1, 0.4, 1)
    ]
    assert found[0] == 1.0
    assert found == sorted(found, reverse=True) and found[3] < 0.1
