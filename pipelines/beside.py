"""The batch's side of shadow decisions: a challenger decides what the champion decided; its decisions are stored and never acted on."""

from __future__ import annotations

import pandas as pd
from sqlalchemy import insert, select

from features.catalog import CATALOG
from models.bundle import Bundle
from models.shelf import Shelf
from pipelines.home import Home
from serving.instants import micros
from serving.schema import SHADOW_DECISIONS
from serving.store import Store


def challenger_of(home: Home) -> Bundle | None:
    """Return the bundle with the alias ``challenger``, if there is one.

    Raises
    ------
    models.bundle.BundleError
        If there is one that does not fit this code.
    """
    shelf = Shelf(home.bundles)
    return shelf.get("challenger", CATALOG.hash) if "challenger" in shelf.aliases() else None


def keep(store: Store, decided: pd.DataFrame) -> int:
    """Store what a challenger would have done, and return how many of its decisions were new.

    Parameters
    ----------
    store
        The case store; claims that nobody decided are left out, and so are those the challenger has in it already.
    decided
        Decisions of one challenger, as :func:`models.scorer.score_claims` gives them.
    """
    if decided.empty:
        return 0
    bundle, table = str(decided["bundle"].iloc[0]), SHADOW_DECISIONS
    with store.write() as tx:
        there = set(tx.execute(select(table.c.claim_id).where(table.c.bundle == bundle)).scalars())
        new = decided[~decided["claim_id"].isin(there)]
        at = [micros(instant) for instant in new["decided_at"]]
        rows = new.assign(decided_at=at)[[column.name for column in table.c]].astype(object).to_dict(orient="records")
        if rows:
            tx.execute(insert(table), rows)
    return len(rows)
