"""When to train again, and training: on drift that the monitor alarmed about, or when enough new labels are known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from features.catalog import CATALOG
from models.bundle import BundleError
from models.shelf import Shelf
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.schedule_steps import Night

_PATIENCE = timedelta(days=7)
"""An alarm sounds every night until a better model is promoted: one training answers a week of it."""


@dataclass(frozen=True)
class Reason:
    """Why to train: ``key`` names the occasion once and for all, ``as_of`` says up to when labels are known, ``why`` is for people."""

    key: str
    as_of: datetime
    why: str


def reason_to_train(home: Home, new_labels: int) -> Reason | None:
    """Return why a model should be trained now, ``None`` if there is no reason.

    Parameters
    ----------
    home
        Lake, bundles, manifests.
    new_labels
        So many labels that the latest bundle did not know call for another training.

    Notes
    -----
    An occasion is an alarm of the monitor a week or more after the latest bundle was trained, or ``new_labels`` labels that it did
    not know. Asking again about the same occasion returns the same key, so that a scheduler trains once for it.
    """
    trained = _trained(home)
    if trained is None:
        return None
    latest, until = trained
    alarms = [found for found in _alarms(home) if found[0] >= until + _PATIENCE]
    if alarms:
        at, why = alarms[-1]
        return Reason(f"drift-{latest[:12]}", at, f"the monitor alarmed at {at:%Y-%m-%d}: {why}")
    known = Lake.of(home).read("resolutions", ["label", "known_at"])
    fresh = known.loc[known["label"].notna() & (known["known_at"] >= until), "known_at"]
    if len(fresh) < new_labels:
        return None
    at = fresh.max() + pd.Timedelta(microseconds=1)
    return Reason(f"labels-{latest[:12]}", at.to_pydatetime(), f"{len(fresh):,} labels that the latest model did not know")


def retrain(night: Night, as_of: str) -> dict[str, Any]:
    """Train a challenger on what was known before an instant (ISO 8601, UTC)."""
    from pipelines.train import train  # libraries for growing trees, which no night needs

    run = train(night.home, datetime.fromisoformat(as_of), night.policy)
    return {"bundle": run.bundle, "alias": run.alias, **{f"labelled_{label}": count for label, count in run.labelled.items()}}


def _trained(home: Home) -> tuple[str, pd.Timestamp] | None:
    """Return hash and last known label of the latest bundle that decides or wants to."""
    from pipelines.watched import trained_until  # libraries of the monitor, which the other steps of a night do without

    shelf, found = Shelf(home.bundles), []
    for alias in ("champion", "challenger"):
        if shelf.aliases().get(alias):
            try:
                bundle = shelf.get(alias, CATALOG.hash)
            except BundleError:
                continue
            found.append((trained_until(bundle), bundle.hash))
    return (max(found)[1], max(found)[0]) if found else None


def _alarms(home: Home) -> list[tuple[datetime, str]]:
    """Return the monitor's alarms, the oldest first."""
    found = []
    for file in home.runs.glob("schedule-monitoring-*.json"):
        told = json.loads(file.read_text(encoding="utf-8"))
        if told["counts"]["alarms"]:
            found.append((datetime.fromisoformat(told["as_of"]), str(told["counts"]["alarms"][0])))
    return sorted(found)
