"""Scheduled scoring: every claim filed before an instant and not yet decided gets its decision, once.

Claims are decided day by day, each day in one transaction under that day's expert capacity. A run that is killed leaves
whole days; running again decides the others, and what was decided stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from data_contracts import Action, Route
from features.catalog import CATALOG
from features.facts import Tables
from features.matrix import build_matrix
from models.bundle import Bundle
from models.policy import Policy
from models.review import Capacity, capacity_left
from models.rules import Rules
from models.scorer import score_claims
from models.shelf import Shelf
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.received import export_claims
from serving.queue import minutes_of
from serving.standing import Standing
from serving.store import Store

_REVIEWED = (Action.DESK.value, Action.INVESTIGATE.value)

Progress = Callable[[int, int], None]
"""Told (claims decided, claims to decide) after every day."""


@dataclass(frozen=True)
class Scored:
    """What one run decided.

    Parameters
    ----------
    decided
        New decisions.
    by_action
        New decisions by action.
    pending
        Claims filed before the instant that are still undecided: always 0 after an undisturbed run.
    """

    decided: int
    by_action: dict[str, int]
    pending: int


def score(
    home: Home,
    as_of: datetime,
    policy: Policy,
    since: datetime | None = None,
    tables: Tables | None = None,
    progress: Progress | None = None,
    num_threads: int = 1,
    rules: Rules | None = None,
) -> Scored:
    """Decide the claims filed in [since, as_of) that have no decision yet.

    Parameters
    ----------
    home
        Lake, bundles and store.
    as_of
        Nothing at or after this instant is read.
    policy
        Prices and capacities.
    since
        Claims filed earlier are somebody else's (another process decides them); by default every claim is ours that the lake does not
        show as resolved.
    tables
        The lake's tables, if they are at hand already.
    progress
        Told how far the run is.
    num_threads
        Threads for the boosters; results do not depend on it.
    rules
        Rules beside the model, if there are any.

    Raises
    ------
    models.bundle.BundleError
        If there is no champion, or it does not fit this code.
    """
    bundle = Shelf(home.bundles).get("champion", CATALOG.hash)
    with Store(home.store_url, synchronous="NORMAL") as store:
        export_claims(home, store)
        tables = Lake(home.root).tables() if tables is None else tables
        pending = undecided(store, tables["claims"], as_of, since, tables["resolutions"])
        counts: dict[str, int] = {}
        if len(pending):
            decide = _Road(bundle, policy, build_matrix(tables, pending), Standing(tables["seller_events"]), num_threads, rules)
            taken = _taken(store.read("decisions", {"action": _REVIEWED}))
            done = 0
            for day, claims in pending.groupby(pending["filed_at"].dt.floor("D"), sort=True):
                decided_at = min(day + pd.Timedelta(days=1), pd.Timestamp(as_of))
                decisions = decide(claims, capacity_left(policy, taken, decided_at), decided_at)
                store.record_decisions(decisions, minutes_of(policy))
                taken = pd.concat([taken, _taken(decisions[decisions["action"].isin(_REVIEWED)])])
                for action, count in decisions["action"].value_counts().items():
                    counts[str(action)] = counts.get(str(action), 0) + int(count)
                done += len(claims)
                if progress is not None:
                    progress(done, len(pending))
        left = undecided(store, tables["claims"], as_of, since, tables["resolutions"])
        export_decisions(home, store)
    return Scored(len(pending) - len(left), dict(sorted(counts.items())), len(left))


def undecided(
    store: Store, claims: pd.DataFrame, as_of: datetime, since: datetime | None = None, resolutions: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the claims filed in [since, as_of) without a decision, in order of filing.

    Claims that were resolved without a decision of ours, as far as ``resolutions`` were known by ``as_of``, were another process's:
    deciding them again would pay them again.
    """
    ours = claims[(claims["filed_at"] < as_of) & ((claims["filed_at"] >= since) if since is not None else True)]
    if resolutions is not None:
        ours = ours[~ours["claim_id"].isin(resolutions.loc[resolutions["known_at"] < as_of, "claim_id"])]
    open_ = ours[~ours["claim_id"].isin(store.decided(ours["claim_id"]))]
    return open_.sort_values(["filed_at", "claim_id"], ignore_index=True)


@dataclass(frozen=True, eq=False)
class _Road:
    """Everything a day's decisions depend on, apart from the day."""

    bundle: Bundle
    policy: Policy
    matrix: pd.DataFrame
    standing: Standing
    num_threads: int
    rules: Rules | None

    def __call__(self, claims: pd.DataFrame, capacity: Capacity, decided_at: pd.Timestamp) -> pd.DataFrame:
        insured = self.standing.insured(claims["seller_id"], claims["filed_at"])
        rows = self.matrix.loc[claims["claim_id"]]
        return score_claims(
            self.bundle, self.policy, rows, claims, insured, capacity, decided_at, num_threads=self.num_threads, rules=self.rules
        )


def _taken(reviewed: pd.DataFrame) -> pd.DataFrame:
    """Return what took an expert's capacity: what rules sent came on top of it."""
    return reviewed.loc[reviewed["route"] != Route.RULE.value, ["action", "decided_at"]]


def export_decisions(home: Home, store: Store) -> None:
    """Bring the lake's copy of the decisions up to the store, one batch per month of decision."""
    decisions = store.read("decisions")
    lake = Lake(home.root)
    for month, rows in decisions.groupby(decisions["decided_at"].dt.strftime("%Y-%m"), sort=True):
        if lake.count("decisions", str(month)) != len(rows):
            lake.append("decisions", rows, batch=str(month))
