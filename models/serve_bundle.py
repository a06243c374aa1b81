"""The loader that MLflow's pyfunc flavour calls: a bundle folder → something with ``predict``.

Named in the model's ``MLmodel`` file as its loader module, so that ``mlflow models serve`` needs no pickled code, only an
environment in which this project is installed. Imports nothing of MLflow.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from models.bundle import Bundle, load
from models.scorer import probabilities


@dataclass(frozen=True)
class ServedBundle:
    """A bundle behind the interface that MLflow expects."""

    bundle: Bundle

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return ``p_valid``, ``p_unsubstantiated`` and ``p_abusive`` of feature rows; there are no parameters."""
        del params
        return probabilities(self.bundle, model_input)


def _load_pyfunc(path: str) -> ServedBundle:
    """Load the bundle that MLflow stored; the name is MLflow's."""
    return ServedBundle(load(Path(path)))
