"""One band of MinHash against a loop that does as the module says, text by text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import band as module
from features.band import marks, meet, once
from features.likeness import are_alike
from tests.strategies import MANY

RATIO = (3, 5)


def expected(words: np.ndarray, first: np.ndarray, held: np.ndarray, sets: list[np.ndarray], look_back: int) -> set[tuple[int, int]]:
    """Compare each text with all of its instant and the latest earlier ones of its bucket that others may be compared with."""
    order = sorted(range(len(words)), key=lambda text: first[text])
    found = set()
    for place, text in enumerate(order):
        bucket = [other for other in order[:place] if words[other] == words[text] and held[other]]
        tied = [other for other in bucket if first[other] == first[text]]
        before = [other for other in bucket if first[other] < first[text]][-look_back:]
        found |= {(text, other) for other in (*before, *tied) if are_alike(sets[text], sets[other], RATIO)}
    return found


@MANY
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 6), st.integers(1, 4), st.integers(1, 40))
def test_texts_meet_all_of_their_instant_and_the_latest_before(seed: int, n: int, kinds: int, look_back: int, instants: int) -> None:
    rng = np.random.default_rng(seed)
    words, first, held = rng.integers(0, kinds, n).astype(np.uint64), rng.integers(0, instants, n), rng.random(n) < 0.8
    sets = [np.unique(rng.integers(0, 2**64, 12, dtype=np.uint64)[:3].repeat(2) // np.uint64(1 + rng.integers(2))) for _ in range(n)]
    sets = [sets[rng.integers(0, 1 + i // 3)] for i in range(n)]
    starts, hashes = np.append(0, np.cumsum([len(one) for one in sets])), np.concatenate(sets)
    by_time = np.argsort(first, kind="stable")
    tied = np.searchsorted(first[by_time], first[by_time])
    left, right = meet(words, by_time.astype(np.int32), tied, held, marks(starts, hashes), starts, hashes, RATIO, look_back)
    pairs = list(zip(left.tolist(), right.tolist(), strict=True))
    assert set(pairs) == expected(words, first, held, sets, look_back)
    assert len(pairs) == len(set(pairs))


def test_a_band_of_many_parts_finds_what_one_part_finds() -> None:
    rng = np.random.default_rng(3)
    n = 5 * module._PART
    words = rng.integers(0, 2**64, n // 3, dtype=np.uint64)[rng.integers(0, n // 3, n)]
    which = ((words % np.uint64(n // 4)).astype(int) + rng.integers(0, 2, n)) % (n // 4)
    sets = rng.integers(0, 2**64, (n // 4, 5), dtype=np.uint64)[which]
    starts, hashes = np.arange(0, 5 * n + 1, 5), np.sort(sets, axis=1).ravel()
    order, held = np.arange(n, dtype=np.int32), np.ones(n, dtype=bool)
    left, right = meet(words, order, order, held, marks(starts, hashes), starts, hashes, RATIO, 64)
    by_word: dict[int, list[int]] = {}
    alike = set()
    for text, word in enumerate(words.tolist()):
        mine = set(sets[text].tolist())
        alike |= {(text, other) for other in by_word.get(word, [])[-64:] if 8 * len(mine & set(sets[other].tolist())) >= 30}
        by_word.setdefault(word, []).append(text)
    assert alike
    assert set(zip(left.tolist(), right.tolist(), strict=True)) == alike


@pytest.mark.parametrize("seed", range(3))
def test_pairs_of_several_bands_are_kept_once_by_the_later_text(seed: int) -> None:
    left, right = np.random.default_rng(seed).integers(0, 9, (2, 60)).astype(np.int32)
    pairs = list(zip(left.tolist(), right.tolist(), strict=True))
    found = [one.tolist() for one in once(left, right, 9)]
    assert list(zip(*found, strict=True)) == sorted(dict.fromkeys(pairs), key=lambda pair: pair[0])
