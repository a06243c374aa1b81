"""One claim scored, explained and decided: exact contributions beside LightGBM's own, other libraries, and the whole road by stage.

A model of 3 × 500 trees with 63 leaves over the 136 columns of the catalogue is split evenly over the two questions of our classifier; only
the first enters the reasons. Times are processor time of one thread, medians over rows that are all different. LightGBM and ours take
turns; every value is compared. Other libraries run in an environment of their own on the trees of the first question.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from benchmarks._peers import PeerError, environment, run
from benchmarks._record import record
from features.catalog import CATALOG
from models.bundle import Bundle
from models.calibration_maps import Calibration
from models.classifier import Classifier, Node
from models.inputs import Inputs
from models.policy import default_policy
from models.reference import Reference
from models.review import Capacity
from models.rules import example_rules
from models.scorer import Scorer, score_claims
from models.tree_forest import margins
from models.tree_shap import contributions

TREES, LEAVES, ROWS, LEARNT, TURNS, THEIRS = 1500, 63, 10_000, 20_000, 300, 500
"""Trees in all, leaves of each, rows of the batch, rows learnt from, turns of one row, rows of LightGBM's batch (it is slow)."""

AT = datetime(2026, 1, 1, tzinfo=UTC)
ROOM = Capacity(desk=10, investigations=1)
PEERS = ("shap", "fasttreeshap", "woodelf")


def main(trees: int = TREES, rows: int = ROWS, turns: int = TURNS, theirs: int = THEIRS) -> int:
    """Grow, measure, compare, print and write ``results/reasons.json``; 1 if a value differs from LightGBM's."""
    matrix = table(max(rows, LEARNT))
    classifier = grown(matrix[:LEARNT], trees // 2)
    values = classifier.inputs.encode(matrix)
    nodes = classifier.abusive, classifier.unsubstantiated
    begin = time.process_time()
    _ = [node.paths for node in nodes]
    metrics: dict[str, float] = {"seconds_to_read_the_trees": time.process_time() - begin}
    metrics["megabytes"] = (
        sum(array.nbytes for node in nodes for array in (*node.forest, *node.paths) if isinstance(array, np.ndarray)) / 1e6
    )
    alone, many = one_row(nodes, values, turns), many_rows(nodes, values[:rows], theirs)
    steps = road(classifier, matrix, values, turns)
    metrics |= {row["what"]: row["median_ms"] for row in alone} | many
    stages = {row["what"]: 1e3 * row["median_ms"] for row in steps}
    result = {
        "metrics": metrics | {"decision_ms": stages["decided with reasons and rules"] / 1e3},
        "ratios": {
            "contributions_one_row_vs_lightgbm": metrics["lightgbm_contributions_ms"] / metrics["contributions_ms"],
            "contributions_batch_vs_lightgbm": metrics["lightgbm_contributions_batch_row_ms"] / metrics["contributions_batch_row_ms"],
            "margins_one_row_vs_lightgbm": metrics["lightgbm_margins_ms"] / metrics["margins_ms"],
            "margins_batch_vs_lightgbm": metrics["lightgbm_margins_batch_row_ms"] / metrics["margins_batch_row_ms"],
        },
        "stages_us": stages,
        "rows": [*alone, *steps, *({"what": name, "ms": value} for name, value in many.items() if name.endswith("_ms"))],
        "libraries": libraries(nodes[0], values[:1000]),
        "model": {"trees": trees, "leaves": LEAVES, "columns": len(CATALOG)},
    }
    _print(result)
    record("reasons", result, ("lightgbm", "numba", "numpy", "pandas", "duckdb", "pydantic"))
    return int(metrics["largest_distance"] > 1e-9 or metrics["margins_that_differ"] > 0)


def table(rows: int) -> pd.DataFrame:
    """Return feature rows under the catalogue's names: measures, counts and flags, a tenth of them missing."""
    rng = np.random.default_rng(0)
    names = [feature.name for feature in CATALOG]
    values = rng.normal(size=(rows, len(names)))
    third = len(names) // 3
    values[:, third : 2 * third] = np.floor(np.exp(values[:, third : 2 * third]))
    values[rng.random(values.shape) < 0.1] = np.nan
    values[:, 2 * third :] = values[:, 2 * third :] > 0
    return pd.DataFrame(values, columns=names, index=pd.Index([f"C{i}" for i in range(rows)], name="claim_id"))


def grown(matrix: pd.DataFrame, trees: int) -> Classifier:
    """Grow both questions on made-up answers: their size matters here, not what they know."""
    rng = np.random.default_rng(1)
    inputs = Inputs.of(matrix, CATALOG)
    known = np.nan_to_num(matrix.to_numpy())
    score = 0.3 * known[:, :20].sum(axis=1) + 0.2 * known[:, 50] * known[:, 3] + 0.3 * known[:, 110] * known[:, 60]
    settings = {"objective": "binary", "num_leaves": LEAVES, "learning_rate": 0.03, "feature_fraction": 0.4, "lambda_l2": 5.0}
    nodes = []
    for seed in (0, 1):
        answer = (score + rng.logistic(size=len(score)) > 2.0).astype(float)
        parameters = settings | {"num_threads": 1, "verbosity": -1, "seed": seed}
        booster = lgb.train(parameters, lgb.Dataset(known * np.where(matrix.isna(), np.nan, 1.0), answer, params=parameters), trees)
        nodes.append(Node(booster.model_to_string(), trees))
    return Classifier(inputs, *nodes)


def one_row(nodes: tuple[Node, Node], values: np.ndarray, turns: int) -> list[dict[str, Any]]:
    """Take turns with LightGBM, row by row, over all trees."""
    first = nodes[0]
    return _by_turns(
        {
            "contributions_ms": lambda i: [contributions(node.forest, node.paths, values[i : i + 1]) for node in nodes],
            "contributions_of_abuse_ms": lambda i: contributions(first.forest, first.paths, values[i : i + 1]),
            "margins_ms": lambda i: [margins(node.forest, values[i : i + 1]) for node in nodes],
            "lightgbm_contributions_ms": lambda i: [lightgbm(node, values[i : i + 1], pred_contrib=True) for node in nodes],
            "lightgbm_margins_ms": lambda i: [lightgbm(node, values[i : i + 1], raw_score=True) for node in nodes],
        },
        turns,
    )


def many_rows(nodes: tuple[Node, Node], values: np.ndarray, theirs: int) -> dict[str, float]:
    """Explain and score a batch, LightGBM explaining a part of it; return milliseconds per row and how far the answers differ."""
    found = {f"{whose}{what}_batch_row_ms": 0.0 for whose in ("", "lightgbm_") for what in ("contributions", "margins")}
    distances, differ = [], 0
    for node in nodes:
        ours, found["contributions_batch_row_ms"] = _added(
            found["contributions_batch_row_ms"], contributions, node.forest, node.paths, values
        )
        exact, found["lightgbm_contributions_batch_row_ms"] = _added(
            found["lightgbm_contributions_batch_row_ms"], partial(lightgbm, pred_contrib=True), node, values[:theirs]
        )
        scored, found["margins_batch_row_ms"] = _added(found["margins_batch_row_ms"], margins, node.forest, values)
        known, found["lightgbm_margins_batch_row_ms"] = _added(
            found["lightgbm_margins_batch_row_ms"], partial(lightgbm, raw_score=True), node, values
        )
        distances.append(float(np.abs(ours[:theirs] - exact[:, :-1]).max()))
        differ += int((scored != known).sum())
    compared = {
        "rows": len(values),
        "rows_explained_by_lightgbm": theirs,
        "largest_distance": max(distances),
        "margins_that_differ": differ,
    }
    return found | compared


def _added(before: float, call: Callable[..., np.ndarray], *arguments: Any) -> tuple[np.ndarray, float]:
    """Return the answer, and the milliseconds per row on top of those before; the rows are the last argument."""
    begin = time.process_time()
    answer = call(*arguments)
    return answer, before + 1e3 * (time.process_time() - begin) / len(arguments[-1])


def lightgbm(node: Node, rows: np.ndarray, **what: bool) -> np.ndarray:
    """Ask the library itself, with one thread."""
    return np.asarray(node.booster.predict(rows, num_threads=1, **what))


def road(classifier: Classifier, matrix: pd.DataFrame, values: np.ndarray, turns: int) -> list[dict[str, Any]]:
    """Measure the whole road for one claim, and its parts; the frame of one claim beside it."""
    usual = Reference.of(matrix, np.ones(len(matrix)), classifier.inputs)
    bundle = Bundle(classifier, Calibration("nested", (1.1, 0.9), (0.1, -0.1)), "0" * 64, reference=usual)
    policy, rules = default_policy(), example_rules([feature.name for feature in CATALOG])
    plain, ruled = Scorer(bundle, policy), Scorer(bundle, policy, rules)
    claims = [
        {"claim_id": name, "amount_cents": 40_000 + i, "kind": "property", "has_receipt": i % 2 == 0} for i, name in enumerate(matrix.index)
    ]

    def framed(i: int) -> Any:
        frame = pd.DataFrame([claims[i]])
        return score_claims(bundle, policy, matrix.iloc[i : i + 1], frame, np.array([True]), ROOM, AT, rules=rules)

    calls = {
        "probabilities": lambda i: bundle.calibration.proba(classifier.scores(values[i : i + 1])),
        "contributions": lambda i: classifier.explained(values[i : i + 1]),
        "decided without reasons": lambda i: plain.score_one(values[i], claims[i], True, ROOM, AT, explain=False),
        "decided with reasons": lambda i: plain.score_one(values[i], claims[i], True, ROOM, AT),
        "decided with reasons and rules": lambda i: ruled.score_one(values[i], claims[i], True, ROOM, AT),
        "a frame of one claim": framed,
    }
    return _by_turns(calls, turns)


def libraries(node: Node, values: np.ndarray) -> dict[str, Any]:
    """Ask other libraries about the same trees and rows; one that cannot be installed or breaks is named with its reason."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        model, rows = Path(folder) / "model.txt", Path(folder) / "rows.npy"
        node.booster.save_model(model)
        np.save(rows, values)
        for library in PEERS:
            try:
                found[library] = run("explainers", library, str(model), str(rows), python=environment("explainers"))
            except PeerError as error:
                found[library] = {"skipped": str(error)}
    return found


def _by_turns(calls: Mapping[str, Callable[[int], Any]], turns: int) -> list[dict[str, Any]]:
    """Let calls take turns, a row each; return the milliseconds of each without its first turn: the median, and those of one in ten."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(turns + 1):
        for name, call in calls.items():
            begin = time.thread_time()
            call(turn)
            spent[name].append(1e3 * (time.thread_time() - begin))
    quantiles = {name: [float(value) for value in np.quantile(times[1:], (0.5, 0.1, 0.9))] for name, times in spent.items()}
    return [
        {"what": name, "median_ms": mid, "low_ms": low, "high_ms": high, "turns": turns} for name, (mid, low, high) in quantiles.items()
    ]


def _print(result: dict[str, Any]) -> None:
    shown = Table(title="One claim scored, explained and decided", title_justify="left")
    shown.add_column("what")
    shown.add_column("value", justify="right")
    for part in ("metrics", "ratios"):
        for name, value in result[part].items():
            shown.add_row(name.replace("_", " "), f"{value:,.3g}" if isinstance(value, float) else f"{value:,}")
    for name, value in result["stages_us"].items():
        shown.add_row(f"µs, {name}", f"{value:,.0f}")
    for library, found in result["libraries"].items():
        shown.add_row(
            library, ", ".join(f"{name} {value:.3g}" if isinstance(value, float) else str(value) for name, value in found.items())
        )
    Console(width=120).print(shown)
