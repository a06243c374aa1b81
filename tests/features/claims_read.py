"""Claims as compiled readers get them, and pages loaded until readers have everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from features import kernel_contents, kernel_link_rows
from features.arena_rows import LACKING, nothing_added
from features.history import Floats, Ints
from features.kernel_contents import Told
from features.online import OnlineHistory
from features.online_rows import code_of, whole
from features.pages import MemoryPages, Pages
from features.spec import ENTITIES


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{name: None if pd.isna(value) else value for name, value in row.items()} for row in frame.to_dict("records")]


def codes_of(claims: Sequence[dict[str, Any]]) -> Ints:
    return np.array([[code_of(claim.get(name)) for name in ENTITIES] for claim in claims], dtype=np.int64).reshape(-1, len(ENTITIES))


def filed(claims: Sequence[dict[str, Any]]) -> Ints:
    return np.array([whole(claim["filed_at"]) for claim in claims], dtype=np.int64)


def measured(pages: Pages, families: int, measures: int, n: int, step: Callable[[Any, Any, Any], None]) -> Floats:
    """Let a reader ask until it has measured every claim."""
    done, found = np.zeros((n, families), dtype=bool), np.full((n, families, measures), -7.0)
    while step(pages.arena().pool, done, found) or not done.all():
        assert pages.arena().load(pages)
    return found.reshape(n, families * measures)


def appended(history: OnlineHistory, claim: dict[str, Any], at: int) -> None:
    """Lay the rows that a claim adds to the logs of links and contents."""
    plans, pages = history.plans, history.pages
    codes, told = codes_of([claim])[0], tuple(Told.of(kind, [claim]) for kind in plans.duplicates.kinds)
    added, whole = nothing_added(), False
    while not whole:
        added.counts[:] = 0
        pool, whole = pages.arena().pool, True
        if plans.links.compiled:
            whole &= kernel_link_rows.note_all(pool, added, plans.links.compiled, plans.links.rules.hub_customers, codes)
        if told:
            whole &= kernel_contents.note_all(pool, added, plans.duplicates.shelves, told, 0, codes[0], at)
        whole &= not added.counts[LACKING]
        assert whole or pages.arena().load(pages)
    pages.arena().lay(added, at)


def copied(pages: MemoryPages) -> MemoryPages:
    found = MemoryPages()
    found.put((key, first, page) for key, (firsts, held) in pages._held.items() for first, page in zip(firsts, held, strict=True))
    return found
