"""A furnished store for each test, copied from one that is made once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.serving.console.houses import House, furnish
from tests.serving.homes import Small, store_at


@pytest.fixture(scope="session")
def furnished(market: Small, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, datetime]:
    folder = tmp_path_factory.mktemp("furnished")
    with store_at(folder) as store:
        return folder, furnish(store, market)


@pytest.fixture
def house(market: Small, furnished: tuple[Path, datetime], tmp_path: Path) -> Iterator[House]:
    """To change as one likes."""
    shutil.copytree(furnished[0], tmp_path / "house")
    with store_at(tmp_path / "house") as store:
        yield House(market, store, furnished[1])


@pytest.fixture
def twin(market: Small, furnished: tuple[Path, datetime], tmp_path: Path) -> Iterator[House]:
    """Another one that is just like :func:`house`."""
    shutil.copytree(furnished[0], tmp_path / "twin")
    with store_at(tmp_path / "twin") as store:
        yield House(market, store, furnished[1])


@pytest.fixture(scope="module")
def shown(market: Small, furnished: tuple[Path, datetime], tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """To look at only."""
    folder = tmp_path_factory.mktemp("shown") / "house"
    shutil.copytree(furnished[0], folder)
    with store_at(folder) as store:
        yield House(market, store, furnished[1])
