"""Stories told before and pictures shown before: other claims whose narrative or first photograph is nearly the same, side by side.

What counts as nearly the same is what the features count: :data:`features.narratives.ALIKE` and :data:`features.photographs.MAX_BITS`.
Looked at are the claims filed last, :data:`LOOKED_AT` of them; the features look at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np
import pyarrow as pa

from features.narratives import alike, plain, plain_text, shingle, shingles
from features.photographs import MAX_BITS
from serving.console.records import Records, Row

LOOKED_AT = 20_000
"""Claims that are compared."""

MOST = 6
"""Stories or pictures shown."""

Piece = tuple[str, bool]
"""Some words, and whether the other story has them too."""


@dataclass(frozen=True)
class Story:
    """A story that is nearly this claim's: whose, when, the share of words in common, and both texts in pieces."""

    claim_id: str
    same_claimant: bool
    filed_at: int
    likeness: float
    ours: tuple[Piece, ...]
    theirs: tuple[Piece, ...]


@dataclass(frozen=True)
class Picture:
    """A photograph that is nearly this claim's: whose, when, in how many of 64 bits the hashes differ, and both as squares to draw."""

    claim_id: str
    same_claimant: bool
    filed_at: int
    bits: int
    ours: str
    theirs: str
    differ: str


@dataclass(frozen=True)
class Reused:
    """What was told or shown before or since, nearest first, and among how many claims."""

    stories: tuple[Story, ...]
    pictures: tuple[Picture, ...]
    looked_at: int


def reused(records: Records, claim: Row, now: int) -> Reused:
    """Return stories and pictures nearly the same as a claim's, as known at an instant (microseconds UTC)."""
    rows = [row for row in records.latest(now, LOOKED_AT) if row["claim_id"] != claim["claim_id"]]
    return Reused(_stories(claim, rows), _pictures(claim, rows), len(rows))


def _stories(claim: Row, rows: list[Row]) -> tuple[Story, ...]:
    mine = plain_text(claim["narrative"])
    texts = plain(pa.chunked_array([[row["narrative"] for row in rows]], type=pa.large_string())).to_pylist()
    told = [(row, text) for row, text in zip(rows, texts, strict=True) if text]
    if not mine or not told:
        return ()
    near = np.flatnonzero(alike(shingle([mine]).hashes, shingles(pa.array([text for _, text in told], type=pa.large_string()))))
    found = [_story(claim, told[place][0]) for place in near.tolist()]
    return tuple(sorted(found, key=lambda story: (-story.likeness, -story.filed_at, story.claim_id))[:MOST])


def _story(claim: Row, row: Row) -> Story:
    ours, theirs = claim["narrative"].split(), row["narrative"].split()
    matcher = SequenceMatcher(None, [word.lower() for word in ours], [word.lower() for word in theirs], autojunk=False)
    pieces_ours, pieces_theirs = [], []
    for kind, a, b, c, d in matcher.get_opcodes():
        pieces_ours.append((" ".join(ours[a:b]), kind == "equal"))
        pieces_theirs.append((" ".join(theirs[c:d]), kind == "equal"))
    same = row["customer_id"] == claim["customer_id"]
    told = (tuple(piece for piece in pieces if piece[0]) for pieces in (pieces_ours, pieces_theirs))
    return Story(row["claim_id"], same, row["filed_at"], matcher.ratio(), *told)


def _pictures(claim: Row, rows: list[Row]) -> tuple[Picture, ...]:
    shown = [row for row in rows if row["photo_hash"]]
    if not claim["photo_hash"] or not shown:
        return ()
    hashes = np.array([int(row["photo_hash"], 16) for row in shown], dtype=np.uint64)
    bits = np.bitwise_count(hashes ^ np.uint64(int(claim["photo_hash"], 16)))
    found = [_picture(claim, shown[k]) for k in np.flatnonzero(bits <= MAX_BITS).tolist()]
    return tuple(sorted(found, key=lambda picture: (picture.bits, -picture.filed_at, picture.claim_id))[:MOST])


def _picture(claim: Row, row: Row) -> Picture:
    ours, theirs = int(claim["photo_hash"], 16), int(row["photo_hash"], 16)
    differ = ours ^ theirs
    same = row["customer_id"] == claim["customer_id"]
    drawn = (squares(ours), squares(theirs), squares(differ))
    return Picture(row["claim_id"], same, row["filed_at"], differ.bit_count(), *drawn)


def squares(bits: int) -> str:
    """Return the set ones of 64 bits as an SVG path of unit squares, eight in a row, the highest bit first.

    >>> squares(1 << 63 | 1)
    'M0 0h1v1h-1zM7 7h1v1h-1z'
    """
    return "".join(f"M{k % 8} {k // 8}h1v1h-1z" for k in range(64) if bits >> (63 - k) & 1)
