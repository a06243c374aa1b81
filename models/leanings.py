"""Which cases an expert errs on: what they look at, learned from their answers, on top of how often they err.

An expert's confusion says how often each error happens; the features of a case say a little about when. The little is worth money, because
whoever assigns cases may choose among experts for each case. With some hundred answers of an expert only a strongly regularised
linear model is learnable; where features tell nothing it gives the confusion back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.opinions import CLASSES, Answers, Consensus, softmax


@dataclass(frozen=True, eq=False)
class Leanings:
    """How features move experts' answers.

    Parameters
    ----------
    found
        Confusions and sway of the experts.
    levels
        Correction of the log-odds of each answer under each truth, shape (experts, 3, 3).
    weights
        Log-odds of each answer per unit of each feature, shape (experts, 3, features).
    """

    found: Consensus
    levels: np.ndarray
    weights: np.ndarray

    def on(self, features: np.ndarray, shown: np.ndarray) -> np.ndarray:
        """Return P(answer | truth) of each expert on each of some cases, shape (cases, experts, 3, 3).

        Parameters
        ----------
        features
            Shape (cases, features), scaled as for :func:`leanings`.
        shown
            As for :meth:`models.consensus.Consensus.on`.
        """
        moved = np.einsum("nf,ekf->nek", features, self.weights)[:, :, None, :] + self.levels
        return softmax(np.log(self.found.on(shown)) + moved)


def leanings(answers: Answers, found: Consensus, features: np.ndarray, spread: float = 2.0, level_spread: float = 0.5) -> Leanings:
    """Learn from answers how features move each expert.

    Parameters
    ----------
    answers
        What was answered.
    found
        Their consensus: classes of the cases as far as they are known, confusions and sway.
    features
        Of each case, shape (cases, features); of comparable scale, zero for an ordinary or missing value (ranks in [−½, ½]).
    spread
        How large weights are thought to be (standard deviation of the prior, per unit of a feature).
    level_spread
        How far levels are thought to move, once features explain part of the errors.

    Notes
    -----
    log-odds of answer k under truth y: log K_e(k | y) + β_e·s_k + B_e(y, k) + w_e(k)·x, with B ~ N(0, level_spread²) and w ~ N(0, spread²);
    the class of a case counts with its probability after all answers. The log-posterior is concave; L-BFGS finds its maximum.

    Examples
    --------
    >>> from models.consensus import consensus
    >>> prior, case = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]), np.arange(200)
    >>> x = np.where(case % 2, 0.5, -0.5)
    >>> said = Answers(case, np.zeros(200, int), np.where(x > 0, 2, 0), np.full((200, 3), 1 / 3), np.zeros(200, int), 1)
    >>> known = leanings(said, consensus(said, prior), x[:, None])
    >>> known.on(np.array([[-0.5], [0.5]]), np.zeros((2, 3)))[:, 0, 0, 2].round(1).tolist()
    [0.0, 1.0]
    """
    from scipy.optimize import minimize  # loaded where it is used: the endpoint has no need of it to start

    count = features.shape[1]
    weights, levels = np.zeros((answers.experts, CLASSES, count)), np.zeros((answers.experts, CLASSES, CLASSES))
    shown = np.zeros((len(answers.case), CLASSES)) if answers.shown is None else answers.shown
    for expert in range(answers.experts):
        rows = np.flatnonzero(answers.expert == expert)
        if not len(rows):
            continue
        base = np.log(found.confusions[expert]) + found.sway[expert] * shown[rows][:, None, :]
        seen, truth, said = features[answers.case[rows]], found.posterior[answers.case[rows]], np.eye(CLASSES)[answers.label[rows]]
        start = np.zeros(CLASSES * (CLASSES + count))
        best = minimize(_loss, start, (base, seen, truth, said, spread, level_spread), jac=True, method="L-BFGS-B").x
        levels[expert], weights[expert] = best[: CLASSES**2].reshape(CLASSES, CLASSES), best[CLASSES**2 :].reshape(CLASSES, count)
    return Leanings(found, levels, weights)


def _loss(
    at: np.ndarray, base: np.ndarray, seen: np.ndarray, truth: np.ndarray, said: np.ndarray, spread: float, level_spread: float
) -> tuple[float, np.ndarray]:
    """Return the negative log-posterior of one expert's levels and weights, and its slope."""
    levels, weights = at[: CLASSES**2].reshape(CLASSES, CLASSES), at[CLASSES**2 :].reshape(CLASSES, -1)
    logits = base + levels + (seen @ weights.T)[:, None, :]
    top = logits.max(axis=2, keepdims=True)
    total = np.log(np.exp(logits - top).sum(axis=2, keepdims=True)) + top
    missed = truth[:, :, None] * (np.exp(logits - total) - said[:, None, :])
    likely = (truth * ((logits - total) * said[:, None, :]).sum(axis=2)).sum()
    loss = (levels**2).sum() / (2 * level_spread**2) + (weights**2).sum() / (2 * spread**2) - likely
    slope = np.concatenate(
        [
            (missed.sum(axis=0) + levels / level_spread**2).ravel(),
            (missed.sum(axis=1).T @ seen + weights / spread**2).ravel(),
        ]
    )
    return float(loss), slope
