"""What happened around a claim, in order of time: to the claim itself, with its claimant, with its seller.

One list of happenings serves the picture and the table beneath it, so that they can never say different things.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from serving.console.records import Records, Row
from serving.console.wording import day, named
from serving.instants import DAY, SECOND
from serving.schema import CASE_EVENTS, EXPERT_ANSWERS

LANES = ("claim", "claimant", "seller")
"""Of the picture, from top to bottom."""

MOST = 200
"""Rows of one kind at most."""

BACK = 400 * DAY
"""How far the picture reaches back behind the claim, microseconds; the table goes further."""

WIDTH, LEFT, RIGHT, TOP, LANE = 1000.0, 84.0, 12.0, 14.0, 40.0
"""Of the picture, in its own units."""


@dataclass(frozen=True)
class Happening:
    """Something that happened: when (microseconds UTC), in which lane, of which kind, in words, and how much money."""

    at: int
    lane: str
    kind: str
    words: str
    amount_cents: int | None = None


@dataclass(frozen=True)
class Dot:
    """A happening's place in the picture; several of one kind on one spot are one dot."""

    x: float
    y: float
    kind: str
    words: str
    radius: float


@dataclass(frozen=True)
class Timeline:
    """The picture: dots, marks of the months, the line of now, its height, and the happenings, the latest first."""

    dots: tuple[Dot, ...]
    marks: tuple[tuple[float, str], ...]
    now_x: float
    height: float
    happenings: tuple[Happening, ...]


def history_of(tx: Connection, records: Records, claim: Row, case: Any, now: int, sees_answers: bool) -> Timeline:
    """Return the history of a claim, its claimant and its seller as known at an instant.

    Parameters
    ----------
    tx
        A transaction of the store.
    records
        What is known of the parties.
    claim, case
        The claim's row and its row of the cases.
    now
        Microseconds UTC.
    sees_answers
        Whether answers of experts and what followed are shown: not to experts, who are to judge for themselves.
    """
    found = _of_claim(tx, records, claim, case, now, sees_answers)
    found += _of_claimant(records, claim, now)
    found += _of_seller(records, claim, now)
    listed = tuple(sorted((one for one in found if one.at <= now), key=lambda one: (-one.at, LANES.index(one.lane), one.words)))
    return _drawn(listed, claim["filed_at"], now)


def _of_claim(tx: Connection, records: Records, claim: Row, case: Any, now: int, sees_answers: bool) -> list[Happening]:
    told = [
        Happening(claim["incident_at"], "claim", "incident", "harm happened, as stated"),
        Happening(claim["filed_at"], "claim", "claim", "claim filed", claim["amount_cents"]),
        Happening(case.opened_at, "claim", "decision", f"sent to the {named(case.tier)}"),
    ]
    for order in records.rows("orders", "order_id", [claim["order_id"]], now, 1):
        told.append(Happening(order["ordered_at"], "claim", "order", "product ordered", order["amount_cents"]))
        if order["delivered_at"] is not None:
            told.append(Happening(order["delivered_at"], "claim", "order", "product delivered"))
    if case.acknowledged_at is not None and sees_answers:
        told.append(Happening(case.acknowledged_at, "claim", "decision", "first taken up by an expert"))
    if sees_answers:
        answers = tx.execute(select(EXPERT_ANSWERS).where(EXPERT_ANSWERS.c.claim_id == claim["claim_id"]))
        told += [Happening(row.answered_at, "claim", row.label, f"{row.expert} found it {row.label}") for row in answers]
        steps = tx.execute(select(CASE_EVENTS).where(CASE_EVENTS.c.claim_id == claim["claim_id"]))
        told += [Happening(row.at, "claim", "decision", f"{named(row.event)}: now {named(row.to_state)}") for row in steps]
    return told


def _of_claimant(records: Records, claim: Row, now: int) -> list[Happening]:
    who, told = [claim["customer_id"]], []
    told += [
        Happening(row["created_at"], "claimant", "account", "account opened")
        for row in records.rows("customers", "customer_id", who, now, 1)
    ]
    for order in records.rows("orders", "customer_id", who, now, MOST):
        if order["order_id"] != claim["order_id"]:
            told.append(Happening(order["ordered_at"], "claimant", "order", "another order", order["amount_cents"]))
    returns = records.rows("returns", "customer_id", who, now, MOST)
    told += [Happening(row["returned_at"], "claimant", "return", f"return, {named(row['reason'])}", row["refund_cents"]) for row in returns]
    others = [row for row in records.rows("claims", "customer_id", who, now, MOST) if row["claim_id"] != claim["claim_id"]]
    return told + _claims(records, others, "claimant", now)


def _of_seller(records: Records, claim: Row, now: int) -> list[Happening]:
    whose = [claim["seller_id"]]
    told = [
        Happening(row["joined_at"], "seller", "account", "seller joined") for row in records.rows("sellers", "seller_id", whose, now, 1)
    ]
    events = records.rows("seller_events", "seller_id", whose, now, MOST)
    told += [Happening(row["occurred_at"], "seller", _kind_of(row["kind"]), named(row["kind"])) for row in events]
    others = records.rows("claims", "seller_id", whose, now, MOST)
    mine = (claim["claim_id"], claim["customer_id"])
    told += _claims(records, [row for row in others if row["claim_id"] != mine[0] and row["customer_id"] != mine[1]], "seller", now)
    return told


def _kind_of(event: str) -> str:
    return "good" if event in ("insurance_proven", "policy_cleared") else "bad"


def _claims(records: Records, rows: Sequence[Row], lane: str, now: int) -> list[Happening]:
    """Tell of other claims, each with the last label that became known of it."""
    labels: dict[str, str] = {}
    asked = [row["claim_id"] for row in rows]
    for row in reversed(records.rows("resolutions", "claim_id", asked, now, 5 * MOST) if asked else []):
        if row["label"] is not None:
            labels[row["claim_id"]] = row["label"]
    told = []
    for row in rows:
        label = labels.get(row["claim_id"])
        which = "another claim" if lane == "claimant" else "claim of another customer"
        told.append(
            Happening(
                row["filed_at"],
                lane,
                label or "claim",
                f"{which}, {f'found {label}' if label else 'nothing known of it'}",
                row["amount_cents"],
            )
        )
    return told


def _drawn(happenings: tuple[Happening, ...], filed_at: int, now: int) -> Timeline:
    begin = max(min((one.at for one in happenings), default=filed_at), filed_at - BACK)
    end = max(now, begin + DAY)
    span = end - begin + (end - begin) // 50

    def place(at: int) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (at - begin) / span, 1)

    spots: dict[tuple[float, str, str], list[Happening]] = {}
    for one in happenings:
        if one.at >= begin:
            spots.setdefault((round(place(one.at) / 6) * 6.0, one.lane, one.kind), []).append(one)
    dots = [
        Dot(x, TOP + LANE * (LANES.index(lane) + 0.5), kind, _words(some), min(9.0, 4.5 + 0.8 * (len(some) - 1)))
        for (x, lane, kind), some in spots.items()
    ]
    order = ("order", "return")  # many and of little weight: drawn first, beneath the others
    dots.sort(key=lambda dot: (dot.kind not in order, dot.x, dot.kind))
    return Timeline(tuple(dots), tuple(_months(begin, end, place)), place(now), TOP + LANE * len(LANES) + 26, happenings)


def _words(some: list[Happening]) -> str:
    first = f"{day(some[0].at)}: {some[0].words}"
    return first if len(some) == 1 else f"{first}, and {len(some) - 1} more"


def _months(begin: int, end: int, place: Any) -> Iterable[tuple[float, str]]:
    moment = datetime.fromtimestamp(begin // SECOND, UTC).replace(day=1, hour=0, minute=0, second=0)
    step = 1 + int((end - begin) // (DAY * 30 * 12))
    months: list[tuple[float, str]] = []
    while (at := int(moment.timestamp()) * SECOND) <= end:
        if at >= begin:
            months.append((place(at), f"{moment:%b %Y}" if moment.month == 1 or not months else f"{moment:%b}"))
        number = moment.month - 1 + step
        moment = moment.replace(year=moment.year + number // 12, month=number % 12 + 1)
    return months
