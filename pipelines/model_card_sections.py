"""The sections of a model card, each from what a comparison and a bundle's own manifest say."""

from __future__ import annotations

import platform
from datetime import datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from data_contracts import LABELS
from models.baselines import BASELINES
from models.bundle import Bundle
from models.experts import stated_probabilities
from models.gates import dollars
from models.metrics import Interval, reliability
from models.policy import Policy, label_confusions
from models.promotion import Verdict, compared
from models.risk import Guarantee
from pipelines import pictures
from pipelines.contest import Contest
from pipelines.page import Section, picture

_LIBRARIES = ("touchstone", "lightgbm", "numpy", "pandas", "scikit-learn")


def purpose() -> Section:
    """Say what the model is for."""
    return Section(
        "Purpose",
        "The model gives each compensation claim of a marketplace the probabilities of being valid, unsubstantiated or abusive, as of its "
        "filing. The policy prices them into an action: pay, request evidence, deny, or send to an expert. It is meant for claims of this "
        "marketplace, beside experts who answer for reviewed claims, and with the audit that keeps drawing claims at random.",
    )


def verdict(found: Verdict) -> Section:
    """Tell what every gate found."""
    rows = [(gate.name, "passed" if gate.passed else "REFUSED", gate.why) for gate in found.gates]
    note = f"{found.why[0].upper()}{found.why[1:]}. Each gate can refuse on its own."
    return Section("Verdict", note, (), ("gate", "result", "found"), rows, text_columns=3)


def results(found: Contest, policy: Policy, seed: int) -> Section:
    """Show metrics beside the champion's, and pictures of the latest probabilities."""
    confusions, later = label_confusions(policy), found.later
    metrics = compared(later, *found.opinions, np.random.default_rng(seed), confusions)
    rows = [(name, *(_interval(value) for value in values)) for name, values in metrics.items()]
    used = later.weights > 0
    stated = stated_probabilities(found.opinions[1].proba[used], later.sources[used], confusions)
    labels, weights = later.labels[used], later.weights[used]
    curves = {label: reliability(labels, stated, weights, label) for label in LABELS}
    return Section(
        "Results on later claims",
        f"{used.sum():,} labelled claims that neither model learned from, each weighted by one over the chance of its examination. "
        "Intervals hold 95 times in a hundred, by resampling customers; the difference is challenger less champion in the same resamples. "
        "Probabilities are compared with what each source of labels would state, its declared errors included. The calibration error, and "
        "how much of it chance alone would show, is among the gates above: resampled, it would only grow.",
        [
            picture(pictures.reliability(curves), "Predicted probability against observed frequency of each class"),
            picture(pictures.precision_recall(labels, stated, weights), "Precision against recall of each class"),
        ],
        ("metric", "champion", "this model", "difference"),
        rows,
    )


def money(found: Verdict) -> Section:
    """Show what a claim costs under four ways of deciding."""
    names = {"everything paid": "everything paid", "champion": "champion", "challenger": "this model", "class known": "class known"}
    costs = {shown: found.costs[name] for name, shown in names.items()}
    rows = [(name, dollars(cents)) for name, cents in costs.items()]
    drawn = pictures.bars(costs)
    note = "What one claim costs on average if the automatic action alone decides it, without experts, under four ways of deciding."
    return Section("Money", note, [picture(drawn, "Lost per claim under four ways of deciding")], ("way of deciding", "lost a claim"), rows)


def slices(found: Verdict) -> Section:
    """Show how honest claimants of every slice are treated."""
    rows = [
        (
            f"{one.attribute}: {one.name}",
            f"{one.claims:,}",
            f"{one.champion:.1%}",
            f"{one.challenger:.1%}",
            "yes" if one.judged else "no, too few",
        )
        for one in found.slices
    ]
    return Section(
        "Slices",
        "Of the valid labelled claims, how many are not paid automatically: denied, or asked for evidence. Amounts differ by design, as "
        "prices do. A slice with too few of them is shown and not judged.",
        (),
        ("slice", "valid labelled claims", "champion", "this model", "judged"),
        rows,
    )


def baselines(trained: Any) -> Section:
    """Show the model beside its baselines on the latest window of its training."""
    held = trained.get("compared", {})
    rows = [(name, *(_figure(held[name][metric]) for metric in _BESIDE)) for name in ("touchstone", *BASELINES) if name in held]
    return Section(
        "Beside baselines",
        "On the latest labelled claims of its training, by models that had not seen them, each weighted by one over the chance of its "
        "examination. The prior answers every claim with the shares of the classes; the single rule is the best threshold on one feature. "
        "With few labelled claims these figures are uncertain; the comparison on later claims and the backtest come with intervals.",
        (),
        ("model", *_BESIDE.values()),
        rows,
    )


_BESIDE = {
    "log_loss": "log-loss",
    "ece": "calibration error",
    "auc_abusive": "AUC, abusive",
    "ap_abusive": "average precision, abusive",
    "auc_unsubstantiated": "AUC, unsubstantiated",
}


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def guarantee(bundle: Bundle, policy: Policy) -> Section:
    """Say what the bundle promises about accusations."""
    promised = bundle.guarantee
    if promised is None:
        return Section("Guarantee", "This bundle carries none: prices alone say when a claim is called abusive without an expert.")
    never = promised.threshold > 1
    note = (
        "The labels were too few to certify any threshold: this model calls no claim abusive without an expert."
        if never
        else f"Without an expert a claim is called abusive only from a probability of {promised.threshold:.3f} on: of the claims that are "
        f"not abusive at most {promised.bound:.1%} are then so called, with {promised.confidence:.0%} confidence over the labels drawn, "
        "for claims like those it was tested on (Learn-Then-Test)."
    )
    rows = [
        ("threshold on P(abusive)", "never" if never else f"{promised.threshold:.3f}"),
        ("bound", f"{promised.bound:.1%}"),
        ("confidence", f"{promised.confidence:.0%}"),
        ("labelled claims tested", f"{promised.claims:,}"),
        ("claims accused at the threshold, weighted", f"{promised.accused:,.0f}"),
        ("of them not abusive, weighted", f"{promised.wrongly:,.0f}"),
        ("bound of the policy", f"{policy.harm.accused_share:.1%}"),
        ("paid without an expert up to", "any amount" if promised.pays_up_to_cents is None else dollars(promised.pays_up_to_cents)),
        *_sets(promised, policy),
    ]
    return Section("Guarantee", note, (), ("what", "value"), rows)


def _sets(promised: Guarantee, policy: Policy) -> list[tuple[str, str]]:
    """Say from which probability on a class that the policy binds stands in the way of settling a claim as another."""
    if promised.sets is None:
        return [("classes that stand in the way of settling a claim as another", "none")]
    return [
        (f"not settled as if it were not {label}, from P({label}) on; bound", f"{least:.3f}; {share:.1%}")
        for label, least, share in zip(LABELS, promised.sets, policy.harm.mistaken_shares, strict=True)
        if least <= 1
    ]


def data(trained: Any) -> Section:
    """Count what it learned from, by class and source."""
    windows = _windows(trained)
    counts = {label: sum(window["classes"].get(label, 0) for window in windows.values()) for label in LABELS}
    rows = [(f"class: {label}", f"{count:,}") for label, count in counts.items()]
    rows += [(f"source: {name}", f"{count:,}") for name, count in trained["sources"].items()]
    rows += [("claims these labels stand for (sum of weights)", f"{trained['weight']:,.0f}")]
    return Section(
        "Data",
        f"Labels known before {_day(trained['as_of'])}. A claim that nobody examined has no label and is never taken for valid. Classes "
        "are counted over the growing, stopping and judging windows below; sources over all labelled claims.",
        (),
        ("labelled claims", "count"),
        rows,
    )


def time(trained: Any) -> Section:
    """Show the windows and folds with dates, sizes and classes."""
    rows = [_window(name, window) for name, window in _windows(trained).items()]
    for number, fold in enumerate(trained["folds"], 1):
        rows += [_window(f"fold {number}: {name}", fold[part]) for name, part in (("grown on", "train"), ("scored", "valid"))]
    return Section(
        "Time",
        "Trees were grown on the earliest window and stopped on the next; calibration was chosen and everything compared on the latest. "
        "Folds begin one after the other; none shares a customer, device or other link with what it was grown on. The bundle itself "
        "was then grown once more on all of it.",
        (),
        ("window", "from", "to", "claims", *LABELS),
        rows,
    )


def settings(bundle: Bundle) -> Section:
    """Show parameters, trees and the calibration chosen."""
    trained, settings = bundle.trained, dict(bundle.trained["settings"])
    hyper = settings.pop("hyperparameters")
    rows = [(name.replace("_", " "), f"{value}") for name, value in {**hyper, **settings}.items()]
    rows += [
        (f"trees: {name}", f"{node.rounds:,}")
        for name, node in (
            ("abusive or not", bundle.classifier.abusive),
            ("unsubstantiated or valid", bundle.classifier.unsubstantiated),
        )
    ]
    rows += [
        (f"calibration {name}: log-loss on later folds", "–" if loss is None else f"{loss:.4f}")
        for name, loss in trained["calibration_losses"].items()
    ]
    return Section(
        "Model and parameters",
        f"Two boosted tree ensembles (LightGBM), one inside the other, over {len(bundle.inputs.names)} features; calibration "
        f"chosen by log-loss on later time: {bundle.calibration.kind}.",
        (),
        ("parameter", "value"),
        rows,
    )


def limits() -> Section:
    """Say where it ends."""
    return Section(
        "Limits",
        "Probabilities speak of claims like those it learned from: a new kind of product, fraud or season is seen by the monitor and "
        "the audit, not by the model. Labels are experts' answers and err as the policy file declares. A claim without history gets a "
        "probability near the average and should meet a price, not a suspicion. Slices are judged as far as labels reach; attributes that "
        "are not in the data cannot be judged. Not to be used to close accounts, to report persons to authorities, or on claims of another "
        "marketplace without a new training and a new audit.",
    )


def versions(bundle: Bundle, policy: Policy, before: str) -> Section:
    """Name everything by hash or version; ``before`` is the champion that it was compared with."""
    rows = [
        ("bundle", bundle.hash),
        ("feature catalogue", bundle.catalog_hash),
        ("data contracts", bundle.contract_hash),
        ("data", str(bundle.trained["data_hash"])),
        ("champion before", before),
        ("policy", policy.identifier),
        ("python", platform.python_version()),
        *((name, version(name)) for name in _LIBRARIES),
    ]
    return Section(
        "Versions and hashes", "With these, the same data and the same seed give the same bundle.", (), ("what", "value"), rows, 2
    )


def _windows(trained: Any) -> dict[str, Any]:
    split = trained["split"]
    return {"growing": split["train"], "stopping": split["valid"], "judging": split["judge"]}


def _window(name: str, held: Any) -> tuple[str, ...]:
    first, last = (_day(instant) if instant else "–" for instant in (held["first_filed_at"], held["last_filed_at"]))
    return (name, first, last, f"{held['rows']:,}", *(f"{held['classes'].get(label, 0):,}" for label in LABELS))


def _interval(found: Interval) -> str:
    return f"{found.estimate:.3f} ({found.low:.3f} to {found.high:.3f})"


def _day(instant: str) -> str:
    return f"{datetime.fromisoformat(instant):%d %B %Y}"
