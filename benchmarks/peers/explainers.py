"""Libraries that explain trees: milliseconds for one row and per row of a batch, and the distance to LightGBM's own values.

Arguments: library (``shap``, ``fasttreeshap``, ``woodelf``), model text, rows as ``.npy``.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import lightgbm as lgb
import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
ONE, MANY = 10, 500


def explain_shap(booster):
    """Use the reference implementation, in C."""
    import shap

    explainer = shap.TreeExplainer(booster)
    return lambda rows: _last(explainer.shap_values(rows))


def explain_fasttreeshap(booster):
    """Use Fast TreeSHAP, kept alive by a fork."""
    import fasttreeshap_fixed

    explainer = fasttreeshap_fixed.TreeExplainer(booster, algorithm="v1", n_jobs=1)
    return lambda rows: _last(explainer.shap_values(rows, check_additivity=False))


def explain_woodelf(booster):
    """Use trees as Boolean formulas, made for large batches."""
    import woodelf

    explainer, names = woodelf.WoodelfExplainer(booster, None), booster.feature_name()
    return lambda rows: _last(explainer.shap_values(pd.DataFrame(rows, columns=names)))


def _last(values):
    values = np.asarray(values)
    return values[-1] if values.ndim == 3 else values


def _milliseconds(call, times):
    call()
    spent = []
    for _ in range(times):
        begin = time.process_time()
        call()
        spent.append(1e3 * (time.process_time() - begin))
    return float(np.median(spent))


def main(library, model, table):
    """Measure one library."""
    booster, rows = lgb.Booster(model_file=model), np.load(table)
    explain = globals()[f"explain_{library}"](booster)
    slow = library == "woodelf"
    theirs = booster.predict(rows[:50], pred_contrib=True, num_threads=1)[:, :-1]
    found = {
        "one_row_ms": _milliseconds(lambda: explain(rows[:1]), 1 if slow else ONE),
        "batch_row_ms": _milliseconds(lambda: explain(rows[:MANY]), 1) / MANY,
        "distance": float(np.abs(explain(rows[:50]) - theirs).max()),
    }
    print("\n" + json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
