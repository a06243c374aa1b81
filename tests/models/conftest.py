"""One small trained model for all tests of this package."""

from __future__ import annotations

import pandas as pd
import pytest

from models.classifier import Hyperparameters
from models.settings import TrainingSettings
from models.training import Trained, train
from tests.models.synthetic import START, Sample, sample

SETTINGS = TrainingSettings(hyperparameters=Hyperparameters(max_rounds=60, learning_rate=0.1, patience=15))


def known_of(data: Sample) -> pd.DataFrame:
    """Every label, known at once."""
    frame = data.claims[["claim_id"]].assign(label=data.labels, source="desk", weight=data.weights)
    return frame.assign(known_at=data.claims["filed_at"] + pd.Timedelta(days=5))


def train_on(data: Sample) -> Trained:
    return train(
        data.matrix,
        data.claims,
        known_of(data),
        START + pd.Timedelta(days=365),
        "c" * 64,
        data.inputs.features,
        SETTINGS,
        "d" * 64,
    )


@pytest.fixture(scope="session")
def data() -> Sample:
    return sample()


@pytest.fixture(scope="session")
def trained(data: Sample) -> Trained:
    return train_on(data)
