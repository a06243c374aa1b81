"""Expressions of rules over features: checked word by word against a short list, evaluated by DuckDB on whole columns.

The language is DuckDB's SQL expression, and a small part of it: comparisons, AND, OR, NOT, BETWEEN, IN, IS NULL, CASE, arithmetic and a
few plain functions of features and constants. DuckDB parses; what its syntax tree holds beyond the list (a subquery, a file, a
window, an unknown function) is refused when the rules are read. The engine that evaluates has no access to files, network, extensions
or settings. Missing features are NULL, so an expression over one is undecided unless it says what a missing value means
(``coalesce(x, 0)``, ``x IS NULL``); an error of arithmetic leaves it undecided as well. One row and a million take the same road.
"""

from __future__ import annotations

import functools
import json
import math
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

UNDECIDED = -1
"""What an expression says where a value is missing or arithmetic fails."""

FUNCTIONS = frozenset({"+", "-", "*", "/", "%", "abs", "floor", "ceil", "round", "least", "greatest", "coalesce"})
"""Functions and operators an expression may call."""

_MOST_KNOWN = 10_000
"""Rows whose answers are remembered; beyond, all are forgotten."""

_CLASSES = frozenset({"COLUMN_REF", "CONSTANT", "COMPARISON", "CONJUNCTION", "OPERATOR", "BETWEEN", "CASE", "FUNCTION"})
_OPERATORS = frozenset({"OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "COMPARE_IN", "COMPARE_NOT_IN", "OPERATOR_COALESCE"})
_CONSTANTS = frozenset({"INTEGER", "NUMERIC", "BOOLEAN", "NULL"})
_ENGINE = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "autoinstall_known_extensions": "false",
    "ieee_floating_point_ops": "false",  # 0/0 is an error, caught by TRY; NaN would count as larger than every number
    "threads": "1",
}


class ExpressionError(ValueError):
    """An expression that is no expression, or uses what rules may not use."""


def features_of(text: str, names: Collection[str]) -> tuple[str, ...]:
    """Check an expression and return the features it reads, in order of first use.

    Parameters
    ----------
    text
        The expression.
    names
        The features there are.

    Raises
    ------
    ExpressionError
        Saying what is wrong: syntax, an unknown feature, something that is not allowed, or a result that is not true or false.

    Examples
    --------
    >>> features_of("claims > 3 AND coalesce(age, 0) < 30", ["age", "claims", "photos"])
    ('claims', 'age')
    >>> features_of("claims > (SELECT 1)", ["claims"])
    Traceback (most recent call last):
    models.rule_expressions.ExpressionError: expected comparisons, AND, OR, NOT, BETWEEN, IN, IS NULL, CASE and arithmetic, found SUBQUERY
    """
    used = columns_of(text)
    unknown = [name for name in used if name not in names]
    if unknown:
        raise ExpressionError(f"expected features of the catalogue, found {', '.join(map(repr, unknown))}; see features/catalog.json")
    kind = _kind_of(text, used)
    if kind != "BOOLEAN":
        raise ExpressionError(f"expected an expression that is true or false, found one of type {kind}")
    return used


@functools.lru_cache(maxsize=1024)
def columns_of(text: str) -> tuple[str, ...]:
    """Return the columns that an expression reads, whether there are such features or not; ``ExpressionError`` for what is not allowed."""
    used: dict[str, None] = {}
    _walk(_parsed(text), used)
    return tuple(used)


def evaluate(expressions: Mapping[str, str], matrix: pd.DataFrame) -> dict[str, np.ndarray]:
    """Evaluate checked expressions on feature rows.

    Parameters
    ----------
    expressions
        Name → expression, each accepted by :func:`features_of`.
    matrix
        Feature rows, float64, NaN where missing, with every column that the expressions read.

    Returns
    -------
    dict
        Name → 1 (true), 0 (false) or :data:`UNDECIDED`, int8, shape (rows,).

    Examples
    --------
    >>> matrix = pd.DataFrame({"claims": [4.0, 1.0, np.nan], "orders": [0.0, 2.0, 5.0]})
    >>> found = evaluate({"many": "claims > 3", "often": "claims / orders > 0.4"}, matrix)
    >>> found["many"].tolist(), found["often"].tolist()
    ([1, 0, -1], [-1, 1, -1])
    """
    if not expressions:
        return {}
    used = dict.fromkeys(name for text in expressions.values() for name in columns_of(text))
    # A rule over constants alone reads no column, and still must answer once per row.
    columns = {"": np.zeros(len(matrix))} | {name: matrix[name].to_numpy(dtype=np.float64) for name in used}
    table = pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})
    select = ", ".join(f"{_guarded(text)} AS answer_{place}" for place, text in enumerate(expressions.values()))
    with _engine().cursor() as cursor:
        cursor.register("rows_of_features", table)
        answers = cursor.execute(f"SELECT {select} FROM rows_of_features").fetchnumpy()
    return {name: np.ma.filled(answers[f"answer_{place}"].astype(np.int8), UNDECIDED) for place, name in enumerate(expressions)}


class Asked:
    """Expressions prepared once and asked about one row after the other; safe to call from several threads.

    Parameters
    ----------
    expressions
        Each accepted by :func:`features_of`.

    Notes
    -----
    The same engine evaluates the same expressions as in :func:`evaluate`, all of them in one statement. Planning it takes a tenth of a
    millisecond or more, so answers are remembered by the values read: counts, flags and what is missing repeat.

    Examples
    --------
    >>> asked = Asked(["claims > 3", "claims / orders > 0.4"])
    >>> asked.columns, asked((4.0, 2.0)), asked((1.0, 0.0)), asked((float("nan"), 2.0))
    (('claims', 'orders'), (1, 1), (0, -1), (-1, -1))
    """

    def __init__(self, expressions: Sequence[str]) -> None:
        self.columns = tuple(dict.fromkeys(name for text in expressions for name in columns_of(text)))
        names = ['"' + name.replace('"', '""') + '"' for name in self.columns]
        given = ", ".join(f"${place}::DOUBLE AS {name}" for place, name in enumerate(names, start=1)) or "NULL AS nothing"
        self._query = f"SELECT {', '.join(map(_guarded, expressions)) or 'NULL'} FROM (SELECT {given})"
        self._asked = len(expressions)
        self._prepared = threading.local()
        self._known: dict[tuple[float | None, ...], tuple[int, ...]] = {}

    def __call__(self, values: Iterable[float]) -> tuple[int, ...]:
        """Return 1 (true), 0 (false) or :data:`UNDECIDED` of each expression for the values of ``columns``, NaN where missing."""
        row = tuple(None if math.isnan(value) else value for value in values)
        answers = self._known.get(row)
        if answers is None:
            answers = self._ask(row)
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[row] = answers
        return answers

    def _ask(self, row: tuple[float | None, ...]) -> tuple[int, ...]:
        own = self._prepared
        if not hasattr(own, "cursor"):
            own.cursor = _engine().cursor()
            own.statement = own.cursor.extract_statements(self._query)[0]
        answers = own.cursor.execute(own.statement, list(row)).fetchall()[0][: self._asked]
        return tuple(UNDECIDED if answer is None else int(answer) for answer in answers)


def _guarded(text: str) -> str:
    # A line break, so that a comment at the end of the expression does not swallow the brackets.
    return f"TRY(({text}\n))"


@functools.cache
def _engine() -> Any:
    """Return the one engine of this process: in memory, locked; every evaluation takes a cursor of its own."""
    with duckdb.connect(config=_ENGINE) as any_engine:
        optimizers = ",".join(name for (name,) in any_engine.execute("SELECT name FROM duckdb_optimizers()").fetchall())
    # Plans rewritten from what is known of the values would decide whether something that fails beside a false condition fails.
    engine = duckdb.connect(config={**_ENGINE, "disabled_optimizers": optimizers})
    engine.execute("SET lock_configuration = true")
    return engine


def _parsed(text: str) -> Any:
    """Return the syntax tree of one expression, and of nothing around it."""
    with _engine().cursor() as cursor:
        found = json.loads(cursor.execute("SELECT json_serialize_sql(?)", [f"SELECT ({text}\n)"]).fetchone()[0])
    if found["error"]:
        raise ExpressionError(f"expected an expression, found {found['error_message']}")
    node = found["statements"][0]["node"]
    alone = node["type"] == "SELECT_NODE" and node["from_table"]["type"] == "EMPTY" and len(node["select_list"]) == 1
    if len(found["statements"]) != 1 or not alone or node["where_clause"] or node["modifiers"]:
        raise ExpressionError("expected one expression, found more than that; look for unbalanced brackets")
    return node["select_list"][0]


def _walk(node: Any, used: dict[str, None]) -> None:
    """Note the columns of an expression; refuse whatever is not on the list."""
    kind = node["class"]
    if kind not in _CLASSES or (kind == "OPERATOR" and node["type"] not in _OPERATORS):
        found = node["type"] if kind == "OPERATOR" else kind
        raise ExpressionError(f"expected comparisons, AND, OR, NOT, BETWEEN, IN, IS NULL, CASE and arithmetic, found {found}")
    if kind == "COLUMN_REF":
        used[".".join(node["column_names"])] = None
    if kind == "CONSTANT" and node["literal"]["kind"] not in _CONSTANTS:
        raise ExpressionError(f"expected numbers, true, false or NULL as constants, found {node['literal'].get('text')!r}")
    if kind == "FUNCTION" and node["function_name"] not in FUNCTIONS:
        raise ExpressionError(f"expected one of {', '.join(sorted(FUNCTIONS))}, found the function {node['function_name']!r}")
    for part in _parts(node):
        _walk(part, used)


def _parts(value: Any) -> list[Any]:
    """Return the expressions directly inside a node, wherever its syntax keeps them."""
    found = []
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict) and "class" in inner:
            found.append(inner)
        elif isinstance(inner, dict | list):
            found += _parts(inner)
    return found


def _kind_of(text: str, used: tuple[str, ...]) -> str:
    """Bind the expression to its columns, evaluate it once, and return the type of its result."""
    names = ['"' + name.replace('"', '""') + '"' for name in used]
    columns = ", ".join(f"1::DOUBLE AS {name}" for name in names) or "NULL AS nothing"
    with _engine().cursor() as cursor:
        try:
            cursor.execute(f"SELECT {_guarded(text)} FROM (SELECT {columns})")
            return str(cursor.execute(f"DESCRIBE SELECT ({text}\n) FROM (SELECT {columns})").fetchone()[1])
        except duckdb.Error as error:
            raise ExpressionError(f"expected an expression over numbers, found {str(error).splitlines()[0]}") from error
