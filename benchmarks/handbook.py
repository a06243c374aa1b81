"""Card transactions with customer and terminal histories: our classifier beside the published ones, by the book's protocol.

*Same inputs* are the book's 15; *own features* are windows of our language on the same log. Both rows choose their setting
on the validation folds from one declared space and are scored on the test folds once. Beside them stand two checks, on
validation folds: labels shuffled must teach nothing, and labels known without delay must show how a leak would look.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks._handbook_features import HANDBOOK, book, load
from benchmarks._handbook_own import own_features
from benchmarks._handbook_protocol import TEST_STARTS, VALIDATION_STARTS, Fold, fold, most_cards
from benchmarks._handbook_search import BAG_SEEDS, METRICS, SEARCH_SEEDS, Measured, chosen, drawn, measure
from benchmarks._record import record, yardsticks
from features.matrix import build_matrix

PUBLISHED: dict[str, tuple[float, float, float]] = {
    "logistic regression": (0.868, 0.623, 0.297),
    "random forest": (0.870, 0.678, 0.299),
    "XGBoost": (0.869, 0.687, 0.303),
    "MLP": (0.876, 0.675, 0.303),
    "LSTM": (0.876, 0.665, 0.297),
    "LightGBM, all defaults (re-run)": (0.852, 0.599, 0.272),
    "LightGBM, depth 3, 4095 bins (re-run)": (0.871, 0.689, 0.306),
}
"""Mean AUC, average precision and Card Precision@100 that others reached on the test folds (yardsticks, section 1)."""


def main() -> int:
    """Choose, measure, print the tables and write ``results/handbook.json``; 0 also where the data are absent."""
    folder = yardsticks()
    if not (folder / "handbook" / "transactions.parquet").is_file():
        print(f"skipped: no transactions at {folder / 'handbook'}; set TOUCHSTONE_YARDSTICKS to the folder of outside data")
        return 0
    began = time.perf_counter()
    log = load(folder)
    validation = [fold(log, start) for start in VALIDATION_STARTS]
    test = [fold(log, start) for start in TEST_STARTS]
    asked = np.zeros(len(log), dtype=bool)
    asked[np.concatenate([part for each in (*validation, *test) for part in (each.train, each.judge)])] = True
    matrices = {"same": same_inputs(log, asked), "own": own_features(log, asked)}
    print(f"   features: {', '.join(f'{name} {matrix.shape[1]}' for name, matrix in matrices.items())}", flush=True)
    rows = {name: _row(name, matrix, log, validation, test) for name, matrix in matrices.items()}
    checks = _checks(log, asked, matrices["own"], validation, rows["own"]["chosen"])
    _print(rows, checks)
    metrics = {f"{name}_{metric}": row["test"].mean(metric) for name, row in rows.items() for metric in METRICS}
    result = {
        "metrics": metrics,
        "ratios": {f"{name}_ap_vs_published_best": metrics[f"{name}_ap"] / max(p[1] for p in PUBLISHED.values()) for name in rows},
        "rows": {name: _json(row) for name, row in rows.items()},
        "checks": {name: measured.to_json() for name, measured in checks.items()},
        "published": {name: dict(zip(METRICS, figures, strict=True)) for name, figures in PUBLISHED.items()},
        "cp100_of_perfect_scores": {
            "validation": float(np.mean([most_cards(log, each.judge) for each in validation])),
            "test": float(np.mean([most_cards(log, each.judge) for each in test])),
        },
        "seconds": round(time.perf_counter() - began, 1),
    }
    print(f"written: {record('handbook', result, ('lightgbm', 'numpy', 'pandas', 'scikit-learn')).name}")
    return 0


def same_inputs(log: pd.DataFrame, asked: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """Return the book's 15 inputs, one row for each transaction asked about, its position in the log as index."""
    probes = log[asked]
    inputs = book(build_matrix({"claims": log}, probes, HANDBOOK))
    return pd.DataFrame({"TX_AMOUNT": probes["amount_cents"] / 100} | inputs, index=probes.index)


def _row(name: str, matrix: pd.DataFrame, log: pd.DataFrame, validation: list[Fold], test: list[Fold]) -> dict[str, Any]:
    """Try every drawn setting on the validation folds, and the best one, averaged over seeds, on the test folds."""
    tried = []
    for setting in drawn():
        tried.append(measure(matrix, log, validation, setting, SEARCH_SEEDS))
        print(f"   {name}: setting {len(tried)}, validation AP {tried[-1].ap:.4f}", flush=True)
    best = chosen(tried).setting
    return {
        "features": list(matrix.columns),
        "tried": tried,
        "chosen": best,
        "validation": measure(matrix, log, validation, best, BAG_SEEDS),
        "test": measure(matrix, log, test, best, BAG_SEEDS),
    }


def _checks(
    log: pd.DataFrame, asked: npt.NDArray[np.bool_], own: pd.DataFrame, validation: list[Fold], setting: Any
) -> dict[str, Measured]:
    """Learn from shuffled labels, and with labels known at once; both on validation folds only."""
    shuffled = np.random.default_rng(0).permutation(log["fraud"].to_numpy(dtype=bool))
    return {
        "shuffled_labels": measure(own, log, validation, setting, SEARCH_SEEDS, shuffled),
        "labels_known_at_once": measure(own_features(log, asked, delay_days=0), log, validation, setting, SEARCH_SEEDS),
    }


def _json(row: dict[str, Any]) -> dict[str, Any]:
    found = {part: row[part].to_json() for part in ("validation", "test")}
    for part, figures in found.items():
        figures["deviation_of_seeds"] = {metric: row[part].deviation_of_seeds(metric) for metric in METRICS}
    return {"features": row["features"], "tried": [tried.to_json() for tried in row["tried"]], **found}


def _print(rows: dict[str, dict[str, Any]], checks: dict[str, Measured]) -> None:
    console = Console(width=130)
    tried = Table(title="Tried on the validation folds (mean of four; one seed)", title_justify="left")
    for column in ("row", "depth", "hessian", "columns", "rows", "l2", "rate", "trees", "from average", "AUC", "AP", "CP@100"):
        tried.add_column(column, justify="right")
    for name, row in rows.items():
        for one in sorted(row["tried"], key=lambda measured: -measured.ap):
            s = one.setting
            how = (s.max_depth, s.min_sum_hessian_in_leaf, s.feature_fraction, s.bagging_fraction, s.lambda_l2, s.learning_rate)
            words = (*map(str, how), str(s.unstopped_rounds), "yes" if s.boost_from_average else "no")
            tried.add_row(name, *words, *(f"{one.mean(metric):.4f}" for metric in METRICS))
    console.print(tried)
    table = Table(title="Card transactions, mean of four folds ± standard error over folds", title_justify="left")
    for column in ("row", "folds", "AUC", "AP", "CP@100"):
        table.add_column(column, justify="left" if column in ("row", "folds") else "right")
    for name, figures in PUBLISHED.items():
        table.add_row(name, "test", *(f"{figure:.3f}" for figure in figures))
    titles = {"same": "ours, same inputs", "own": "ours, own features"}
    measured = [(titles[name], part, row[part]) for part in ("test", "validation") for name, row in rows.items()]
    measured += [(f"check: {name.replace('_', ' ')}", "validation", found) for name, found in checks.items()]
    for name, part, found in measured:
        table.add_row(name, part, *(f"{found.mean(metric):.3f} ± {found.standard_error(metric):.3f}" for metric in METRICS))
    console.print(table)
    for name, row in rows.items():
        scatter = ", ".join(f"{metric} {row['test'].deviation_of_seeds(metric):.4f}" for metric in METRICS)
        print(f"{titles[name]}: one booster alone scatters from seed to seed by {scatter} (standard deviation, test folds)")


if __name__ == "__main__":
    main()
