"""Champion or challenger: compares both on later time and moves the aliases only if money says so."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from features.catalog import CATALOG
from features.facts import Tables
from models.bundle import Bundle
from models.labels import as_known
from models.policy import Policy
from models.promotion import Verdict, judge
from models.shelf import Shelf
from pipelines.build import matrix_of
from pipelines.home import Home
from pipelines.lake import Lake
from serving.standing import Standing


def promote(
    home: Home, as_of: datetime, policy: Policy, tables: Tables | None = None, tracking: bool = True, seed: int = 0, num_threads: int = 1
) -> Verdict:
    """Compare the challenger with the champion on claims filed after both were trained, and promote it if it is better.

    Parameters
    ----------
    home
        Lake, bundles, MLflow store.
    as_of
        Labels known strictly before it count.
    policy
        Prices.
    tables
        The lake's tables, if they are at hand already.
    tracking
        Move the aliases in MLflow as well.
    seed
        Of the bootstrap.
    num_threads
        Threads for the boosters.

    Returns
    -------
    Verdict
        What was found; also written to ``runs/promote-<as_of>.json``.

    Raises
    ------
    models.bundle.BundleError
        If there is no champion or no challenger.
    """
    tables = Lake(home.root).tables() if tables is None else tables
    shelf = Shelf(home.bundles)
    champion, challenger = (shelf.get(alias, CATALOG.hash) for alias in ("champion", "challenger"))
    start = max(_trained_until(champion), _trained_until(challenger))
    claims = tables["claims"]
    later = claims[(claims["filed_at"] >= start) & (claims["filed_at"] < as_of)]
    known = as_known(tables["resolutions"], later, as_of)
    rows = later.merge(known[known["weight"] > 0], on="claim_id", validate="one_to_one")
    matrix = matrix_of(home, tables, rows)
    verdict = judge(
        policy,
        champion.predict_proba(matrix, num_threads),
        challenger.predict_proba(matrix, num_threads),
        rows["label"].to_numpy(),
        rows["weight"].to_numpy(dtype=np.float64),
        rows["amount_cents"].to_numpy(),
        Standing(tables["seller_events"]).insured(rows["seller_id"], rows["filed_at"]),
        rows["customer_id"].to_numpy(),
        np.random.default_rng(seed),
    )
    Lake(home.root).manifest(f"promote-{as_of:%Y-%m-%d}", _written(verdict, champion, challenger))
    if verdict.promote:
        _move(home, shelf, champion, challenger, tracking)
    return verdict


def _trained_until(bundle: Bundle) -> pd.Timestamp:
    return pd.Timestamp(bundle.trained["as_of"])


def _written(verdict: Verdict, champion: Bundle, challenger: Bundle) -> dict[str, Any]:
    return {**asdict(verdict), "champion_bundle": champion.hash, "challenger_bundle": challenger.hash}


def _move(home: Home, shelf: Shelf, champion: Bundle, challenger: Bundle, tracking: bool) -> None:
    # The shelf decides, so it comes last and in one step: after a kill the same comparison can be run again.
    if tracking:
        from models import registry  # seconds to import

        where = registry.Registry(home.mlflow_url, home.mlflow_artifacts.as_uri())
        found = registry.get_alias(where, registry.CHALLENGER)
        if found is not None and found.bundle_hash == challenger.hash:
            registry.set_alias(where, registry.CHAMPION, found.version)
    shelf.move({"previous": champion.hash, "champion": challenger.hash, "challenger": None})
