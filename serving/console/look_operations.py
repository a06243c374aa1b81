"""How the programme fares, for operations: money, volumes, ages, clocks and drift, all from the store as it is now."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from sqlalchemy import Connection, case, func, select

from data_contracts import LABELS, Action
from models.drift import stability_index
from serving.clocks import alarms
from serving.console.charts import Chart, lines, stacked
from serving.console.visit import Answer, Office, Shown, Visit
from serving.console.wording import day, named
from serving.instants import DAY
from serving.ledger import PENDING, Account, balances, borne
from serving.queue import CaseState, Tier
from serving.schema import CASES, DECISIONS_TABLE, EXPERT_ANSWERS

WEEK = 7 * DAY
WEEKS = 16
"""Weeks shown, the present one last."""

REFERENCE, BINS = 4, 10
"""Weeks that drift is measured against, the first of those shown; and bins of the probability of abuse."""

AGES = ((2, "< 2 d"), (5, "2–5 d"), (10, "5–10 d"), (15, "10–15 d"), (25, "15–25 d"), (40, "25–40 d"), (10**6, "> 40 d"))

_UNANSWERED = (CaseState.OPEN.value, CaseState.LEASED.value)


def show_operations(office: Office, visit: Visit) -> Answer:
    """Show the dashboard."""
    now = visit.now
    with office.store.view() as view:
        first = _first(view, now)
        totals = balances(view)
        found = alarms(view, now)
        content = {
            "cards": _cards(view, totals, now),
            "money": {named(name): cents for name, cents in borne(totals).items() if cents},
            "clocks": Counter((alarm.clock.value, alarm.level.value) for alarm in found if alarm.met_at is None),
            "late": sum(alarm.met_at is not None for alarm in found),
            "decisions": _decisions(view, first),
            "flow": _flow(view, first),
            "ages": _ages(view, now),
            **_drift(view, first),
            "versions": office.versions(),
            "until": None if first + WEEKS * WEEK > now else first + WEEKS * WEEK - DAY,
        }
    return Shown("operations", content)


def _first(tx: Connection, now: int) -> int:
    """Return when the weeks shown begin: the last ones, or where nothing was decided in them, those that end with the last decision."""
    until = DECISIONS_TABLE.c.decided_at
    last = tx.execute(select(func.max(until)).where(until <= now)).scalar_one()
    first = (now // DAY + 1) * DAY - WEEKS * WEEK
    return first if last is None or last >= first else (last // DAY + 1) * DAY - WEEKS * WEEK


def _cards(tx: Connection, totals: dict[Account, int], now: int) -> list[tuple[str, str, Any]]:
    """Return key figures: name, how it is written, value."""
    decided = select(func.count()).select_from(DECISIONS_TABLE)
    week = tx.execute(decided.where(DECISIONS_TABLE.c.decided_at > now - WEEK, DECISIONS_TABLE.c.decided_at <= now)).scalar_one()
    open_ = select(func.count(), func.min(CASES.c.opened_at), func.coalesce(func.sum(CASES.c.value_cents), 0))
    waiting, oldest, value = tx.execute(open_.where(CASES.c.state.in_(_UNANSWERED), CASES.c.opened_at <= now)).one()
    return [
        ("claims decided in seven days", "number", week),
        ("cases without an answer", "number", waiting),
        ("age of the oldest", "lasting", None if oldest is None else now - oldest),
        ("value of their reviews", "dollars", int(value)),
        ("paid to customers", "dollars", totals[Account.CUSTOMER]),
        ("not settled yet", "dollars", -sum(totals[account] for account in PENDING)),
    ]


def _weeks(first: int) -> list[str]:
    return [day(first + k * WEEK).rpartition(" ")[0] for k in range(WEEKS)]


def _week(column: Any, first: int) -> Any:
    return (column - first) // WEEK


def _decisions(tx: Connection, first: int) -> Chart:
    week = _week(DECISIONS_TABLE.c.decided_at, first).label("week")
    query = (
        select(week, DECISIONS_TABLE.c.action, func.count())
        .where(DECISIONS_TABLE.c.decided_at >= first)
        .group_by(week, DECISIONS_TABLE.c.action)
    )
    counts = {action.value: [0.0] * WEEKS for action in Action}
    for at, action, number in tx.execute(query):
        if 0 <= at < WEEKS:
            counts[action][int(at)] = number
    return stacked("Claims decided by week and action", _weeks(first), {named(action): values for action, values in counts.items()})


def _flow(tx: Connection, first: int) -> Chart:
    series = {"opened": [0.0] * WEEKS, "answers": [0.0] * WEEKS}
    for name, column in (("opened", CASES.c.opened_at), ("answers", EXPERT_ANSWERS.c.answered_at)):
        week = _week(column, first).label("week")
        for at, number in tx.execute(select(week, func.count()).where(column >= first).group_by(week)):
            if 0 <= at < WEEKS:
                series[name][int(at)] = number
    return lines("Cases opened and answers given by week", _weeks(first), series, "{:,.0f}")


def _ages(tx: Connection, now: int) -> Chart:
    counts = {tier.value: [0.0] * len(AGES) for tier in Tier}
    for tier, opened_at in tx.execute(
        select(CASES.c.tier, CASES.c.opened_at).where(CASES.c.state.in_(_UNANSWERED), CASES.c.opened_at <= now)
    ):
        days = (now - opened_at) / DAY
        counts[tier][next(place for place, (limit, _) in enumerate(AGES) if days < limit)] += 1
    return stacked("Cases without an answer by age", [words for _, words in AGES], counts)


def _drift(tx: Connection, first: int) -> dict[str, Any]:
    """Return mean probabilities by week, and how far those of abuse have moved from the first weeks shown."""
    columns = {label: DECISIONS_TABLE.c[f"p_{label}"] for label in LABELS}
    abusive, week = columns["abusive"], _week(DECISIONS_TABLE.c.decided_at, first).label("week")
    edges = [(2.0 ** (k - BINS + 1)) for k in range(BINS)]  # finer where most claims are
    bins = [func.sum(case(((abusive > (edges[k - 1] if k else -1.0)) & (abusive <= edges[k]), 1), else_=0)) for k in range(BINS)]
    query = (
        select(week, *(func.avg(column) for column in columns.values()), *bins).where(DECISIONS_TABLE.c.decided_at >= first).group_by(week)
    )
    means, counts = {label: [float("nan")] * WEEKS for label in LABELS}, np.zeros((WEEKS, BINS))
    for at, *values in tx.execute(query):
        if 0 <= at < WEEKS:
            for label, mean in zip(LABELS, values[: len(LABELS)], strict=True):
                means[label][int(at)] = float(mean)
            counts[int(at)] = [float(value) for value in values[len(LABELS) :]]
    filled = np.flatnonzero(counts.sum(axis=1) > 0)
    began = int(filled[0]) if len(filled) else 0
    reference, current = counts[began : began + REFERENCE].sum(axis=0), counts[max(began + REFERENCE, WEEKS - REFERENCE) :].sum(axis=0)
    index = stability_index(reference, current) if reference.sum() and current.sum() else None
    return {"means": lines("Mean probability of the decided claims by week", _weeks(first), means), "index": index}
