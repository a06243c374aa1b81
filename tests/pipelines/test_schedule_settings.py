"""Settings of the schedule: read once, from the environment, with errors that name the variable."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.engine import Engine
from pipelines.schedule_settings import ARRIVING, ENGINE, LABELS, MASTER, MEMORY, POLICY, START, WEBHOOK, ScheduleSettings
from tests.pipelines.conftest import Market

ROOT = Path(__file__).parents[2]


def test_without_variables_the_schedule_has_its_defaults(tmp_path: Path) -> None:
    found = ScheduleSettings.of({"TOUCHSTONE_HOME": str(tmp_path)})
    assert (found.webhook, found.policy, found.rules, found.carrier.engine) == ("", None, None, Engine.LOCAL)
    assert found.start == datetime(2025, 1, 1, tzinfo=UTC) and found.home.root == tmp_path


def test_every_variable_is_read(tmp_path: Path) -> None:
    named = {START: "2024-02-03", WEBHOOK: "https://chat.example/hook", ENGINE: "spark", MEMORY: "3GB", POLICY: "p.toml", LABELS: "50"}
    named |= {MASTER: "sc://cluster:15002", ARRIVING: "s3://bucket/arriving/"}
    found = ScheduleSettings.of({"TOUCHSTONE_HOME": str(tmp_path), **named})
    assert (found.start, found.webhook, found.retrain_labels, found.policy) == (
        datetime(2024, 2, 3, tzinfo=UTC), "https://chat.example/hook", 50, Path("p.toml")
    )  # fmt: skip
    assert (found.carrier.engine, found.carrier.memory, found.carrier.master) == (Engine.SPARK, 3 << 30, "sc://cluster:15002")
    assert found.arriving == "s3://bucket/arriving"


def test_a_simulated_marketplace_begins_with_its_first_undecided_day(small: Market) -> None:
    assert ScheduleSettings.of({"TOUCHSTONE_HOME": str(small.home.root)}).start == small.simulation.live_from


@pytest.mark.parametrize("name", [START, ENGINE, MEMORY, MASTER, LABELS])
def test_a_value_that_cannot_be_read_names_its_variable(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected"):
        ScheduleSettings.of({"TOUCHSTONE_HOME": str(tmp_path), name: "soon"})


def test_every_variable_is_documented() -> None:
    page = (ROOT / "docs" / "schedule.md").read_text(encoding="utf-8")
    source = (ROOT / "pipelines" / "schedule_settings.py").read_text(encoding="utf-8")
    names = {word for word in source.replace('"', " ").replace("`", " ").split() if word.startswith("TOUCHSTONE_")}
    assert len(names) >= 7
    assert not {name for name in names if f"`{name.strip(').,')}`" not in page}
