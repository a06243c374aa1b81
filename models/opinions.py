"""Answers of experts as numbers, and what they amount to: the nouns of :mod:`models.consensus`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data_contracts import LABELS

CLASSES = len(LABELS)


@dataclass(frozen=True, eq=False)
class Answers:
    """Who answered what; places of cases, experts and classes as whole numbers.

    Parameters
    ----------
    case, expert, label
        Of each answer, shape (answers,); labels in the order of ``LABELS``.
    proba
        The model's probabilities of each case, shape (cases, 3).
    gold
        Of each case its known class, or -1, shape (cases,).
    experts
        How many experts there are; some may have no answer yet.
    shown
        What the expert was shown with each answer, shape (answers, 3): probabilities less those of an ordinary case
        (:func:`shown_with`), zeros where they were hidden. Left out, nobody is thought to be swayed.

    Examples
    --------
    >>> said = Answers(np.array([0, 0]), np.array([0, 1]), np.array([2, 2]), np.array([[0.6, 0.1, 0.3]]), np.array([-1]), 2)
    >>> len(said.label)
    2
    """

    case: np.ndarray
    expert: np.ndarray
    label: np.ndarray
    proba: np.ndarray
    gold: np.ndarray
    experts: int
    shown: np.ndarray | None = None

    def __post_init__(self) -> None:
        limits = {"case": (0, len(self.proba)), "expert": (0, self.experts), "label": (0, CLASSES), "gold": (-1, CLASSES)}
        for name, (low, high) in limits.items():
            values = getattr(self, name)
            if len(values) and not low <= values.min() <= values.max() < high:
                raise ValueError(f"{name}: expected {low} to {high - 1}, found {values.min()} to {values.max()}")
        lengths = [len(self.case), len(self.expert), len(self.label), len(self.case if self.shown is None else self.shown)]
        if len(set(lengths)) > 1 or len(self.gold) != len(self.proba):
            raise ValueError(
                f"answers: expected columns of one length, found {lengths} of answers and {len(self.proba)}, {len(self.gold)} of cases"
            )


@dataclass(frozen=True, eq=False)
class Consensus:
    """What the answers amount to.

    Parameters
    ----------
    confusions
        P(answer | truth) of each expert who is shown nothing, shape (experts, 3, 3), rows sum to 1.
    sway
        Log-odds towards a class per unit by which its shown probability exceeds an ordinary one, shape (experts,): automation bias.
    posterior
        Probability of each class of each case, shape (cases, 3).
    objective
        Log-posterior after each round; never falls.
    """

    confusions: np.ndarray
    sway: np.ndarray
    posterior: np.ndarray
    objective: tuple[float, ...]

    def on(self, shown: np.ndarray) -> np.ndarray:
        """Return P(answer | truth) of each expert on each of some cases as shown, shape (cases, experts, 3, 3)."""
        lean = np.asarray(shown)[:, None, None, :] * self.sway[:, None, None]
        return softmax(np.log(self.confusions) + lean)

    def accuracy(self, shares: np.ndarray) -> np.ndarray:
        """Return each expert's probability of being right, shown nothing, on cases with given shares of classes, shape (experts,)."""
        right: np.ndarray = np.diagonal(self.confusions, axis1=1, axis2=2) @ np.asarray(shares, dtype=np.float64)
        return right


def shown_with(proba: np.ndarray, hidden: np.ndarray, ordinary: np.ndarray) -> np.ndarray:
    """Return what experts see of the model's opinion, as :class:`Answers` wants it.

    Parameters
    ----------
    proba
        The model's probabilities by answer, shape (answers, 3).
    hidden
        Whether they were kept from the expert, shape (answers,).
    ordinary
        Probabilities of an ordinary case, shape (3,): an expert who is shown these is told nothing.

    Examples
    --------
    >>> shown_with(np.array([[0.5, 0.1, 0.4]] * 2), np.array([False, True]), np.array([0.7, 0.2, 0.1])).round(1).tolist()
    [[-0.2, -0.1, 0.3], [0.0, 0.0, 0.0]]
    """
    return np.where(np.asarray(hidden)[:, None], 0.0, proba - ordinary)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities from log-odds along the last axis.

    >>> softmax(np.log(np.array([[1.0, 3.0]]))).round(2).tolist()
    [[0.25, 0.75]]
    """
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: np.ndarray = odds / odds.sum(axis=-1, keepdims=True)
    return shares
