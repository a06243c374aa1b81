"""Pictures of numbers: their geometry worked out here, drawn as SVG by the templates; every picture has its numbers in a table as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, isnan, log10

WIDTH, HEIGHT = 560.0, 230.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 8.0, 10.0, 26.0


@dataclass(frozen=True)
class Bar:
    """A rectangle: place, size, the series that it belongs to, and what it says."""

    x: float
    y: float
    width: float
    height: float
    series: str
    words: str


@dataclass(frozen=True)
class Mark:
    """A mark on an axis."""

    at: float
    words: str


@dataclass(frozen=True)
class Chart:
    """A picture: bars or lines (each a series and its points), marks of both axes, and the numbers as a table.

    Parameters
    ----------
    title
        What it shows, for those who do not see it as well.
    series
        Names of the series in order; each is also the name of a colour of the style sheet.
    bars, lines
        What is drawn.
    down, across
        Marks of the vertical and the horizontal axis.
    columns, rows
        The same numbers, written.
    """

    title: str
    series: tuple[str, ...]
    bars: tuple[Bar, ...]
    lines: tuple[tuple[str, str], ...]
    down: tuple[Mark, ...]
    across: tuple[Mark, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def stacked(title: str, names: Sequence[str], series: Mapping[str, Sequence[float]], written: str = "{:,.0f}") -> Chart:
    """Draw columns, one above each name, of the series on top of each other.

    Examples
    --------
    >>> chart = stacked("claims by week", ["1 Jan", "8 Jan"], {"paid": [3, 4], "denied": [1, 0]})
    >>> len(chart.bars), chart.down[-1].words, chart.rows[0]
    (3, '4', ('1 Jan', '3', '1'))
    """
    sums = [sum(values) for values in zip(*series.values(), strict=True)]
    scale, top = _scale(max(sums, default=0.0))
    step = (WIDTH - LEFT - RIGHT) / max(1, len(names))
    thick = min(38.0, step * 0.72)
    bars = []
    for place, name in enumerate(names):
        below = 0.0
        for what, values in series.items():
            if values[place] > 0:
                height = _high(values[place], top)
                y = HEIGHT - BOTTOM - below - height
                words = f"{name}: {what} {written.format(values[place])}"
                bars.append(
                    Bar(round(LEFT + step * (place + 0.5) - thick / 2, 1), round(y, 1), round(thick, 1), round(height, 1), what, words)
                )
                below += height
    return Chart(title, tuple(series), tuple(bars), (), _down(scale, top, written), _across(names, step), *_table(names, series, written))


def lines(title: str, names: Sequence[str], series: Mapping[str, Sequence[float]], written: str = "{:.1%}") -> Chart:
    """Draw a line for each series over the names; NaN is a gap that the line passes over.

    >>> lines("mean", ["a", "b"], {"abusive": [0.1, 0.2]}).lines[0][0]
    'abusive'
    """
    highest = max((value for values in series.values() for value in values if not isnan(value)), default=0.0)
    scale, top = _scale(highest)
    step = (WIDTH - LEFT - RIGHT) / max(1, len(names))
    drawn = []
    for what, values in series.items():
        spots = [(LEFT + step * (k + 0.5), HEIGHT - BOTTOM - _high(value, top)) for k, value in enumerate(values) if not isnan(value)]
        drawn.append((what, " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)))
    return Chart(title, tuple(series), (), tuple(drawn), _down(scale, top, written), _across(names, step), *_table(names, series, written))


def _high(value: float, top: float) -> float:
    return (HEIGHT - TOP - BOTTOM) * value / top


def _scale(highest: float) -> tuple[float, float]:
    """Return the step between marks and the top of the axis, in round numbers."""
    if highest <= 0:
        return 1.0, 1.0
    rough = highest / 4
    size = 10 ** floor(log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
    return step, step * ceil(highest / step * 0.999)


def _down(step: float, top: float, written: str) -> tuple[Mark, ...]:
    marks = [step * k for k in range(round(top / step) + 1)]
    return tuple(
        Mark(round(HEIGHT - BOTTOM - _high(value, top), 1), written.replace(".1%", ".0%" if step >= 0.01 else ".1%").format(value))
        for value in marks
    )


def _across(names: Sequence[str], step: float) -> tuple[Mark, ...]:
    every = max(1, ceil(52 / step))
    return tuple(Mark(round(LEFT + step * (k + 0.5), 1), name) for k, name in enumerate(names) if k % every == 0)


def _table(
    names: Sequence[str], series: Mapping[str, Sequence[float]], written: str
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    rows = [
        (name, *(written.format(values[k]) if not isnan(values[k]) else "–" for values in series.values())) for k, name in enumerate(names)
    ]
    return ("", *series), tuple(rows)
