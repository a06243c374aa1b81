"""The audit fails for a known vulnerability and for nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.audit import main

GOOD = {"name": "good", "version": "1", "vulns": []}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1"}]}
SKIPPED = {"name": "skipped", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([GOOD, SKIPPED], 0, "1 of 2 packages; 1 could not be asked about"),
        ([GOOD, BAD, SKIPPED], 1, "bad 2: PYSEC-1"),
        ([SKIPPED], 0, "nobody could be asked"),
        (None, 0, "nobody could be asked"),
    ],
)
def test_only_a_known_vulnerability_fails(tmp_path: Path, capsys: Any, packages: Any, code: int, words: str) -> None:
    path = tmp_path / "audit.json"
    if packages is not None:
        path.write_text(json.dumps({"dependencies": packages, "fixes": []}))
    assert main(path) == code and words in capsys.readouterr().out
