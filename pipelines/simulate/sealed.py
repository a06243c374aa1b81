"""The hidden truth: the only reader and writer of ``sealed/``.

Who may import this module is limited by a test: the simulator itself, the simulated experts and parties, and the evaluation.
Nothing that decides may look.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

TRUTH, WORLD = "truth", "world"


def write_sealed(home: Path, truth: pd.DataFrame, world: pd.DataFrame) -> None:
    """Write ``sealed/truth.parquet`` and ``sealed/world.parquet``, each at once or not at all."""
    for name, frame in ((TRUTH, truth), (WORLD, world)):
        write_atomically(frame, home / "sealed" / f"{name}.parquet")


def read_truth(home: Path) -> pd.DataFrame:
    """Return the truth: ``claim_id, truth, scheme, entity, is_defect_burst, loss_cents, harm_cents``.

    Raises
    ------
    FileNotFoundError
        If the home holds no simulated marketplace.
    """
    return _read(home, TRUTH)


def read_world(home: Path) -> pd.DataFrame:
    """Return the potential behaviour of all counterparties (see :mod:`pipelines.simulate.world`), one row per claim.

    Raises
    ------
    FileNotFoundError
        If the home holds no simulated marketplace.
    """
    return _read(home, WORLD)


def write_atomically(frame: pd.DataFrame, path: Path) -> None:
    """Write a Parquet file under a temporary name beside its place, then rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".writing")
    frame.to_parquet(draft, index=False)
    draft.replace(path)


def _read(home: Path, name: str) -> pd.DataFrame:
    path = home / "sealed" / f"{name}.parquet"
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected the sealed {name} of a simulated marketplace; run `touchstone simulate` first")
    return pd.read_parquet(path)
