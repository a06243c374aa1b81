"""The Dagster definitions, and ``touchstone schedule``: the web server and the daemon of an installation.

Loaded as ``dagster … -m pipelines.schedule``; nothing else imports Dagster, so that every other command does without it.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg

from pipelines.home import VARIABLE, Home
from pipelines.replacing import replacing
from pipelines.schedule_alerts import failure_alert, retraining
from pipelines.schedule_assets import HOURLY, LEARNING, NIGHTLY, assets_of
from pipelines.schedule_checks import checks_of
from pipelines.schedule_settings import ScheduleSettings

_INSTANCE = """\
# Written by touchstone schedule; yours from then on.
telemetry:
  enabled: false
nux:
  enabled: false                # no welcome window
concurrency:
  runs:
    max_concurrent_runs: 1      # nights are done one after the other: they share the experts' capacity
freshness:
  enabled: true                 # a night that is late is shown as late
run_monitoring:
  enabled: true                 # a run whose process was killed is marked as failed …
run_retries:
  enabled: true
  max_retries: 2                # … and done again
  retry_on_asset_or_op_failure: false   # steps that fail are tried again by themselves
"""


def definitions(settings: ScheduleSettings) -> dg.Definitions:
    """Return assets, checks, jobs, schedules and sensors.

    Parameters
    ----------
    settings
        Of the installation.
    """
    assets = assets_of(settings)
    night = dg.define_asset_job(NIGHTLY, dg.AssetSelection.groups(NIGHTLY), description="Everything a night does, for one day.")
    hour = dg.define_asset_job(HOURLY, dg.AssetSelection.groups(HOURLY), description="What arrived in an hour, decided.")
    learn = dg.define_asset_job("retrain", dg.AssetSelection.groups(LEARNING), description="Train a challenger.")
    return dg.Definitions(
        assets=assets,
        asset_checks=checks_of(settings),
        executor=dg.in_process_executor,  # one process for a run: steps follow each other, and each would load everything again
        jobs=[night, hour, learn],
        schedules=[
            dg.build_schedule_from_partitioned_job(night, hour_of_day=1, default_status=dg.DefaultScheduleStatus.RUNNING),
            dg.build_schedule_from_partitioned_job(hour, minute_of_hour=5),
        ],
        sensors=[
            failure_alert(settings),
            retraining(settings, learn.name),
        ],
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions of the installation that the environment names; Dagster calls this."""
    return definitions(ScheduleSettings.of())


def instance_folder(home: Home) -> Path:
    """Return Dagster's own folder in a home, made with its settings and databases if they are not there yet."""
    folder = home.root / "dagster"
    if not (folder / "dagster.yaml").exists():
        with replacing(folder / "dagster.yaml") as draft:
            draft.write_text(_INSTANCE, encoding="utf-8")
    with dg.DagsterInstance.from_config(str(folder)):
        pass  # opened once before web server and daemon do: of two processes that begin without databases, one may fail
    return folder


def serve(home: Home, host: str, port: int) -> int:
    """Run web server and daemon until one of them ends, or until interrupted.

    Parameters
    ----------
    home
        The installation; everything Dagster keeps lies in ``dagster/`` of it.
    host, port
        Where the pages are.

    Returns
    -------
    int
        Exit code of the one that ended; 0 if interrupted.
    """
    environment = os.environ | {VARIABLE: str(home.root), "DAGSTER_HOME": str(instance_folder(home))}
    calls = (
        ["dagster_webserver", "--host", host, "--port", str(port), "-m", "pipelines.schedule"],
        ["dagster._daemon", "run", "-m", "pipelines.schedule"],
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's stop is an interrupt
    running = [subprocess.Popen([sys.executable, "-m", *call], env=environment) for call in calls]  # noqa: S603 (our own words)
    try:
        while all(process.poll() is None for process in running):
            time.sleep(0.5)
        return next(process.returncode for process in running if process.poll() is not None)
    except KeyboardInterrupt:
        return 0
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
