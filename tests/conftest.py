"""What every test may ask for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.postgres import Server, running

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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server for the tests of this process."""
    with running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store: what asks for it is run on both databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite'}"
    server: Server = request.getfixturevalue("postgres")
    return server.database()
