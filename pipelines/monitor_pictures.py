"""The monitor's pictures: what moved, how its distribution changed, what is estimated, and what the audit found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from models.drift import binned, cut_points
from models.metrics import Interval
from pipelines.pictures import COLOURS, GRID, INK, blank

BEFORE, NOW = "#9aa7b2", COLOURS["valid"]
"""Colours of the reference and the current window."""

LEVELS = {"quiet": "#9aa7b2", "moderate": COLOURS["unsubstantiated"], "large": COLOURS["abusive"]}
"""One colour per level of drift."""


def moved(table: pd.DataFrame, moderate: float, large: float, most: int = 14) -> Figure:
    """Draw how far the most moved columns went beyond the ordinary; lines mark the least drift that counts, and the large one.

    Parameters
    ----------
    table
        As :func:`models.drift.drift` returns it.
    moderate, large
        The two marks.
    most
        Columns drawn.
    """
    shown = table.head(most).iloc[::-1]
    names = [_cut(str(name)) for name in shown["feature"]]
    # Names of features are long: the figure is as much wider as they need, so that the bars keep their room.
    figure, axes = blank(5.2 + 0.075 * max(map(len, names), default=0), 0.9 + 0.3 * max(len(shown), 2))
    bars = axes.barh(names, shown["excess"], color=[LEVELS[level] for level in shown["level"]], height=0.62)
    words = [f"{index:.2f}, ordinary {usual:.2f}" for index, usual in zip(shown["psi"], shown["ordinary"], strict=True)]
    axes.bar_label(bars, labels=words, padding=3, fontsize=8)
    for value, name in ((moderate, "moderate"), (large, "large")):
        axes.axvline(value, color=LEVELS[name], linewidth=1, linestyle="--", label=name)
    furthest = max(large, float(shown["excess"].max())) if len(shown) else large
    axes.set_xscale("symlog", linthresh=0.5)
    axes.set_xlim(0, furthest * 2.5)
    axes.set_xticks([0, *(tick for tick in (0.1, 0.25, 0.5, 1, 2, 5, 10) if tick <= furthest * 2)])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlabel("stability index beyond what is ordinary")
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(visible=False)
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def distributions(reference: pd.DataFrame, current: pd.DataFrame, names: Sequence[str], bins: int = 10) -> Figure:
    """Draw, for each of some columns, the share of claims by bin of the reference, before and now; missing values come last."""
    rows = -(-len(names) // 2)
    figure = Figure(figsize=(10.4, 2.5 * max(rows, 1)), layout="constrained")
    for place, name in enumerate(names):
        axes = figure.add_subplot(rows, 2, place + 1)
        before, now = (_column(frame, name) for frame in (reference, current))
        cuts = cut_points(before, bins)
        counts = np.stack([binned(values, cuts) for values in (before, now)])
        used = counts.sum(axis=0) > 0
        shares = (counts / counts.sum(axis=1, keepdims=True))[:, used]
        at = np.arange(int(used.sum()))
        axes.bar(at - 0.2, shares[0], width=0.4, color=BEFORE, label="reference")
        axes.bar(at + 0.2, shares[1], width=0.4, color=NOW, label="now")
        axes.set_xticks(at, [word for word, shown in zip(_words(cuts), used, strict=True) if shown], fontsize=7, rotation=30, ha="right")
        axes.set_title(_cut(name), fontsize=9, color=INK, loc="left")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.tick_params(axis="y", labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color=GRID, linewidth=0.7)
        axes.set_axisbelow(True)
        if place == 0:
            axes.legend(frameon=False, fontsize=8)
    return figure


def over_time(spans: Sequence[str], auc: Sequence[float], share: Sequence[float]) -> Figure:
    """Draw the estimated AUC and the estimated share of abusive claims, span by span."""
    figure, axes = blank(6.4, 3.2)
    at = np.arange(len(spans))
    axes.plot(at, auc, color=INK, linewidth=2, marker="o", markersize=4, label="estimated AUC, abusive against the rest")
    axes.plot(at, share, color=COLOURS["abusive"], linewidth=2, marker="o", markersize=4, label="estimated share of abusive claims")
    axes.set_xticks(at, spans)
    axes.set_ylim(0, 1)
    axes.legend(frameon=False, fontsize=8)
    return figure


def against_audit(estimate: Mapping[str, float], found: Mapping[str, Interval], contradicted: Sequence[str]) -> Figure:
    """Draw each measure's estimate in the audit's interval; measures are shares between 0 and 1."""
    names = list(estimate)[::-1]
    figure, axes = blank(6.4, 0.8 + 0.42 * max(len(names), 2))
    for place, name in enumerate(names):
        interval, colour = found[name], COLOURS["abusive"] if name in contradicted else INK
        if not np.isnan(interval.low):
            axes.plot([interval.low, interval.high], [place, place], color=BEFORE, linewidth=5, solid_capstyle="round")
        axes.scatter(
            [interval.estimate], [place], color="white", edgecolor=INK, zorder=3, s=34, label="found by the audit" if not place else ""
        )
        axes.scatter([estimate[name]], [place], color=colour, marker="D", zorder=4, s=30, label="estimated" if not place else "")
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set_xlim(0, 1.02)
    axes.legend(frameon=False, fontsize=8)
    return figure


def _column(frame: pd.DataFrame, name: str) -> np.ndarray:
    values: np.ndarray = frame[name].to_numpy(dtype=np.float64) if name in frame else np.full(len(frame), np.nan)
    return values


def _words(cuts: np.ndarray) -> list[str]:
    """Name the bins by their upper edges."""
    beyond = f"> {_short(cuts[-1])}" if len(cuts) else "known"
    return [*(f"≤ {_short(cut)}" for cut in cuts), beyond, "missing"]


def _cut(name: str, most: int = 64) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _short(value: float) -> str:
    size = abs(value)
    if size >= 10_000:
        return f"{value / 1000:,.0f}k"
    return f"{value:.0f}" if size >= 100 or value == int(value) else f"{value:.2g}"
