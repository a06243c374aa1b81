"""Does a feature look into the future? Replay claims as of their filing, with the future deleted, and compare bit for bit.

A matrix made in one sweep over the whole history should hold, for every claim, what a matrix made at that very instant
would have held. So it is made again at that instant: all rows known from filing on are deleted, what the remaining rows
say of later instants is blanked, and the claim is there as a question only. Whatever differs was not known at filing.

The replay proves guilt, not innocence: a leak that shows in none of the claims replayed is not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_contracts import CONTRACTS
from features.catalog import Catalog
from features.facts import RECORDED, FeatureError, Tables
from features.matrix import build_matrix


@dataclass(frozen=True)
class Leak:
    """A feature that knew more than was known.

    Parameters
    ----------
    feature
        Its name.
    claims
        How many of the claims replayed show it.
    claim_id
        The first of them.
    now, then
        The value computed with the whole history at hand, and that computed as of filing; NaN where undefined.
    """

    feature: str
    claims: int
    claim_id: str
    now: float
    then: float


def known_before(tables: Tables, now: pd.Timestamp, catalog: Catalog) -> dict[str, pd.DataFrame]:
    """Delete everything that was not known strictly before an instant.

    Parameters
    ----------
    tables
        Frames by name. When a row became known is said by its contract, or for a table of the user by the selections of the
        catalogue, the earliest of them; by ``recorded_at`` where that is later. A table of which nobody says so stays.
    now
        The instant, UTC.
    catalog
        Whose sources say so.

    Returns
    -------
    dict
        The rows that remain, by name; in them, instants that are not before ``now`` are missing: an order on its way has no
        time of delivery yet.

    Examples
    --------
    >>> orders = pd.DataFrame({"order_id": ["O1", "O2"], "ordered_at": pd.to_datetime(["2025-01-01", "2025-01-05"], utc=True),
    ...                        "delivered_at": pd.to_datetime(["2025-01-04", "2025-01-09"], utc=True)})
    >>> past = known_before({"orders": orders}, pd.Timestamp("2025-01-03", tz="UTC"), Catalog(()))["orders"]
    >>> past["order_id"].tolist(), past["delivered_at"].isna().tolist()
    (['O1'], [True])
    """
    return {name: _past(frame, _known(name, frame, catalog), now) for name, frame in tables.items()}


def _known(table: str, frame: pd.DataFrame, catalog: Catalog) -> pd.Series | None:
    """When each row became known, missing where that is unknown; ``None`` where nobody says."""
    columns = [CONTRACTS[table].known_at] if table in CONTRACTS else [s.at for s in catalog.sources.values() if s.table == table]
    columns = [column for column in columns if column in frame.columns]
    if not columns:
        return None
    known = frame[columns].min(axis=1)
    return known if RECORDED not in frame.columns else known.mask(frame[RECORDED] > known, frame[RECORDED])


def _past(frame: pd.DataFrame, known: pd.Series | None, now: pd.Timestamp) -> pd.DataFrame:
    past = frame if known is None else frame[(known < now).to_numpy(dtype=bool)]
    later = {name: past[name].where(past[name] < now) for name in past.columns if isinstance(past[name].dtype, pd.DatetimeTZDtype)}
    return past.assign(**later).reset_index(drop=True)


def replay(tables: Tables, catalog: Catalog, claim_ids: Sequence[str]) -> Iterator[pd.Series]:
    """Compute the features of claims one by one, each as if it had just been filed.

    Parameters
    ----------
    tables
        The whole history, the claims among it.
    catalog
        The features.
    claim_ids
        The claims wanted.

    Yields
    ------
    Series
        Float64 by feature, named by the claim; in the order wanted.

    Raises
    ------
    FeatureError
        If there is no such claim.
    """
    claims = tables["claims"].set_index("claim_id", drop=False)
    missing = [claim_id for claim_id in claim_ids if claim_id not in claims.index]
    if missing:
        raise FeatureError(f"claims: expected claims of the table, found no {', '.join(map(repr, missing[:5]))}")
    for claim_id in claim_ids:
        asked = claims.loc[[claim_id]].reset_index(drop=True)
        now = asked["filed_at"].iloc[0]
        # What the claim itself says is known at its filing, that instant included; a later one, such as of its recording, is not.
        said = _past(asked, None, now + pd.Timedelta(microseconds=1))
        try:
            matrix = build_matrix(known_before(tables, now, catalog), said, catalog)
        except Exception as error:
            error.add_note(f"while computing claim {claim_id} as of its filing at {now}, from nothing but what was known before")
            raise
        yield matrix.iloc[0]


def compare(matrix: pd.DataFrame, replayed: Sequence[pd.Series]) -> tuple[Leak, ...]:
    """Name the features whose values differ, in the order of the matrix.

    Parameters
    ----------
    matrix
        Features of all claims, made with the whole history at hand.
    replayed
        Rows of :func:`replay`.
    """
    found: dict[str, Leak] = {}
    for then in replayed:
        for name, now in matrix.loc[then.name].items():
            feature, before = str(name), then.get(name, np.nan)
            if now == before or (np.isnan(now) and np.isnan(before)):
                continue
            first = found.get(feature) or Leak(feature, 0, str(then.name), float(now), float(before))
            found[feature] = Leak(feature, first.claims + 1, first.claim_id, first.now, first.then)
    order: Mapping[str, int] = {str(name): place for place, name in enumerate(matrix.columns)}
    return tuple(sorted(found.values(), key=lambda leak: order[leak.feature]))
