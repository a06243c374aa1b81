"""Two bundles before the same claims: those filed after both were trained, with what is known of them by now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from features.catalog import CATALOG
from features.facts import Tables
from models.bundle import Bundle
from models.evaluation import PROBABILITIES
from models.labels import as_known
from models.policy import Policy
from models.promotion import Later, Opinion
from models.review import Capacity
from models.scorer import score_claims
from models.shelf import Shelf
from models.slices import attributes
from pipelines.build import matrix_of
from pipelines.home import Home
from serving.standing import Standing


@dataclass(frozen=True)
class Contest:
    """Champion and challenger, and what they decide.

    Parameters
    ----------
    champion, challenger
        The bundles.
    claims, matrix
        The later claims and their feature rows, in the same order.
    later
        What is known of them.
    opinions
        What champion and challenger make of them.
    """

    champion: Bundle
    challenger: Bundle
    claims: pd.DataFrame
    matrix: pd.DataFrame
    later: Later
    opinions: tuple[Opinion, Opinion]


def contest(home: Home, as_of: datetime, policy: Policy, tables: Tables, num_threads: int = 1) -> Contest:
    """Let champion and challenger decide every claim filed from the later of their trainings on and before an instant.

    Parameters
    ----------
    home
        Bundles, and perhaps a kept matrix.
    as_of
        Labels known strictly before it count.
    policy
        Prices.
    tables
        The lake's tables.
    num_threads
        Threads for the boosters.

    Raises
    ------
    models.bundle.BundleError
        If there is no champion or no challenger, or one does not fit this code.
    """
    shelf = Shelf(home.bundles)
    champion, challenger = (shelf.get(alias, CATALOG.hash) for alias in ("champion", "challenger"))
    start = max(pd.Timestamp(bundle.trained["as_of"]) for bundle in (champion, challenger))
    filed = tables["claims"]["filed_at"]
    claims = tables["claims"][(filed >= start) & (filed < as_of)].reset_index(drop=True)
    matrix = matrix_of(home, tables, claims)
    later = _later(tables, claims, as_of)
    first, second = (_opinion(one, policy, matrix, claims, later.insured, as_of, num_threads) for one in (champion, challenger))
    return Contest(champion, challenger, claims, matrix, later, (first, second))


def _later(tables: Tables, rows: pd.DataFrame, as_of: datetime) -> Later:
    known = as_known(tables["resolutions"], rows, as_of)
    labelled = rows[["claim_id"]].merge(known, on="claim_id", how="left", validate="one_to_one")
    return Later(
        labelled["label"].fillna("").to_numpy(dtype=object),
        labelled["source"].fillna("").to_numpy(dtype=object),
        labelled["weight"].fillna(0.0).to_numpy(dtype=np.float64),
        labelled["stands_for"].fillna(0.0).to_numpy(dtype=np.float64),
        rows["amount_cents"].to_numpy(),
        Standing(tables["seller_events"]).insured(rows["seller_id"], rows["filed_at"]),
        rows["customer_id"].to_numpy(),
        attributes(rows, tables["customers"], tables["sellers"]),
    )


def _opinion(
    bundle: Bundle, policy: Policy, matrix: pd.DataFrame, rows: pd.DataFrame, insured: np.ndarray, as_of: datetime, num_threads: int
) -> Opinion:
    """Let a bundle decide on the road that every decision takes, without experts: what it would do by itself."""
    decided = score_claims(bundle, policy, matrix, rows, insured, Capacity(0, 0), as_of, most_reasons=0, num_threads=num_threads)
    actions = decided["automatic_action"].to_numpy(dtype=object)
    return Opinion(decided[PROBABILITIES].to_numpy(dtype=np.float64), actions, bundle.guarantee)
