"""What must hold after every night, as Dagster asset checks: the expectation suites, one decision a claim, capacity, the ledger."""

from typing import Any  # Dagster reads annotations as objects, so they are not postponed here

import dagster as dg
import pandas as pd
from sqlalchemy import select

from data_contracts import CONTRACTS, DECISIONS
from models.review import TIERS, Capacity
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.schedule_assets import night_of
from pipelines.schedule_settings import ScheduleSettings
from serving.ledger import balances
from serving.schema import DECISIONS_TABLE
from serving.store import Store


def checks_of(settings: ScheduleSettings) -> list[dg.AssetChecksDefinition]:
    """Return every check."""

    @dg.asset_check(asset="tables", description="The expectation suites agree with the contracts on what arrived that day.")
    def accepted_rows_keep_their_suites(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        return _witnessed(arrived(settings.home, context.partition_key))

    @dg.asset_check(asset="decisions", description="The decisions of the day keep their suite.")
    def decisions_keep_their_suite(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        return _witnessed({DECISIONS.name: decided_on(settings.home, context.partition_time_window.end)})

    @dg.asset_check(asset="decisions", blocking=True, description="Every claim is decided once: store and lake hold the same decisions.")
    def every_claim_is_decided_once() -> dg.AssetCheckResult:
        in_store, in_lake = decided_claims(settings.home)
        twice = len(in_lake) - in_lake.nunique()
        return dg.AssetCheckResult(
            passed=twice == 0 and set(in_store) == set(in_lake),
            metadata={"store": len(in_store), "lake": len(in_lake), "twice": int(twice)},
        )

    @dg.asset_check(asset="queue", description="No day sends more to the experts by value than they can take.")
    def queue_is_within_capacity(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        sent, room = sent_on(settings.home, context.partition_time_window.end), Capacity.of(night_of(settings).policy, days=1)
        return dg.AssetCheckResult(passed=sent <= room.desk, metadata={"sent to the desk": sent, "capacity": room.desk})

    @dg.asset_check(asset="resolutions", blocking=True, description="The ledger's lines sum to zero.")
    def ledger_is_balanced() -> dg.AssetCheckResult:
        with Store(settings.home.store_url) as store, store.view() as view:
            cents = sum(balances(view).values())
        return dg.AssetCheckResult(passed=cents == 0, metadata={"cents": cents})

    return [
        accepted_rows_keep_their_suites,
        decisions_keep_their_suite,
        every_claim_is_decided_once,
        queue_is_within_capacity,
        ledger_is_balanced,
    ]


def arrived(home: Home, batch: str) -> dict[str, pd.DataFrame]:
    """Return the accepted rows of one batch by table; tables of which nothing arrived are left out."""
    lake = Lake.of(home)
    return {name: lake.read(name, only=batch) for name in CONTRACTS if name != DECISIONS.name and lake.count(name, batch)}


def decided_on(home: Home, end: pd.Timestamp) -> pd.DataFrame:
    """Return the decisions of the day that ends at an instant."""
    decisions = Lake.of(home).read(DECISIONS.name)
    at = decisions["decided_at"]
    return decisions[(at > pd.Timestamp(end) - pd.Timedelta(days=1)) & (at <= pd.Timestamp(end))]


def decided_claims(home: Home) -> tuple[pd.Series, pd.Series]:
    """Return the claims that the store and the lake hold a decision on."""
    with Store(home.store_url) as store, store.view() as view:
        in_store = view.execute(select(DECISIONS_TABLE.c.claim_id)).scalars().all()
    return pd.Series(in_store, dtype="str"), Lake.of(home).read(DECISIONS.name, ["claim_id"])["claim_id"]


def sent_on(home: Home, end: pd.Timestamp) -> int:
    """Count the claims that the day that ends at an instant sent to the desk for their value."""
    decisions = decided_on(home, end)
    return int(((decisions["action"] == TIERS[0]) & (decisions["route"] == "value_of_review")).sum())


def _witnessed(frames: dict[str, pd.DataFrame]) -> dg.AssetCheckResult:
    from data_contracts.expectations import witness  # seconds to import

    found = witness(frames, CONTRACTS, run="schedule")
    failed = [f"{table}: {what}" for table, seen in found.items() for what in seen.failed]
    metadata: dict[str, Any] = {"rows": {table: len(frame) for table, frame in frames.items()}, "failed": failed}
    return dg.AssetCheckResult(passed=not failed, metadata=metadata)
