"""One content is prepared as many are: the same words, codes, buckets and near equals."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from features.narratives import plain, plain_text, shingle, shingles
from features.online_contents import Contents, Kind, Pictures, Stories, looked_in
from tests.features.tables import narratives, photographs
from tests.strategies import MANY


@MANY
@given(st.text(max_size=40))
def test_one_text_is_reduced_as_many_are(text: str) -> None:
    assert plain_text(text) == plain(pa.chunked_array([[text]])).to_pylist()[0]


@MANY
@given(st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=8))
def test_a_few_texts_are_cut_as_many_are(words: list[str]) -> None:
    texts = [" ".join(words), *words]
    few, many = shingle(texts), shingles(pa.array(texts))
    assert few.starts.tolist() == many.starts.tolist() and few.hashes.tolist() == many.hashes.tolist()


def some(kind: Kind) -> list[str]:
    rng = np.random.default_rng(3)
    told = narratives(rng, 60, 12) if isinstance(kind, Stories) else photographs(rng, 60)
    return sorted({kind.text(text) for text in told} - {""})


def test_what_is_found_in_the_buckets_of_one_is_what_all_pairs_hold() -> None:
    for kind in (Stories(), Pictures()):
        texts = some(kind)
        found = kind.contents(pa.array(texts, type=pa.large_string()))
        left, right = kind.pairs(found, np.arange(len(texts)))
        near = {frozenset(pair) for pair in zip(left.tolist(), right.tolist(), strict=True)}
        for row, text in enumerate(texts):
            one = kind.few([text])
            assert one.codes[0] == found.codes[row] and one.buckets[0].tolist() == found.buckets[row].tolist()
            mine = {other for other in range(len(texts)) if other != row and _meet(kind, one, found, other)}
            written = [[at, *found.entries[other]] for at, other in enumerate(sorted(mine))]
            bucket = np.array([[0] * (1 + found.entries.shape[1]), *written], dtype=np.int64)
            codes = kind.candidates(one, bucket.ravel(), np.array([0, bucket.size]), len(mine), len(mine))
            marks = [found.mark(int(np.flatnonzero(found.codes == code)[0])) for code in codes]
            held: list[int] = kind.near(one, codes, marks).tolist()
            assert {int(np.flatnonzero(found.codes == c)[0]) for c in held} == {min(p - {row}) for p in near if row in p}


def _meet(kind: Kind, one: Contents, found: Contents, other: int) -> bool:
    looked = {tuple(bucket) for bucket in looked_in(kind, one).tolist()}
    return any((band, bucket) in looked for band, bucket in enumerate(found.buckets[other].tolist()))
