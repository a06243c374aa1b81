"""What an installation of the distribution brings, and what it must not collide with."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import distribution, distributions, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGES = ["data_contracts", "features", "models", "serving", "pipelines"]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_installed_distribution_ships_our_top_level_name(package: str) -> None:
    assert set(packages_distributions().get(package, ["touchstone"])) == {"touchstone"}


def test_the_console_script_is_installed() -> None:
    scripts = {point.name: point.value for point in distribution("touchstone").entry_points}
    assert scripts["touchstone"] == "pipelines.cli:main"


@pytest.mark.parametrize("slow", ["mlflow", "great_expectations", "lightgbm", "sklearn", "scipy.stats", "scipy.optimize"])
def test_importing_the_endpoint_loads_no_slow_library(slow: str) -> None:
    program = f"import sys, serving.app; sys.exit({slow!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(package: str) -> None:
    assert (Path(__file__).parents[1] / package / "py.typed").exists()


def test_the_lock_spells_every_extra_that_a_locked_distribution_asks_for() -> None:
    # pip's hash check takes `gql[requests]` for another package than the `gql` that the lock pins
    text = (Path(__file__).parents[1] / "requirements.lock").read_text()
    pins = [Requirement(line.split(";")[0].rstrip("\\ ")) for line in text.splitlines() if "==" in line and line[0].isalnum()]
    locked = {canonicalize_name(pin.name): pin.extras for pin in pins}
    missing = [
        f"{found.name} asks for {asked}"
        for found in distributions()
        if canonicalize_name(found.name) in locked
        for asked in map(Requirement, found.requires or [])
        if (asked.marker is None or asked.marker.evaluate({"extra": ""}))
        and not asked.extras <= locked.get(canonicalize_name(asked.name), set())
    ]
    assert not missing
