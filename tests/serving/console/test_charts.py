"""Pictures of numbers: whatever the numbers are, the bars say them and stay inside."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from serving.console.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, lines, stacked
from serving.console.rendering import _environment

COUNTS = st.integers(1, 20).flatmap(
    lambda many: st.lists(st.lists(st.floats(0, 1e9), min_size=many, max_size=many), min_size=1, max_size=5)
)


def named(rows: list[list[float]]) -> tuple[list[str], dict[str, list[float]]]:
    return [f"week {k}" for k in range(len(rows[0]))], {f"series <{k}>": row for k, row in enumerate(rows)}


@given(COUNTS)
def test_bars_are_as_high_as_their_numbers_and_stand_on_each_other(rows: list[list[float]]) -> None:
    names, series = named(rows)
    chart = stacked("t", names, series)
    top = max(sum(column) for column in zip(*rows, strict=True))
    scale = next((bar.height / value for bar in chart.bars for value in [_value(bar.words)] if value == top), None)
    for bar in chart.bars:
        assert bar.x >= LEFT - 0.1 and bar.x + bar.width <= WIDTH - RIGHT + 0.1
        assert bar.y >= TOP - 0.1 and bar.y + bar.height <= HEIGHT - BOTTOM + 0.15
        if scale:
            assert bar.height == pytest.approx(_value(bar.words) * scale, abs=0.2 + 0.01 * bar.height)
    heights: dict[float, float] = {}
    for bar in chart.bars:
        heights[bar.x] = heights.get(bar.x, 0.0) + bar.height
        assert bar.y == pytest.approx(HEIGHT - BOTTOM - heights[bar.x], abs=0.6)


def _value(words: str) -> float:
    return float(words.rpartition(" ")[2].replace(",", ""))


@given(COUNTS)
def test_marks_rise_in_even_steps_from_nothing_to_above_everything(rows: list[list[float]]) -> None:
    chart = lines("t", *named(rows), written="{:.6g}")
    at, told = [mark.at for mark in chart.down], [float(mark.words) for mark in chart.down]
    assert told[0] == 0 and told == sorted(told) and at == sorted(at, reverse=True) and 2 <= len(told) <= 12
    assert told[-1] >= 0.998 * max(max(row) for row in rows)


def test_a_gap_is_passed_over_and_written_as_one() -> None:
    chart = lines("t", ["a", "b", "c"], {"s": [0.1, float("nan"), 0.3]})
    assert len(chart.lines[0][1].split()) == 2 and [row[1] for row in chart.rows] == ["10.0%", "–", "30.0%"]


def test_nothing_at_all_is_an_empty_picture() -> None:
    for draw in (stacked, lines):
        chart = draw("t", [], {})
        assert chart.bars == chart.rows == () and chart.down[0].words.startswith("0")


@given(COUNTS)
def test_what_is_drawn_is_well_formed_and_holds_every_number(rows: list[list[float]]) -> None:
    environment: Environment = _environment()
    macro = environment.get_template("macros.html.j2").module.chart  # type: ignore[attr-defined]
    for chart in (stacked("a & b", *named(rows)), lines("a & b", *named(rows))):
        drawn = ElementTree.fromstring(str(macro(chart)).strip())
        assert len(drawn.findall(".//rect")) == len(chart.bars) and len(drawn.findall(".//polyline")) == len(chart.lines)
        assert [cell.text for cell in drawn.findall(".//td")] == [cell for row in chart.rows for cell in row[1:]]
        assert drawn.find("svg[@role='img']") is not None
