"""What several experts together say of a case, and how each of them errs: Dawid and Skene's model with a prior for everything.

Few cases ever show their truth. Where two experts answered the same case, where an answer meets the model's probability, and on the few
gold cases, answers tell about each other. The model's probability is the prior of its case, because cases come to experts *by* that
probability: a common share of classes for all cases would take the selection for the experts' opinion. But experts see the
probability too, and whoever follows it agrees with it without knowing more. So the model has one more number for each expert, the *sway* of
a shown probability, which answers given without seeing it make identifiable.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.consensus_steps import Thought, climb, rescale, skill_on, sway_on
from models.opinions import CLASSES, Answers, Consensus

SWAY_OF_ALL, SWAY_OF_ONE = 2.0, 0.5
"""How far the sway of all experts together is thought to lie from none, and that of one expert from all: standard deviations."""


def consensus(
    answers: Answers, prior: np.ndarray, strength: float = 20.0, rounds: int = 300, tolerance: float = 1e-8, pooled: bool = True
) -> Consensus:
    """Estimate each expert's confusion and sway and each case's class together.

    Parameters
    ----------
    answers
        All answers.
    prior
        Confusion that is expected of an expert of whom nothing is known, shape (3, 3): the tier's in the policy.
    strength
        How many answers per truth the prior is worth, > 0.
    rounds, tolerance
        At most so many rounds, or until the log-posterior gains less than this per answer.
    pooled
        First estimate one confusion and one sway for all experts together, then by how much each expert is better or worse than these
        all told, and take that as the prior of each expert's own confusion: who has few answers is thought to err like the others, only
        more or less often.

    Returns
    -------
    Consensus
        Without answers the prior and the model's probabilities.

    Raises
    ------
    ValueError
        If the prior is no confusion with positive entries, or the strength not positive.

    Notes
    -----
    P(ŷ | y, shown s) ∝ K_e(ŷ | y)·exp(β_e·s_ŷ), the class of case i having prior p_i. Without shown probabilities this is the model of
    Dawid & Skene (*Applied Statistics* 28(1), 1979) with Dirichlet priors of the given strength. Each round is a generalised step of
    expectation–maximisation: T_iy ∝ p_iy · Π_answers P(ŷ | y), fixed at gold; then one step of iterative scaling for K (exact where
    nothing is shown) and one of Newton's, halved until it gains, for β ~ N(pooled, ``SWAY_OF_ONE``²). Skill is a log-odds
    θ_e ~ N(0, ``SKILL``²) of being right, added to the pooled confusion.

    It assumes that experts err independently given the truth and what is shown; a case that is hard for all lets them look surer together
    than they are.

    Examples
    --------
    >>> from models.opinions import Answers
    >>> prior = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    >>> case, expert, label = np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([2, 2, 0])
    >>> found = consensus(Answers(case, expert, label, np.full((2, 3), 1 / 3), np.array([-1, 0]), 2), prior)
    >>> found.posterior.argmax(axis=1).tolist(), bool(found.posterior[0, 2] > 0.9)
    ([2, 0], True)
    """
    prior = np.asarray(prior, dtype=np.float64)
    if prior.shape != (CLASSES, CLASSES) or (prior <= 0).any() or not np.allclose(prior.sum(axis=1), 1.0) or not strength > 0:
        raise ValueError(
            f"prior: expected three rows of positive probabilities and a positive strength, found {prior.tolist()} and {strength}"
        )
    some = np.zeros(1)
    thought = Thought(prior[None], some, some, strength, SWAY_OF_ALL)
    if pooled:
        alone = replace(answers, expert=np.zeros_like(answers.expert), experts=1)
        together = climb(alone, thought, (rescale, sway_on), rounds, tolerance)
        thought = replace(thought.of(answers.experts), confusions=together.confusions, sway=together.sway, spread=SWAY_OF_ONE)
        apart = climb(answers, thought.of(answers.experts), (skill_on, sway_on), rounds, tolerance)
        thought = replace(thought, confusions=apart.confusions)
    return climb(answers, thought.of(answers.experts), (rescale, sway_on), rounds, tolerance)
