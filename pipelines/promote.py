"""Champion or challenger: compares both on later time and moves the aliases only if every gate lets it; and the way back."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np

from features.catalog import CATALOG
from features.facts import Tables
from models.bundle import BundleError
from models.gates import Gates
from models.policy import Policy, label_confusions
from models.promotion import Verdict, judge
from models.shelf import Alias, Shelf
from pipelines.contest import Contest, contest
from pipelines.fitness import Clock, fitness
from pipelines.home import Home
from pipelines.lake import Lake


def promote(
    home: Home,
    as_of: datetime,
    policy: Policy,
    tables: Tables | None = None,
    tracking: bool = True,
    seed: int = 0,
    num_threads: int = 1,
    limits: Gates | None = None,
    clock: Clock = time.perf_counter,
) -> Verdict:
    """Compare the challenger with the champion on claims filed after both were trained, and promote it if every gate lets it pass.

    Parameters
    ----------
    home
        Lake, bundles, MLflow store.
    as_of
        Labels known strictly before it count.
    policy
        Prices, and the bound on accusing.
    tables
        The lake's tables, if they are at hand already.
    tracking
        Move the aliases in MLflow as well.
    seed
        Of the bootstrap and of the rows drawn.
    num_threads
        Threads for the boosters.
    limits
        Of the gates; the defaults where left out.
    clock
        Times single claims.

    Returns
    -------
    Verdict
        What was found; also written to ``runs/promote-<as_of>.json``. A promotion leaves a model card beside the reports
        (:mod:`pipelines.model_card`).

    Raises
    ------
    models.bundle.BundleError
        If there is no champion or no challenger.
    """
    tables = Lake.of(home).tables() if tables is None else tables
    limits, rng = limits or Gates(), np.random.default_rng(seed)
    found = contest(home, as_of, policy, tables, num_threads)
    champion, challenger = found.champion, found.challenger
    fit = fitness(champion, challenger, tables, found.claims, found.matrix, limits, rng, clock)
    verdict = judge(policy, found.later, *found.opinions, fit, rng, limits, label_confusions(policy))
    Lake(home.root).manifest(f"promote-{as_of:%Y-%m-%d}", _written(verdict, found, limits))
    if verdict.promote:
        from pipelines import model_card  # pictures take a second to import

        model_card.write(home, as_of, policy, found, verdict, seed)
        _move(home, Shelf(home.bundles), {"previous": champion.hash, "champion": challenger.hash, "challenger": None}, tracking)
    return verdict


def rollback(home: Home, tracking: bool = True) -> tuple[str, str]:
    """Make the previous champion champion again.

    The bundle withdrawn stays on the shelf without an alias, and there is no previous champion any more: a second rollback finds
    none and changes nothing, so that repeating the command can never bring back what was withdrawn.

    Parameters
    ----------
    home
        Bundles and MLflow store.
    tracking
        Move the aliases in MLflow as well.

    Returns
    -------
    tuple of str
        Hashes of the bundle withdrawn and of the one restored; also written to ``runs/rollback-<withdrawn>.json``.

    Raises
    ------
    models.bundle.BundleError
        If there is no previous champion, or it does not fit this code: a model that cannot decide is not made champion.
    """
    shelf = Shelf(home.bundles)
    aliases = shelf.aliases()
    if not {"champion", "previous"} <= set(aliases):
        raise BundleError(f"{home.bundles}: expected a previous champion to go back to, found none; nothing was promoted since")
    withdrawn, restored = aliases["champion"], shelf.get("previous", CATALOG.hash).hash
    _move(home, shelf, {"champion": restored, "previous": None}, tracking)
    Lake(home.root).manifest(f"rollback-{withdrawn[:12]}", {"withdrawn_bundle": withdrawn, "champion_bundle": restored})
    return withdrawn, restored


def _written(verdict: Verdict, found: Contest, limits: Gates) -> dict[str, Any]:
    bundles = {"champion_bundle": found.champion.hash, "challenger_bundle": found.challenger.hash}
    return dict(_plain({**asdict(verdict), **bundles, "limits": asdict(limits)}))


def _plain(value: Any) -> Any:
    """Return JSON values; what could not be measured is null."""
    if isinstance(value, Mapping):
        return {key: _plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(held) for held in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def _move(home: Home, shelf: Shelf, names: Mapping[Alias, str | None], tracking: bool) -> None:
    # The shelf decides, so it comes last and in one step: after a kill the same command can be run again.
    if tracking:
        from models import registry  # seconds to import

        registry.follow(
            registry.Registry(home.mlflow_url, home.mlflow_artifacts.as_uri()), {str(alias): name for alias, name in names.items()}
        )
    shelf.move(names)
