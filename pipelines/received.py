"""Claims that the endpoint received, brought into the lake: whoever reads the lake's claims beside the store calls this first."""

from __future__ import annotations

from pipelines.home import Home
from pipelines.lake import Lake
from serving.store import Store

RECEIVED = "received-"
"""Begins the name of every batch of claims that the endpoint received."""


def export_claims(home: Home, store: Store) -> int:
    """Bring the claims that the endpoint received into the lake, one batch per month of filing.

    Claims that came to the lake another way are left out; running again, or after a kill, changes nothing.

    Returns
    -------
    int
        Rows in the batches that were written.
    """
    received = store.read("claims")
    lake = Lake(home.root)
    written = 0
    for month, rows in received.groupby(received["filed_at"].dt.strftime("%Y-%m"), sort=True):
        batch = f"{RECEIVED}{month}"
        others = lake.read("claims", columns=["claim_id"], without=batch)["claim_id"]
        ours = rows[~rows["claim_id"].isin(others)]
        if len(ours) and lake.count("claims", batch) != len(ours):
            lake.append("claims", ours, batch)
            written += len(ours)
    return written
