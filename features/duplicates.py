"""Re-used stories and pictures: how many earlier claims told nearly the same, or showed nearly the same photograph.

First equal contents are made one, then near-equal contents are found among the distinct ones, and last the as-of kernel
counts, per content and its neighbours, the claims strictly before filing. A story copied ten thousand times therefore
costs no more than one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from features import history
from features.facts import PROBES, Facts, take
from features.history import NEVER, Floats, History, Ints
from features.names import Names
from features.narratives import near_narratives, plain, shingles
from features.photographs import hashes_of, near_photographs
from features.spec import DAY_US, Direct

COLUMNS = {"narrative": "narrative", "photo": "photo_hash"}
"""Column of the claims by kind of content."""

_NEVER_TOLD = np.iinfo(np.int64).max
_AT_ONCE = 1 << 18
"""Claims whose contents are counted at once: each brings everything that is near."""

_MEASURES = ("reuse_others", "reuse_own", "days_since_reuse_others")

DUPLICATE_FEATURES: dict[str, Direct] = {
    f"{kind}_{what}": Direct(
        f"{kind}_{what}", "duplicates", tuple(f"{t}.{c}" for t in (PROBES, "claims") for c in ("filed_at", "customer_id", column))
    )
    for kind, column in COLUMNS.items()
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


@dataclass(frozen=True, eq=False)
class Claims:
    """What is counted: every claim's telling, and every claim asked about; instants in microseconds, customers as codes.

    Parameters
    ----------
    told, teller
        When each claim is known, and whose it is.
    filed, whose
        When each claim asked about was filed, and by whom.
    customers
        How many codes there are.
    """

    told: Ints
    teller: Ints
    filed: Ints
    whose: Ints
    customers: int

    @classmethod
    def of(cls, facts: Facts) -> Claims:
        """Read them from tables at hand."""
        codes = facts.codes("claims", "customer_id"), facts.codes(PROBES, "customer_id")
        return cls(facts.known("claims"), codes[0], facts.instants(PROBES, "filed_at"), codes[1], facts.vocabulary("customer_id"))


@dataclass(frozen=True, eq=False)
class Distinct:
    """Different contents of some claims.

    Parameters
    ----------
    held, asked
        Content of each claim, and of each claim asked about, as in :class:`Contents`.
    texts
        The contents by number.
    first, told
        When each was first known, and whether a claim told it: others are compared with those only.
    """

    held: Ints
    asked: Ints
    texts: pa.Array
    first: Ints
    told: npt.NDArray[np.bool_]


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
    for kind in kinds_of(names):
        measured = [*measure(contents(kind, facts, threads), Claims.of(facts))]
        measures = np.concatenate(measured) if measured else np.empty((0, len(_MEASURES)))
        found |= zip(names_of(kind), measures.T, strict=True)
    return {name: np.ascontiguousarray(found[name]) for name in names}


def kinds_of(names: Collection[str]) -> tuple[str, ...]:
    """Return the kinds of contents that some features look at."""
    return tuple(kind for kind in COLUMNS if any(name in names for name in names_of(kind)))


def names_of(kind: str) -> tuple[str, ...]:
    """Name the measures of a kind, in the order in which :func:`measure` finds them."""
    return tuple(f"{kind}_{what}" for what in _MEASURES)


def contents(kind: str, facts: Facts, threads: int = 1) -> Contents:
    """Find the distinct contents of a kind (``"narrative"``, ``"photo"``) and which are nearly the same."""
    column, alone = COLUMNS[kind], facts.frame("claims") is facts.probes
    texts = [facts.texts(table, column) for table in (("claims",) if alone else ("claims", PROBES))]
    joint = pa.chunked_array([chunk for text in texts for chunk in text.chunks], type=pa.large_string())
    found = distinct(
        kind, reduced(kind, joint), None if alone else len(texts[0]), facts.known("claims"), facts.instants(PROBES, "filed_at")
    )
    if kind == "narrative":
        left, right = near_narratives(shingles(found.texts, threads), found.first, found.told, threads)
    else:
        left, right = near_photographs(hashes_of(found.texts))
    return Contents(found.held, found.asked, *side_by_side(left, right, len(found.texts)))


def reduced(kind: str, texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Reduce texts to what makes them equal; what nothing remains of is missing."""
    plainly = plain(texts) if kind == "narrative" else texts
    return pc.if_else(pc.equal(plainly, ""), pa.scalar(None, pa.large_string()), plainly)


def distinct(kind: str, texts: pa.ChunkedArray, claims: int | None, known: Ints, filed: Ints) -> Distinct:
    """Make equal contents one.

    Parameters
    ----------
    kind
        Of what kind they are.
    texts
        Of the claims, then of those asked about; as :func:`reduced` leaves them.
    claims
        How many of them are the claims'; ``None``: the claims are asked about themselves, and there are no others.
    known, filed
        When each claim is known, and when each claim asked about was filed.
    """
    names = Names()
    codes, n = names.number(texts), len(names)
    held, asked = (codes, codes.copy()) if claims is None else (codes[:claims], codes[claims:])
    first, early = _first_told(held, known, asked, filed, n)
    if kind != "narrative":  # every two of them are compared, whenever they were shown
        return Distinct(held, asked, names.texts(), first, first != _NEVER_TOLD)
    asking, asked[early] = np.unique(np.stack([asked[early], filed[early]]), axis=1, return_inverse=True)
    asked[early] += n
    stories = pa.concat_arrays([names.texts(), names.texts().take(pa.array(asking[0]))]) if asking.shape[1] else names.texts()
    told = np.append(first != _NEVER_TOLD, np.zeros(asking.shape[1], dtype=bool))
    return Distinct(held, asked, stories, np.append(first, asking[1]), told)


def side_by_side(left: Ints, right: Ints, n: int) -> tuple[Ints, Ints]:
    """Lay the contents that are near each of n, itself included, side by side: where each one's begin, and which they are.

    >>> starts, near = side_by_side(np.array([2]), np.array([0]), 3)
    >>> [near[starts[c] : starts[c + 1]].tolist() for c in range(3)]
    [[0, 2], [1], [2, 0]]
    """
    found: tuple[Ints, Ints] = _side_by_side(left, right, n)
    return found


@njit(cache=True, nogil=True)
def _side_by_side(left, right, n):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    starts = np.zeros(n + 1, dtype=np.int64)
    for pair in range(len(left)):
        starts[left[pair] + 1] += 1
        starts[right[pair] + 1] += 1
    for content in range(n):
        starts[content + 1] += starts[content] + 1
    free, near = starts[:-1].copy(), np.empty(starts[n], dtype=np.int32)
    for content in range(n):
        near[free[content]] = content
        free[content] += 1
    for pair in range(len(left)):
        one, other = left[pair], right[pair]
        near[free[one]], near[free[other]] = other, one
        free[one] += 1
        free[other] += 1
    return starts, near


def _first_told(held: Ints, known: Ints, asked: Ints, filed: Ints, n: int) -> tuple[Ints, Ints]:
    """Return (n,) when each content is first known from a claim, and the probes that ask about one before that."""
    first = np.full(n, _NEVER_TOLD)
    telling = (held >= 0) & (known != NEVER)
    np.minimum.at(first, held[telling], known[telling])
    return first, np.flatnonzero((asked >= 0) & (filed < np.append(first, NEVER)[asked]))


def measure(found: Contents, claims: Claims) -> Iterator[Floats]:
    """Count the uses of every asked content and of its neighbours before filing: (some, measures) at a time, in the order asked."""
    n = len(found.starts) - 1
    past = history.group(np.where((claims.told == NEVER) | (claims.teller < 0), -1, found.held), claims.told, n)
    tellers = past.gather(claims.teller)
    for begin in range(0, len(claims.filed), _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        yield _measured(found, found.asked[some], claims.filed[some], claims.whose[some], past, tellers, claims.customers)


def _measured(found: Contents, asked: Ints, filed: Ints, whose: Ints, past: History, tellers: Ints, customers: int) -> Floats:
    """Count for some of those asked about."""
    known = (asked >= 0) & (whose >= 0)
    probe, content = _spread(found, asked, known)
    met = history.group(content, filed[probe], len(found.starts) - 1)
    upper, lower = history.positions(past, met, np.zeros(1, dtype=np.int64))[:, 0], past.starts[met.keys]
    probe = probe[met.order]
    own, latest = _uses(past.starts, tellers, lower, upper, met.starts, whose[probe], customers)
    totals = np.zeros((2, len(filed)), dtype=np.int64)
    np.add.at(totals[0], probe, upper - lower - own)
    np.add.at(totals[1], probe, own)
    last = np.full(len(filed), NEVER)
    np.maximum.at(last, probe, take(past.times, latest, NEVER))
    days = np.where(last == NEVER, np.nan, (filed - np.where(last == NEVER, filed, last)) / DAY_US)
    return np.column_stack([np.where(known, totals[0], np.nan), np.where(known, totals[1], np.nan), np.where(known, days, np.nan)])


def _spread(found: Contents, asked: Ints, known: np.ndarray) -> tuple[Ints, Ints]:
    """Pair each probe with every content near its own."""
    rows = np.flatnonzero(known)
    begins = found.starts[asked[rows]]
    near = found.starts[asked[rows] + 1] - begins
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
