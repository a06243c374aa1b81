"""One small seeded data set that the tests of this package share: three classes, informative and idle columns, gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_contracts import LABELS
from models.inputs import Feature, Inputs

START = pd.Timestamp("2025-01-01", tz="UTC")


@dataclass(frozen=True)
class Sample:
    matrix: pd.DataFrame
    labels: np.ndarray
    claims: pd.DataFrame
    weights: np.ndarray
    inputs: Inputs
    truth: np.ndarray

    @property
    def train(self) -> np.ndarray:
        return np.arange(len(self.labels)) < 0.6 * len(self.labels)

    @property
    def stop(self) -> np.ndarray:
        return ~self.train & (np.arange(len(self.labels)) < 0.8 * len(self.labels))

    @property
    def later(self) -> np.ndarray:
        return ~self.train & ~self.stop


def sample(rows: int = 1200, seed: int = 0) -> Sample:
    """Rows in order of filing; ``risk`` raises abuse, ``proof`` lowers the unsubstantiated class, ``idle`` says nothing."""
    rng = np.random.default_rng(seed)
    risk, proof, idle = rng.normal(size=(3, rows))
    channel = rng.choice(["web", "app", "phone"], rows)
    margins = np.stack([np.zeros(rows), -1.0 - 1.2 * proof, -1.8 + 1.5 * risk + (channel == "phone")], axis=1)
    truth = np.exp(margins) / np.exp(margins).sum(axis=1, keepdims=True)
    labels = np.array(LABELS)[(truth.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(0, 2)]
    ids = pd.Index([f"C{i:05d}" for i in range(rows)], name="claim_id")
    matrix = pd.DataFrame({"risk": risk, "proof": np.where(rng.random(rows) < 0.1, np.nan, proof), "idle": idle}, index=ids)
    matrix["channel"] = pd.Categorical(channel)
    claims = pd.DataFrame(
        {
            "claim_id": ids,
            "customer_id": [f"U{i % (rows // 2)}" for i in range(rows)],
            "filed_at": (START + pd.to_timedelta(np.arange(rows), unit="h")).astype("datetime64[us, UTC]"),
            "kind": np.where(rng.random(rows) < 0.2, "injury", "property"),
            "amount_cents": np.clip(np.exp(rng.normal(10.2, 1.6, rows)), 100, 1e8).astype("int64"),
            "has_receipt": rng.random(rows) < 0.6,
            "has_dated_photo": rng.random(rows) < 0.6,
            "has_medical_record": rng.random(rows) < 0.1,
        }
    )
    inputs = Inputs(
        (
            Feature("risk", 1, "history", "{value} earlier claims", "earlier claims"),
            Feature("proof", 0, "evidence", "proof of loss"),
            Feature("idle", 0, "evidence", "nothing in particular"),
            Feature("channel", 0, "claim", "filed by an unusual way", "how it was filed", ("app", "phone", "web")),
        )
    )
    return Sample(matrix, labels, claims, np.ones(rows), inputs, truth)
