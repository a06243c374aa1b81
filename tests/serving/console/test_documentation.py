"""The page on the console says what the code does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from pipelines.cli_users import Deed
from serving.console.do_sign import BURST_SECONDS, PER_ADDRESS, PER_NAME
from serving.console.roles import Role
from serving.console.sessions import ABSOLUTE, IDLE
from serving.console.users import LONGEST, SHORTEST
from serving.instants import SECOND
from serving.settings import PREFIX, Settings

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "console.md").read_text(encoding="utf-8")


def test_roles_settings_deeds_and_pictures_are_those_that_there_are() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == {role.value for role in Role}
    assert set(re.findall(rf"{PREFIX}([A-Z_]+)", PAGE)) <= {field.name.upper() for field in fields(Settings)}
    assert set(re.findall(r"touchstone users (\w+)", PAGE)) <= set(Deed.__args__)  # type: ignore[attr-defined]
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", PAGE)
    assert len(shown) == len({path.name for path in DOCS.glob("console-*.png")} & set(shown)) > 3
    assert all((DOCS / name).stat().st_size < 200_000 for name in shown)


def test_its_figures_are_the_constants() -> None:
    assert f"after {IDLE // SECOND // 60} minutes without a request and after {ABSOLUTE // SECOND // 3600} hours" in PAGE
    assert f"{SHORTEST} to {LONGEST} characters" in PAGE
    assert (round(PER_NAME * BURST_SECONDS), round(1 / PER_NAME), round(PER_ADDRESS * BURST_SECONDS)) == (10, 30, 100)
    lines = (DOCS.parent / "serving" / "console" / "static" / "console.js").read_text(encoding="utf-8").count("\n")
    assert f"{lines} lines of script" in PAGE
