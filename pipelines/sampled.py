"""The features that decisions were made with, computed once more by the batch: the runtime proof that both are the same.

The endpoint keeps the feature row of a small share of the claims (:mod:`serving.claimed`). Here the lake, with everything that was
received, is read by the batch, which knows nothing of the endpoint's history; every row must be equal to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sqlalchemy import update

from features.catalog import CATALOG, Catalog
from features.facts import Tables
from features.matrix import build_matrix
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.received import export_received
from serving.schema import PARITY_SAMPLES
from serving.store import Store

AT_ONCE = 5_000
"""Claims computed together."""


@dataclass(frozen=True)
class Sampled:
    """What a check found.

    Parameters
    ----------
    checked
        Feature rows compared.
    differing
        Claims whose row is another one, with the features that are.
    """

    checked: int
    differing: dict[str, tuple[str, ...]]


def check_sample(home: Home, store: Store, catalog: Catalog = CATALOG) -> Sampled:
    """Compare the feature rows that were kept and not compared yet with those of the batch, and note the outcome in the store.

    Raises
    ------
    data_contracts.ContractError
        If the lake cannot be read.
    """
    kept = store.read(PARITY_SAMPLES.name, {"catalog": [catalog.hash]})
    kept = kept[kept["differs"].isna()]
    if kept.empty:
        return Sampled(0, {})
    export_received(home, store)
    tables = Lake.of(home).tables()
    found: dict[str, tuple[str, ...]] = {}
    for start in range(0, len(kept), AT_ONCE):
        some = kept.iloc[start : start + AT_ONCE]
        differing = compared(tables, some, catalog)
        with store.write() as tx:
            for claim_id, names in differing.items():
                tx.execute(update(PARITY_SAMPLES).where(PARITY_SAMPLES.c.claim_id == claim_id).values(differs=len(names)))
        found |= {claim_id: names for claim_id, names in differing.items() if names}
    return Sampled(len(kept), found)


def compared(tables: Tables, kept: pd.DataFrame, catalog: Catalog = CATALOG) -> dict[str, tuple[str, ...]]:
    """Return for each claim the features whose kept value is not that of the batch.

    Parameters
    ----------
    tables
        The lake's, with everything that was received.
    kept
        ``claim_id`` and ``vector`` (bytes) of claims.
    catalog
        The features, in their order.
    """
    claims = tables["claims"].set_index("claim_id", drop=False).loc[kept["claim_id"]].reset_index(drop=True)
    expected = build_matrix(tables, claims, catalog).reindex(columns=list(catalog.names)).to_numpy()
    told = np.array([np.frombuffer(vector, dtype="<f8") for vector in kept["vector"]])
    same = (told == expected) | (np.isnan(told) & np.isnan(expected))
    names = np.array(catalog.names)
    return {claim_id: tuple(names[~row].tolist()) for claim_id, row in zip(kept["claim_id"], same, strict=True)}
