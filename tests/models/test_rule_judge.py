"""Rules about one claim: the verdicts of the whole column, one at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from models.rule_effects import EFFECTS
from models.rule_judge import Judge
from models.rules import Rule, Rules, Snooze, evaluate, recorded, strictest

SINCE = datetime(2025, 1, 1, tzinfo=UTC)
AT = datetime(2025, 6, 1, tzinfo=UTC)
COLUMNS = ["a", "b", "c"]
WHEN = (
    "a > 1",
    "b / a > 0.5",
    "coalesce(c, 0) + b >= 2",
    "c IS NULL AND NOT a > 0",
    "a IN (1, 2) OR b BETWEEN 0 AND 1",
    "true",
    "d > 0",
    "a / (b - b) > 1 AND a > 2",
)
NUMBERS = st.sampled_from([float("nan"), 0.0, -0.0, 1.0, 2.0, -3.5, 1e300, float("inf")])
SNOOZES = st.lists(
    st.builds(Snooze, st.just("customer_id"), st.sampled_from("AB"), st.sampled_from([AT, AT + timedelta(days=1)]), st.just("")), max_size=2
)


@st.composite
def rule_files(draw: st.DrawFn) -> Rules:
    rules = [
        Rule(
            f"r{k}",
            "o",
            draw(st.sampled_from([SINCE, AT, AT + timedelta(days=1)])),
            "",
            when,
            draw(st.sampled_from(EFFECTS)),
            tuple(draw(SNOOZES)),
        )
        for k, when in enumerate(draw(st.lists(st.sampled_from(WHEN), max_size=5)))
    ]
    return Rules("1", tuple(rules))


@settings(max_examples=60, deadline=None)
@given(rules=rule_files(), rows=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, st.sampled_from("ABC")), min_size=1, max_size=6))
def test_a_claim_by_itself_has_the_verdicts_it_has_among_others(rules: Rules, rows: list[tuple[float, float, float, str]]) -> None:
    matrix = pd.DataFrame([row[:3] for row in rows], columns=COLUMNS)
    claims = pd.DataFrame({"customer_id": [row[3] for row in rows]})
    together = evaluate(rules, matrix, claims, AT)
    effects, texts = strictest(rules, together), recorded(rules, together)
    judge = Judge(rules, COLUMNS)
    for i, row in enumerate(rows):
        alone = judge.verdicts(np.array(row[:3]), {"customer_id": row[3]}, AT)
        assert alone == together.iloc[i].to_dict()
        assert judge.strictest(alone) == effects[i]
        assert judge.recorded(alone) == texts[i]


def test_columns_are_found_by_name_not_by_place() -> None:
    rules = Rules("1", (Rule("r", "o", SINCE, "", "b > a", "desk"),))
    assert Judge(rules, ["x", "b", "a"]).verdicts(np.array([9.0, 2.0, 1.0]), {}, AT) == {"r": "hit"}
