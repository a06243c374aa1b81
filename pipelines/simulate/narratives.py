"""What claimants write: sentences put together from many phrases, and light rewording of somebody else's text.

Two honest accounts share common phrases but rarely whole sentences; the text says little about the truth of a claim, only
its reuse does. Claims that lack proof are told more vaguely.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.simulate.frames import Bools, Ints
from pipelines.simulate.people import CATEGORIES


@cache
def _phrases() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "phrases.toml").read_text(encoding="utf-8"))


def write_narratives(category: Ints, injury: Bools, vague: Bools, letter: Bools, amount: Ints, rng: np.random.Generator) -> list[str]:
    """Write one account per claim.

    Parameters
    ----------
    category
        Shape (n,): position of the product's category.
    injury, vague, letter
        Shape (n,): personal injury; told without detail; copied from a public sample letter.
    amount
        Shape (n,): cents, mentioned in some accounts.

    Returns
    -------
    list of n texts of at most 4000 characters
    """
    draws = rng.integers(0, 1 << 30, (len(category), 20))
    rows = zip(category.tolist(), injury.tolist(), vague.tolist(), letter.tolist(), amount.tolist(), draws.tolist(), strict=True)
    return [_account(*row) for row in rows]


def _account(category: int, injury: bool, vague: bool, letter: bool, amount: int, draw: list[int]) -> str:
    item = _pick(_phrases()["items"][CATEGORIES[category]], draw[0])
    when, place = _pick(_phrases()["when"], draw[1]), _pick(_phrases()["places"], draw[2])
    if letter:
        return _pick(_phrases()["letters"], draw[3]).format(item=item, when=when)
    opening = _opening(item, when, place, draw)
    if vague:
        said = [opening, _pick(_phrases()["vague"], draw[5]).format(place=place), _pick(_phrases()["vague"], draw[6]).format(place=place)]
        return " ".join(said[: 2 + draw[7] % 2] + ([_pick(_phrases()["closing"], draw[8])] if draw[9] % 3 == 0 else []))
    said = [opening, _harm(injury, draw)]
    if draw[9] % 4:
        after = _pick(_phrases()["after"], draw[10])
        said.append(after[0].upper() + after[1:] + (f", and {_pick(_phrases()['after'], draw[11])}." if draw[12] % 2 else "."))
    if draw[13] % 2:
        said.append(f"{_pick(_phrases()['costs'], draw[14])} {amount // 100} dollars {_pick(_phrases()['extra'], draw[15])}.")
    if draw[16] % 3:
        said.append(_pick(_phrases()["closing"], draw[17]))
    return " ".join(said)


def _opening(item: str, when: str, place: str, draw: list[int]) -> str:
    fault, why = _pick(_phrases()["faults"], draw[3]), _pick(_phrases()["why"], draw[4])
    forms = (
        f"I bought the {item} {why}, and {when} it {fault} in our {place}.",
        f"We ordered this {item} {why}. It {fault} {when}.",
        f"{when[0].upper()}{when[1:]} the {item} {fault}.",
        f"The {item} stood in the {place} when it {fault}.",
        f"My {item}, chosen {why}, {fault} {when}.",
        f"While I was in the {place}, the new {item} {fault}.",
    )
    return forms[draw[18] % len(forms)]


def _harm(injury: bool, draw: list[int]) -> str:
    if injury:
        care = _pick(_phrases()["care"], draw[6]).format(n=2 + draw[7] % 17)
        return f"I {_pick(_phrases()['injuries'], draw[5])}. {care}."
    first, second = _pick(_phrases()["damaged"], draw[5]), _pick(_phrases()["damaged"], draw[6])
    both = f" and the {second} {_pick(_phrases()['damage'], draw[8])}" if draw[19] % 2 and first != second else ""
    return f"The {first} {_pick(_phrases()['damage'], draw[7])}{both}."


def _pick(phrases: list[str], draw: int) -> str:
    return phrases[draw % len(phrases)]


def reworded(text: str, share: float, rng: np.random.Generator) -> str:
    """Return a text with about ``share`` of its words replaced: what a copier does to somebody else's account.

    >>> reworded("the kettle burst", 0.0, np.random.default_rng(0))
    'the kettle burst'
    """
    parts = text.split(" ")
    for place in np.flatnonzero(rng.random(len(parts)) < share):
        parts[place] = _pick(_phrases()["swaps"], int(rng.integers(0, 1 << 30)))
    return " ".join(parts)
