"""What a backtest found: every figure of every way of deciding, as the page, the manifest and the summary tell it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from models.judgement import MEASURES, Judged
from models.metrics import Interval
from models.sensitivity import ACTIONS
from pipelines.replay import OURS, Fold

Figures = Mapping[str, Interval]
"""Measure → estimate with its interval."""


_MONEY = ("cost_cents", "automatic_cents", "pay_cents", "perfect_cents", "saved_cents")
_PLAIN = ("ece", "log_loss", "auc_abusive", "ap_abusive")


@dataclass(frozen=True)
class Judgement:
    """What one set of classes says.

    Parameters
    ----------
    claims
        Claims judged.
    blocks
        Blocks they fall into.
    ways
        Every measure of every way of deciding.
    by_fold
        Every measure of our model, fold by fold.
    ours
        Our decisions on the claims judged, for pictures.
    promises
        What was promised, as it held month by month (:func:`models.coverage.by_month`).
    """

    claims: int
    blocks: int
    ways: Mapping[str, Figures]
    by_fold: Sequence[Figures]
    ours: Judged
    promises: Mapping[str, Figures]


@dataclass(frozen=True)
class Backtest:
    """What a backtest found.

    Parameters
    ----------
    start, end
        The stretch replayed.
    claims
        Claims decided.
    unpriced
        Claims of the history without an amount, left out.
    folds
        The stretches between trainings.
    labels
        By the labels.
    truth
        By the simulator's truth, where there is one.
    absent
        Challengers asked for that are not installed.
    rules
        What each rule would have done to our decisions (:func:`models.rule_worth.worth`), if a rules file was given.
    prices
        How much each price matters to our decisions (:func:`models.sensitivity.sensitivity`).
    how
        Cadence, blocks, seed, draws, policy and settings.
    """

    start: datetime
    end: datetime
    claims: int
    unpriced: int
    folds: Sequence[Fold]
    labels: Judgement
    truth: Judgement | None
    absent: Sequence[str]
    rules: pd.DataFrame | None
    prices: pd.DataFrame
    how: Mapping[str, Any]

    def summary(self) -> dict[str, Any]:
        """Return the figures of our model and the money of every way, plain JSON values; cents per claim, shares."""
        ours = self.labels.ways[OURS]
        found: dict[str, Any] = {"claims_decided": self.claims, "claims_judged": self.labels.claims, "folds": len(self.folds)}
        found |= {name: _plain(ours[name]) for name in MEASURES}
        found["ways"] = {name: {m: _plain(f[m]) for m in ("cost_cents", "saved_cents")} for name, f in self.labels.ways.items()}
        if self.rules is not None:
            found["rules"] = _records(self.rules)
        if self.truth is not None:
            found["truth"] = {name: _plain(self.truth.ways[OURS][name]) for name in MEASURES}
        return found

    def tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """Return what a terminal shows: title, heads and rows of the ways of deciding, and of every figure of our model."""
        judgements = {"the labels": self.labels} | ({} if self.truth is None else {"the simulator's truth": self.truth})
        found = []
        for name, judgement in judgements.items():
            rows = [
                [way, written("cost_cents", f["cost_cents"]), "–" if way == OURS else written("saved_cents", f["saved_cents"])]
                for way, f in in_order(judgement.ways).items()
            ]
            title = f"Ways of deciding {judgement.claims:,} claims, by {name}"
            found.append((title, ["way", "lost per claim (95 % interval)", "ours saves"], rows))
        if self.rules is not None:
            found.append(("Rules beside the model, each by itself", *rule_rows(self.rules)))
        figures = [[meaning, written(name, self.labels.ways[OURS][name])] for name, meaning in MEASURES.items()]
        return [*found, ("Our model, by the labels", ["figure", "estimate (95 % interval)"], figures)]

    def manifest(self) -> dict[str, Any]:
        """Return everything: how it was run, every fold with dates, sizes and class counts, every figure with its interval."""

        def written(judgement: Judgement) -> dict[str, Any]:
            ways = {way: {name: _plain(value) for name, value in figures.items()} for way, figures in judgement.ways.items()}
            by_fold = [{name: _plain(value) for name, value in figures.items()} for figures in judgement.by_fold]
            promises = {month: {name: _plain(value) for name, value in held.items()} for month, held in judgement.promises.items()}
            return {"claims": judgement.claims, "blocks": judgement.blocks, "ways": ways, "by_fold": by_fold, "promises": promises}

        return {
            "from": self.start.isoformat(),
            "to": self.end.isoformat(),
            "claims": self.claims,
            "unpriced": self.unpriced,
            "how": dict(self.how),
            "folds": [asdict(fold) | {"start": fold.start.isoformat(), "end": fold.end.isoformat()} for fold in self.folds],
            "labels": written(self.labels),
            "truth": None if self.truth is None else written(self.truth),
            "absent": list(self.absent),
            "rules": None if self.rules is None else _records(self.rules),
            "prices": _records(self.prices),
        }


def in_order(ways: Mapping[str, Figures]) -> dict[str, Figures]:
    """Return the ways of deciding, ours first, then by what they lose."""
    order = sorted(ways, key=lambda way: (way != OURS, ways[way]["cost_cents"].estimate))
    return {way: ways[way] for way in order}


def rule_rows(rules: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of the table of rules."""
    heads = ["rule", "effect", "hits", "already as strict", "examined", "not valid", "abusive", "of all abuse", "saves in all"]
    rows = []
    for row in rules.itertuples(index=False):
        shares = (row.overlap, row.precision, row.precision_abusive, row.recall_abusive)
        overlap, *found = ("–" if math.isnan(share) else f"{share:.0%}" for share in shares)
        saves = value("saved_cents", row.saving_cents)
        rows.append([row.rule, row.effect, f"{row.hits + row.errors:,}", overlap, f"{row.examined:,}", *found, saves])
    return heads, rows


def price_rows(prices: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return heads and rows of the table of prices, the one that is dearest to have wrong first."""
    heads = ["price", "declared", "tried", "decided otherwise", "lost a claim if that is right", "paid", "asked", "denied", "reviewed"]
    rows = []
    for _, row in prices.sort_values("regret_cents", ascending=False, kind="stable").iterrows():
        stated = (f"{row['value']:g}", f"{row['tried']:g}", f"{row['changed']:.1%}", value("saved_cents", row["regret_cents"]))
        moved = [row[list(names)].sum() for names in (ACTIONS[:1], ACTIONS[1:2], ACTIONS[2:4], ACTIONS[4:])]
        rows.append([str(row["price"]), *stated, *(f"{share:+.1%}" for share in moved)])
    return heads, rows


def written(measure: str, interval: Interval) -> str:
    """Write an estimate with its interval, money in dollars, shares in percent; a dash where nothing can be measured.

    >>> written("cost_cents", Interval(1234.0, 1000.0, 2000.0, 200)), written("ece", Interval(float("nan"), 0.0, 0.0, 0))
    ('$12.34 ($10.00 to $20.00)', '–')
    """
    if math.isnan(interval.estimate):
        return "–"
    low, high = value(measure, interval.low), value(measure, interval.high)
    return f"{value(measure, interval.estimate)} ({low} to {high})" if interval.draws else value(measure, interval.estimate)


def value(measure: str, figure: float) -> str:
    """Write a figure as its measure is written; a dash where nothing can be measured."""
    if math.isnan(figure):
        return "–"
    if measure in _MONEY:
        return f"{'-' if figure < 0 else ''}${abs(figure) / 100:,.2f}"
    return f"{figure:.3f}" if measure in _PLAIN else f"{figure:.1%}"


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    return rows


def _plain(interval: Interval) -> dict[str, float | int | None]:
    """Return an interval as plain JSON values: what is undefined is null."""
    return {name: None if math.isnan(value) else value for name, value in asdict(interval).items()}
