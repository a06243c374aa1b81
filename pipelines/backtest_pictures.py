"""The backtest's pictures: ways of deciding with their intervals, figures by fold, and where probabilities fail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from data_contracts import LABELS
from models.metrics import Interval
from pipelines.pictures import COLOURS, INK, blank

_DOLLARS = FuncFormatter(lambda cents, _: f"${cents / 100:,.0f}")


def ways(costs: Mapping[str, Interval], first: str) -> Figure:
    """Draw what each way of deciding loses per claim (cents) with its interval, the first name on top and marked."""
    figure, axes = blank(6.8, 0.9 + 0.38 * max(len(costs), 2))
    names = list(costs)[::-1]
    values = np.array([costs[name].estimate for name in names])
    colours = [COLOURS["valid"] if name == first else "#9aa7b2" for name in names]
    axes.barh(names, values, color=colours, height=0.6)
    for place, name in enumerate(names):
        axes.plot([costs[name].low, costs[name].high], [place, place], color=INK, linewidth=1.4)
    for place, value in enumerate(values):
        axes.annotate(f"${value / 100:,.2f}", (0, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9, color="white")
    axes.set_xlabel("lost per claim")
    axes.xaxis.set_major_formatter(_DOLLARS)
    axes.grid(visible=False)
    return figure


def by_fold(folds: Sequence[str], lines: Mapping[str, Sequence[Interval]], money: bool, limit: float | None = None) -> Figure:
    """Draw figures fold by fold as lines with their intervals.

    Parameters
    ----------
    folds
        Names of the folds.
    lines
        Per name one interval a fold; what is undefined is left out.
    money
        Cents instead of shares.
    limit
        A bound to mark.
    """
    figure, axes = blank(6.4, 3.6)
    colours = [COLOURS["valid"], COLOURS["unsubstantiated"], COLOURS["abusive"], INK]
    width = 0.08
    for number, (name, values) in enumerate(lines.items()):
        place = np.arange(len(folds)) + width * (number - (len(lines) - 1) / 2)
        middle = np.array([value.estimate for value in values])
        low, high = (np.array([getattr(value, end) for value in values]) for end in ("low", "high"))
        colour = colours[number % len(colours)]
        axes.plot(place, middle, color=colour, linewidth=1.8, marker="o", markersize=4, label=name)
        axes.vlines(place, low, high, color=colour, linewidth=1, alpha=0.6)
    if limit is not None:
        axes.axhline(limit, color=INK, linewidth=0.8, linestyle="--", label=f"{limit:.0%}")
    axes.set_xticks(np.arange(len(folds)), folds, rotation=45, ha="right")
    axes.yaxis.set_major_formatter(_DOLLARS if money else PercentFormatter(1.0, decimals=0 if limit is None else 1))
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=9)
    return figure


def gaps(table: pd.DataFrame) -> Figure:
    """Draw observed less predicted share by class and band of amounts, two standard errors either way.

    Parameters
    ----------
    table
        As :func:`models.bands.reliability_by_band` returns it.
    """
    figure, axes = blank(7.2, 3.6)
    bands = list(dict.fromkeys(table["band"]))
    for number, label in enumerate(LABELS):
        rows = table[table["label"] == label].set_index("band").reindex(bands)
        place = np.arange(len(bands)) + 0.18 * (number - 1)
        axes.errorbar(place, rows["gap"], yerr=2 * rows["error"], color=COLOURS[label], fmt="o", markersize=5, capsize=3, label=label)
    axes.axhline(0, color=INK, linewidth=0.8, linestyle="--")
    axes.set_xticks(np.arange(len(bands)), bands, fontsize=9, parse_math=False)  # two dollar signs are no formula
    axes.set_ylabel("observed less predicted")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(frameon=False, fontsize=9, ncols=3)
    return figure
