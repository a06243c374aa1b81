"""Real property-damage claims: our ranking beside the published one, on the published split and on later time.

The command's own road is measured: ``touchstone ingest FILE --mapping travelers.toml --train --holdout-ids IDS``. Settings are
chosen by cross-validation inside the training rows of each split. Trainings on shuffled labels must find nothing.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks._record import record, yardsticks
from pipelines.home import Home
from pipelines.ingest import ingest
from pipelines.train_ingested import Judged, judge, labelled_rows, listed, time_mask

MAPPING = Path(__file__).parents[1] / "pipelines" / "mappings" / "travelers.toml"

PUBLISHED = {
    "published split · XGBoost (published)": 0.7299,
    "published split · logistic regression (published)": 0.7159,
    "published split · XGBoost + SMOTE (published)": 0.6929,
    "published split · LightGBM, hand-set (re-run)": 0.726,
    "time split 75/25 · LightGBM (re-run)": 0.708,
}
"""Areas under the curve that others reached (yardsticks, section 2)."""


def main() -> int:
    """Measure, print the table and write ``results/travelers.json``; 0 also where the data are absent."""
    folder = yardsticks() / "travelers"
    claims, ids = folder / "claims.csv", folder / "published_validation_ids.csv"
    if not claims.is_file():
        print(f"skipped: no claims at {claims}; set TOUCHSTONE_YARDSTICKS to the folder of outside data")
        return 0
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as home:
        ingested = ingest(Home(Path(home)), claims, MAPPING)
        rows = labelled_rows(ingested)
        held = np.asarray(rows.matrix.index.isin(listed(ingested, ids)))
    published = judge(rows.matrix, rows.labels, rows.weights, ~held)
    later = judge(rows.matrix, rows.labels, rows.weights, time_mask(rows.filed_at, 0.75))
    permuted = (np.random.default_rng(seed).permutation(rows.labels) for seed in range(3))
    shuffled = [judge(rows.matrix, labels, rows.weights, ~held).auc for labels in permuted]
    ours = {name: later.auc if name.startswith("time") else published.auc for name in PUBLISHED}
    table = Table("row", "theirs", "ours", "ours / theirs", title="Travelers claims: area under the curve", title_justify="left")
    for name, theirs in PUBLISHED.items():
        table.add_row(name, f"{theirs:.4f}", f"{ours[name]:.4f}", f"{ours[name] / theirs:.3f}")
    table.add_row("published split · shuffled labels, mean of 3", "0.5000", f"{np.mean(shuffled):.4f}", f"{np.mean(shuffled) / 0.5:.3f}")
    Console(width=110).print(table)
    counts = {"read": ingested.counts.read, "accepted": ingested.counts.accepted, "quarantined": ingested.counts.quarantined}
    metrics = {"auc_published_split": published.auc, "auc_time_split": later.auc, "auc_shuffled": float(np.mean(shuffled))}
    metrics |= {"ap_published_split": published.ap, "ap_time_split": later.ap, "ece_published_split": published.ece}
    result = {
        "ratios": {name: ours[name] / theirs for name, theirs in PUBLISHED.items()},
        "metrics": metrics,
        "rows": counts | {"judged_published_split": published.judged_on, "judged_time_split": later.judged_on},
        "tried": {"published_split": _tried(published), "time_split": _tried(later)},
        "auc_shuffled_each": shuffled,
        "seconds": round(time.perf_counter() - began, 1),
    }
    print(f"written: {record('travelers', result, ('lightgbm', 'numpy', 'pandas', 'scikit-learn')).name}")
    return 0


def _tried(judged: Judged) -> list[dict[str, object]]:
    """List every setting of the search inside the training rows, the chosen one first."""
    return [asdict(tried.hyperparameters) | {"cross_validated_auc": tried.auc, "rounds": tried.rounds} for tried in judged.tried]


if __name__ == "__main__":
    main()
