"""Simulated experts with known errors, for the tests of what is learned from their answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.opinions import Answers, shown_with, softmax

PRIOR = np.array([[0.85, 0.1, 0.05], [0.12, 0.8, 0.08], [0.12, 0.1, 0.78]])
ORDINARY = np.array([0.6, 0.2, 0.2])


@dataclass(frozen=True, eq=False)
class World:
    """Answers, and what is true of cases and experts."""

    answers: Answers
    truth: np.ndarray
    confusions: np.ndarray
    hidden: np.ndarray


def experts(rng: np.random.Generator, count: int, spread: float = 1.0) -> np.ndarray:
    """Draw confusions around the prior, shape (count, 3, 3)."""
    skill = rng.normal(0, spread, (count, 1, 1)) + rng.normal(0, spread / 2, (count, 3, 1))
    return softmax(np.log(PRIOR) + skill * np.eye(3))


def world(seed: int, count: int = 8, each: int = 200, gold: float = 0.04, overlap: float = 0.08, sway: float = 0.0) -> World:
    """Let experts answer cases that a calibrated model has an opinion about."""
    rng = np.random.default_rng(seed)
    cases = round(count * each / (1 + overlap))
    proba = rng.dirichlet([1.2, 0.5, 0.5], cases)
    truth = (proba.cumsum(axis=1)[:, :-1] < rng.random((cases, 1))).sum(axis=1)
    twice = np.flatnonzero(rng.random(cases) < overlap)
    case = np.r_[np.arange(cases), twice]
    expert = np.r_[rng.permutation(np.arange(cases) % count), np.zeros(len(twice), dtype=np.int64)]
    expert[cases:] = (expert[twice] + rng.integers(1, count, len(twice))) % count
    confusions, hidden = experts(rng, count), rng.random(len(case)) < 0.15
    shown = shown_with(proba[case], hidden, ORDINARY)
    chances = softmax(np.log(confusions)[expert, truth[case]] + sway * shown)
    label = (chances.cumsum(axis=1)[:, :-1] < rng.random((len(case), 1))).sum(axis=1)
    known = np.where(rng.random(cases) < gold, truth, -1)
    return World(Answers(case, expert, label, proba, known, count, shown), truth, confusions, hidden)
