"""The backtest's page: ways of deciding side by side, our model fold by fold, calibration by class and amount, and how to read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from data_contracts import LABELS
from models.bands import reliability_by_band
from models.coverage import ACCUSED, COVERS, DENIED, SIZE
from models.judgement import MEASURES
from models.metrics import Interval, reliability
from pipelines import backtest_pictures, pictures
from pipelines.backtested import Backtest, Judgement, in_order, price_rows, rule_rows, value, written
from pipelines.page import Section, picture, write_page
from pipelines.replay import OURS


def write(path: Path, found: Backtest) -> Path:
    """Write the page of a backtest and return its path."""
    sections = [
        _ways(found.labels),
        _by_fold(found),
        _figures("Every figure of our model", found.labels),
        _calibration(found.labels),
        _promises(found.labels, found.how),
        _prices(found.prices),
        *([] if found.rules is None else [_rules(found.rules)]),
        _trainings(found),
        _reading(found),
    ]
    if found.truth is not None:
        sections += _truth(found.truth, found.how)
    content = {
        "title": "Touchstone backtest",
        "as_of": f"{found.start:%Y-%m-%d} to {found.end:%Y-%m-%d}",
        "subtitle": f"{found.claims:,} claims filed from {found.start:%d %B %Y} to {found.end:%d %B %Y}, decided again in the order of "
        f"arrival; judged on the {found.labels.claims:,} whose class is known.",
        "cards": _cards(found.labels),
        "sections": sections,
        "footer": f"History: {found.how['history']}; policy {found.how['policy']}; seed {found.how['seed']}. US dollars, times in UTC.",
    }
    return write_page(path, content)


def _cards(judgement: Judgement) -> list[dict[str, str]]:
    ours = judgement.ways[OURS]
    share = ours["cost_cents"].estimate / max(ours["pay_cents"].estimate, 1e-9)
    shown = {
        "lost per claim, model and experts": value("cost_cents", ours["cost_cents"].estimate),
        "of what paying everything loses": f"{share:.0%}",
        "of abusive claims seen by an expert or accused": f"{ours['recall_at_capacity'].estimate:.0%}",
        "of valid claims denied": f"{ours['wrongful_denials'].estimate:.1%}",
        "of valid claims called abusive": f"{ours['wrongful_accusations'].estimate:.2%}",
        "expected calibration error": f"{ours['ece'].estimate:.3f}",
    }
    return [{"name": name, "value": value} for name, value in shown.items()]


def _ways(judgement: Judgement, title: str = "Ways of deciding the same claims") -> Section:
    ways = in_order(judgement.ways)
    columns = ("automatic_cents", "auc_abusive", "ece", "recall_at_capacity", "precision_reviews", "wrongful_denials")
    heads = ("lost per claim", "ours saves", "model alone", "AUC", "calibration error", "recall", "precision", "wrongful denials")
    rows = []
    for way, figures in ways.items():
        saved = "–" if way == OURS else written("saved_cents", figures["saved_cents"])
        plain = [value(name, figures[name].estimate) for name in columns]
        rows.append((way, written("cost_cents", figures["cost_cents"]), saved, *plain))
    return Section(
        title,
        "What each way loses per claim at the policy's prices: money paid that is not owed, harm of wrongful denials, fees and delay. "
        "All decide the same claims under the same capacity of experts, trained on the same labels. Lines and brackets: 95 % intervals; "
        "the saving is paired, claim by claim. Recall: abusive claims that an expert saw or that were accused. Precision: claims not valid "
        "among those sent to an expert.",
        [
            picture(
                backtest_pictures.ways({way: f["cost_cents"] for way, f in ways.items()}, OURS), "Money lost per claim by way of deciding"
            )
        ],
        ("way of deciding", *heads),
        rows,
    )


def _by_fold(found: Backtest) -> Section:
    names = [f"{fold.start:%Y-%m-%d}" for fold in found.folds]

    def lines(chosen: Mapping[str, str]) -> dict[str, Sequence[Interval]]:
        return {name: [figures[measure] for figures in found.labels.by_fold] for name, measure in chosen.items()}

    money = lines({"model and experts": "cost_cents", "model alone": "automatic_cents", "pay everything": "pay_cents"})
    caught = lines({"recall at capacity": "recall_at_capacity", "not valid among the reviewed": "precision_reviews"})
    harm = lines({"denied for any reason": "wrongful_denials", "called abusive": "wrongful_accusations"})
    drawn = {
        "Money lost per claim, fold by fold": backtest_pictures.by_fold(names, money, money=True),
        "Recall at capacity and precision of reviews": backtest_pictures.by_fold(names, caught, money=False),
        "Valid claims denied, and called abusive": backtest_pictures.by_fold(names, harm, money=False, limit=found.how["accused_share"]),
        "Calibration error": backtest_pictures.by_fold(names, lines({"calibration error": "ece"}), money=False),
    }
    return Section(
        "Our model, fold by fold",
        "Each fold is decided by a model trained at its first day. Few labelled claims make wide intervals, and push the calibration "
        "error up: it cannot fall below the noise of its bins.",
        [picture(figure, alt) for alt, figure in drawn.items()],
    )


def _figures(title: str, judgement: Judgement) -> Section:
    ours = judgement.ways[OURS]
    return Section(
        title,
        f"{judgement.claims:,} claims in {judgement.blocks:,} blocks; 95 % intervals by drawing whole blocks.",
        (),
        ("figure", "estimate (interval)"),
        [(meaning, written(name, ours[name])) for name, meaning in MEASURES.items()],
    )


def _calibration(judgement: Judgement) -> Section:
    ours = judgement.ours
    bands = reliability_by_band(ours.classes, ours.stated, ours.weights, ours.amount_cents)
    curves = {label: reliability(ours.classes, ours.stated, ours.weights, label) for label in LABELS}
    rows = [
        (
            f"{row.band}, {row.label}",
            f"{row.rows:,}",
            f"{row.predicted:.1%}",
            f"{row.observed:.1%}",
            f"{row.gap:+.1%} ± {2 * row.error:.1%}",
        )
        for row in bands.itertuples(index=False)
    ]
    return Section(
        "Do probabilities hold, by class and by amount",
        "Left: predicted against observed, the diagonal is perfect. Right and below: observed less predicted share by band of amounts, "
        "plus or minus two standard errors. Probabilities are those of the label that the claim's source would state.",
        [
            picture(pictures.reliability(curves), "Predicted probability against observed frequency for each class"),
            picture(backtest_pictures.gaps(bands), "Observed less predicted share by class and band of amounts"),
        ],
        ("amount and class", "claims", "predicted", "observed", "gap"),
        rows,
    )


def _promises(judgement: Judgement, how: Mapping[str, Any], title: str = "Do promises hold, month by month") -> Section:
    held = judgement.promises
    covers = {label: [held[month][name] for month in held] for label, name in COVERS.items()}
    harm = {name: [held[month][name] for month in held] for name in (ACCUSED, DENIED)}
    columns = (ACCUSED, DENIED, *COVERS.values(), SIZE)
    sure = ", ".join(f"{1 - share:.0%} of the {label}" for label, share in zip(LABELS, how["missed_shares"], strict=True))
    rows = [(month, *(written("ece" if name == SIZE else name, figures[name]) for name in columns)) for month, figures in held.items()]
    return Section(
        title,
        "What the labels of each training certified, measured on the claims that came after it. Of the claims that are not abusive at most "
        f"the policy's share may be called abusive automatically. A prediction set holds every class that a claim may well be: {sure} "
        "claims should have their class in it. Nothing is settled automatically against a class of the set that the policy binds; the "
        "others show how far probabilities can be trusted while the market drifts. Brackets: 95 % intervals by drawing whole blocks.",
        [
            picture(backtest_pictures.by_fold(list(held), covers, money=False), "Prediction sets that hold the class"),
            picture(
                backtest_pictures.by_fold(list(held), harm, money=False, limit=how["accused_share"]),
                "Claims called abusive that are not, and valid claims denied",
            ),
        ],
        ("month", *columns),
        rows,
    )


def _prices(prices: pd.DataFrame) -> Section:
    heads, rows = price_rows(prices)
    return Section(
        "How much each price matters",
        "Each price of the policy at half and at double its value, one at a time, with all the experts that claims could need: how many "
        "of our decisions it would change, which way they would go, and what a claim would lose in expectation if the tried price were "
        "right and decisions followed the declared one.",
        (),
        heads,
        rows,
    )


def _rules(rules: pd.DataFrame) -> Section:
    heads, rows = rule_rows(rules)
    return Section(
        "What rules beside the model would have done",
        "Each rule by itself on our decisions, as if in force throughout. Hits include errors, which act like hits. Already as strict: "
        "hits whose outcome the rule would not have changed. Shares and money come from the labelled claims, each by its weight.",
        (),
        heads,
        rows,
    )


def _trainings(found: Backtest) -> Section:
    def classes(counts: Mapping[str, int]) -> str:
        return " / ".join(f"{counts[label]:,}" for label in LABELS)

    return Section(
        "What each training knew",
        f"Retrained {found.how['retrain']}. A label counts from the instant it became known. Classes: valid / unsubstantiated / abusive.",
        (),
        ("trained at", "labels", "classes", "filed from", "to", "then decided", "labelled of these", "classes", "calibration", "bundle"),
        [
            (
                f"{fold.start:%Y-%m-%d}",
                f"{fold.learned.rows:,}",
                classes(fold.learned.classes),
                str(fold.learned.first_filed_at)[:10],
                str(fold.learned.last_filed_at)[:10],
                f"{fold.claims:,}",
                f"{fold.decided.rows:,}",
                classes(fold.decided.classes),
                fold.calibration,
                fold.bundle[:12],
            )
            for fold in found.folds
        ],
    )


def _reading(found: Backtest) -> Section:
    left_out = f" {found.unpriced:,} claims without an amount are left out." if found.unpriced else ""
    absent = f" Not there: {', '.join(found.absent)}." if found.absent else ""
    return Section(
        "How to read this",
        "Labels come from the process that really decided. A claim counts with one over its chance of having been examined, so the figures "
        "speak for all claims, as far as those chances are right; unexamined claims are unknown, never valid. Where this system sends a "
        "claim to an expert, the answer is averaged over the errors that the policy declares; what such answers would have taught the "
        f"next model is not replayed. Every retrained model decides at once, without a gate.{left_out}{absent}",
    )


def _truth(judgement: Judgement, how: Mapping[str, Any]) -> list[Section]:
    note = "SIMULATOR'S TRUTH (no real home has this). "
    ways, figures = _ways(judgement, "Against the hidden truth: ways of deciding"), _figures("Against the hidden truth: figures", judgement)
    bands, held = _calibration(judgement), _promises(judgement, how, "Against the hidden truth: promises, month by month")
    return [
        Section(ways.title, note + "The same decisions, all claims, true classes.", ways.pictures, ways.columns, ways.rows),
        Section(figures.title, note + figures.note, (), figures.columns, figures.rows),
        Section("Against the hidden truth: calibration", note + "As above, with true classes.", bands.pictures, bands.columns, bands.rows),
        Section(held.title, note + "As above, with true classes.", held.pictures, held.columns, held.rows),
    ]
