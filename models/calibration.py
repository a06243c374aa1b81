"""Calibration maps fitted on one window and chosen on later ones, aimed at the truth behind the labels of fallible experts."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from data_contracts import LABELS
from models.calibration_maps import KINDS, LOWEST, Calibration

_TINY = 1e-12
_STIFFNESS = 1e-3
_SHORTEST = 30.0
_ROUNDS = 30
_STILL = 1e-4


def fit(kind: str, scores: np.ndarray, labels: np.ndarray, weights: np.ndarray, likelihood: np.ndarray | None = None) -> Calibration:
    """Fit one candidate by weighted log-loss.

    Parameters
    ----------
    kind
        One of ``KINDS``.
    scores
        Log-probabilities, shape (rows, 3).
    labels, weights
        Class and weight of each row, shape (rows,). Rows of weight 0 are not read.
    likelihood
        P(label of the row | truth) for each truth, shape (rows, 3): who labels may err (:func:`models.experts.label_likelihood`). Without
        it labels are taken for the truth.

    Notes
    -----
    The loss is -log Σ_y p(y)·P(label | y), so that the map is fitted to probabilities of the *truth* from labels of fallible experts
    (forward correction; Patrini et al., Making deep neural networks robust to label noise, CVPR 2017).

    Scales are fitted as logarithms from 1 and shifts from 0 with a weak quadratic pull back to that start, so that a
    window with few rows of a class cannot send a parameter to infinity; ``dirichlet`` starts from the identity, and its entries off the
    diagonal are pulled back a hundred times harder (ODIR of Kull et al. 2019). ``isotonic`` alternates between each row's posterior of
    the truth and rising curves fitted to it (EM), and keeps every class at least half a row likely. Fewer than 30 rows fit nothing:
    ``none``.
    """
    if kind not in KINDS:
        raise ValueError(f"calibration: expected one of {', '.join(KINDS)}, found {kind!r}")
    used = np.asarray(weights) > 0
    scores, labels, weights = np.asarray(scores)[used], np.asarray(labels)[used], np.asarray(weights, dtype=np.float64)[used]
    if kind == "none" or len(scores) < _SHORTEST:
        return Calibration()
    given = _certain(labels) if likelihood is None else np.asarray(likelihood, dtype=np.float64)[used]
    if kind == "isotonic":
        return _fit_curves(scores, given, weights)
    return _fit_matrix(scores, given, weights) if kind == "dirichlet" else _fit_scales(kind, scores, given, weights)


def _fit_scales(kind: str, scores: np.ndarray, given: np.ndarray, weights: np.ndarray) -> Calibration:
    count, shifted = {"temperature": (1, False), "nested": (2, True), "vector": (3, True)}[kind]

    def unpack(theta: np.ndarray) -> Calibration:
        return Calibration(kind, tuple(np.exp(theta[:count]).tolist()), tuple(theta[count:].tolist()))

    def loss(theta: np.ndarray) -> float:
        return _log_loss(unpack(theta).proba(scores), given, weights) + _STIFFNESS * float(theta @ theta)

    start = np.zeros(count * (2 if shifted else 1))
    found = minimize(loss, start, method="L-BFGS-B", bounds=[(-3.0, 3.0)] * len(start))
    return unpack(found.x)


def _fit_matrix(scores: np.ndarray, given: np.ndarray, weights: np.ndarray) -> Calibration:
    size = len(LABELS)
    start, share = np.concatenate([np.eye(size).ravel(), np.zeros(size)]), weights / weights.sum()
    stiff = np.concatenate([np.where(np.eye(size, dtype=bool), _STIFFNESS, 100 * _STIFFNESS).ravel(), np.full(size, _STIFFNESS)])
    seen = np.maximum(scores, LOWEST)

    def unpack(theta: np.ndarray) -> Calibration:
        return Calibration("dirichlet", tuple(theta[: size * size].tolist()), tuple(theta[size * size :].tolist()))

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        proba = unpack(theta).proba(scores)
        # ∂(−log Σ_y p_y L_y)/∂z = p − q, q being the posterior of the truth given the label.
        short = share[:, None] * (proba - _posterior(proba, given))
        away = theta - start
        slope = np.concatenate([(short.T @ seen).ravel(), short.sum(axis=0)]) + 2 * stiff * away
        return _log_loss(proba, given, weights) + float(stiff @ away**2), slope

    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(-5.0, 5.0)] * len(start))
    return unpack(found.x)


def _fit_curves(scores: np.ndarray, given: np.ndarray, weights: np.ndarray) -> Calibration:
    raw, least = np.exp(scores), 0.5 / (len(scores) + 1.0)
    proba, found = raw, Calibration()
    for _ in range(_ROUNDS):
        truth, curves = _posterior(proba, given), []
        for place in range(len(LABELS)):
            rising = IsotonicRegression(y_min=least, y_max=1.0, out_of_bounds="clip").fit(raw[:, place], truth[:, place], weights)
            curves.append(tuple(zip(rising.X_thresholds_.tolist(), rising.y_thresholds_.tolist(), strict=True)))
        found = Calibration("isotonic", curves=tuple(curves))
        before, proba = proba, found.proba(scores)
        if np.abs(proba - before).max() < _STILL:
            break
    return found


def _posterior(proba: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return P(truth | label) per row; a label that cannot be under these probabilities leaves them as they are."""
    joint = proba * given
    total = joint.sum(axis=1, keepdims=True)
    posterior: np.ndarray = np.where(total > 0, joint / np.where(total > 0, total, 1.0), proba)
    return posterior


def choose(
    scores: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    fold: np.ndarray,
    kinds: tuple[str, ...] = KINDS,
    likelihood: np.ndarray | None = None,
) -> tuple[Calibration, dict[str, float]]:
    """Choose a candidate by log-loss on later time, fold after fold.

    Parameters
    ----------
    scores
        Log-probabilities, shape (rows, 3).
    labels, weights
        Class and weight of each row.
    fold
        Place of each row's window in time, shape (rows,): 0, 1, …; -1 for rows that take no part.
    kinds
        The candidates.
    likelihood
        As in :func:`fit`.

    Returns
    -------
    tuple
        The chosen map, as fitted on everything before the last fold, and the log-loss of every candidate over all folds but
        the first, each fold by a map fitted on the folds before it. With a single fold nothing is calibrated.

    Notes
    -----
    One later window decides by chance between candidates that are close; several, each seen only after the map was fitted, decide by
    all the time there is. Where ``none`` is a candidate, scores are left alone unless the best map gains more than the standard error of
    its gain: what is already right is not bent by chance.
    """
    labels, weights, fold = np.asarray(labels), np.asarray(weights, dtype=np.float64), np.asarray(fold)
    taking_part = (fold >= 0) & (weights > 0)
    given = _certain(labels) if likelihood is None else np.asarray(likelihood, dtype=np.float64)
    last = int(fold[taking_part].max(initial=0))
    chosen: dict[str, Calibration] = {}
    surprise = {kind: np.full(len(scores), np.nan) for kind in kinds}
    for now in range(1, last + 1):
        before, here = taking_part & (fold < now), taking_part & (fold == now)
        if not here.any() or not before.any():
            continue
        chosen = {kind: fit(kind, scores[before], labels[before], weights[before], given[before]) for kind in kinds}
        for kind in kinds:
            surprise[kind][here] = _surprise(chosen[kind].proba(scores[here]), given[here])
    if not chosen:
        return Calibration(), {}
    judged = ~np.isnan(surprise[kinds[0]])
    weight = weights[judged]
    losses = {kind: float(np.average(surprise[kind][judged], weights=weight)) for kind in kinds}
    best = min(kinds, key=lambda kind: losses[kind])
    if "none" in kinds and losses["none"] - losses[best] <= _error_of_mean(surprise["none"][judged] - surprise[best][judged], weight):
        best = "none"
    return chosen[best], losses


def _certain(labels: np.ndarray) -> np.ndarray:
    """Return the likelihood of labels that are the truth, shape (rows, 3): one where truth and label agree, else zero."""
    certain: np.ndarray = (np.asarray(labels)[:, None] == np.array(LABELS)[None, :]).astype(np.float64)
    return certain


def _log_loss(proba: np.ndarray, given: np.ndarray, weights: np.ndarray) -> float:
    return float(np.average(_surprise(proba, given), weights=weights))


def _surprise(proba: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return −log P(label) of each row."""
    loss: np.ndarray = -np.log(np.clip((proba * given).sum(axis=1), _TINY, 1.0))
    return loss


def _error_of_mean(values: np.ndarray, weights: np.ndarray) -> float:
    middle = np.average(values, weights=weights)
    return float(np.sqrt(((weights * (values - middle)) ** 2).sum()) / weights.sum())
