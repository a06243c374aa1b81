"""The lake's copy of the decisions: appended to as the store commits, mended where a killed run or the endpoint left it behind."""

from __future__ import annotations

import pandas as pd
from sqlalchemy import func, select

from data_contracts import DECISIONS
from pipelines.home import Home
from pipelines.lake import Lake
from serving.schema import DECISIONS_TABLE
from serving.store import CHUNK, Store


def append_decisions(lake: Lake, decisions: pd.DataFrame) -> None:
    """Add decisions just committed to the lake, as the batch of their first day; one that is there already is added to.

    Parameters
    ----------
    lake
        The lake.
    decisions
        Rows of the contract, none of them in the lake yet.
    """
    if decisions.empty:
        return
    batch = f"{decisions['decided_at'].min():%Y-%m-%d}"
    held = [lake.read(DECISIONS.name, only=batch)] if lake.count(DECISIONS.name, batch) else []
    lake.append(DECISIONS.name, pd.concat([*held, decisions], ignore_index=True), batch)


def mend_decisions(home: Home, store: Store) -> int:
    """Bring the lake's copy up to the store; nothing but two counts is read where nothing is missing.

    Returns
    -------
    int
        How many decisions were missing.
    """
    lake = Lake.of(home)
    with store.view() as view:
        held = view.execute(select(func.count()).select_from(DECISIONS_TABLE)).scalar_one()
        if held == sum(lake.count(DECISIONS.name, batch) for batch in lake.batches(DECISIONS.name)):
            return 0
        every = pd.Series(
            view.execute(select(DECISIONS_TABLE.c.claim_id).order_by(DECISIONS_TABLE.c.claim_id)).scalars().all(), dtype="str"
        )
    missing = every[~every.isin(lake.read(DECISIONS.name, ["claim_id"])["claim_id"])].tolist()
    for start in range(0, len(missing), CHUNK):
        some = store.read(DECISIONS.name, {"claim_id": missing[start : start + CHUNK]})
        for _, day in some.groupby(some["decided_at"].dt.floor("D"), sort=True):
            append_decisions(lake, day)
    return len(missing)
