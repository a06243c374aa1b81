"""Re-used stories and pictures: how many earlier claims told nearly the same, or showed nearly the same photograph.

First equal contents are made one, then near-equal contents are found among the distinct ones, and last the as-of kernel
counts, per content and its neighbours, the claims strictly before filing. A story copied ten thousand times therefore
costs no more than one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from features import history
from features.facts import PROBES, Facts, take
from features.history import NEVER, Floats, Ints
from features.names import Names
from features.narratives import near_narratives, plain, shingles
from features.photographs import hashes_of, near_photographs
from features.spec import DAY_US, Direct

_COLUMNS = {"narrative": "narrative", "photo": "photo_hash"}
_NEVER_TOLD = np.iinfo(np.int64).max
_MEASURES = ("reuse_others", "reuse_own", "days_since_reuse_others")

DUPLICATE_FEATURES: dict[str, Direct] = {
    f"{kind}_{what}": Direct(
        f"{kind}_{what}", "duplicates", tuple(f"{t}.{c}" for t in (PROBES, "claims") for c in ("filed_at", "customer_id", column))
    )
    for kind, column in _COLUMNS.items()
    for what in _MEASURES
}
"""Every feature of this module, by name."""


@dataclass(frozen=True, eq=False)
class Contents:
    """Distinct contents, which claim showed which, and which are nearly the same.

    Parameters
    ----------
    held, asked
        Content of each claim, and of each probe; −1 for none. A content that is asked about before any claim told it is one of
        its own for each such instant: what is near it then is not what will be near it when it is told.
    starts, neighbours
        Contents nearly the same as content c, itself included: ``neighbours[starts[c]:starts[c + 1]]``.
    """

    held: Ints
    asked: Ints
    starts: Ints
    neighbours: Ints


def compute(names: Collection[str], facts: Facts, threads: int = 1) -> dict[str, Floats]:
    """Compute how often the content of each claim asked about was used before.

    Parameters
    ----------
    names
        Which of :data:`DUPLICATE_FEATURES`.
    facts
        The tables; the needs of every name must be met.
    threads
        How many threads may compare stories; the result does not depend on it.

    Returns
    -------
    dict
        (probes,) float64 by name, in the order of the probes: the number of earlier claims of other customers, and of the
        same customer, with nearly the same content, and the days since the latest of other customers. Undefined (NaN)
        without content or customer, the days also without an earlier one.
    """
    found: dict[str, Floats] = {}
    for kind in _COLUMNS:
        if any(name.startswith(f"{kind}_") for name in names):
            measures = _measure(contents(kind, facts, threads), facts)
            found |= {f"{kind}_{what}": values for what, values in zip(_MEASURES, measures, strict=True)}
    return {name: found[name] for name in names}


def contents(kind: str, facts: Facts, threads: int = 1) -> Contents:
    """Find the distinct contents of a kind (``"narrative"``, ``"photo"``) and which are nearly the same."""
    column, alone = _COLUMNS[kind], facts.frame("claims") is facts.probes
    texts = [facts.texts(table, column) for table in (("claims",) if alone else ("claims", PROBES))]
    joint = pa.chunked_array([chunk for text in texts for chunk in text.chunks], type=pa.large_string())
    joint = plain(joint) if kind == "narrative" else joint
    names = Names()
    codes, n = names.number(pc.if_else(pc.equal(joint, ""), pa.scalar(None, pa.large_string()), joint)), len(names)
    different = names.texts()
    held, asked = (codes, codes.copy()) if alone else (codes[: len(texts[0])], codes[len(texts[0]) :])
    if kind == "narrative":
        first, early = _first_told(held, facts.known("claims"), asked, facts.instants(PROBES, "filed_at"), n)
        asking, asked[early] = np.unique(np.stack([asked[early], facts.instants(PROBES, "filed_at")[early]]), axis=1, return_inverse=True)
        asked[early] += n
        stories = pa.concat_arrays([different, different.take(pa.array(asking[0]))]) if asking.shape[1] else different
        told = np.append(first != _NEVER_TOLD, np.zeros(asking.shape[1], dtype=bool))
        left, right = near_narratives(shingles(stories, threads), np.append(first, asking[1]), told, threads)
        n = len(told)
    else:
        left, right = near_photographs(hashes_of(different))
    own = np.arange(n, dtype=np.int64)
    one, other = np.concatenate([left, right, own]), np.concatenate([right, left, own])
    table = history.group(one, np.zeros(len(one), dtype=np.int64), n)
    return Contents(held, asked, table.starts, other[table.order])


def _first_told(held: Ints, known: Ints, asked: Ints, filed: Ints, n: int) -> tuple[Ints, Ints]:
    """Return (n,) when each content is first known from a claim, and the probes that ask about one before that."""
    first = np.full(n, _NEVER_TOLD)
    telling = (held >= 0) & (known != NEVER)
    np.minimum.at(first, held[telling], known[telling])
    return first, np.flatnonzero((asked >= 0) & (filed < np.append(first, NEVER)[asked]))


def _measure(found: Contents, facts: Facts) -> tuple[Floats, Floats, Floats]:
    """Count the uses of every probe's content and of its neighbours before filing, by others and by the same customer."""
    filed, whose = facts.instants(PROBES, "filed_at"), facts.codes(PROBES, "customer_id")
    told, teller = facts.known("claims"), facts.codes("claims", "customer_id")
    known = (found.asked >= 0) & (whose >= 0)
    probe, content = _spread(found, known)
    past = history.group(np.where((told == NEVER) | (teller < 0), -1, found.held), told, len(found.starts) - 1)
    asked = history.group(content, filed[probe], len(found.starts) - 1)
    upper, lower = history.positions(past, asked, np.zeros(1, dtype=np.int64))[:, 0], past.starts[asked.keys]
    probe = probe[asked.order]
    own, latest = _uses(past.starts, past.gather(teller), lower, upper, asked.starts, whose[probe], facts.vocabulary("customer_id"))
    totals = np.zeros((2, len(filed)), dtype=np.int64)
    np.add.at(totals[0], probe, upper - lower - own)
    np.add.at(totals[1], probe, own)
    last = np.full(len(filed), NEVER)
    np.maximum.at(last, probe, take(past.times, latest, NEVER))
    days = np.where(last == NEVER, np.nan, (filed - np.where(last == NEVER, filed, last)) / DAY_US)
    return np.where(known, totals[0], np.nan), np.where(known, totals[1], np.nan), np.where(known, days, np.nan)


def _spread(found: Contents, known: np.ndarray) -> tuple[Ints, Ints]:
    """Pair each probe with every content near its own."""
    rows = np.flatnonzero(known)
    begins = found.starts[found.asked[rows]]
    near = found.starts[found.asked[rows] + 1] - begins
    within = np.arange(near.sum()) - np.repeat(np.cumsum(near) - near, near)
    return np.repeat(rows, near), found.neighbours[np.repeat(begins, near) + within]


@njit(cache=True, nogil=True)
def _uses(starts, teller, lower, upper, asked_starts, whose, n_customers):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """For each probe, in order: uses by its own customer before it, and the position of the latest by another (−1: none)."""
    other = np.full(len(teller), -1)  # the latest earlier use of the same content by somebody else than this use's customer
    for content in range(len(starts) - 1):
        for at in range(starts[content] + 1, starts[content + 1]):
            other[at] = at - 1 if teller[at - 1] != teller[at] else other[at - 1]
    times_told = np.zeros(n_customers, dtype=np.int64)
    own, latest = np.zeros(len(whose), dtype=np.int64), np.full(len(whose), -1)
    for content in range(len(starts) - 1):
        at = starts[content]
        for probe in range(asked_starts[content], asked_starts[content + 1]):
            while at < upper[probe]:
                times_told[teller[at]] += 1
                at += 1
            own[probe] = times_told[whose[probe]]
            if upper[probe] > lower[probe]:
                last = upper[probe] - 1
                latest[probe] = last if teller[last] != whose[probe] else other[last]
        for told in range(starts[content], at):
            times_told[teller[told]] = 0
    return own, latest
