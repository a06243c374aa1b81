"""The threat model is true: every test it names exists, and so does every setting and route in the page on serving."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from serving.auth import Scope
from serving.doors import DOORS
from serving.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
THREATS = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
SERVING = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", THREATS)
    assert len(named) > 20
    lost = [(path, test) for path, test in named if f"def {test}" not in ((ROOT / path).read_text(encoding="utf-8") if test else "def ")]
    lost += [(path, "") for path, _ in named if not (ROOT / path).is_file()]
    assert not lost


def test_every_kind_of_threat_is_looked_at() -> None:
    kinds = ("Spoofing", "Tampering", "Repudiation", "Information disclosure", "Denial of service", "Elevation of privilege")
    assert all(f"**{kind}**" in THREATS for kind in kinds)


def test_the_page_on_serving_names_every_setting_route_and_scope_and_no_other_setting() -> None:
    names = {PREFIX + field.name.upper() for field in fields(Settings)}
    assert set(re.findall(rf"{PREFIX}[A-Z_]+[A-Z]", SERVING)) == names
    assert all(door.path in SERVING for door in DOORS) and all(f"`{scope.value}`" in SERVING for scope in Scope)
