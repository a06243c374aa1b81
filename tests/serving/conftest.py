"""What several tests of serving ask for."""

from __future__ import annotations

import pytest

from tests.serving.homes import Small, small


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return small(tmp_path_factory.mktemp("home"))
