"""How a benchmark's result is kept: one JSON file per benchmark, with the versions and the machine it was made on."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def yardsticks() -> Path:
    """Return the folder of outside data (environment variable ``TOUCHSTONE_YARDSTICKS``, else beside the repository)."""
    return Path(os.environ.get("TOUCHSTONE_YARDSTICKS", Path(__file__).parents[2] / "shared" / "data"))


def record(name: str, result: dict[str, Any], packages: tuple[str, ...]) -> Path:
    """Write ``results/<name>.json``: what was measured, by what, on what."""
    versions = {"python": platform.python_version()} | {package: importlib.metadata.version(package) for package in packages}
    machine = {"cpus": os.cpu_count(), "architecture": platform.machine(), "system": platform.system()}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result | {"versions": versions, "machine": machine}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return path
