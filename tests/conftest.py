"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def yardsticks() -> Path:
    """The folder of outside data with published results; the test skips where it is absent."""
    folder = Path(os.environ.get("TOUCHSTONE_YARDSTICKS", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no outside data at {folder}; set TOUCHSTONE_YARDSTICKS to its folder")
    return folder
