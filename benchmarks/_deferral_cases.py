"""Borderline claims of a simulated market, as a really trained model sees them: what the deferral benchmark hands to experts.

*Borderline*: by the shipped policy a look at the desk is expected to save more than it costs, and the amount is too small for an
investigation ever to pay.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data_contracts import LABELS
from models.costs import cost_matrix, expected_costs
from models.policy import Policy
from models.review import review_values
from models.training import train
from pipelines.history import History, history_of_home
from pipelines.home import Home
from pipelines.simulate.panel import ranks
from pipelines.simulate.sealed import read_truth
from pipelines.simulated import simulate_into
from pipelines.validate import validate

LARGEST_CENTS = 310_000
"""Under about this amount a full investigation never pays on a single claim (domain notes)."""

FEATURES = 30
"""As many features as the data of OpenL2D has: those of most different values."""


@dataclass(frozen=True, eq=False)
class Cases:
    """Claims in the order of filing.

    Parameters
    ----------
    features
        Ranks in [-1/2, 1/2], shape (cases, features).
    proba
        The model's probabilities, shape (cases, 3).
    truth
        Sealed class as a place in ``LABELS``, shape (cases,).
    costs
        Cost table, shape (cases, 4, 3), cents.
    """

    features: np.ndarray
    proba: np.ndarray
    truth: np.ndarray
    costs: np.ndarray

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def shown(self) -> np.ndarray:
        """Ranks of the two probabilities against valid among all cases, shape (cases, 2)."""
        return ranks(self.proba[:, 1:], self.proba[:, 1:])

    @property
    def automatic(self) -> tuple[np.ndarray, np.ndarray]:
        """Place of the automatic action of each case, and what it is expected to cost."""
        expected = expected_costs(self.proba, self.costs)
        return expected.argmin(axis=1), expected.min(axis=1)

    def only(self, rows: np.ndarray | slice) -> Cases:
        """Return some of the cases."""
        return Cases(self.features[rows], self.proba[rows], self.truth[rows], self.costs[rows])


def borderline(seed: int, policy: Policy, orders: int, claims: int, live_months: int) -> Cases:
    """Simulate a market, train on its past, score its last months and keep what is borderline."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / "home")
        simulation = simulate_into(home, orders, claims, seed, live_months=live_months)
        validate(home)
        history = history_of_home(home, policy)
        truth = read_truth(home.root).set_index("claim_id")["truth"]
    filed = history.claims["filed_at"]
    proba = _scored(history, pd.Timestamp(simulation.live_from))
    live = np.flatnonzero((filed >= simulation.live_from).to_numpy())
    claims_live = history.claims.iloc[live]
    amount = claims_live["amount_cents"].to_numpy()
    costs = cost_matrix(policy, amount, history.insured[live])
    kept = (review_values(policy, proba, costs)[:, 0] > 0) & (amount <= LARGEST_CENTS)
    matrix = history.matrix.iloc[live[kept]].to_numpy(dtype=np.float64)
    known = np.array([LABELS.index(label) for label in truth.loc[claims_live["claim_id"]]])
    return Cases(_widest(matrix), proba[kept], known[kept], costs[kept])


def _scored(history: History, live_from: pd.Timestamp) -> np.ndarray:
    """Return probabilities of the live claims by a model trained on what was known before them."""
    known = history.known(live_from)
    labelled = history.claims[history.claims["claim_id"].isin(known["claim_id"])].reset_index(drop=True)
    done = train(
        history.matrix, labelled, known, live_from, history.catalog_hash, history.described, num_threads=1, confusions=history.confusions
    )
    live = history.claims.loc[history.claims["filed_at"] >= live_from, "claim_id"]
    return done.bundle.predict_proba(history.matrix.loc[live])


def _widest(matrix: np.ndarray) -> np.ndarray:
    different = [len(np.unique(column[~np.isnan(column)])) for column in matrix.T]
    kept = matrix[:, np.sort(np.argsort(-np.array(different), kind="stable")[:FEATURES])]
    return ranks(kept, kept)
