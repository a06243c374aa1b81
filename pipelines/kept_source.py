"""What is kept of training on an ingested file: a bundle, and what it decides of the file's claims that have no label yet.

Nothing is decided of labelled claims: the bundle learned from them, so its word on them would flatter it (``touchstone backtest --file``
decides them as they came, each by a model that had not seen its label). Features of a file may be its own, so the bundle lies beside that
file's lake and is neither the home's champion nor served by the endpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from data_contracts import DECISIONS
from models.classifier import Hyperparameters
from models.policy import Policy
from models.settings import TrainingSettings
from models.shelf import Shelf
from pipelines.history import history_of_file
from pipelines.ingest import Ingested
from pipelines.lake import Lake
from pipelines.replay import Road, grown_by


@dataclass(frozen=True)
class KeptSource:
    """What was kept.

    Parameters
    ----------
    bundle
        Hash of the bundle, under ``bundles/`` beside the file's lake with the alias ``champion``.
    decisions
        Decisions of the claims without a label, as the contract says; also the table ``decisions`` of that lake.
    """

    bundle: str
    decisions: pd.DataFrame

    def summary(self) -> dict[str, str | int]:
        """Return what the command writes."""
        return {"bundle": self.bundle, "claims_decided": len(self.decisions)}


def keep(ingested: Ingested, policy: Policy, growth: Hyperparameters | None = None, num_threads: int = 1) -> KeptSource:
    """Train on every label of a file, keep the bundle and decide the claims that have none, day by day within the experts' capacity.

    Parameters
    ----------
    ingested
        From :func:`pipelines.ingest.ingest`.
    policy
        Prices, capacity, bounds.
    growth
        How boosters grow; the defaults where left out.
    num_threads
        Threads for the boosters; results do not depend on it.

    Raises
    ------
    ValueError
        If no claim of the file has a label.
    """
    history = history_of_file(ingested)
    settled = history.settled()
    after = max([history.claims["filed_at"].max(), *settled["known_at"]]) + pd.Timedelta(microseconds=1)
    settings = TrainingSettings() if growth is None else replace(TrainingSettings(), hyperparameters=growth)
    bundle = grown_by(history, after, settings, policy, num_threads).bundle
    shelf = Shelf(ingested.lake.root / "bundles")
    shelf.point("champion", shelf.put(bundle))
    road = Road(history, policy, num_threads, most_reasons=5)
    road.decide(bundle, np.flatnonzero(~history.claims["claim_id"].isin(settled["claim_id"])))
    lake = Lake(ingested.lake.root, {DECISIONS.name: DECISIONS})
    decisions = pd.concat(road.decided, ignore_index=True) if road.decided else lake.read(DECISIONS.name)[:0]
    lake.append(DECISIONS.name, decisions, "all")
    return KeptSource(bundle.hash, decisions)
