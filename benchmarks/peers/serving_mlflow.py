"""Writes the peer's model as MLflow models: with a signature of named columns, and with one of a tensor.

``serving_mlflow.py MODEL_TEXT ROWS_PARQUET FOLDER``: makes ``FOLDER/columns`` and ``FOLDER/tensor``, and beside each a file of
requests, one per line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import lightgbm
import mlflow.lightgbm
import numpy as np
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec


def main(text: Path, rows: Path, folder: Path) -> None:
    """Write both."""
    booster = lightgbm.Booster(model_file=text, params={"num_threads": 1})
    frame = pd.read_parquet(rows)
    numbers = frame.apply(lambda column: column.cat.codes if column.dtype == "category" else column).astype("float64")
    values = [[None if np.isnan(value) else value for value in row] for row in numbers.to_numpy().tolist()]
    signatures = {
        "columns": Schema([ColSpec("double", name) for name in numbers]),
        "tensor": Schema([TensorSpec(np.dtype("float64"), (-1, numbers.shape[1]))]),
    }
    for name, schema in signatures.items():
        mlflow.lightgbm.save_model(booster, folder / name, signature=ModelSignature(inputs=schema))
    split = [{"dataframe_split": {"columns": list(numbers), "data": [row]}} for row in values]
    # The tensor form has no missing values in JSON.
    tensor = [{"inputs": [[0.0 if value is None else value for value in row]]} for row in values]
    for name, asked in (("columns", split), ("tensor", tensor)):
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(one) for one in asked), encoding="utf-8")
    print(json.dumps({"rows": len(values), "features": numbers.shape[1]}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
