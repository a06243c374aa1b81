"""How experts err: what the confusion of a tier makes of labels and of answers; stated by the policy, or learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from data_contracts import LABELS
from models.policy import Policy


def label_likelihood(labels: np.ndarray, sources: np.ndarray, confusions: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return how likely each row's label is under each truth, given how its source errs.

    Parameters
    ----------
    labels
        Class of each row, shape (rows,).
    sources
        Where each label comes from, shape (rows,).
    confusions
        P(label | truth) by source, shape (3, 3) each; a source that is not named is taken for infallible.

    Returns
    -------
    ndarray
        Shape (rows, 3): P(label of the row | truth).

    Examples
    --------
    >>> desk = np.array([[0.9, 0.1, 0.0], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    >>> label_likelihood(np.array(["abusive", "abusive"]), np.array(["desk", "revealed"]), {"desk": desk}).tolist()
    [[0.0, 0.1, 0.8], [0.0, 0.0, 1.0]]
    """
    place = np.array([LABELS.index(str(label)) for label in labels], dtype=np.intp)
    certain = np.eye(len(LABELS))
    return np.array([confusions.get(str(source), certain)[:, k] for source, k in zip(sources, place, strict=True)]).reshape(-1, len(LABELS))


def stated_probabilities(proba: np.ndarray, sources: np.ndarray, confusions: Mapping[str, np.ndarray]) -> np.ndarray:
    """Turn probabilities of the truth into probabilities of the label that each source would state.

    Parameters
    ----------
    proba
        Probabilities of the truth, shape (rows, 3).
    sources, confusions
        As in :func:`label_likelihood`.

    Returns
    -------
    ndarray
        Shape (rows, 3): what can be compared with labels.

    Examples
    --------
    >>> desk = np.array([[0.9, 0.1, 0.0], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    >>> stated_probabilities(np.array([[0.5, 0.0, 0.5]]), np.array(["desk"]), {"desk": desk}).tolist()
    [[0.5, 0.1, 0.4]]
    """
    certain = np.eye(len(LABELS))
    return np.array([p @ confusions.get(str(source), certain) for p, source in zip(proba, sources, strict=True)]).reshape(-1, len(LABELS))


def after_answer(proba: np.ndarray, answer: np.ndarray, confusion: np.ndarray) -> np.ndarray:
    """Update probabilities by an expert's answer (Bayes' rule).

    Parameters
    ----------
    proba
        Probabilities before, shape (claims, 3).
    answer
        What the expert said, one of ``LABELS`` per claim, shape (claims,).
    confusion
        P(answer | truth), shape (3, 3), or of each claim, shape (claims, 3, 3).

    Returns
    -------
    ndarray
        Probabilities after, shape (claims, 3). An answer that was impossible beforehand teaches nothing and leaves the row as it was.

    Examples
    --------
    >>> confusion = np.array([[0.9, 0.0, 0.1], [0.0, 1.0, 0.0], [0.1, 0.0, 0.9]])
    >>> after_answer(np.array([[0.5, 0.0, 0.5]]), np.array(["abusive"]), confusion).round(2).tolist()
    [[0.1, 0.0, 0.9]]
    """
    place = np.array([LABELS.index(str(label)) for label in answer], dtype=np.intp)
    stated = np.broadcast_to(confusion, (len(proba), len(LABELS), len(LABELS)))
    joint = proba * stated[np.arange(len(proba)), :, place]
    total = joint[:, 0] + joint[:, 1] + joint[:, 2]
    possible = total > 0
    posterior: np.ndarray = np.where(possible[:, None], joint / np.where(possible, total, 1.0)[:, None], proba)
    return posterior


def tier_confusion(confusions: np.ndarray, answers: np.ndarray) -> np.ndarray:
    """Return the confusion of a tier: that of its experts, each as often as they answer.

    Parameters
    ----------
    confusions
        P(answer | truth) of each expert, shape (experts, 3, 3), as :func:`models.consensus.consensus` finds them.
    answers
        How many answers each gave, shape (experts,); equal shares where nobody has answered yet.

    Examples
    --------
    >>> sure, unsure = np.eye(3), np.full((3, 3), 1 / 3)
    >>> tier_confusion(np.stack([sure, unsure]), np.array([3, 1]))[0].round(3).tolist()
    [0.833, 0.083, 0.083]
    """
    share = np.asarray(answers, dtype=np.float64)
    share = share / share.sum() if share.sum() > 0 else np.full(len(share), 1 / len(share))
    together: np.ndarray = (share[:, None, None] * confusions).sum(axis=0)
    return together


def with_confusions(policy: Policy, desk: np.ndarray | None = None, investigation: np.ndarray | None = None) -> Policy:
    """Return a policy in which experts err as learned instead of as declared.

    Parameters
    ----------
    policy
        Prices and declared confusions.
    desk, investigation
        Learned confusion of a tier, shape (3, 3); a tier left out stays as declared.

    Notes
    -----
    Whatever reads confusions reads them from the policy: the value of review, the action after an answer, and the labels' confusions
    (:func:`models.policy.label_confusions`). The hash changes with them, so decisions record what they were priced with.

    Examples
    --------
    >>> from models.policy import default_policy, label_confusions
    >>> learned = with_confusions(default_policy(), desk=np.eye(3))
    >>> label_confusions(learned)["desk"].tolist(), learned.identifier == default_policy().identifier
    ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], False)
    """
    tiers = {"desk": desk, "investigation": investigation}
    learned = {name: tuple(tuple(float(p) for p in row) for row in found) for name, found in tiers.items() if found is not None}
    return replace(policy, **{name: replace(getattr(policy, name), confusion=rows) for name, rows in learned.items()})
