"""Whether a whole table keeps the rules of its columns, seen column by column: the answer nearly every file and every batch gets.

:func:`data_contracts.check.check` judges each row and says what is wrong with it. Where nothing is, as much is seen from the least and
the largest value of a column and the set of its texts, without a copy of them. What is sound here is accepted there as it is; what is not
may still be (a value written in another way), and is judged there.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import Column, Contract


def is_sound(table: pa.Table, contract: Contract) -> bool:
    """Tell whether every row keeps the rules of the columns and their order, and no key comes twice; references are not judged.

    Parameters
    ----------
    table
        Rows of any number.
    contract
        What a row must be. A table whose columns or types are other ones is not sound.

    Examples
    --------
    >>> from data_contracts import SELLERS
    >>> rows = [{"seller_id": "S1", "joined_at": 1, "country": "US", "category": "home", "recorded_at": None}]
    >>> is_sound(pa.Table.from_pylist(rows, schema=SELLERS.arrow), SELLERS)
    True
    >>> is_sound(pa.Table.from_pylist([rows[0] | {"country": "usa"}], schema=SELLERS.arrow), SELLERS)
    False
    """
    if table.schema.names != contract.arrow.names or table.schema.types != contract.arrow.types:
        return False
    if not all(_keeps(table[column.name], column) for column in contract.columns):
        return False
    for rule in contract.orderings:
        late = pc.any(pc.greater(table[rule.earlier], table[rule.later])).as_py()
        if late:
            return False
    return int(pc.count_distinct(table[contract.key]).as_py()) == len(table)


def _keeps(values: pa.ChunkedArray, column: Column) -> bool:
    """Tell whether all values of a column keep its rules."""
    if values.null_count and not column.nullable:
        return False
    if values.null_count == len(values):
        return True
    if column.kind == "string":
        return _texts_keep(values, column)
    if column.kind == "number" and not pc.all(pc.is_finite(values)).as_py():
        return False
    if column.ge is None and column.le is None:
        return True
    least, most = pc.min_max(values).values()
    return (column.ge is None or least.as_py() >= column.ge) and (column.le is None or most.as_py() <= column.le)


def _texts_keep(values: pa.ChunkedArray, column: Column) -> bool:
    if column.choices:
        return bool(pc.all(pc.is_in(values.drop_null(), pa.array(column.choices))).as_py())
    if column.min_length is not None or column.max_length is not None:
        shortest, longest = (size.as_py() for size in pc.min_max(pc.utf8_length(values)).values())
        if shortest < (column.min_length or 0) or (column.max_length is not None and longest > column.max_length):
            return False
    if column.pattern is None:
        return True
    # Without the ends of the pattern, as `check` asks: a text that ends in a line feed is none that matches.
    whole = rf"\A(?:{column.pattern.removeprefix('^').removesuffix('$')})\z"
    return bool(pc.all(pc.match_substring_regex(values, whole)).as_py())
