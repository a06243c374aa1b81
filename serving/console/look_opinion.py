"""What the model and the rules say of a case, made readable: probabilities beside what came of like ones, reasons, verdicts, prices."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, select

from data_contracts import LABELS
from models.labels import as_known
from models.rules import ERROR, HIT, SNOOZED
from serving.console.wording import percent
from serving.instants import instants
from serving.schema import DECISIONS_TABLE, RESOLUTIONS_TABLE
from serving.store import frame_of

NEIGHBOURS = 200
"""Decided claims with a known label that a probability is compared with: those whose own is nearest."""

FEWEST = 20
"""Fewer than so many say nothing."""

_READ = 20_000  # labelled decisions looked at, the latest
_COMPARED = r"(?:, (?P<compared>[^,\[\]]*claims[^\]]*))?"
_REASON = re.compile(rf"(?P<group>.+?) (?P<share>[+-]\d+\.\d+): (?P<text>.*?)(?: \[(?P<name>\w+)=(?P<value>.*?){_COMPARED}\])?$")


@dataclass(frozen=True)
class Reason:
    """One reason of the decision: a group of features, its signed contribution to the log-odds of abuse, and its strongest feature."""

    group: str
    share: float
    text: str
    feature: str
    value: str
    compared: str


@dataclass(frozen=True)
class Alike:
    """What became of claims with a like probability: how many, between which, which share had the label, and how sure that is."""

    claims: int
    low: float
    high: float
    observed: float
    interval: tuple[float, float]


def reasons_of(text: str) -> list[Reason]:
    """Read the reasons that a decision keeps.

    Examples
    --------
    >>> text = "history +1.25: 4 claims in 30 days [claims_30d=4, 97 % of claims have 0]; evidence -0.50: photographs [photos=2]"
    >>> one, two = reasons_of(text)
    >>> one.group, one.share, one.value, one.compared, two.share, two.compared
    ('history', 1.25, '4', '97 % of claims have 0', -0.5, '')
    >>> reasons_of("plain words")[0].text, reasons_of("")
    ('plain words', [])
    """
    return [_reason(code.strip()) for code in text.split(";") if code.strip()]


def _reason(code: str) -> Reason:
    found = _REASON.fullmatch(code)
    if found is None:
        return Reason("", 0.0, code, "", "", "")
    return Reason(found["group"], float(found["share"]), found["text"], found["name"] or "", found["value"] or "", found["compared"] or "")


def verdicts_of(text: str | None) -> dict[str, Any] | None:
    """Read the verdicts of the rules that a decision keeps; ``None`` where there were no rules.

    >>> verdicts_of('{"rules": "1@ab", "verdicts": {"a": "no hit", "b": "hit"}}')["verdicts"]
    [('b', 'hit'), ('a', 'no hit')]
    """
    if text is None:
        return None
    told = json.loads(text)
    loudest = {verdict: place for place, verdict in enumerate((HIT, ERROR, SNOOZED))}
    return {"rules": told["rules"], "verdicts": sorted(told["verdicts"].items(), key=lambda one: (loudest.get(one[1], 9), one[0]))}


def opinion_of(tx: Connection, claim_id: str, now: int) -> dict[str, Any]:
    """Return what a decision says of a claim, with what became of claims like it as known at an instant (microseconds UTC)."""
    row = tx.execute(select(DECISIONS_TABLE).where(DECISIONS_TABLE.c.claim_id == claim_id)).one()
    proba = {"valid": row.p_valid, "unsubstantiated": row.p_unsubstantiated, "abusive": row.p_abusive}
    alike, ordinary = _context(tx, proba, now)
    return {
        "proba": proba,
        "alike": alike,
        "ordinary": ordinary,
        "reasons": reasons_of(row.reasons),
        "rules": verdicts_of(row.rules),
        "action": row.action,
        "automatic_action": row.automatic_action,
        "route": row.route,
        "propensity": row.propensity,
        "automatic_cost_cents": row.automatic_cost_cents,
        "review_value_cents": row.review_value_cents,
        "bundle": row.bundle[:12],
        "policy": row.policy,
    }


def _context(tx: Connection, proba: dict[str, float], now: int) -> tuple[dict[str, Alike | None], dict[str, float]]:
    """Compare probabilities with the labels known so far, each weighted by one over the chance that it was examined."""
    columns = [DECISIONS_TABLE.c[name] for name in ("claim_id", "decided_at", "p_valid", "p_unsubstantiated", "p_abusive")]
    labelled = select(RESOLUTIONS_TABLE.c.claim_id).where(RESOLUTIONS_TABLE.c.known_at < now)
    query = select(*columns).where(columns[0].in_(labelled)).order_by(columns[1].desc()).limit(_READ)
    rows = tx.execute(query).all()
    claims = [row.claim_id for row in rows]
    if not claims:
        return dict.fromkeys(LABELS), {}
    told = select(RESOLUTIONS_TABLE).where(
        RESOLUTIONS_TABLE.c.known_at < now, RESOLUTIONS_TABLE.c.claim_id.in_(select(*columns[:1]).where(columns[0].in_(labelled)))
    )
    resolutions = frame_of(RESOLUTIONS_TABLE, tx.execute(told).all())
    decided = _frame(rows)
    known = decided.merge(as_known(resolutions, decided, instants([now])[0].to_pydatetime()), on="claim_id", validate="one_to_one")
    known = known[known["weight"] > 0]
    if len(known) < FEWEST:
        return dict.fromkeys(LABELS), {}
    label, weight = known["label"].to_numpy(), known["weight"].to_numpy(dtype=np.float64)
    ordinary = {name: float(np.average(label == name, weights=weight)) for name in LABELS}
    alike: dict[str, Alike | None] = {name: _alike(known[f"p_{name}"].to_numpy(), label == name, weight, proba[name]) for name in LABELS}
    return alike, ordinary


def _frame(rows: Any) -> pd.DataFrame:
    names = ("claim_id", "p_valid", "p_unsubstantiated", "p_abusive")
    return pd.DataFrame({name: [getattr(row, name) for row in rows] for name in names})


def _alike(given: np.ndarray, hit: np.ndarray, weight: np.ndarray, at: float) -> Alike:
    nearest = np.argsort(np.abs(given - at), kind="stable")[: min(NEIGHBOURS, max(FEWEST, len(given) // 5))]
    observed = float(np.average(hit[nearest], weights=weight[nearest]))
    low, high = float(given[nearest].min()), float(given[nearest].max())
    return Alike(len(nearest), low, high, observed, _interval(observed, weight[nearest]))


def _interval(share: float, weight: np.ndarray) -> tuple[float, float]:
    """Return a 95 % interval (Wilson) of a weighted share, from as many claims as its weights are worth (Kish)."""
    from scipy.stats import binomtest  # SciPy's statistics take a second to load: longer than the endpoint may take to start

    worth = max(1, round(float(weight.sum() ** 2 / (weight**2).sum())))
    found = binomtest(min(worth, round(share * worth)), worth).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def words_of(label: str, found: Alike | None) -> str:
    """Say what became of claims with a like probability.

    >>> words_of("abusive", Alike(120, 0.2, 0.3, 0.24, (0.17, 0.33))).replace("\u00a0", " ")
    'Of 120 examined claims given 20 % to 30 %, 24 % were found abusive (17 % to 33 %).'
    """
    if found is None:
        return "Too few labels are known to compare with."
    sure = f"{percent(found.interval[0])} to {percent(found.interval[1])}"
    given = f"{percent(found.low)} to {percent(found.high)}"
    return f"Of {found.claims:,} examined claims given {given}, {percent(found.observed)} were found {label} ({sure})."
