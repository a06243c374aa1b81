"""From how many customers on is a device, payment, phone or address a public place? Chosen here, on history alone.

Simulated marketplaces of seeds 20 to 24, which no result uses, and of them only claims filed before the live window. Models
learn the hidden truth on the first 60 % of those claims and rank the rest. The cap with which the whole catalogue ranks best on
average is kept as ``LinkRules.hub_customers``; link features alone are shown beside it, and what the catalogue loses without
them. The same claims show whether the share of unlinked claimants tells those in league from honest bursts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score

from benchmarks._record import record
from features.facts import Facts
from features.link_graph import LinkRules
from features.links import LINK_FEATURES, compute
from features.matrix import build_matrix
from pipelines.simulate import simulate
from pipelines.simulate.market import months_after

SEEDS, CAPS, FITS = range(20, 25), (3, 5, 10, 20, 50), 3
ORDERS, CLAIMS, MONTHS, LIVE_MONTHS = 300_000, 20_000, 18, 3
START = datetime(2024, 1, 1, tzinfo=UTC)
LEARNT = 0.6
"""Share of the historical claims, in order of time, that models learn from."""
IN_USE = LinkRules().hub_customers
CLOSE = tuple(n for n in LINK_FEATURES if n.endswith(("neighbours", "weighted", "neighbours_abusive", "distance", "joined_30d")))
"""Link features that look at neighbours and growth instead of whole components."""
BURSTS = {"ring or collusion": ("ring", "collusion"), "sabotage": ("sabotage",)}


def main() -> int:
    """Measure every cap on every seed, print the tables and write ``results/hub_cap.json``."""
    measured = [measure(seed) for seed in SEEDS]
    rows = [row for caps, _ in measured for row in caps]
    metrics = _caps(rows) | _bursts(pd.concat([crowds for _, crowds in measured]))
    record("hub_cap", {"metrics": metrics, "rows": rows}, ("lightgbm", "numpy", "pandas", "scikit-learn"))
    return 0


def measure(seed: int) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Simulate one marketplace; measure every cap, and the bursts of the cap in use, on the claims before its live window."""
    live_from = months_after(START, MONTHS - LIVE_MONTHS)
    simulated = simulate(ORDERS, CLAIMS, seed, START, MONTHS, live_from, dirt=0.0)
    claims = simulated.tables["claims"]
    past = claims[claims["filed_at"] < live_from].sort_values("filed_at", kind="stable").reset_index(drop=True)
    truth = simulated.truth.set_index("claim_id").loc[past["claim_id"]]
    abusive = (truth["truth"] == "abusive").to_numpy()
    matrix = build_matrix(simulated.tables, past)
    names = [name for name in LINK_FEATURES if name in matrix]
    lost = {"auc_without_neighbours": _ranking(matrix.drop(columns=list(CLOSE)), abusive)}
    lost |= {"auc_without_links": _ranking(matrix.drop(columns=names), abusive)}
    rows: list[dict[str, Any]] = []
    for cap in CAPS:
        changed = matrix.assign(**compute(names, Facts(simulated.tables, past), LinkRules(hub_customers=cap)))
        row = {"seed": seed, "cap": cap, "auc_links": _ranking(changed[names], abusive), "auc_all": _ranking(changed, abusive)}
        rows.append(row | (lost if cap == IN_USE else {}))
    crowds = matrix[["burst_claimants_product_30d", "burst_unlinked_share_product_30d"]].set_axis(["others", "unlinked"], axis=1)
    return rows, crowds.assign(scheme=truth["scheme"].where(~truth["is_defect_burst"], "honest burst"))


def _ranking(matrix: pd.DataFrame, abusive: np.ndarray) -> float:
    """Learn from the earlier claims, rank the later ones; the mean over a few random column samples."""
    cut = int(LEARNT * len(matrix))
    values, areas = matrix.to_numpy(), []
    for fit in range(FITS):
        model = lightgbm.LGBMClassifier(
            n_estimators=150, learning_rate=0.05, num_leaves=15, colsample_bytree=0.7, random_state=fit, num_threads=1, verbose=-1
        )
        model.fit(values[:cut], abusive[:cut])
        areas.append(roc_auc_score(abusive[cut:], np.asarray(model.booster_.predict(values[cut:], num_threads=1))))
    return float(np.mean(areas))


def _caps(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Print the caps with their lead over the one in use, paired by seed, and what link features bring."""
    frame = pd.DataFrame(rows)
    table = Table("cap", "AUC link features alone", "AUC whole catalogue", title="Hub cap: historical claims, hidden truth")
    metrics: dict[str, float] = {}
    for cap in CAPS:
        cells = []
        for key in ("auc_links", "auc_all"):
            values = frame.pivot_table(key, "seed", "cap")
            lead = values[cap] - values[IN_USE]
            metrics[f"{key}_cap_{cap}_mean"] = float(values[cap].mean())
            cells.append(f"{values[cap].mean():.4f} ({lead.mean():+.4f} ± {lead.sem():.4f})")
        table.add_row(f"{cap}{' (in use)' if cap == IN_USE else ''}", *cells)
    Console(width=110).print(table)
    used = frame[frame["cap"] == IN_USE]
    for key, words in (("auc_without_neighbours", "neighbours, distance, growth"), ("auc_without_links", "all of them")):
        lost = used["auc_all"] - used[key]
        metrics[f"{key}_mean"] = float(used[key].mean())
        print(f"whole catalogue without {words}: {used[key].mean():.4f} (they bring {lost.mean():+.4f} ± {lost.sem():.4f})")
    return metrics


def _bursts(crowds: pd.DataFrame) -> dict[str, float]:
    """Print how well two numbers tell claimants in league from honest bursts: the linked share, and that there are few claimants."""
    table = Table("against honest bursts", "other claimants", "claims", "honest", "AUC linked share", "AUC few claimants")
    metrics: dict[str, float] = {}
    for name, schemes in BURSTS.items():
        for least in (1, 3):
            judged = crowds[(crowds["others"] >= least) & crowds["scheme"].isin([*schemes, "honest burst"])]
            league = judged["scheme"] != "honest burst"
            linked, few = (float(roc_auc_score(league, by)) for by in (-judged["unlinked"], -judged["others"]))
            metrics[f"auc_burst_{schemes[0]}_from_{least}"] = linked
            table.add_row(name, f"{least} or more", f"{league.sum():,}", f"{(~league).sum():,}", f"{linked:.3f}", f"{few:.3f}")
    Console(width=110).print(table)
    return metrics


if __name__ == "__main__":
    main()
