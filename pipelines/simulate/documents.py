"""What is attached to a claim: evidence flags, photographs as perceptual hashes, narratives, and their reuse.

Evidence is thinner where a claim lacks proof. A copied photograph differs in up to five bits of its hash, a copied narrative
in a few words. Honest people repeat things too: their own second filing, a picture from the listing, a sample letter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.simulate.drafts import ABUSIVE, COLLUSION, FABRICATION, PADDING, RING, SABOTAGE
from pipelines.simulate.frames import NEVER, Bools, Ints
from pipelines.simulate.market import DAY, Market
from pipelines.simulate.narratives import reworded, write_narratives

CHANNELS = ("web", "app", "phone")

_EVIDENCE: dict[str, tuple[float, float, float, float]] = {
    # valid, unsubstantiated, padded, invented
    "receipt": (0.76, 0.40, 0.71, 0.66),
    "photo": (0.82, 0.55, 0.79, 0.78),
    "dated": (0.74, 0.45, 0.68, 0.64),
    "medical": (0.84, 0.42, 0.76, 0.66),
}
_VAGUENESS = (0.10, 0.42, 0.12, 0.14)


@dataclass(frozen=True)
class Documents:
    """Per claim: channel, narrative, number of photographs, hash of the first (as text or None), and evidence flags."""

    channel: Ints
    narrative: list[str]
    photo_count: Ints
    photo_hash: list[str | None]
    receipt: Bools
    dated: Bools
    medical: Bools


def draw_documents(
    drafts: pd.DataFrame, category: Ints, injury: Bools, amount: Ints, market: Market, rng: np.random.Generator
) -> Documents:
    """Draw the documents of claims given in the order of filing.

    Parameters
    ----------
    drafts
        Claims in the order of ``filed``, with ``refiles``: the position of the earlier claim that is filed again, or ``NEVER``.
    category, injury, amount
        Shape (n,): the product's category, personal injury, cents claimed.
    """
    count = len(drafts)
    truth, scheme = drafts["truth"].to_numpy(), drafts["scheme"].to_numpy()
    kind = np.where(truth == ABUSIVE, np.where(scheme == PADDING, 2, 3), truth)
    has = {name: rng.random(count) < np.array(rate)[kind] for name, rate in _EVIDENCE.items()}
    source = _sources(drafts, market, rng)
    told, shown = _what_is_copied(source, drafts["refiles"].to_numpy(), rng)
    no_photo = shown & ~has["photo"][np.maximum(source, 0)]
    told, shown = told | no_photo, shown & ~no_photo
    has["photo"] |= shown
    honest = truth != ABUSIVE
    letter = honest & (rng.random(count) < market.boilerplate_share)
    vague = rng.random(count) < np.array(_VAGUENESS)[kind]
    narrative = write_narratives(category, injury, vague, letter, amount, rng)
    photo = rng.integers(0, 1 << 63, count, dtype=np.uint64) * np.uint64(2) + rng.integers(0, 2, count, dtype=np.uint64)
    stock = honest & (rng.random(count) < market.stock_photo_share)
    photo = np.where(stock, _stock_photo(drafts["product"].to_numpy()), photo)
    for place in np.flatnonzero(told):
        narrative[place] = reworded(narrative[source[place]], rng.uniform(0.0, 0.10), rng)
    flips = _flips(count, rng)
    for place in np.flatnonzero(shown):
        photo[place] = photo[source[place]] ^ flips[place]
    photo = np.where(stock & ~shown, photo ^ _flips(count, rng), photo)
    return Documents(
        channel=np.where(rng.random(count) < np.where(honest, 0.12, 0.07), 2, rng.integers(0, 2, count)),
        narrative=narrative,
        photo_count=np.where(has["photo"], 1 + rng.poisson(1.3, count), 0).astype(np.int64),
        photo_hash=[f"{value:016x}" if there else None for value, there in zip(photo.tolist(), has["photo"].tolist(), strict=True)],
        receipt=has["receipt"],
        dated=has["dated"] & has["photo"],
        medical=has["medical"] & injury,
    )


def _sources(drafts: pd.DataFrame, market: Market, rng: np.random.Generator) -> Ints:
    """Return the position of the earlier claim that is copied, ``NEVER`` where none is."""
    scheme, entity, filed = (drafts[name].to_numpy() for name in ("scheme", "entity", "filed"))
    customer = drafts["customer"].to_numpy()
    count = len(drafts)
    rate = np.zeros(count)
    for which, share in ((FABRICATION, market.fabricators_reuse), (PADDING, market.padders_reuse), (RING, market.rings_reuse),
                         (SABOTAGE, 0.8 * market.rings_reuse), (COLLUSION, 0.4 * market.rings_reuse)):  # fmt: skip
        rate[scheme == which] = share
    rate[(scheme == PADDING) & (entity != NEVER)] = market.rings_reuse
    copies = rng.random(count) < rate
    # Copiers take what is at hand: any claim of the last half year, by somebody else.
    first = np.searchsorted(filed, filed - 180 * DAY)
    place = np.arange(count)
    source = first + (rng.random(count) * (place - first)).astype(np.int64)
    usable = (
        copies & (source < place) & (filed[np.minimum(source, count - 1)] < filed) & (customer[np.minimum(source, count - 1)] != customer)
    )
    source = np.where(usable, source, NEVER)
    groups = drafts.assign(place=place)[entity != NEVER]
    for _, group in groups[groups["truth"] == ABUSIVE].groupby(["scheme", "entity"])["place"]:
        members = group.to_numpy()
        for number in range(1, len(members)):
            if copies[members[number]]:
                source[members[number]] = members[rng.integers(0, number)]
    refiles = drafts["refiles"].to_numpy()
    return np.where(refiles != NEVER, refiles, source)


def _what_is_copied(source: Ints, refiles: Ints, rng: np.random.Generator) -> tuple[Bools, Bools]:
    """Return whether narrative and photograph are copied: two in five the text only, three in ten the picture only, else both."""
    draw = rng.random(len(source))
    own = refiles != NEVER
    copied = source != NEVER
    return copied & (own | (draw < 0.7)), copied & ((own & (draw < 0.8)) | (draw >= 0.4))


def _flips(count: int, rng: np.random.Generator) -> npt.NDArray[np.uint64]:
    """Return masks of 64 bits with zero to five bits set."""
    wanted = rng.integers(0, 6, count)
    mask = np.zeros(count, dtype=np.uint64)
    for number in range(5):
        bit = np.left_shift(np.uint64(1), rng.integers(0, 64, count, dtype=np.uint64))
        mask |= np.where(number < wanted, bit, np.uint64(0))
    return mask


def _stock_photo(product: Ints) -> npt.NDArray[np.uint64]:
    """Return the hash of the picture on the listing: a fixed mixing of the product's number (splitmix64)."""
    z = product.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
