"""The rounds by which a consensus is found: each raises the log-posterior of confusions, sway and skill.

Generalised expectation–maximisation: classes of the cases from what is thought of the experts, then one step in each of the things that are
thought of them. :mod:`models.consensus` chooses which steps, and in what order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from models.opinions import CLASSES, Answers, Consensus, softmax

SKILL = 1.0
"""How far an expert's skill (log-odds of being right) is thought to lie from that of all: standard deviation."""


@dataclass(frozen=True, eq=False)
class Thought:
    """What is thought of experts: as a start, as the mean of what is thought beforehand, and as it becomes."""

    confusions: np.ndarray
    sway: np.ndarray
    skill: np.ndarray
    strength: float
    spread: float

    def of(self, experts: int) -> Thought:
        """Think the same of every one of some experts."""
        confusions = np.broadcast_to(self.confusions, (experts, CLASSES, CLASSES)).copy()
        return replace(self, confusions=confusions, sway=np.broadcast_to(self.sway, experts).copy(), skill=np.zeros(experts))

    @property
    def skilled(self) -> np.ndarray:
        """Confusions with the skill worked in, shape (experts, 3, 3)."""
        return softmax(np.log(self.confusions) + self.skill[:, None, None] * np.eye(CLASSES))

    def log_density(self, of: Thought) -> float:
        """Return how likely other thoughts are beforehand, up to a constant."""
        told = self.strength * (self.confusions * np.log(of.confusions)).sum()
        return float(told - (((of.sway - self.sway) / self.spread) ** 2 + ((of.skill - self.skill) / SKILL) ** 2).sum() / 2)


@dataclass(frozen=True, eq=False)
class Round:
    """What a step may look at: the answers with what was shown, their classes as now estimated, and what was thought beforehand."""

    answers: Answers
    shown: np.ndarray
    weight: np.ndarray
    before: Thought


Step = Callable[[Round, Thought], Thought]
"""What is thought, one step nearer to what the answers say."""


def climb(answers: Answers, before: Thought, steps: tuple[Step, ...], rounds: int, tolerance: float) -> Consensus:
    """Take steps until the log-posterior gains less than the tolerance per answer.

    Parameters
    ----------
    answers
        All answers.
    before
        What is thought of the experts beforehand, and where to start.
    steps
        What to improve in each round, in this order.
    rounds, tolerance
        When to stop.
    """
    shown = np.zeros((len(answers.case), CLASSES)) if answers.shown is None else answers.shown
    thought, objective = before, [-np.inf]
    for _ in range(rounds):
        posterior, evidence = _classes(answers, _chances(answers, shown, thought))
        objective.append(evidence + before.log_density(thought))
        if objective[-1] - objective[-2] < tolerance * (1 + len(answers.case)):
            break
        for step in steps:
            thought = step(Round(answers, shown, posterior[answers.case], before), thought)
    posterior, _ = _classes(answers, _chances(answers, shown, thought))
    return Consensus(thought.skilled, thought.sway, posterior, tuple(objective[1:]))


def _chances(answers: Answers, shown: np.ndarray, thought: Thought) -> np.ndarray:
    """Return P(answer | truth) of every answer's expert as shown, shape (answers, 3 truths, 3 answers)."""
    lean = shown[:, None, :] * thought.sway[answers.expert][:, None, None]
    return softmax(np.log(thought.skilled)[answers.expert] + lean)


def _classes(answers: Answers, chances: np.ndarray) -> tuple[np.ndarray, float]:
    """Return P(class | answers) of every case, and the log-likelihood of all answers and gold labels."""
    with np.errstate(divide="ignore"):
        joint = np.log(answers.proba)
    known = answers.gold >= 0
    # Gold was examined in earnest: it overrules even a model that thought its class impossible.
    joint[known] = np.where(np.arange(CLASSES) == answers.gold[known, None], 0.0, -np.inf)
    said = chances[np.arange(len(chances)), :, answers.label]
    np.add.at(joint, answers.case, np.log(said))
    top = joint.max(axis=1, keepdims=True)
    odds = np.exp(joint - top)
    total = odds.sum(axis=1, keepdims=True)
    return odds / total, float((top + np.log(total)).sum())


def rescale(now: Round, thought: Thought) -> Thought:
    """Scale confusions so that they would give the answers that were given, as far as the prior agrees."""
    answers, before, confusions = now.answers, now.before, thought.confusions
    given, expected = np.zeros_like(confusions), np.zeros_like(confusions)
    np.add.at(given.transpose(0, 2, 1), (answers.expert, answers.label), now.weight)
    np.add.at(expected, answers.expert, now.weight[:, :, None] * _chances(answers, now.shown, thought))
    scaled = confusions * (before.strength * before.confusions + given) / (before.strength * confusions + expected)
    return replace(thought, confusions=scaled / scaled.sum(axis=2, keepdims=True))


def sway_on(now: Round, thought: Thought) -> Thought:
    """Bring every expert's sway nearer to its best."""
    if not now.shown.any():
        return thought
    along = np.repeat(now.shown[:, None, :], CLASSES, axis=1)
    return _newton(now, lambda sway: replace(thought, sway=sway), thought.sway, along, now.before.sway, now.before.spread)


def skill_on(now: Round, thought: Thought) -> Thought:
    """Bring every expert's skill nearer to its best."""
    along = np.broadcast_to(np.eye(CLASSES), (len(now.shown), CLASSES, CLASSES))
    return _newton(now, lambda skill: replace(thought, skill=skill), thought.skill, along, now.before.skill, SKILL)


def _newton(
    now: Round, thinking: Callable[[np.ndarray], Thought], start: np.ndarray, along: np.ndarray, mean: np.ndarray, spread: float
) -> Thought:
    """Take a step of Newton's in one number per expert, halved where it does not gain; the log-posterior is concave in it.

    ``thinking`` says what is thought for given numbers; ``along`` holds by how much a number moves the log-odds of each answer under each
    truth, shape (answers, 3, 3).
    """
    experts, label = now.answers.expert, now.answers.label[:, None, None]

    def by_expert(values: np.ndarray) -> np.ndarray:
        total: np.ndarray = np.bincount(experts, (now.weight * values).sum(axis=1), len(start))
        return total

    def gained(at: np.ndarray) -> np.ndarray:
        chances = _chances(now.answers, now.shown, thinking(at))
        likely = np.log(np.take_along_axis(chances, label, axis=2)[..., 0])
        total: np.ndarray = by_expert(likely) - ((at - mean) / spread) ** 2 / 2
        return total

    chances = _chances(now.answers, now.shown, thinking(start))
    expected = (chances * along).sum(axis=2)
    curve = by_expert((chances * along**2).sum(axis=2) - expected**2) + 1 / spread**2
    step = (by_expert(np.take_along_axis(along, label, axis=2)[..., 0] - expected) - (start - mean) / spread**2) / curve
    before = gained(start)
    for _ in range(30):
        lost = gained(start + step) < before
        if not lost.any():
            return thinking(start + step)
        step = np.where(lost, step / 2, step)
    return thinking(start + np.where(lost, 0.0, step))
