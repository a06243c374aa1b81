"""The night and the hour as Dagster assets: each calls one step of :mod:`pipelines.schedule_steps` for the end of its partition.

Everything is idempotent, so a step that failed, or whose process was killed, is simply done again; a backfill is the same nights in
the same order. One run at a time writes (:mod:`pipelines.schedule`).
"""

from datetime import timedelta
from typing import Any  # Dagster reads annotations as objects, so they are not postponed here

import dagster as dg

from models.policy import Policy, default_policy
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
    return Night(settings.home, policy, rules, settings.carrier)


def daily(settings: ScheduleSettings) -> dg.DailyPartitionsDefinition:
    """Return the days of the schedule."""
    return dg.DailyPartitionsDefinition(start_date=settings.start)


def hourly(settings: ScheduleSettings) -> dg.HourlyPartitionsDefinition:
    """Return the hours of the schedule."""
    return dg.HourlyPartitionsDefinition(start_date=settings.start)


def assets_of(settings: ScheduleSettings) -> list[dg.AssetsDefinition]:
    """Return every asset: six of the night, two of the hour, one of learning."""
    return [*_nightly(settings), *_hourly(settings), _challenger(settings)]


def _retries(settings: ScheduleSettings) -> dg.RetryPolicy:
    return dg.RetryPolicy(max_retries=2, delay=settings.retry_after.total_seconds(), backoff=dg.Backoff.EXPONENTIAL)


def _nightly(settings: ScheduleSettings) -> list[dg.AssetsDefinition]:
    common: dict[str, Any] = {
        "partitions_def": daily(settings),
        "group_name": NIGHTLY,
        "retry_policy": _retries(settings),
        "freshness_policy": FRESH,
    }

    @dg.asset(name="tables", description="What arrived that day, checked against the contracts, in the lake.", **common)
    def of_tables(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return _told(tables(night_of(settings), context.partition_key, context.partition_time_window.end))

    @dg.asset(name="features", deps=[of_tables], description="The feature matrix of every claim as of its filing.", **common)
    def of_features(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return _told(features(night_of(settings), context.partition_time_window.end))

    @dg.asset(
        name="decisions", deps=[of_features], description="One priced decision for every claim filed by the end of the day.", **common
    )
    def of_decisions(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return _told(decisions(night_of(settings), context.partition_time_window.end))

    @dg.asset(name="queue", deps=[of_decisions], description="What waits for experts.", **common)
    def of_queue(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return _told(queue(night_of(settings), context.partition_time_window.end))

    @dg.asset(name="resolutions", deps=[of_queue], description="Every case carried forward by answers and clocks; the ledger.", **common)
    def of_resolutions(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return _told(resolutions(night_of(settings), context.partition_time_window.end))

    @dg.asset(name="monitoring", deps=[of_resolutions], description="Whether the world has moved since the training.", **common)
    def of_monitoring(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return _told(monitoring(night_of(settings), context.partition_time_window.end))

    return [of_tables, of_features, of_decisions, of_queue, of_resolutions, of_monitoring]


def _hourly(settings: ScheduleSettings) -> list[dg.AssetsDefinition]:
    common: dict[str, Any] = {"partitions_def": hourly(settings), "group_name": HOURLY, "retry_policy": _retries(settings)}

    @dg.asset(name="hourly_tables", description="What arrived that hour, in the lake.", **common)
    def of_tables(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return _told(tables(night_of(settings), context.partition_key, context.partition_time_window.end))

    @dg.asset(
        name="hourly_decisions", deps=[of_tables], description="Decisions on the claims of the hour, under the day's capacity.", **common
    )
    def of_decisions(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return _told(decisions(night_of(settings), context.partition_time_window.end))

    return [of_tables, of_decisions]


def _challenger(settings: ScheduleSettings) -> dg.AssetsDefinition:
    @dg.asset(
        name="challenger", group_name=LEARNING, retry_policy=_retries(settings), description="A model trained on what is known by now."
    )
    def of_challenger(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        from pipelines.schedule_learning import retrain

        return _told(retrain(night_of(settings), context.run.tags[AS_OF_TAG]))

    return of_challenger


def _told(counts: Counts) -> dg.MaterializeResult:
    """Show what a step did as metadata; what is no number, text or list is shown as text."""
    return dg.MaterializeResult(metadata={name: _shown(value) for name, value in counts.items()})


def _shown(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else list(value) if isinstance(value, tuple | list) else str(value)
