"""What the definitions promise: assets, partitions, retries, freshness, and that nothing else loads Dagster."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest

from pipelines.home import Home
from pipelines.schedule import definitions, instance_folder
from pipelines.schedule_assets import HOURLY, LEARNING, NIGHTLY, assets_of
from pipelines.schedule_settings import ScheduleSettings

GROUPS = {
    NIGHTLY: ["tables", "features", "decisions", "queue", "resolutions", "monitoring"],
    HOURLY: ["hourly_tables", "hourly_decisions"],
    LEARNING: ["challenger"],
}


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> ScheduleSettings:
    return ScheduleSettings(Home(tmp_path_factory.mktemp("schedule")))


def test_every_asset_is_in_its_group_with_its_partitions_and_is_tried_three_times(chosen: ScheduleSettings) -> None:
    found: dict[str, list[str]] = {}
    for asset in assets_of(chosen):
        (group,) = set(asset.group_names_by_key.values())
        found.setdefault(group, []).append(asset.key.path[0])
        policy = asset.op.retry_policy
        assert policy is not None and policy.max_retries == 2 and policy.delay == 60
        kind = {NIGHTLY: dg.DailyPartitionsDefinition, HOURLY: dg.HourlyPartitionsDefinition, LEARNING: type(None)}[group]
        assert isinstance(asset.partitions_def, kind)
        assert (next(iter(asset.specs)).freshness_policy is not None) == (group == NIGHTLY)
    assert found == GROUPS


def test_the_steps_of_a_night_follow_one_another(chosen: ScheduleSettings) -> None:
    graph = definitions(chosen).resolve_asset_graph()
    names = GROUPS[NIGHTLY]
    for earlier, later in pairwise(names):
        assert graph.get(dg.AssetKey(later)).parent_keys == {dg.AssetKey(earlier)}


def test_definitions_are_whole_and_nothing_runs_in_them_but_what_is_asked_for(chosen: ScheduleSettings) -> None:
    found = definitions(chosen)
    dg.Definitions.validate_loadable(found)
    assert {schedule.name: schedule.default_status.value for schedule in found.schedules or ()} == {
        "nightly_schedule": "RUNNING", "hourly_schedule": "STOPPED"
    }  # fmt: skip
    assert {sensor.name for sensor in found.sensors or ()} == {"failure_alert", "retraining"}


def test_the_instance_tells_nobody_anything_and_runs_one_night_at_a_time(tmp_path: Path) -> None:
    folder = instance_folder(Home(tmp_path))
    text = (folder / "dagster.yaml").read_text()
    assert {file.name for file in folder.rglob("*.db")} == {"runs.db", "index.db", "schedules.db"}  # before two processes want them
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        assert not instance.telemetry_enabled and instance.run_retries_enabled and instance.run_monitoring_enabled
        limits = instance.get_concurrency_config().run_queue_config
        assert limits is not None and limits.max_concurrent_runs == 1
    (folder / "dagster.yaml").write_text(text + "# mine\n")
    assert (instance_folder(Home(tmp_path)) / "dagster.yaml").read_text().endswith("# mine\n")


def test_the_command_line_is_there_without_dagster_loaded() -> None:
    code = "import sys, pipelines.cli, pipelines.schedule_steps, pipelines.manifest; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_process_of_a_run_begins_without_the_libraries_of_pages_and_training() -> None:
    code = "import sys, pipelines.schedule; sys.exit(' '.join({'sklearn', 'matplotlib', 'lightgbm', 'mlflow'} & set(sys.modules)) or 0)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
