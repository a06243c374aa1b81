"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]

# The same examples on every run, and no clock among the judges: a busy machine breaks no law.
settings.register_profile("touchstone", deadline=None, derandomize=True)
settings.load_profile("touchstone")


@pytest.fixture(scope="session")
def yardsticks() -> Path:
    """The folder of outside data with published results; the test skips where it is absent."""
    folder = Path(os.environ.get("TOUCHSTONE_YARDSTICKS", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no outside data at {folder}; set TOUCHSTONE_YARDSTICKS to its folder")
    return folder
