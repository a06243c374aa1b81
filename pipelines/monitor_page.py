"""The monitor's findings as one self-contained HTML page."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np

from models.bundle import Bundle
from models.drift import DriftSettings
from models.policy import Policy
from models.unlabelled import MEASURES
from pipelines import monitor_pictures as pictures
from pipelines.home import Home
from pipelines.page import Section, picture, write_page
from pipelines.watched import SCORES, Findings
from pipelines.wording import dollars

_SHARES = tuple(name for name in MEASURES if name != "cost_cents")
_WORDS = {
    "share_abusive": "share of abusive claims",
    "auc": "AUC, abusive against the rest",
    "precision": "abusive among the claims stopped",
    "recall": "stopped among the abusive claims",
    "cost_cents": "cost of the automatic action per claim",
}
_DRAWN = 6


def write(home: Home, as_of: datetime, policy: Policy, bundle: Bundle, findings: Findings, settings: DriftSettings) -> Path:
    """Write ``reports/monitor-<as_of>.html`` and return its path; parameters as in :func:`pipelines.monitor.monitor`."""
    windows = findings.layout
    content = {
        "title": "Touchstone monitor",
        "as_of": f"{as_of:%Y-%m-%d}",
        "subtitle": f"{len(findings.current):,} claims decided from {windows.current.start:%d %B %Y} to {windows.current.end:%d %B %Y}, "
        f"against {len(findings.reference):,} claims filed from {windows.reference.start:%d %B %Y} to {windows.reference.end:%d %B %Y}, "
        "the end of the champion's training.",
        "cards": _cards(findings),
        "sections": [
            *([_alarms(findings)] if findings.alarms else []),
            _moved(findings, settings),
            _shapes(findings, settings),
            _estimate(findings),
            _audit(findings),
            _caveats(findings),
        ],
        "footer": f"Champion {bundle.hash[:12]}, policy {policy.identifier}. Money in US dollars, times in UTC.",
    }
    return write_page(home.reports / f"monitor-{as_of:%Y-%m-%d}.html", content)


def _cards(findings: Findings) -> list[dict[str, str]]:
    table, last = findings.table, findings.estimates.iloc[-1]
    drifted = int((table["level"] != "quiet").sum())
    audit = findings.audit
    agrees = "no answers yet" if audit is None else "contradicts" if audit.contradicted else "agrees"
    return [
        {"name": "verdict", "value": "ALARM" if findings.alarms else "quiet"},
        {"name": f"of {len(table)} features and scores drifted", "value": f"{drifted}"},
        {"name": "index of the score; ordinary " + _ordinary(findings), "value": f"{_score(findings, 'psi'):.2f}"},
        {"name": "estimated AUC, abusive against the rest", "value": f"{last['auc']:.3f}"},
        {"name": "estimated share of abusive claims", "value": f"{last['share_abusive']:.1%}"},
        {"name": "the audit, against the estimate", "value": agrees},
    ]


def _score(findings: Findings, column: str) -> float:
    return float(findings.table.set_index("feature").loc["p_abusive", column])


def _ordinary(findings: Findings) -> str:
    return f"{_score(findings, 'ordinary'):.2f}"


def _alarms(findings: Findings) -> Section:
    return Section(
        "Alarms", "What went beyond chance and beyond what is ordinary.", (), ("alarm",), [(alarm,) for alarm in findings.alarms]
    )


def _moved(findings: Findings, settings: DriftSettings) -> Section:
    table = findings.table
    rows = [
        (
            row.feature,
            f"{row.psi:.3f}",
            f"{row.ordinary:.3f}",
            "–" if np.isnan(row.ks) else f"{row.ks:.3f}",
            f"{row.missing_before:.0%} → {row.missing_now:.0%}",
            f"{row.p_adjusted:.2g}",
            f"{row.gain:.1%}",
            row.level,
        )
        for row in table.head(20).itertuples()
    ]
    return Section(
        "What moved",
        f"Population stability index over quantile bins of the reference. What is ordinary was measured on {len(findings.layout.quiet)} "
        "pairs of windows before the training's end, as long and as far apart: few claims, clusters of claims and natural growth (accounts "
        "grow older, histories fill up) all make an index large without anything having happened. Drift is what exceeds the ordinary "
        f"by {settings.moderate:g} (moderate) or {settings.large:g} (large) and significantly so: at most "
        f"{settings.false_discovery:.0%} of the features named are expected to be false alarms (Benjamini–Hochberg).",
        [
            picture(
                pictures.moved(table, settings.moderate, settings.large), "Stability index of the most moved features and what is ordinary"
            )
        ],
        ("feature", "index", "ordinary", "KS distance", "missing", "adjusted p", "share of gain", "level"),
        rows,
    )


def _shapes(findings: Findings, settings: DriftSettings) -> Section:
    ranked = [name for name in findings.table["feature"] if name not in SCORES]
    names = ["p_abusive", *ranked[: _DRAWN - 1]]
    drawn = pictures.distributions(findings.reference, findings.current, names, settings.bins)
    return Section(
        "How the distributions changed",
        "The champion's probability of abuse, then the most moved features: share of claims by bin of the reference, before and now.",
        [picture(drawn, f"Share of claims by bin before and now: {', '.join(names)}")],
    )


def _estimate(findings: Findings) -> Section:
    table = findings.estimates
    names = [f"from {row.start:%d %b}" for row in table.itertuples()]
    drawn = pictures.over_time(names, table["auc"].tolist(), table["share_abusive"].tolist())
    rows = [
        (f"from {row['start']:%d %b %Y}", f"{row['claims']:,}", *(_shown(name, row[name]) for name in MEASURES))
        for _, row in table.iterrows()
    ]
    return Section(
        "Performance before labels arrive",
        "What calibrated probabilities let expect, span by span since the training. It is as right as the calibration is: it sees that "
        "claims have become harder or riskier, not that the same features have come to mean something else. That is what the audit is for.",
        [picture(drawn, "Estimated AUC and share of abusive claims over time")],
        ("decided", "claims", "abusive", "AUC", "precision of stops", "recall of stops", "cost of a claim"),
        rows,
    )


def _audit(findings: Findings) -> Section:
    audit = findings.audit
    if audit is None:
        return Section(
            "What the audit says", "Too few of the claims drawn at random have been answered by the experts; there is no check yet."
        )
    rows = [
        (
            _WORDS[name],
            _shown(name, audit.estimate[name]),
            _shown(name, found.estimate),
            "too little abuse drawn" if audit.inside(name) is None else f"{_shown(name, found.low)} to {_shown(name, found.high)}",
            {None: "–", True: "inside", False: "outside"}[audit.inside(name)],
            f"{audit.chance[name]:.2g}",
        )
        for name, found in audit.found.items()
    ]
    drawn = pictures.against_audit({n: audit.estimate[n] for n in _SHARES}, audit.found, audit.contradicted)
    return Section(
        "What the audit says",
        f"{audit.examined:,} examined claims speak for {audit.claims:,}: each weighted by one over the chance of its examination; the "
        "estimate is of what experts would state, their declared errors included. Intervals hold 95 times in a hundred, each for itself. "
        "By chance: how often so odd a finding comes about if the probabilities are right; an alarm is below 1 in 500.",
        [picture(drawn, "Estimates and the audit's intervals")],
        ("measure", "estimated", "found", "95 % interval", "estimate is", "by chance"),
        rows,
    )


def _caveats(findings: Findings) -> Section:
    distance = (
        "Quiet pairs lie as far apart as the windows compared."
        if findings.layout.same_distance
        else "The history before the training is too short for quiet pairs as far apart as the windows compared: natural growth is "
        "understated here, and a new training is due."
    )
    return Section(
        "Before you act on it",
        f"{distance} A season that the quiet pairs did not see (a holiday, a sale) looks like drift. Features made of outcomes (claims "
        "found abusive, denials) follow experts' delays and this policy's own choices. A product that fails brings a burst of honest "
        "claims: it is real, and no fault of the model. Drift in features that the champion hardly uses (share of gain) costs little.",
    )


def _shown(name: str, value: float) -> str:
    if np.isnan(value):
        return "–"
    return dollars(value) if name == "cost_cents" else f"{value:.3f}"
