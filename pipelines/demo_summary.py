"""What the demo tells a stranger at its end, as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from models.metrics import Interval
from pipelines.demo import Demo
from pipelines.wording import dollars


def tell(demo: Demo) -> Iterator[Table]:
    """Yield the closing tables: data, model, money, cases, experts, learning, and where everything is."""
    facts = demo.summary()
    yield _table(
        "Data",
        {
            "rows read": f"{facts['rows_read']:,}",
            "accepted": f"{facts['rows_accepted']:,}",
            "quarantined, each with every reason": f"{facts['rows_quarantined']:,}",
            "claims decided": f"{facts['claims_decided']:,}",
        },
    )
    found = demo.evaluation.quality
    yield _table(
        "Champion on later claims, against the hidden truth (95 % intervals)",
        {
            "AUC, abusive against the rest": _interval(found.auc_abusive),
            "average precision, abusive": _interval(found.ap_abusive),
            "expected calibration error": _interval(found.ece),
        },
    )
    yield _money(demo)
    borne = {f"borne by {who.replace('_', ' ')}": dollars(cents) for who, cents in facts["borne_cents"].items() if cents}
    yield _table(
        "Cases and ledger",
        {
            "cases resolved": f"{facts['cases_resolved']:,}",
            "cases open": f"{facts['cases_open']:,}",
            "received and kept by customers": dollars(facts["paid_cents"]),
            **borne,
            "ledger balance": f"{facts['ledger_balance_cents']} cents",
        },
    )
    work = demo.work
    yield _table(
        "Experts",
        {
            "answers": f"{work.answers:,}",
            "second looks drawn, bought, gold": ", ".join(str(work.looks.get(why, 0)) for why in ("drawn", "bought", "gold")),
            "rings investigated as one, cases in them": f"{work.files}, {work.filed}",
            "right answers, as learned": ", ".join(f"{name} {share:.0%}" for name, share in work.accuracy.items()) or "–",
        },
    )
    yield _table("Learning", {"retrained on what was learned": demo.verdict.why})
    yield _table(
        "Where to look",
        {"report": facts["report"], "data docs": facts["data_docs"], "MLflow": f"mlflow ui --backend-store-uri {facts['mlflow']}"}
        | {"took": f"{demo.seconds:,.0f} s, at most {demo.peak_rss_mb:,.0f} MB"},
    )


def _money(demo: Demo) -> Table:
    costs = demo.evaluation.costs
    ways = {
        "pay everything": costs.pay_everything,
        "model only": costs.model,
        "model + experts": costs.model_experts,
        "perfect knowledge": costs.perfect,
    }
    table = Table(title="Money lost on the same claims under four ways of deciding", title_justify="left")
    table.add_column("way")
    table.add_column("lost", justify="right")
    table.add_column("against paying everything", justify="right")
    for name, cents in ways.items():
        table.add_row(name, dollars(cents), f"{cents / max(costs.pay_everything, 1):.0%}")
    return table


def _table(title: str, facts: dict[str, str]) -> Table:
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, Text(value))  # a path may hold what looks like markup
    return table


def _interval(found: Interval) -> str:
    return f"{found.estimate:.3f}  ({found.low:.3f} to {found.high:.3f})"
