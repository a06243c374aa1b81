"""Near narratives: nothing that is not alike, hardly anything alike missed, and never a look into the future."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from features import narratives as module
from features.narratives import ALIKE, LOOK_BACK, Shingles, alike, briefs, may_be_alike, near_narratives, plain, shingles
from pipelines.simulate import simulate
from tests.features.tables import narratives
from tests.strategies import MANY


def runs(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + 3]) for i in range(max(1, len(words) - 2))}


def jaccard(one: str, other: str) -> float:
    a, b = runs(one), runs(other)
    return len(a & b) / len(a | b)


def distinct_texts(seed: int, n: int, words: int = 30) -> list[str]:
    return sorted({text for text in narratives(np.random.default_rng(seed), n, words) if text})


def found_pairs(texts: list[str], first: np.ndarray) -> set[tuple[int, int]]:
    left, right = near_narratives(shingles(pa.array(texts, type=pa.large_string())), first)
    pairs = list(zip(left.tolist(), right.tolist(), strict=True))
    assert len(pairs) == len(set(pairs))
    return set(pairs)


@MANY
@given(st.lists(st.text("ab ", min_size=1).map(lambda t: " ".join(t.split())).filter(bool), min_size=1, unique=True, max_size=8))
def test_a_narrative_is_the_set_of_its_runs_of_three_words(texts: list[str]) -> None:
    sets = shingles(pa.array(texts, type=pa.large_string()))
    assert np.diff(sets.starts).tolist() == [len(runs(text)) for text in texts]
    hashes = [set(sets.hashes[a:b].tolist()) for a, b in zip(sets.starts[:-1], sets.starts[1:], strict=True)]
    for i, one in enumerate(texts):
        for j, other in enumerate(texts):
            assert len(hashes[i] & hashes[j]) == len(runs(one) & runs(other))


_spread = st.integers(0, 400).map(lambda i: i * 0x9E3779B97F4A7C15 % 2**64)


@MANY
@given(st.sets(_spread, min_size=1), st.sets(_spread, min_size=1), st.sets(_spread), st.integers(0, 400))
def test_no_brief_rules_out_what_is_alike(one: set[int], other: set[int], common: set[int], more: int) -> None:
    common |= {i * 0x9E3779B97F4A7C15 % 2**64 for i in range(more)}
    held = [np.array(sorted(mine), dtype=np.uint64) for mine in (one | common, other | common)]
    sets = Shingles(np.array([0, len(held[0]), len(held[0]) + len(held[1])]), np.concatenate(held))
    mine, its = briefs(sets)
    size, shared = len(one | other | common), len((one | common) & (other | common))
    is_alike = shared * ALIKE[1] >= size * ALIKE[0]
    assert alike(held[0], Shingles(np.array([0, len(held[1])]), held[1])).tolist() == [is_alike]
    assert may_be_alike(mine, its) >= is_alike


def test_briefs_rule_out_most_of_what_is_not_alike() -> None:
    held = briefs(shingles(pa.array(distinct_texts(1, 250), type=pa.large_string())))
    assert np.mean([may_be_alike(one, other) for one in held for other in held]) < 0.25


@pytest.mark.parametrize("seed", range(3))
def test_only_and_nearly_all_pairs_that_are_alike_are_found(seed: int) -> None:
    texts = distinct_texts(seed, 250)
    found = {frozenset(pair) for pair in found_pairs(texts, np.arange(len(texts)))}
    alike = {frozenset((i, j)) for j in range(len(texts)) for i in range(j) if jaccard(texts[i], texts[j]) >= ALIKE[0] / ALIKE[1]}
    assert found <= alike and len(alike) > 50
    assert len(found) >= 0.97 * len(alike)


@pytest.mark.parametrize("look_back", [1, 64])
def test_a_later_narrative_changes_nothing_about_earlier_pairs(look_back: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_BACK", look_back)
    texts = distinct_texts(9, 150, words=8)
    first = np.random.default_rng(9).integers(0, 40, len(texts))
    for cut in (10, 20, 30):
        past = np.flatnonzero(first < cut)
        expected = found_pairs([texts[i] for i in past], first[past])
        now = {(a, b) for a, b in found_pairs(texts, first) if first[a] < cut}
        assert {frozenset((past[a], past[b])) for a, b in expected} == {frozenset(pair) for pair in now}


@pytest.mark.parametrize("threads", [2, 3])
def test_any_number_of_threads_finds_the_same_pairs_in_the_same_order(threads: int) -> None:
    rng = np.random.default_rng(threads)
    sets = shingles(pa.array(distinct_texts(5, 400), type=pa.large_string()))
    first, told = rng.integers(0, 40, len(sets.starts) - 1), rng.random(len(sets.starts) - 1) < 0.8
    alone, together = near_narratives(sets, first, told), near_narratives(sets, first, told, threads)
    assert len(alone[0]) > 50
    assert [found.tolist() for found in alone] == [found.tolist() for found in together]


@MANY
@given(st.sets(st.integers(0, 30), min_size=1), st.lists(st.sets(st.integers(0, 30), min_size=1), min_size=1))
def test_alike_is_a_share_of_three_fifths_of_what_either_set_holds(one: set[int], others: list[set[int]]) -> None:
    starts = np.cumsum([0, *map(len, others)])
    sets = Shingles(starts, np.array([word for other in others for word in sorted(other)], dtype=np.uint64))
    found = alike(np.array(sorted(one), dtype=np.uint64), sets)
    assert found.tolist() == [ALIKE[1] * len(one & other) >= ALIKE[0] * len(one | other) for other in others]


def test_case_punctuation_and_spaces_do_not_matter() -> None:
    assert len(set(plain(pa.chunked_array([["It  burned!", "it burned", " IT, burned."]])).to_pylist())) == 1


def exact_pairs(texts: list[str]) -> dict[frozenset[int], float]:
    """Every pair that is alike with its similarity, from the whole matrix of common runs: no hashing of any kind."""
    numbers: dict[tuple[str, ...], int] = {}
    cells = [(row, numbers.setdefault(run, len(numbers))) for row, text in enumerate(texts) for run in runs(text)]
    rows, columns = np.array(cells).T
    table = sparse.csr_matrix((np.ones(len(cells), dtype=np.int64), (rows, columns)))
    size = np.asarray(table.sum(axis=1)).ravel()
    common = sparse.triu(table @ table.T, 1).tocoo()
    union = size[common.row] + size[common.col] - common.data
    alike = np.flatnonzero(common.data * ALIKE[1] >= ALIKE[0] * union)
    return {frozenset((int(common.row[i]), int(common.col[i]))): common.data[i] / union[i] for i in alike}


def test_recall_on_simulated_narratives_is_98_in_100_at_the_threshold_and_whole_above() -> None:
    claims = simulate(orders=30_000, claims=6_000, seed=31, dirt=0.0).tables["claims"]
    texts = list(dict.fromkeys(plain(pa.chunked_array([pa.array(claims.narrative, type=pa.large_string())])).to_pylist()))
    exact = exact_pairs(texts)
    found = {frozenset(pair) for pair in found_pairs(texts, np.arange(len(texts)))}
    assert found <= set(exact) and len(exact) > 300
    threshold = [pair for pair, similarity in exact.items() if similarity < 0.65]
    assert len(found.intersection(threshold)) >= 0.95 * len(threshold) > 95
    assert len(found) >= 0.98 * len(exact)
    above = {pair for pair, similarity in exact.items() if similarity >= 0.7}
    assert above <= found and len(above) > 100


def test_a_hot_template_costs_no_more_per_narrative_however_often_it_is_filled_in() -> None:
    """Sample letters that differ in one word: all are alike, yet each is compared with a bounded number of earlier ones."""

    def pairs(n: int) -> np.ndarray:
        letter = "on my way home the {} that i had bought from this seller a week ago began to smoke and burned the seat of my car"
        texts = [letter.format(f"thing{i}") for i in range(n)]
        later, _ = near_narratives(shingles(pa.array(texts, type=pa.large_string())), np.arange(n))
        return np.bincount(later, minlength=n)

    few, many = pairs(1_000), pairs(4_000)
    assert many.max() <= 32 * LOOK_BACK and (many[LOOK_BACK:] >= LOOK_BACK).all()
    assert (many[:LOOK_BACK] == np.arange(LOOK_BACK)).mean() > 0.99
    assert many[2_000:].mean() < 1.1 * few[500:].mean()


def test_pairs_that_meet_in_many_bands_are_found_once_however_often_they_are_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [f"w{i}" for i in range(40)]
    texts = sorted({" ".join([*words[:k], "other", *words[k + 1 :]]) for k in range(40)} | set(distinct_texts(4, 60)))
    sets, first = shingles(pa.array(texts, type=pa.large_string())), np.arange(len(texts)) // 3
    expected = [side.tolist() for side in near_narratives(sets, first)]
    assert len(expected[0]) > 500
    monkeypatch.setattr(module, "_MERGED", 1)
    for threads in (1, 3):
        left, right = near_narratives(sets, first, threads=threads)
        assert sorted(zip(left, right, strict=True)) == sorted(zip(*expected, strict=True))
