"""Many rows as plain values, column by column: what the store keeps of a batch of any size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import Contract


def plain_columns(contract: Contract, table: pa.Table, names: Sequence[str] | None = None) -> list[list[Any]]:
    """Return columns of a table as the store keeps them: instants in microseconds, what is missing ``None``.

    Parameters
    ----------
    contract
        Whose rows they are.
    table
        Its columns in its Arrow types.
    names
        Which of them; all of the contract, in its order, by default.

    Examples
    --------
    >>> from data_contracts import SELLERS
    >>> plain_columns(SELLERS, SELLERS.arrow.empty_table())
    [[], [], [], [], []]
    """
    wanted = contract.columns if names is None else [contract.column(name) for name in names]
    held = ((table[column.name], column.kind == "instant") for column in wanted)
    return [(values.cast(pa.int64()) if is_instant else values).to_pylist() for values, is_instant in held]


def shared_values(table: pa.Table) -> dict[str, Any]:
    """Return the value of each column in which all rows agree, by name; there is at least one row.

    >>> shared_values(pa.table({"bundle": ["a", "a"], "rules": [None, None], "n": [1, 2]}))
    {'bundle': 'a', 'rules': None}
    """
    found = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        first = column[0]
        if column.null_count == len(column) or (not column.null_count and pc.all(pc.equal(column, first)).as_py()):
            found[name] = first.as_py()
    return found
