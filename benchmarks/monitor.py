"""Whether the monitor is quiet when nothing happens, and names what was broken when something does.

Quiet: twenty simulated marketplaces, each lived through for eight weeks after the training, with experts and parties at work,
and monitored at the end: an alarm there is false. Planted: on the first seeds the claims of the last four weeks are
damaged in one of several ways before features and scores are computed; an alarm counts as detection only if it names a
feature that the damage touches. Estimated performance is held against the hidden truth of the same claims, there and on two
marketplaces of ordinary size, whose probabilities rest on more labels: the estimate is as right as they are. The audit, which draws
three claims in ten here, is asked on the quiet marketplaces: it should contradict probabilities only where they are wrong, which the
truth of the same claims tells.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks._pieces import piece
from benchmarks._record import record
from data_contracts import LABELS
from features.catalog import CATALOG
from features.matrix import build_matrix
from models.metrics import auc
from models.policy import default_policy
from models.quiet import Layout, layout
from models.review import Capacity
from models.scorer import score_claims
from models.shelf import Shelf
from models.unlabelled import estimated, performance
from pipelines import experts
from pipelines.build import matrix_of
from pipelines.demo import CYCLE
from pipelines.diary import Diary
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.resolve import settle
from pipelines.score import score
from pipelines.simulate.sealed import read_truth
from pipelines.simulated import examined_truths, parties, simulate_into
from pipelines.train import train
from pipelines.validate import validate
from pipelines.watched import Findings, MonitorSettings, claims_of, examine, trained_until
from serving.standing import Standing
from serving.store import Store

SEEDS, PLANTED_ON, WEEKS = range(20), range(4), 8
ORDERS, CLAIMS = 36_000, 3_000
LARGE_SEEDS, LARGE_ORDERS, LARGE_CLAIMS = range(2), 300_000, 20_000
RATE = 0.3
POLICY = replace(default_policy(), audit=replace(default_policy().audit, rate=RATE))
"""The shipped prices; the audit draws more, or eight weeks of so small a market would hold too few audited claims to ask it anything."""

Damage = Callable[[pd.DataFrame, np.random.Generator], pd.DataFrame]
"""Claims of the current window → the same claims, damaged."""


@dataclass(frozen=True)
class Plant:
    """A damage and the words by which a feature that it touches is known."""

    damage: Damage
    touches: tuple[str, ...]
    lost: str | None = None


def _cents_for_dollars(claims: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    return claims.assign(amount_cents=(claims["amount_cents"] // 100).clip(lower=1))


def _another_currency(claims: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    return claims.assign(amount_cents=(claims["amount_cents"] * 1.35).astype("int64"))


def _app_outage(claims: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    return claims.assign(channel=claims["channel"].where(claims["channel"] != "app", "web"))


def _no_photographs(claims: pd.DataFrame, _: np.random.Generator) -> pd.DataFrame:
    return claims.assign(photo_count=0, has_dated_photo=False)


def _fraud_wave(claims: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """One claim in six is now a fabrication by one ring: one story, one device and payment, amounts just under $1,000."""
    ring = rng.random(len(claims)) < 1 / 6
    first = claims[ring].iloc[0]
    amounts = rng.integers(85_000, 99_999, len(claims))
    shared = {name: claims[name].where(~ring, first[name]) for name in ("narrative", "device_id", "payment_id")}
    return claims.assign(amount_cents=claims["amount_cents"].where(~ring, amounts), **shared)


PLANTS = {
    "unit_error": Plant(_cents_for_dollars, ("amount",)),
    "currency_135": Plant(_another_currency, ("amount",)),
    "channel_outage": Plant(_app_outage, ("claim_by_app", "claim_by_phone")),
    "photos_lost": Plant(_no_photographs, ("photo",)),
    "fraud_wave": Plant(_fraud_wave, ("amount", "narrative", "device", "payment", "link_")),
    "feature_all_missing": Plant(lambda claims, _: claims, ("claim_days_incident_to_filing",), "claim_days_incident_to_filing"),
}


@dataclass(frozen=True)
class Lived:
    """A marketplace after eight weeks of decisions, its tables, decisions and windows."""

    home: Home
    tables: dict[str, pd.DataFrame]
    decisions: pd.DataFrame
    as_of: pd.Timestamp
    spans: Layout


def main() -> int:
    """Run every seed, print the rates and write ``results/monitor.json``."""
    began = time.monotonic()
    rows = [piece("monitor", measure, seed) for seed in SEEDS]
    large = [piece("monitor", estimate, seed) for seed in LARGE_SEEDS]
    quiet = [row["quiet"] for row in rows]
    metrics: dict[str, Any] = {
        "false_alarm_rate_20_seeds": float(np.mean([row["alarm"] for row in quiet])),
        "false_alarm_rate_of_drift_20_seeds": float(np.mean([row["drifted"] for row in quiet])),
        "audits_checked": int(sum(row["audited"] for row in quiet)),
        "audit_contradictions": int(sum(bool(row["contradicted"]) for row in quiet)),
        "audit_contradictions_that_the_truth_bears_out": int(sum(_is_right(row["contradicted"]) for row in quiet)),
        **_errors(quiet, CLAIMS),
        **_errors(large, LARGE_CLAIMS),
        "seconds": round(time.monotonic() - began, 1),
    }
    for name in PLANTS:
        metrics[f"detection_rate_{name}"] = float(np.mean([row["planted"][name] for row in rows if row["planted"]]))
    ratios = _against_true(quiet, CLAIMS) | _against_true(large, LARGE_CLAIMS)
    record("monitor", {"metrics": metrics, "ratios": ratios, "rows": rows, "large": large}, ("lightgbm", "pandas", "numpy", "scipy"))
    _print(metrics)
    return 0


def measure(seed: int) -> dict[str, Any]:
    """Live through one marketplace, monitor it as it is and, on the first seeds, damaged."""
    with tempfile.TemporaryDirectory() as folder:
        lived = _live(Home(Path(folder)), seed)
        bundle = Shelf(lived.home.bundles).get("champion", CATALOG.hash)
        watched = claims_of(lived.spans, lived.tables["claims"], lived.decisions)
        matrix = matrix_of(lived.home, lived.tables, watched)
        found = examine(bundle, POLICY, lived.tables, matrix, lived.decisions, lived.as_of, lived.spans)
        planted = {}
        if seed in PLANTED_ON:
            for name, plant in PLANTS.items():
                planted[name] = _detected(lived, bundle, matrix, plant, np.random.default_rng(seed))
        return {"seed": seed, "quiet": _quiet(lived, found), "planted": planted}


def estimate(seed: int) -> dict[str, float]:
    """Decide four weeks of a marketplace of ordinary size and hold the estimate against the truth."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        market = simulate_into(home, LARGE_ORDERS, LARGE_CLAIMS, seed)
        validate(home, docs=False)
        train(home, market.live_from, POLICY, tracking=False)
        score(home, market.live_from + 4 * CYCLE, POLICY, since=market.live_from)
        with Store(home.store_url) as store:
            decisions = store.read("decisions")
        rows = decisions.merge(Lake(home.root).read("claims"), on="claim_id", validate="one_to_one")
        insured = Standing(Lake(home.root).read("seller_events")).insured(rows["seller_id"], rows["filed_at"])
        measures = performance(estimated(POLICY, rows, rows["amount_cents"].to_numpy(), insured))
        return _against_truth(home, decisions, measures)


def _against_truth(home: Home, decisions: pd.DataFrame, measures: Mapping[str, float]) -> dict[str, float]:
    truth = read_truth(home.root).set_index("claim_id")["truth"].loc[decisions["claim_id"]].to_numpy()
    return {
        "claims": len(decisions),
        "estimated_auc": float(measures["auc"]),
        "true_auc": auc(truth, decisions["p_abusive"].to_numpy(), np.ones(len(truth))),
        "estimated_share": float(measures["share_abusive"]),
        "true_share": float((truth == "abusive").mean()),
    }


def _errors(rows: list[dict[str, Any]], claims: int) -> dict[str, float]:
    gaps = {what: np.array([row[f"estimated_{what}"] - row[f"true_{what}"] for row in rows]) for what in ("auc", "share")}
    return {f"estimated_{what}_mean_absolute_error_{claims}_claims": float(np.abs(gap).mean()) for what, gap in gaps.items()}


def _against_true(rows: list[dict[str, Any]], claims: int) -> dict[str, float]:
    sums = {key: sum(row[key] for row in rows) for key in ("estimated_auc", "true_auc", "estimated_share", "true_share")}
    return {f"estimated_{what}_vs_true_{claims}_claims": sums[f"estimated_{what}"] / sums[f"true_{what}"] for what in ("auc", "share")}


def _live(home: Home, seed: int) -> Lived:
    market = simulate_into(home, ORDERS, CLAIMS, seed)
    validate(home, docs=False)
    train(home, market.live_from, POLICY, tracking=False)
    truths, answers, diary = examined_truths(home), parties(home, seed), Diary()
    for week in range(1, WEEKS + 1):
        as_of = market.live_from + week * CYCLE
        score(home, as_of, POLICY, since=market.live_from)
        with Store(home.store_url, synchronous="NORMAL") as store:
            experts.work_here(store, truths, market.live_from, as_of, seed, diary=diary)
            settle(home, store, pd.Timestamp(as_of), POLICY, answers)
    with Store(home.store_url) as store:
        decisions = store.read("decisions")
    tables = Lake(home.root).tables()
    as_of = pd.Timestamp(market.live_from + timedelta(weeks=WEEKS))
    bundle = Shelf(home.bundles).get("champion", CATALOG.hash)
    return Lived(home, tables, decisions, as_of, layout(tables["claims"]["filed_at"], trained_until(bundle), as_of))


def _quiet(lived: Lived, found: Findings) -> dict[str, Any]:
    now = lived.decisions[lived.spans.current.holds(lived.decisions["decided_at"])]
    return {
        "alarm": bool(found.alarms),
        "alarms": list(found.alarms),
        "drifted": bool((found.table["level"] != "quiet").any()),
        "audited": found.audit is not None,
        "contradicted": _contradicted(lived, found),
        **_against_truth(lived.home, now, found.estimates.iloc[-1]),
    }


def _contradicted(lived: Lived, found: Findings) -> dict[str, dict[str, float]]:
    """Return what the audit contradicts: measure → what was estimated, what examined claims show, and what is true of all those claims."""
    if found.audit is None or not found.audit.contradicted:
        return {}
    settings = MonitorSettings()
    end = lived.as_of - pd.Timedelta(days=settings.maturity_days)
    decided_at = lived.decisions["decided_at"]
    decided = lived.decisions[(decided_at >= end - pd.Timedelta(days=settings.audit_days)) & (decided_at < end)]
    rows = decided.merge(lived.tables["claims"], on="claim_id", validate="one_to_one")
    insured = Standing(lived.tables["seller_events"]).insured(rows["seller_id"], rows["filed_at"])
    truth = read_truth(lived.home.root).set_index("claim_id")["truth"].loc[rows["claim_id"]]
    classes = np.eye(len(LABELS))[pd.Index(LABELS).get_indexer(truth)]
    true = performance(replace(estimated(POLICY, rows, rows["amount_cents"].to_numpy(), insured), chances=classes))
    audit = found.audit
    return {
        name: {"estimated": audit.estimate[name], "examined": audit.found[name].estimate, "true": true[name]} for name in audit.contradicted
    }


def _is_right(contradicted: Mapping[str, Mapping[str, float]]) -> bool:
    """Tell whether the truth is nearer to what examined claims show than to what was estimated, in everything that is contradicted."""
    nearer = [abs(one["true"] - one["examined"]) < abs(one["true"] - one["estimated"]) for one in contradicted.values()]
    return bool(nearer) and all(nearer)


def _detected(lived: Lived, bundle: Any, matrix: pd.DataFrame, plant: Plant, rng: np.random.Generator) -> bool:
    """Damage the current window, decide it again, and tell whether an alarm names what was touched."""
    is_now = lived.spans.current.holds(lived.decisions["decided_at"])
    claims = lived.tables["claims"].set_index("claim_id", drop=False)
    ids = lived.decisions.loc[is_now, "claim_id"]
    damaged = plant.damage(claims.loc[ids].sort_values("filed_at"), rng)
    others = lived.tables["claims"][~lived.tables["claims"]["claim_id"].isin(ids)]
    tables = {**lived.tables, "claims": pd.concat([others, damaged], ignore_index=True)}
    rows = build_matrix(tables, damaged.reset_index(drop=True))
    if plant.lost:
        rows = rows.assign(**{plant.lost: np.nan})
    insured = Standing(tables["seller_events"]).insured(damaged["seller_id"], damaged["filed_at"])
    decided = score_claims(bundle, POLICY, rows, damaged, insured, Capacity(0, 0), lived.as_of - pd.Timedelta(days=1), most_reasons=0)
    decisions = pd.concat([lived.decisions[~is_now], decided], ignore_index=True)
    whole = pd.concat([matrix[~matrix.index.isin(ids)], rows])
    found = examine(bundle, POLICY, tables, whole, decisions, lived.as_of, lived.spans)
    named = found.table.loc[found.table["level"] != "quiet", "feature"]
    return bool(named.map(lambda name: any(word in name for word in plant.touches)).any())


def _print(metrics: dict[str, Any]) -> None:
    table = Table(title=f"The monitor on {len(SEEDS)} simulated marketplaces of {CLAIMS:,} claims", title_justify="left")
    table.add_column("measure")
    table.add_column("value", justify="right")
    for name, value in metrics.items():
        table.add_row(name.replace("_", " "), f"{value:.3f}" if isinstance(value, float) else str(value))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
