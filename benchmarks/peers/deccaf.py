"""DeCCaF as published: a model of how each expert decides each case, and a batch assigned by CP-SAT under capacities.

Alves et al., *Cost-sensitive learning to defer to multiple experts with workload constraints*, TMLR 2024. One boosted model with the
expert as a categorical input predicts the joint outcome of truth and answer (true and false positives and negatives there; three by three
classes here), its size chosen on the later part of the experts' history. The assignment gives every case to exactly one agent and every
agent exactly as many cases as it takes; the model's automatic action is one of the agents.
"""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
from ortools.sat.python import cp_model
from sklearn.isotonic import IsotonicRegression

from data_contracts import LABELS

_OUTCOMES = len(LABELS) ** 2
_GRID = [(leaves, least) for leaves in (4, 8, 16) for least in (20, 60)]


def outcomes(inputs: np.ndarray, expert: np.ndarray, truth: np.ndarray, answer: np.ndarray, asked: np.ndarray, experts: int) -> np.ndarray:
    """Learn from answers, and predict P(truth, answer) of every expert on other cases.

    Parameters
    ----------
    inputs
        Features and model probabilities of the answered cases, in the order of time, shape (answers, inputs).
    expert, truth, answer
        Of each answer, shape (answers,).
    asked
        Inputs of the cases asked about, shape (cases, inputs).
    experts
        How many there are.

    Returns
    -------
    ndarray
        Shape (cases, experts, 3 truths, 3 answers); each outcome calibrated by isotonic regression on the validation part, as published.
    """
    rows, label = np.column_stack([inputs, expert]), truth * len(LABELS) + answer
    cut = len(rows) * 3 // 4
    model = min(
        (_grown(rows, label, cut, leaves, least) for leaves, least in _GRID), key=lambda m: m.best_score["valid_0"]["multi_logloss"]
    )
    held = model.predict(rows[cut:])
    maps = [IsotonicRegression(out_of_bounds="clip").fit(held[:, k], label[cut:] == k) for k in range(_OUTCOMES)]
    found = np.empty((len(asked), experts, _OUTCOMES))
    for who in range(experts):
        raw = model.predict(np.column_stack([asked, np.full(len(asked), who)]))
        found[:, who] = np.column_stack([maps[k].predict(raw[:, k]) for k in range(_OUTCOMES)])
    return found.reshape(len(asked), experts, len(LABELS), len(LABELS))


def _grown(rows: np.ndarray, label: np.ndarray, cut: int, leaves: int, least: int) -> lgb.Booster:
    settings = {
        "objective": "multiclass",
        "num_class": _OUTCOMES,
        "num_leaves": leaves,
        "min_data_in_leaf": least,
        "learning_rate": 0.05,
        "feature_fraction": 0.7,
        "seed": 0,
        "num_threads": 1,
        "verbose": -1,
    }
    grow = lgb.Dataset(rows[:cut], label[:cut], categorical_feature=[rows.shape[1] - 1], free_raw_data=False)
    stop = grow.create_valid(rows[cut:], label[cut:])
    return lgb.train(settings, grow, 300, valid_sets=[stop], callbacks=[lgb.early_stopping(20, verbose=False)])


def assign(costs: np.ndarray, capacity: np.ndarray, seconds: float = 60.0) -> np.ndarray:
    """Assign a batch at least cost by CP-SAT.

    Parameters
    ----------
    costs
        Expected cost of each case with each agent, shape (cases, agents), cents.
    capacity
        Cases each agent takes, shape (agents,); they must sum to the cases.
    seconds
        Longest search.

    Returns
    -------
    ndarray
        The agent of each case.

    Raises
    ------
    RuntimeError
        If nothing was found in time.
    """
    model = cp_model.CpModel()
    whole = np.rint(costs).astype(np.int64)
    cases, agents = costs.shape
    x = [[model.new_bool_var("") for _ in range(agents)] for _ in range(cases)]
    for row in x:
        model.add_exactly_one(row)
    for agent in range(agents):
        model.add(sum(row[agent] for row in x) == int(capacity[agent]))
    model.minimize(cp_model.LinearExpr.weighted_sum([v for row in x for v in row], whole.ravel().tolist()))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.num_workers = 1
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        raise RuntimeError(f"CP-SAT: expected an assignment of {cases} cases within {seconds:.0f} s, found none")
    return np.array([next(agent for agent in range(agents) if solver.boolean_value(row[agent])) for row in x])
