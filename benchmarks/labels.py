"""What honest labels are worth: naive, reviewed, weighted and matured labels beside the simulator's truth, on five marketplaces.

Every reading trains the same model, which decides the same live claims down the one road; all are judged by the truth. The peer of the
weighted labels is what a table of outcomes gives without thought: nobody examined it, so it was valid.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from scipy.stats import t

from benchmarks._record import record
from models.policy import default_policy
from pipelines.home import Home
from pipelines.labels_experiment import READINGS, SHOWN, compare_readings
from pipelines.simulated import simulate_into
from pipelines.validate import validate

SEEDS = range(5)
PEERS = ("naive", "reviewed only", "truth")
COMPARED = ("cost_cents", "automatic_cents", "auc_abusive", "log_loss", "ece")
ORDERS, CLAIMS = 100_000, 8_000


def main() -> int:
    """Run every seed, print the table and write ``results/labels.json``."""
    rows = pd.concat([measure(seed) for seed in SEEDS], ignore_index=True)
    means = rows.groupby("reading")[["labels", "abusive", *SHOWN]].mean().loc[list(READINGS)]
    _print(means, rows)
    cost = rows.pivot_table(index="seed", columns="reading", values="cost_cents", aggfunc="first")
    alone = rows.pivot_table(index="seed", columns="reading", values="automatic_cents", aggfunc="first")
    result: dict[str, Any] = {
        "metrics": {
            f"{measure}_{reading.replace(' ', '_')}": float(means.loc[reading, measure]) for reading in READINGS for measure in SHOWN
        },
        "ratios": {
            "cost_weighted_vs_naive": float(cost["weighted"].sum() / cost["naive"].sum()),
            "cost_model_alone_weighted_vs_naive": float(alone["weighted"].sum() / alone["naive"].sum()),
            "cost_weighted_vs_truth": float(cost["weighted"].sum() / cost["truth"].sum()),
        },
        "differences": {f"{measure}_weighted_less_{peer}": paired(rows, measure, peer) for peer in PEERS for measure in COMPARED},
        "seeds_on_which_weighted_beats_naive": int((cost["weighted"] < cost["naive"]).sum()),
        "rows": rows.to_dict(orient="records"),
        "size": {"orders": ORDERS, "claims": CLAIMS, "seeds": list(SEEDS)},
    }
    record("labels", result, ("lightgbm", "numpy", "pandas", "scikit-learn"))
    return 0


def measure(seed: int) -> pd.DataFrame:
    """Simulate a marketplace and compare the readings of its labels."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        simulation = simulate_into(home, ORDERS, CLAIMS, seed)
        validate(home, docs=False)
        found = compare_readings(home, default_policy(), simulation.live_from, simulation.end)
    return found.assign(seed=seed)


def paired(rows: pd.DataFrame, measure: str, peer: str, ours: str = "weighted", by: str = "reading") -> dict[str, float]:
    """Return the mean difference ours − peer over the marketplaces, with its 95 % interval (Student's t, a marketplace as the unit)."""
    table = rows.pivot_table(index="seed", columns=by, values=measure, aggfunc="first")
    difference = (table[ours] - table[peer]).to_numpy(dtype=np.float64)
    half = float(t.ppf(0.975, len(difference) - 1) * difference.std(ddof=1) / np.sqrt(len(difference)))
    mean = float(difference.mean())
    return {"mean": mean, "low": mean - half, "high": mean + half}


def _print(means: pd.DataFrame, rows: pd.DataFrame) -> None:
    table = Table(title=f"Labels as read, judged by the truth: means of {len(SEEDS)} marketplaces", title_justify="left")
    for name in (
        "labels read as",
        "rows",
        "called abusive",
        "model alone",
        "with experts",
        "dearest seed",
        "AUC",
        "AP",
        "ECE",
        "wrongful denials",
    ):
        table.add_column(name, justify="left" if name == "labels read as" else "right")
    for reading, row in means.iterrows():
        worst = float(np.max(rows.loc[rows["reading"] == reading, "cost_cents"]))
        table.add_row(
            str(reading),
            f"{row['labels']:,.0f}",
            f"{row['abusive']:.1%}",
            *(f"${cents / 100:,.2f}" for cents in (row["automatic_cents"], row["cost_cents"], worst)),
            *(f"{row[name]:.3f}" for name in ("auc_abusive", "ap_abusive", "ece")),
            f"{row['wrongful_denials']:.1%}",
        )
    Console(width=130).print(table)
    for peer in PEERS:
        found = {measure: paired(rows, measure, peer) for measure in COMPARED}
        told = "; ".join(f"{name} {one['mean']:+.3f} ({one['low']:+.3f} to {one['high']:+.3f})" for name, one in found.items())
        print(f"weighted less {peer}, mean of {len(SEEDS)} marketplaces and 95 % interval: {told}")
