"""What every carrier does with rows: :func:`answer` a share for the claims of one bucket, :func:`assemble` answers into features.

A carrier (:mod:`features.bounded`, :mod:`features.spark`) brings all rows of a key into the same *bucket*, the kernel of
:mod:`features.windows` runs on one bucket at a time as it does on whole tables, and the answers are put back by claim. No
number is defined here or in a carrier, so every engine gives the same bits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from features import from_claim, windows
from features.facts import Facts
from features.history import Floats
from features.shares import Plan, Share
from features.spec import Computed, Direct, Selection, Windowed


def answer(share: Share, tables: Mapping[str, pd.DataFrame], sources: Mapping[str, Selection]) -> Floats:
    """Answer a share for the claims of one bucket.

    Parameters
    ----------
    share
        What is asked.
    tables
        All rows of the bucket, by table; more rows do no harm, and more columns neither.
    sources
        Sources that the catalogue brings.

    Returns
    -------
    ndarray
        (claims, share.width) float64: the aggregates, then the features looked up, in the order of ``tables["claims"]``.
    """
    facts = Facts(tables, tables["claims"], sources)
    found = np.empty((len(tables["claims"]), share.width), dtype=np.float64)
    for at, values in enumerate([*_in_order(share, facts)]):
        found[:, at] = values
    return found


def _in_order(share: Share, facts: Facts) -> Iterable[Floats]:
    measured = windows.measure(share.parts, facts)
    yield from (measured[part] for part in share.parts)
    yield from from_claim.compute(share.names, facts).values()


def assemble(found: Plan, claims: pd.DataFrame, answers: Sequence[Floats], across: Mapping[str, Floats]) -> pd.DataFrame:
    """Make rows of the matrix from what was answered.

    Parameters
    ----------
    found
        The plan.
    claims
        The claims of these rows, with the columns that their own features need.
    answers
        For each share (claims, width) what its buckets answered, in the order of ``claims``.
    across
        (claims,) values of link and duplicate features, by name.

    Returns
    -------
    DataFrame
        As of :func:`features.matrix.build_matrix`, for these claims.
    """
    facts = Facts({}, claims)
    windowed: list[Windowed] = [f for f in found.features if not isinstance(f, Direct | Computed)]
    measured = {part: held[:, at] for share, held in zip(found.shares, answers, strict=True) for at, part in enumerate(share.parts)}
    values: dict[str, Floats] = windows.combine(windowed, measured) | from_claim.compute(found.own, facts) | dict(across)
    for share, held in zip(found.shares, answers, strict=True):
        values |= {name: held[:, len(share.parts) + at] for at, name in enumerate(share.names)}
    index = pd.Index(claims["claim_id"], name="claim_id", dtype="str")
    return pd.DataFrame({f.name: values[f.name] for f in found.features if f.name in values}, index=index)
