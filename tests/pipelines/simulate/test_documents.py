"""Copies resemble what they were copied from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipelines.simulate import Simulated
from pipelines.simulate.narratives import reworded, write_narratives


def nearest_earlier(hashes: np.ndarray) -> np.ndarray:
    """The least Hamming distance of each 64-bit hash to any earlier one, by brute force."""
    least = np.full(len(hashes), 64)
    for place in range(1, len(hashes)):
        least[place] = np.bitwise_count(hashes[:place] ^ hashes[place]).min()
    return least


def test_copied_photographs_are_near_an_earlier_one_and_honest_ones_mostly_are_not(markets: list[Simulated]) -> None:
    claims = markets[0].tables["claims"].merge(markets[0].truth, on="claim_id", validate="one_to_one").dropna(subset="photo_hash")
    hashes = np.array([int(value, 16) for value in claims["photo_hash"]], dtype=np.uint64)
    near = pd.Series(nearest_earlier(hashes) <= 10, index=claims.index).groupby(claims["scheme"]).mean()
    assert 0.002 < near["honest"] < 0.06, "second filings and pictures of the listing are honest repetitions"
    assert near["ring"] > 0.25
    assert near["fabrication"] > 0.10
    assert 0.03 < near["padding"] < 0.40


def test_rewording_keeps_the_number_of_words_and_changes_about_the_share_asked() -> None:
    rng = np.random.default_rng(0)
    text = " ".join(f"w{number}" for number in range(2_000))
    new = reworded(text, 0.1, rng).split(" ")
    changed = np.mean([a != b for a, b in zip(text.split(" "), new, strict=True)])
    assert 0.07 < changed < 0.13


def test_vague_accounts_are_shorter_and_all_fit_the_contract() -> None:
    rng = np.random.default_rng(0)
    flags = np.arange(400) % 2 == 0
    texts = write_narratives(np.arange(400) % 8, np.arange(400) % 3 == 0, flags, np.zeros(400, dtype=bool), np.full(400, 12_345), rng)
    words = np.array([len(text.split()) for text in texts])
    assert words[flags].mean() < 0.85 * words[~flags].mean()
    assert max(map(len, texts)) < 4_000
    assert not [text for text in texts if "{" in text]
