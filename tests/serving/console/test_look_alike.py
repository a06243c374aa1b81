"""Stories and pictures told before: what the features count as nearly the same, and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from features.narratives import alike, plain_text, shingle, shingles
from features.photographs import MAX_BITS
from serving.console.look_alike import MOST, reused, squares
from serving.console.records import Row

STORY = "My kettle, chosen because the old one was worn out, burst at the hinge on the very first day and scalded my left hand."
WORDS = STORY.split()


class Told:
    """A source that knows a few claims."""

    def __init__(self, *rows: Row) -> None:
        self._rows = list(rows)

    def rows(self, *_: object) -> list[Row]:
        return []

    def latest(self, before: int, most: int) -> list[Row]:
        return [row for row in self._rows if row["filed_at"] < before][:most]


def claim(name: str, narrative: str = "", photo: int | None = None, customer: str = "other", filed_at: int = 5) -> Row:
    shown = None if photo is None else f"{photo:016x}"
    return {"claim_id": name, "customer_id": customer, "filed_at": filed_at, "narrative": narrative, "photo_hash": shown}


def test_the_same_story_is_found_whoever_told_it_and_not_itself() -> None:
    mine = claim("mine", STORY, customer="me")
    found = reused(Told(mine, claim("theirs", STORY), claim("again", STORY, customer="me"), claim("none", "")), mine, 9)
    assert {story.claim_id: story.same_claimant for story in found.stories} == {"theirs": False, "again": True}
    assert [story.likeness for story in found.stories] == [1.0, 1.0] and found.looked_at == 3


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=30))
def test_a_story_is_shown_exactly_if_the_features_call_it_alike(words: list[str]) -> None:
    other = " ".join(words)
    found = reused(Told(claim("theirs", other)), claim("mine", STORY), 9).stories
    assert bool(found) == bool(alike(shingle([plain_text(STORY)]).hashes, shingles([plain_text(other)]))[0])


@given(st.lists(st.tuples(st.integers(0, len(WORDS) - 1), st.sampled_from(["blue", "toaster", ""])), max_size=2))
def test_the_pieces_side_by_side_are_the_two_texts_word_for_word(changes: list[tuple[int, str]]) -> None:
    words = list(WORDS)
    for place, word in changes:
        words[place] = word
    other = " ".join(word for word in words if word)
    for story in reused(Told(claim("theirs", other)), claim("mine", STORY), 9).stories:
        assert " ".join(piece for piece, _ in story.ours) == STORY and " ".join(piece for piece, _ in story.theirs) == other
        assert [piece for piece, same in story.ours if same] == [piece for piece, same in story.theirs if same]


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_photographs_are_near_by_the_bits_in_which_they_differ(one: int, other: int) -> None:
    near = one
    for place in range(MAX_BITS):
        near ^= 1 << (7 * place % 64)
    found = reused(Told(claim("far", photo=other), claim("near", photo=near)), claim("mine", photo=one), 9).pictures
    bits = {"near": MAX_BITS, "far": (one ^ other).bit_count()}
    assert {picture.claim_id: picture.bits for picture in found} == {name: many for name, many in bits.items() if many <= MAX_BITS}


@given(st.integers(0, 2**64 - 1))
def test_a_fingerprint_is_drawn_bit_by_bit(bits: int) -> None:
    drawn = {tuple(map(int, spot.split("h")[0].split())) for spot in squares(bits).split("M")[1:]}
    assert drawn == {(k % 8, k // 8) for k, bit in enumerate(f"{bits:064b}") if bit == "1"}


def test_the_nearest_are_shown_and_no_more_than_fit() -> None:
    rows = [claim(f"C{k}", photo=(1 << k) - 1, filed_at=k) for k in range(MAX_BITS + 1)] * 3
    rows = [row | {"claim_id": f"{row['claim_id']}-{place}"} for place, row in enumerate(rows)]
    found = reused(Told(*rows), claim("mine", photo=0), 99).pictures
    assert [picture.bits for picture in found] == sorted(list(range(MAX_BITS + 1)) * 3)[:MOST]
