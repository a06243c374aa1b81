"""One self-contained HTML page about the decisions of a home: what was decided, how good it was, what it cost and who bore it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from data_contracts import LABELS, Action
from features.facts import Tables
from models.evaluation import PROBABILITIES, expected_cost_by_capacity
from models.labels import as_known
from models.metrics import reliability, summary
from models.policy import Policy
from models.review import Capacity
from models.shelf import Shelf
from pipelines import beside_section, pictures
from pipelines.evaluate import Evaluation
from pipelines.harm_section import bounds
from pipelines.home import Home
from pipelines.page import Section, picture, write_page
from pipelines.past import Past
from pipelines.wording import dollars
from serving.ledger import borne
from serving.queue import CaseState
from serving.standing import Standing
from serving.store import Store


def report(home: Home, as_of: datetime, policy: Policy, store: Store, tables: Tables, evaluation: Evaluation | None = None) -> Path:
    """Write ``reports/report.html`` and return its path.

    Parameters
    ----------
    home
        Bundles and reports.
    as_of
        The instant the page speaks of: decisions, answers and postings count up to and including it, labels that were known before it. The
        champion's features are those of today's champion.
    policy
        Prices and capacity.
    store
        Decisions, queue, ledger; they may go on beyond that instant.
    tables
        The lake's tables.
    evaluation
        The comparison with the simulator's truth, where there is one; otherwise the labels known so far are shown.

    Raises
    ------
    ValueError
        If nothing was decided by then.
    """
    past = Past(store, as_of)
    decisions = past.read("decisions")
    if decisions.empty:
        raise ValueError(f"report: expected claims decided by {as_of:%Y-%m-%d %H:%M}, found none in the store; run touchstone score first")
    filed = tables["claims"][["claim_id", "seller_id", "customer_id", "kind", "filed_at", "amount_cents"]]
    rows = decisions.merge(filed, on="claim_id", validate="one_to_one")
    known = as_known(tables["resolutions"], tables["claims"], as_of)
    sections = [
        _mix(rows, known, tables["claims"]),
        _quality(rows, known, evaluation),
        _costs(policy, rows, tables, evaluation),
        _harm(policy, rows, known),
        *_beside(policy, rows, known, tables, past),
        _money(past),
        _queue(past),
        _features(home),
    ]
    content = {
        "title": "Touchstone report",
        "as_of": f"{as_of:%Y-%m-%d}",
        "subtitle": f"{len(rows):,} claims decided from {rows['filed_at'].min():%d %B %Y} to {rows['filed_at'].max():%d %B %Y}; "
        f"as known on {as_of:%d %B %Y}.",
        "cards": _cards(rows, past, evaluation),
        "sections": sections,
        "examples": _examples(rows),
        "footer": f"Model {rows['bundle'].iloc[-1][:12]}, policy {policy.identifier}. Money in US dollars, times in UTC.",
    }
    return write_page(home.reports / "report.html", content, "report.html.j2")


def _cards(rows: pd.DataFrame, past: Past, evaluation: Evaluation | None) -> list[dict[str, str]]:
    reviewed = rows["action"].isin((Action.DESK.value, Action.INVESTIGATE.value))
    cards = [
        {"name": "claims decided", "value": f"{len(rows):,}"},
        {"name": "claimed in all", "value": dollars(rows["amount_cents"].sum())},
        {"name": "decided without an expert", "value": f"{1 - reviewed.mean():.0%}"},
        {"name": "answers by experts", "value": f"{len(past.read('expert_answers')):,}"},
    ]
    if evaluation is not None:
        found = evaluation.quality.auc_abusive
        cards += [
            {"name": f"AUC, abusive against the rest ({found.low:.2f}–{found.high:.2f})", "value": f"{found.estimate:.3f}"},
            {"name": "lost with model and experts, against paying everything", "value": _share(evaluation)},
        ]
    return cards


def _share(evaluation: Evaluation) -> str:
    return f"{evaluation.costs.model_experts / max(evaluation.costs.pay_everything, 1):.0%}"


def _mix(rows: pd.DataFrame, known: pd.DataFrame, claims: pd.DataFrame) -> Section:
    month = rows["filed_at"].dt.strftime("%Y-%m")
    labelled = claims[["claim_id", "filed_at"]].merge(known[known["weight"] > 0], on="claim_id", validate="one_to_one")
    when = labelled["filed_at"].dt.strftime("%Y-%m")
    months = sorted({*month, *when})
    believed = rows.groupby(month)[PROBABILITIES].mean().reindex(months)
    shares = {label: believed[column].to_numpy() for label, column in zip(LABELS, PROBABILITIES, strict=True)}
    weight = labelled["weight"].groupby(when).sum()
    observed = {
        label: (labelled["weight"].where(labelled["label"] == label, 0.0).groupby(when).sum() / weight).reindex(months).to_numpy()
        for label in LABELS
    }
    return Section(
        "What is claimed, month by month",
        "Lines: mean probability the model gave to the claims it decided. Dots: share among the labels known so far, each "
        "weighted by one over the chance that it was examined; claims that nobody examined have no label.",
        [picture(pictures.class_mix(months, shares, observed), "Share of valid, unsubstantiated and abusive claims by month of filing")],
    )


def _quality(rows: pd.DataFrame, known: pd.DataFrame, evaluation: Evaluation | None) -> Section:
    if evaluation is not None:
        truth, proba, weight = evaluation.truth, evaluation.proba, np.ones(evaluation.claims)
        against = "the simulator's truth, which no other part of the system can read"
    else:
        joined = rows.merge(known[known["weight"] > 0], on="claim_id", validate="one_to_one")
        truth, proba, weight = joined["label"].to_numpy(dtype=object), joined[PROBABILITIES].to_numpy(), joined["weight"].to_numpy(float)
        against = "the labels known so far, weighted by one over the chance of examination"
    curves = {label: reliability(truth, proba, weight, label) for label in LABELS} if len(truth) else {}
    metrics = summary(truth, proba, weight) if len(truth) else {}
    return Section(
        "How good the probabilities are",
        f"Claims that the model had not seen, against {against}. Left: precision against recall, dotted lines are the shares of "
        "the classes. Right: what was predicted against what happened; the diagonal is perfect.",
        [
            picture(pictures.precision_recall(truth, proba, weight), "Precision against recall for each class"),
            picture(pictures.reliability(curves), "Predicted probability against observed frequency for each class"),
        ]
        if len(truth)
        else (),
        ("metric", "value"),
        [(name.replace("_", " "), f"{value:.3f}") for name, value in metrics.items()],
    )


def _costs(policy: Policy, rows: pd.DataFrame, tables: Tables, evaluation: Evaluation | None) -> Section:
    insured = Standing(tables["seller_events"]).insured(rows["seller_id"], rows["filed_at"])
    today = Capacity.of(policy, days=1).desk
    tried = np.unique(np.round(today * np.linspace(0, 1.25, 13) ** 2).astype(int))
    expected = expected_cost_by_capacity(policy, rows, rows["amount_cents"].to_numpy(), insured, tried.tolist())
    drawn = [picture(pictures.cost_by_capacity(tried, expected, today), "Expected cost of the claims against desk cases a day")]
    if evaluation is not None:
        named = {
            "pay everything": evaluation.costs.pay_everything,
            "model only": evaluation.costs.model,
            "model + experts": evaluation.costs.model_experts,
            "perfect knowledge": evaluation.costs.perfect,
        }
        drawn.append(picture(pictures.bars(named), "Money lost under four ways of deciding"))
    return Section(
        "What decisions cost",
        "Left: what the decided claims are expected to cost under more or fewer desk cases a day, at the policy's prices: money "
        "paid on claims that are not owed, harm of wrongful denials, fees and delay. Right, on simulated data: what four ways of "
        "deciding really lost.",
        drawn,
    )


def _harm(policy: Policy, rows: pd.DataFrame, known: pd.DataFrame) -> Section:
    found = rows[["claim_id", "automatic_action", "amount_cents"]].merge(known, on="claim_id", how="left", validate="one_to_one")
    labels, drawn = found["label"].fillna("").to_numpy(dtype=object), found["stands_for"].fillna(0.0).to_numpy(dtype=np.float64)
    return bounds(policy, found["automatic_action"].to_numpy(), found["amount_cents"].to_numpy(), labels, drawn)


def _beside(policy: Policy, rows: pd.DataFrame, known: pd.DataFrame, tables: Tables, past: Past) -> list[Section]:
    found = beside_section.compared(past, policy, rows, tables["claims"], Standing(tables["seller_events"]), known)
    return [beside_section.section(found)] if found else []


def _money(past: Past) -> Section:
    totals = {account.replace("_", " "): float(cents) for account, cents in borne(past.balances()).items() if cents}
    return Section(
        "Who bore the money",
        "From the ledger: every cent paid out and who carries it so far. All postings balance to zero.",
        [picture(pictures.bars(totals), "Money by who bore it")] if totals else (),
    )


def _queue(past: Past) -> Section:
    cases, as_of = past.read("cases"), past.as_of
    answered = past.read("expert_answers").groupby("claim_id")["answered_at"].min().rename("ended_at")
    cases = cases.merge(answered, left_on="claim_id", right_index=True, how="left", validate="one_to_one")
    day = pd.Timedelta(days=1)
    age = ((cases["ended_at"].fillna(pd.Timestamp(as_of)) - cases["opened_at"]) / day).to_numpy(dtype=float)
    waiting = cases["state"].isin((CaseState.OPEN.value, CaseState.LEASED.value)).to_numpy()
    limit = float(((cases["due_at"] - cases["opened_at"]) / day).min()) if len(cases) else 0.0
    counts = cases.groupby(["tier", "state"]).size()
    ages = {"answered, days until the answer": age[cases["ended_at"].notna()], "still open, days so far": age[waiting]}
    return Section(
        "The experts' queue",
        f"How long cases took or have been waiting; {int(waiting.sum()):,} are open on {as_of:%d %B %Y}.",
        [picture(pictures.ages(ages, limit), "Days that cases of the queue took, and ages of open ones")] if len(cases) else (),
        ("tier and state", "cases"),
        [(f"{tier}, {state}", f"{count:,}") for (tier, state), count in counts.items()],
    )


def _features(home: Home) -> Section:
    bundle = Shelf(home.bundles).get("champion")
    gains = bundle.classifier.importance().head(20)
    return Section(
        "What the champion looks at",
        "Total gain of the twenty strongest features in the question: is this claim abusive?",
        [
            picture(
                pictures.bars(dict(zip(gains["feature"], gains["abusive"], strict=True)), money=False),
                "Gain of the twenty strongest features",
            )
        ],
    )


def _examples(rows: pd.DataFrame) -> list[dict[str, object]]:
    """One claim of every action, then the most expensive: ten in all."""
    ordered = rows.sort_values(["automatic_cost_cents", "claim_id"], ascending=[False, True])
    first = ordered.drop_duplicates("action")
    ten = pd.concat([first, ordered[~ordered["claim_id"].isin(first["claim_id"])]]).head(10)
    return [
        {
            "claim_id": row.claim_id,
            "kind": row.kind,
            "filed": f"{row.filed_at:%Y-%m-%d}",
            "amount": dollars(row.amount_cents),
            **{column: f"{getattr(row, column):.0%}" for column in PROBABILITIES},
            "action": row.action,
            "reasons": [reason.strip() for reason in row.reasons.split(";") if reason.strip()],
            "claimant_reason": row.claimant_reason,
        }
        for row in ten.itertuples()
    ]
