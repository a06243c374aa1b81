"""The night and the hour as Dagster assets: each calls one step of :mod:`pipelines.schedule_steps` for the end of its partition.

Everything is idempotent, so a step that failed, or whose process was killed, is simply done again; a backfill is the same nights in
the same order. One run at a time writes (:mod:`pipelines.schedule`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any  # Dagster reads annotations as objects, so they are not postponed here

import dagster as dg

from models.policy import Policy, default_policy
from pipelines.schedule_learning import retrain
from pipelines.schedule_settings import ScheduleSettings
from pipelines.schedule_steps import Counts, Night, decisions, features, monitoring, queue, resolutions, tables

NIGHTLY, HOURLY, LEARNING = "nightly", "hourly", "learning"
"""Groups of assets: what a night does, what an hour does, what is done when the world has moved."""

AS_OF_TAG = "touchstone/as_of"
"""Tag of a retraining run: the instant up to which labels are known."""


FRESH = dg.FreshnessPolicy.cron(deadline_cron="0 6 * * *", lower_bound_delta=timedelta(hours=6))
"""A night that is not done by six in the morning (UTC) is overdue, and Dagster's pages and alerts say so."""


def night_of(settings: ScheduleSettings) -> Night:
    """Return what every step needs, read from the files that the settings name."""
    policy = default_policy() if settings.policy is None else Policy.parse(settings.policy.read_text(encoding="utf-8"))
    rules = None
    if settings.rules is not None:
        from features.catalog import CATALOG
        from models.rules import Rules

        rules = Rules.parse(settings.rules.read_text(encoding="utf-8"), CATALOG.names)
    return Night(settings.home, policy, rules, settings.carrier, arriving=settings.arriving)


def daily(settings: ScheduleSettings) -> dg.DailyPartitionsDefinition:
    """Return the days of the schedule."""
    return dg.DailyPartitionsDefinition(start_date=settings.start)


def hourly(settings: ScheduleSettings) -> dg.HourlyPartitionsDefinition:
    """Return the hours of the schedule."""
    return dg.HourlyPartitionsDefinition(start_date=settings.start)


Work = Callable[[Night, dg.AssetExecutionContext], Counts]
"""Does one step for the partition of a run."""

_NIGHT: dict[str, tuple[Work, str]] = {
    "tables": (lambda night, run: tables(night, run.partition_key, _end(run)), "What arrived that day, checked against the contracts."),
    "features": (lambda night, run: features(night, _end(run)), "The feature matrix of every claim as of its filing."),
    "decisions": (lambda night, run: decisions(night, _end(run)), "One priced decision for every claim filed by the end of the day."),
    "queue": (lambda night, run: queue(night, _end(run)), "What waits for experts."),
    "resolutions": (lambda night, run: resolutions(night, _end(run)), "Every case carried forward by answers and clocks; the ledger."),
    "monitoring": (lambda night, run: monitoring(night, _end(run)), "Whether the world has moved since the training."),
}
_HOUR: dict[str, tuple[Work, str]] = {
    "hourly_tables": (lambda night, run: tables(night, run.partition_key, _end(run)), "What arrived that hour, in the lake."),
    "hourly_decisions": (lambda night, run: decisions(night, _end(run)), "The claims of the hour, decided under the day's capacity."),
}
_LEARNING: dict[str, tuple[Work, str]] = {
    "challenger": (lambda night, run: retrain(night, run.run.tags[AS_OF_TAG]), "A model trained on what is known by now."),
}


def assets_of(settings: ScheduleSettings) -> list[dg.AssetsDefinition]:
    """Return every asset: six of the night, two of the hour, one of learning; in a group each follows the one before."""
    return [
        *_following(_NIGHT, settings, group_name=NIGHTLY, partitions_def=daily(settings), freshness_policy=FRESH),
        *_following(_HOUR, settings, group_name=HOURLY, partitions_def=hourly(settings)),
        *_following(_LEARNING, settings, group_name=LEARNING),
    ]


def _following(steps: Mapping[str, tuple[Work, str]], settings: ScheduleSettings, **common: Any) -> list[dg.AssetsDefinition]:
    retries = dg.RetryPolicy(max_retries=2, delay=settings.retry_after.total_seconds(), backoff=dg.Backoff.EXPONENTIAL)
    found: list[dg.AssetsDefinition] = []
    for name, (work, description) in steps.items():
        make = dg.asset(name=name, deps=found[-1:], description=description, retry_policy=retries, **common)
        found.append(make(_materialized(work, settings)))
    return found


def _materialized(work: Work, settings: ScheduleSettings) -> Callable[[dg.AssetExecutionContext], dg.MaterializeResult[Any]]:
    def materialized(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        return _told(work(night_of(settings), context))

    return materialized


def _end(run: dg.AssetExecutionContext) -> datetime:
    end: datetime = run.partition_time_window.end
    return end


def _told(counts: Counts) -> dg.MaterializeResult[Any]:
    """Show what a step did as metadata; what is no number, text or list is shown as text."""
    return dg.MaterializeResult(metadata={name: _shown(value) for name, value in counts.items()})


def _shown(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else list(value) if isinstance(value, tuple | list) else str(value)
