"""One panel of experts on one market: its history of answers, its capacity, and what every claim comes to cost.

Whoever answers, the answer is *expected* (over the expert's true chances on that very claim), so that no luck of a draw enters; the claim's
truth is the sealed one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks._deferral_cases import Cases
from data_contracts import LABELS
from models.opinions import Answers, shown_with
from pipelines.simulate.panel import Panel, answer_probabilities

EXPERTS, ANSWERS_EACH = 10, 200
GOLD, OVERLAP, HIDDEN = 0.05, 0.10, 0.15
BATCH, BUSY = 100, 0.6
"""Claims that are assigned together, and the share of them that the experts can take on average."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What the experts' history teaches: answers in the order of time, with the truth of every case."""

    answers: Answers
    truth: np.ndarray


@dataclass(frozen=True, eq=False)
class Trial:
    """One panel on one market: the claims to defer, what is believed of experts, and what is true of them.

    Parameters
    ----------
    cases
        To be deferred.
    chances
        P(answer) of each expert on each case given its truth, shape (cases, experts, 3).
    price
        Fee and delay of one look, cents.
    capacity
        Cases each expert takes of each batch, shape (batches, experts).
    """

    cases: Cases
    chances: np.ndarray
    price: float
    capacity: np.ndarray

    def ends(self, beliefs: np.ndarray) -> np.ndarray:
        """Return the action that each answer leads to under beliefs (cases, experts, 3, 3) about experts; shape (cases, experts, 3)."""
        joint = self.cases.proba[:, None, :, None] * beliefs
        expected = [np.einsum("ney,nky->nek", joint[..., said], self.cases.costs) for said in range(len(LABELS))]
        return np.stack([cost.argmin(axis=2) for cost in expected], axis=2)

    def obeyed(self) -> np.ndarray:
        """Return the action that each answer leads to when it is taken for the truth."""
        best = self.cases.costs.argmin(axis=1)
        return np.broadcast_to(best[:, None, :], self.chances.shape)

    def looked_at(self, ends: np.ndarray) -> np.ndarray:
        """Return what a look by each expert really costs, in expectation over the answer, shape (cases, experts)."""
        rows = np.arange(len(self.cases))[:, None, None]
        cost: np.ndarray = (self.chances * self.cases.costs[rows, ends, self.cases.truth[:, None, None]]).sum(axis=2) + self.price
        return cost

    def cost(self, expert: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Return what each case costs once assigned, -1 for the automatic action; shape (cases,)."""
        rows = np.arange(len(self.cases))
        alone = self.cases.costs[rows, self.cases.automatic[0], self.cases.truth]
        return np.where(expert >= 0, self.looked_at(ends)[rows, expert], alone)

    def in_batches(self, choose: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """Let a way choose experts batch by batch, from the rows of its cases and everybody's room."""
        return np.concatenate([choose(rows, room) for rows, room in zip(self.batches(), self.capacity, strict=True)])

    def batches(self) -> list[np.ndarray]:
        """Return the cases of each batch."""
        return np.array_split(np.arange(len(self.cases)), len(self.capacity))


def history(panel: Panel, cases: Cases, past: int, rng: np.random.Generator) -> Learned:
    """Let the panel answer the earlier cases: one expert each, some cases two, some without sight of the model's probability."""
    first = np.concatenate([rng.permutation(EXPERTS) for _ in range(past // EXPERTS + 1)])[:past]
    twice = np.flatnonzero(rng.random(past) < OVERLAP)
    case = np.concatenate([np.arange(past), twice])
    expert = np.concatenate([first, (first[twice] + rng.integers(1, EXPERTS, len(twice))) % EXPERTS])
    order = np.argsort(case, kind="stable")
    case, expert = case[order], expert[order]
    hidden = rng.random(len(case)) < HIDDEN
    seen = np.where(hidden[:, None], 0.0, cases.shown[case])
    chances = answer_probabilities(panel, cases.features[case], seen, cases.truth[case])[np.arange(len(case)), expert]
    label = (chances.cumsum(axis=1)[:, :-1] < rng.random((len(case), 1))).sum(axis=1)
    shown = shown_with(cases.proba[case], hidden, cases.proba.mean(axis=0))
    gold = np.where(rng.random(past) < GOLD, cases.truth[:past], -1)
    return Learned(Answers(case, expert, label, cases.proba[:past], gold, EXPERTS, shown), cases.truth[:past])


def capacities(cases: int, rng: np.random.Generator) -> np.ndarray:
    """Draw each expert's room in each batch, normal with a fifth of its mean (OpenL2D); never more than there are cases."""
    batches, mean = max(1, round(cases / BATCH)), BUSY * BATCH / EXPERTS
    drawn = np.maximum(0, np.rint(rng.normal(mean, 0.2 * mean, (batches, EXPERTS)))).astype(np.int64)
    smallest = cases // batches
    return np.minimum(drawn, np.maximum(0, smallest - (np.cumsum(drawn, axis=1) - drawn)))
