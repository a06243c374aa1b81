"""Expressions: what is not on the list is refused, what is on it is evaluated as a slow reader would, row by row or all at once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.rule_expressions import UNDECIDED, Asked, ExpressionError, evaluate, features_of

NAMES = ["a", "b"]


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("a > 3 AND b IS NULL", ("a", "b")),
        ("coalesce(b, 0) * 100 >= abs(a) OR a IN (1, 2)", ("b", "a")),
        ("NOT a BETWEEN 1 AND 2", ("a",)),
        ("CASE WHEN a > 1 THEN b ELSE 0 END = 1", ("a", "b")),
        ("a > -0.5 -- a remark", ("a",)),
        ("true", ()),
    ],
)
def test_comparisons_and_arithmetic_of_features_are_rules(text: str, used: tuple[str, ...]) -> None:
    assert features_of(text, NAMES) == used


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(SELECT max(x) FROM t) > 1", "SUBQUERY"),
        ("read_text('/etc/passwd') = 1", "read_text"),
        ("getenv('HOME') = 1", "getenv"),
        ("sum(a) > 1", "sum"),
        ("row_number() OVER () > 1", "WINDOW"),
        ("a::INT > 2", "CAST"),
        ("$1 > 2", "PARAMETER"),
        ("*", "STAR"),
        ("a[1] > 2", "ARRAY_EXTRACT"),
        ("list_filter([1], x -> x > 1)", "list_filter"),
        ("a > 'x'", "'x'"),
        ("c > 2", "'c'"),
        ("A > 2", "'A'"),
        ("t.a > 2", "'t.a'"),
        ("a > random()", "random"),
        ("a + 1", "type DOUBLE"),
        ("a > true", "Cannot compare"),
        ("a >", "syntax error"),
        ("", "row"),
        ("a > 1; DROP TABLE x", "syntax error"),
        ("a > 1) FROM (SELECT 1", "more than that"),
        ("a > 1) LIMIT (1", "more than that"),
        ("a > 1), (b > 1", "more than that"),
        ("a > 1) WHERE (true", "more than that"),
        ("(a > 1), (b > 1)", "row"),
    ],
)
def test_whatever_is_not_on_the_list_is_refused_with_its_name(text: str, found: str) -> None:
    with pytest.raises(ExpressionError, match="expected") as error:
        features_of(text, NAMES)
    assert found in str(error.value)


@settings(max_examples=30)
@given(st.lists(st.tuples(*[st.none() | st.integers(-3, 3).map(float)] * 2), min_size=1, max_size=30))
def test_answers_are_those_of_three_valued_logic_row_by_row(rows: list[tuple[float | None, float | None]]) -> None:
    matrix = pd.DataFrame(rows, columns=NAMES, dtype="float64")

    def slow(a: float | None, b: float | None) -> list[int]:
        either = [None if value is None else value > bound for value, bound in ((a, 0), (b, 1))]
        both = False if False in either else None if None in either else True
        ratio = None if a is None or b is None or b == 0 else a / b > 0.5
        return [UNDECIDED if answer is None else int(answer) for answer in (both, ratio, (a or 0.0) > 0)]

    texts = {"both": "a > 0 AND b > 1", "ratio": "a / b > 0.5", "filled": "coalesce(a, 0) > 0"}
    found = evaluate(texts, matrix)
    assert [list(row) for row in zip(*(found[name].tolist() for name in texts), strict=True)] == [slow(*row) for row in rows]
    alone = {name: [int(evaluate(texts, matrix.iloc[[k]])[name][0]) for k in range(min(len(rows), 3))] for name in texts}
    assert all(alone[name] == found[name][:3].tolist() for name in texts)


def test_no_rows_and_no_expressions_are_answered_with_nothing() -> None:
    matrix = pd.DataFrame({"a": [1.0, 2.0]})
    assert evaluate({}, matrix) == {}
    assert evaluate({"x": "a > 1"}, matrix[:0])["x"].tolist() == []
    assert evaluate({"always": "true"}, matrix)["always"].tolist() == [1, 1]


def test_names_that_need_quotes_can_be_read() -> None:
    matrix = pd.DataFrame({'odd "name"': [1.0, 3.0]})
    assert features_of('"odd ""name""" > 2', list(matrix.columns)) == ('odd "name"',)
    assert evaluate({"x": '"odd ""name""" > 2'}, matrix)["x"].tolist() == [0, 1]


def test_the_engine_reaches_no_file_even_past_the_list(tmp_path: object) -> None:
    matrix = pd.DataFrame({"a": [1.0]})
    with pytest.raises(ExpressionError):
        evaluate({"x": "(SELECT count(*) FROM read_csv('/etc/passwd')) > 0"}, matrix)
    assert np.array_equal(evaluate({"x": "a = 1"}, matrix)["x"], [1])


@pytest.mark.parametrize(
    "text", ["a / (b - b) > 1 AND false", "false AND a / 0 > 1", "a > 5 AND 1 / (b - b) > 1", "a < 5 OR 1 / (b - b) > 1"]
)
def test_what_fails_beside_a_settled_condition_fails_whether_asked_of_one_row_or_of_many(text: str) -> None:
    matrix = pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 3.0]})
    asked = Asked([text])
    for row in matrix.itertuples(index=False):
        assert asked([row._asdict()[name] for name in asked.columns]) == (UNDECIDED,)
    assert evaluate({"x": text}, matrix)["x"].tolist() == [UNDECIDED] * 2
    assert evaluate({"x": text}, matrix[:1])["x"].tolist() == [UNDECIDED]
