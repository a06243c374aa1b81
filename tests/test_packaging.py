"""What an installation of the distribution brings, and what it must not collide with."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import distribution, packages_distributions

import pytest

PACKAGES = ["data_contracts", "features", "models", "serving", "pipelines"]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_installed_distribution_ships_our_top_level_name(package: str) -> None:
    assert set(packages_distributions().get(package, ["touchstone"])) == {"touchstone"}


def test_the_console_script_is_installed() -> None:
    scripts = {point.name: point.value for point in distribution("touchstone").entry_points}
    assert scripts["touchstone"] == "pipelines.cli:main"


@pytest.mark.parametrize("slow", ["mlflow", "great_expectations"])
def test_importing_the_endpoint_loads_no_slow_library(slow: str) -> None:
    program = f"import sys, serving.app; sys.exit({slow!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(package: str) -> None:
    from pathlib import Path

    assert (Path(__file__).parents[1] / package / "py.typed").exists()
