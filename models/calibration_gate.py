"""The gate of calibration: how far a model's probabilities are off beyond chance, and whether the labels show more than is allowed.

The calibration error is never below 0. On few labels it is large by luck alone, and its excess over what luck shows on average is itself
uncertain: a point may not condemn a model. So the excess comes with an interval, and only an interval above the limit refuses. With few
labels that refuses gross errors alone; the audit and the monitor go on looking.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from data_contracts import LABELS
from models.gates import Gate, Gates
from models.metrics import Interval, classwise_ece, cluster_bootstrap


@dataclass(frozen=True)
class Calibrated:
    """How well probabilities hold.

    Parameters
    ----------
    ece, chance
        The classwise calibration error, and the one that chance alone would show.
    excess
        What goes beyond chance, with its interval; below 0 where chance was kind.
    """

    ece: float
    chance: float
    excess: Interval


def chance_ece(proba: np.ndarray, weights: np.ndarray, rng: np.random.Generator, draws: int = 50) -> float:
    """Return the calibration error that these very probabilities show on average if they are right.

    Parameters
    ----------
    proba, weights
        Probabilities of the labels, shape (claims, 3), and weights.
    rng, draws
        Labels are drawn from the probabilities so many times.

    Notes
    -----
    Consistency resampling (Bröcker & Smith 2007). The error is never below 0, so with few labels it is large by chance alone, and larger
    for sharp probabilities than for the same one for all: without this, the gate would favour models that know nothing.

    Examples
    --------
    >>> same, rng = np.tile([0.2, 0.3, 0.5], (100, 1)), np.random.default_rng(0)
    >>> 0.0 < chance_ece(same, np.ones(100), rng) < 0.1
    True
    """
    edges = proba.cumsum(axis=1)[:, :-1]
    errors = []
    for _ in range(draws):
        place = (edges < rng.random((len(proba), 1))).sum(axis=1)
        errors.append(classwise_ece(np.array(LABELS)[place], proba, weights))
    return float(np.mean(errors))


def calibrated(
    labels: np.ndarray,
    proba: np.ndarray,
    weights: np.ndarray,
    groups: np.ndarray,
    rng: np.random.Generator,
    confidence: float = 0.90,
    draws: int = 200,
) -> Calibrated:
    """Measure the calibration error beyond chance, with its interval.

    Parameters
    ----------
    labels, proba, weights
        Classes, probabilities of shape (claims, 3), weights.
    groups
        Which claims belong together.
    rng, draws
        Of the bootstrap.
    confidence
        Of the interval.

    Notes
    -----
    A resample repeats claims, so its error is larger than that of a new sample would be. The interval is therefore the basic one,
    (2e − q_high, 2e − q_low), which takes that bias back (Davison & Hinkley 1997, section 5.2), less what chance shows.
    """
    chance = chance_ece(proba, weights, rng) if len(labels) else float("nan")
    drawn = cluster_bootstrap(lambda rows: classwise_ece(labels[rows], proba[rows], weights[rows]), groups, rng, draws, confidence)
    ece = drawn.estimate
    return Calibrated(ece, chance, Interval(ece - chance, 2 * ece - drawn.high - chance, 2 * ece - drawn.low - chance, drawn.draws))


def gate(champion: Calibrated, challenger: Calibrated, gates: Gates) -> Gate:
    """Return whether probabilities hold, as far as labels can tell: the errors of both beyond chance, on the same labels.

    Parameters
    ----------
    champion, challenger
        What was measured.
    gates
        The limits.
    """
    limit, found = max(gates.ece, champion.excess.estimate + gates.ece_margin), challenger.excess
    why = (
        f"calibration error {challenger.ece:.3f}, {found.estimate:.3f} beyond the {challenger.chance:.3f} that right probabilities would "
        f"show on these labels ({gates.ece_confidence:.0%} interval {found.low:.3f} to {found.high:.3f}), at most {limit:.3f} beyond "
        f"(champion {champion.excess.estimate:.3f})"
    )
    return Gate("calibration", not math.isnan(found.estimate) and not found.low > limit, found.estimate, limit, why)
