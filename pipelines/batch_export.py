"""The lake's copy of the decisions: appended to as the store commits, mended where a killed run or the endpoint left it behind."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pyarrow as pa
from sqlalchemy import func, select

from data_contracts import DECISIONS
from data_contracts.check import to_arrow
from pipelines.home import Home
from pipelines.lake import Lake
from serving.attachments import packed, span
from serving.schema import DECISIONS_TABLE
from serving.store import CHUNK, Store


def append_decisions(lake: Lake, decisions: pa.Table, content: bytes | None = None) -> None:
    """Add decisions just committed to the lake, as the batch of their first day; one that is there already is added to.

    Parameters
    ----------
    lake
        The lake.
    decisions
        In the Arrow types of the contract, none of them in the lake yet.
    content
        What :func:`serving.attachments.packed` makes of them, if that is at hand.
    """
    if not len(decisions):
        return
    batch = f"{datetime.fromtimestamp(span(decisions)[0] // 1_000_000, UTC):%Y-%m-%d}"
    if lake.count(DECISIONS.name, batch):
        held = to_arrow(lake.read(DECISIONS.name, only=batch), DECISIONS).replace_schema_metadata()
        decisions, content = pa.concat_tables([held, decisions.replace_schema_metadata()]), None
    lake.publish({DECISIONS.name: packed(decisions) if content is None else content}, {}, batch)


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
            append_decisions(lake, to_arrow(day, DECISIONS))
    return len(missing)
