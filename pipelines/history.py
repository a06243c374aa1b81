"""Labelled history in the shape that a replay reads: of a home's lake, or of an ingested file of real claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from features.catalog import CATALOG
from features.matrix import build_matrix
from models.inputs import Described
from models.labels import as_known
from models.policy import Policy, label_confusions
from pipelines.build import build, matrix_of
from pipelines.home import Home
from pipelines.ingest import Ingested
from pipelines.lake import Lake
from serving.standing import Standing


@dataclass(frozen=True)
class History:
    """Claims in the order of filing, with everything that is needed to decide them again and to judge it.

    Parameters
    ----------
    name
        Where they come from.
    claims
        Rows of the claims contract that carry an amount, by ``filed_at``.
    resolutions
        What became known of them, and when.
    matrix
        Feature rows as of each claim's filing, index ``claim_id``.
    insured
        Whether the claim's seller was known to be insured at filing, shape (claims,).
    described
        Catalogue entries of the columns.
    catalog_hash
        Of the catalogue.
    confusions
        How each source of labels errs.
    unpriced
        Claims without an amount, which cannot be priced and are left out.
    """

    name: str
    claims: pd.DataFrame
    resolutions: pd.DataFrame
    matrix: pd.DataFrame
    insured: np.ndarray
    described: tuple[Described, ...]
    catalog_hash: str
    confusions: Mapping[str, np.ndarray]
    unpriced: int = 0

    def known(self, as_of: datetime) -> pd.DataFrame:
        """Return the labels known before an instant of the claims filed before it."""
        return as_known(self.resolutions, self.claims[self.claims["filed_at"] < as_of], as_of)

    def settled(self) -> pd.DataFrame:
        """Return the labels as they stand after everything that is known."""
        last = max([self.claims["filed_at"].max(), *self.resolutions["known_at"]])
        return self.known(last + pd.Timedelta(microseconds=1))


def history_of_home(home: Home, policy: Policy) -> History:
    """Read the history of a home's lake.

    Raises
    ------
    ValueError
        If there are no claims.
    """
    tables = Lake.of(home).tables()
    build(home, tables)
    claims = tables["claims"].sort_values(["filed_at", "claim_id"], ignore_index=True)
    insured = Standing(tables["seller_events"]).insured(claims["seller_id"], claims["filed_at"])
    matrix = matrix_of(home, tables, claims)
    return History("home", claims, tables["resolutions"], matrix, insured, tuple(CATALOG), CATALOG.hash, label_confusions(policy))


def history_of_file(ingested: Ingested) -> History:
    """Read the history of an ingested file of real claims; its labels are taken for the truth, and nothing is known of sellers."""
    tables, mapping = ingested.lake.tables(), ingested.mapping
    every = tables["claims"].sort_values(["filed_at", "claim_id"], ignore_index=True)
    claims = every[every["amount_cents"].notna()].reset_index(drop=True)
    claims = claims.assign(amount_cents=claims["amount_cents"].astype("int64"))
    matrix = build_matrix({"claims": every}, claims, extras={name: rule.type for name, rule in mapping.extras.items()})
    none = np.zeros(len(claims), dtype=bool)
    return History(mapping.name, claims, tables["resolutions"], matrix, none, (), mapping.name, {}, len(every) - len(claims))
