"""The report's pictures: arrays and frames in, a matplotlib figure out, and a figure as a data URI for a page without files."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from io import BytesIO

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from sklearn.metrics import precision_recall_curve

from data_contracts import LABELS

COLOURS = {"valid": "#1b7f79", "unsubstantiated": "#d9932b", "abusive": "#b3324a"}
"""One colour per class, distinguishable without red-green vision."""

INK, GRID = "#22303c", "#d8dee4"
"""Colours of what is no class: text and lines, and the grid."""


def as_data_uri(figure: Figure) -> str:
    """Return a figure as a PNG data URI, so that a page needs no other file.

    >>> as_data_uri(Figure(figsize=(1, 1)))[:22]
    'data:image/png;base64,'
    """
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=110, bbox_inches="tight", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def blank(width: float = 6.4, height: float = 3.6) -> tuple[Figure, Axes]:
    """Return an empty figure of so many inches and its axes, as every picture of the project begins."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9)
    return figure, axes


def class_mix(months: Sequence[str], shares: Mapping[str, np.ndarray], observed: Mapping[str, np.ndarray] | None = None) -> Figure:
    """Draw the share of each class by month: lines for the model's view, dots for the labels known so far.

    Parameters
    ----------
    months
        Names of the months, n of them.
    shares
        Per class, n mean probabilities.
    observed
        Per class, n weighted shares of the observed labels (NaN where none), if there are any.
    """
    figure, axes = blank()
    place = np.arange(len(months))
    for label in LABELS:
        axes.plot(place, shares[label], color=COLOURS[label], linewidth=2, label=label)
        if observed is not None:
            axes.scatter(place, observed[label], color=COLOURS[label], s=18, zorder=3)
    axes.set_xticks(place, months, rotation=45, ha="right")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, fontsize=9, ncols=3, loc="upper center")
    return figure


def precision_recall(truth: np.ndarray, proba: np.ndarray, weight: np.ndarray) -> Figure:
    """Draw precision against recall for each class, one against the rest.

    Parameters
    ----------
    truth
        (n,) labels.
    proba
        (n, 3) probabilities in the order of the labels.
    weight
        (n,) weights of the rows.
    """
    figure, axes = blank(4.6, 3.6)
    for place, label in enumerate(LABELS):
        hit = truth == label
        if hit.any() and not hit.all():
            precision, recall, _ = precision_recall_curve(hit, proba[:, place], sample_weight=weight)
            axes.plot(recall, precision, color=COLOURS[label], linewidth=2, label=label)
            axes.axhline(np.average(hit, weights=weight), color=COLOURS[label], linewidth=0.8, linestyle=":")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    if axes.lines:  # with a single class nothing can be ranked
        axes.legend(frameon=False, fontsize=9)
    return figure


def reliability(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw predicted against observed frequency for each class; the diagonal is perfect calibration.

    Parameters
    ----------
    tables
        Per class, a frame with the columns ``predicted``, ``observed`` and ``count``.
    """
    figure, axes = blank(4.6, 3.6)
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--")
    for label, table in tables.items():
        axes.plot(table["predicted"], table["observed"], color=COLOURS[label], linewidth=1.5, marker="o", markersize=4, label=label)
    axes.set(xlabel="predicted probability", ylabel="observed frequency", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, fontsize=9)
    return figure


def cost_by_capacity(capacity: np.ndarray, expected: np.ndarray, today: float) -> Figure:
    """Draw the expected cost of the live claims (cents) against the desk's cases per day; a line marks today's capacity."""
    figure, axes = blank()
    axes.plot(capacity, expected / 100, color=INK, linewidth=2, marker="o", markersize=4)
    axes.axvline(today, color=COLOURS["abusive"], linewidth=1, linestyle="--", label="today's capacity")
    axes.set(xlabel="desk cases a day", ylabel="expected cost")
    axes.yaxis.set_major_formatter(_DOLLARS)
    axes.legend(frameon=False, fontsize=9)
    return figure


def bars(amounts: Mapping[str, float], colour: str = INK, money: bool = True) -> Figure:
    """Draw named amounts (cents if money) as horizontal bars, the first on top."""
    longest = max(map(len, amounts), default=0)
    figure, axes = blank(max(6.4, 3.4 + 0.09 * longest), 0.6 + 0.36 * max(len(amounts), 2))
    names = list(amounts)[::-1]
    values = np.array([amounts[name] for name in names], dtype=float) / (100 if money else 1)
    drawn = axes.barh(names, values, color=colour, height=0.62)
    axes.bar_label(drawn, labels=[f"${v:,.0f}" if money else f"{v:,.0f}" for v in values], padding=4, fontsize=9)
    axes.grid(visible=False)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.margins(x=0.18, y=0.02)
    return figure


def ages(days: Mapping[str, np.ndarray], limit: float) -> Figure:
    """Draw how old cases are, in days, by kind of case; a line marks the limit after which a case is late."""
    figure, axes = blank()
    oldest = max([limit, *(float(np.max(values, initial=0.0)) for values in days.values())])
    edges = np.arange(0.0, oldest + 2.0).tolist()
    shades = [COLOURS["valid"], COLOURS["unsubstantiated"]]
    axes.hist(list(days.values()), bins=edges, stacked=True, color=shades[: len(days)], label=list(days))
    axes.axvline(limit, color=COLOURS["abusive"], linewidth=1, linestyle="--", label=f"late after {limit:g} days")
    axes.set(xlabel="days", ylabel="cases")
    axes.legend(frameon=False, fontsize=9)
    return figure


_DOLLARS = FuncFormatter(lambda value, _: f"${value:,.0f}")
