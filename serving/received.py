"""What the endpoint received, as frames of its contracts: for the lake, and for whoever checks the one against the other."""

from __future__ import annotations

import json

import pandas as pd

from data_contracts import CONTRACTS
from serving.events import DELIVERIES
from serving.schema import RECEIVED_EVENTS
from serving.store import Store


def received_events(store: Store, table: str) -> pd.DataFrame:
    """Return the events of a table that were received, with the instants they were recorded at, in order of their key.

    >>> with Store("sqlite://") as store:
    ...     received_events(store, "orders").empty
    True
    """
    contract = DELIVERIES if table == DELIVERIES.name else CONTRACTS[table]
    rows = [json.loads(body) for body in store.read(RECEIVED_EVENTS.name, {"contract": [table]})["body"]]
    columns = {}
    for column in contract.columns:
        values = [row[column.name] for row in rows]
        if column.kind == "instant":
            columns[column.name] = pd.to_datetime(pd.Series(values, dtype="str"), format="ISO8601", utc=True).astype(column.pandas)
        else:
            columns[column.name] = pd.Series(values, dtype=column.pandas)
    return pd.DataFrame(columns)
