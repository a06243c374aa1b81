"""What is known of experts from all that they have answered: a table of answers in, confusions, sway and accuracy out.

The road from rows as a store keeps them to :mod:`models.consensus`, taken by whoever shows experts' quality and by whoever assigns cases,
so that the two never think differently of anybody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data_contracts import LABELS
from models.consensus import consensus
from models.opinions import Answers, Consensus, shown_with

_ROUNDS, _TOLERANCE = 100, 1e-6


@dataclass(frozen=True, eq=False)
class KnownExperts:
    """Experts of one tier, by name.

    Parameters
    ----------
    names
        The experts, in order.
    found
        Their confusions and sway, in the same order, and the classes of the cases.
    case, expert
        Of each answer, places among the cases and the experts, shape (answers,).
    ordinary
        Probabilities of an ordinary case: who is shown these is told nothing, shape (3,).
    accuracy
        Probability of a right answer on cases as they come, shown nothing, shape (experts,).
    """

    names: tuple[str, ...]
    found: Consensus
    case: np.ndarray
    expert: np.ndarray
    ordinary: np.ndarray
    accuracy: np.ndarray

    def on(self, proba: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """Return P(answer | truth) of each expert on each of some cases, shape (cases, experts, 3, 3).

        Parameters
        ----------
        proba
            The model's probabilities, shape (cases, 3).
        hidden
            Whether experts are not shown them, shape (cases,).
        """
        return self.found.on(shown_with(proba, hidden, self.ordinary))


def known_experts(answers: pd.DataFrame, prior: np.ndarray) -> KnownExperts:
    """Return what answers tell of those who gave them.

    Parameters
    ----------
    answers
        One row or more: ``claim_id``, ``expert``, ``label``, ``p_valid``, ``p_unsubstantiated``, ``p_abusive``, ``hidden``, and for gold
        answers ``truth`` (a label, else missing). A gold answer stands apart from others to its case, whose truth may have come to light by
        them.
    prior
        Confusion that is expected of an expert of whom nothing is known, shape (3, 3).

    Examples
    --------
    >>> rows = [("C1", "ann", "abusive", 0.5, 0.1, 0.4, False), ("C1", "bob", "abusive", 0.5, 0.1, 0.4, False)]
    >>> names = ["claim_id", "expert", "label", "p_valid", "p_unsubstantiated", "p_abusive", "hidden"]
    >>> known = known_experts(pd.DataFrame(rows, columns=names), np.full((3, 3), 0.1) + 0.7 * np.eye(3))
    >>> known.names, known.on(np.array([[0.5, 0.1, 0.4]]), np.array([True])).shape
    (('ann', 'bob'), (1, 2, 3, 3))
    """
    truth = _places(answers["truth"]) if "truth" in answers else np.full(len(answers), -1)
    keys = np.where(truth >= 0, "gold:", "") + answers["claim_id"].to_numpy(dtype=object)
    _, first, case = np.unique(keys, return_index=True, return_inverse=True)
    names, expert = np.unique(answers["expert"].to_numpy(dtype=object), return_inverse=True)
    proba = answers[[f"p_{name}" for name in LABELS]].to_numpy(dtype=np.float64)
    by_case = np.clip(proba[first], 1e-6, None)
    by_case /= by_case.sum(axis=1, keepdims=True)
    ordinary = by_case.mean(axis=0)
    shown = shown_with(proba, answers["hidden"].to_numpy(), ordinary)
    expected = np.clip(prior, 1e-4, None)
    said = Answers(case, expert, _places(answers["label"]), by_case, truth[first], len(names), shown)
    found = consensus(said, expected / expected.sum(axis=1, keepdims=True), rounds=_ROUNDS, tolerance=_TOLERANCE)
    return KnownExperts(tuple(map(str, names)), found, case, expert, ordinary, found.accuracy(ordinary))


def _places(labels: pd.Series) -> np.ndarray:
    places: np.ndarray = labels.map({name: place for place, name in enumerate(LABELS)}).fillna(-1).to_numpy(dtype=np.int64)
    return places
