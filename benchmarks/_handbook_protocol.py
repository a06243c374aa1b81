"""The book's protocol on the card-transactions log: which rows train, which judge, and how good scores are.

A fold is seven days of training, seven days skipped because labels take as long to arrive, and seven days that judge.
Cards known to be defrauded are taken from the judging days: a blocked card pays nothing. Everything is chosen on the
validation folds; a test fold is scored once for each row of the table.

References
----------
Le Borgne, Siblini, Lebichot, Bontempi, *Reproducible Machine Learning for Credit Card Fraud Detection: Practical
Handbook*, 2022, chapters 4 (Card Precision top-k) and 5 (prequential validation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models import metrics

TRAIN_DAYS = DELAY_DAYS = JUDGE_DAYS = 7
"""Days that train, days until their labels are known, days that judge."""

TEST_STARTS = ("2018-08-15", "2018-08-08", "2018-08-01", "2018-07-25")
"""First training days of the four test folds."""

VALIDATION_STARTS = ("2018-07-11", "2018-07-04", "2018-06-27", "2018-06-20")
"""First training days of the four validation folds; the last of their judging days lies before every judging day of a test fold."""

TOP = 100
"""Cards that can be looked at in a day."""


@dataclass(frozen=True, eq=False)
class Fold:
    """Positions in the log.

    Parameters
    ----------
    start
        First training day.
    train, judge
        Positions of the rows that train and that judge, in the order of the log.
    """

    start: str
    train: npt.NDArray[np.intp]
    judge: npt.NDArray[np.intp]


@dataclass(frozen=True)
class Score:
    """How good the scores of a fold are: area under the ROC curve, average precision, Card Precision@100."""

    auc: float
    ap: float
    cp100: float


def fold(log: pd.DataFrame, start: str) -> Fold:
    """Cut a fold out of the log.

    Parameters
    ----------
    log
        Transactions as :func:`benchmarks._handbook_features.load` reads them.
    start
        First training day.

    Notes
    -----
    Left out of judging day i are the customers with a fraud in training or on one of the days up to i − 1 after it: what is
    known in the morning of that day, seven days later.
    """
    day = ((log["filed_at"] - pd.Timestamp(start, tz="UTC")) // pd.Timedelta(days=1)).to_numpy()
    customer, fraud = pd.factorize(log["customer_id"])[0], log["fraud"].to_numpy(dtype=bool)
    train = np.flatnonzero((day >= 0) & (day < TRAIN_DAYS))
    known = np.zeros(customer.max(initial=0) + 1, dtype=bool)
    known[customer[train[fraud[train]]]] = True
    judge = []
    for i in range(JUDGE_DAYS):
        known[customer[(day == TRAIN_DAYS + i - 1) & fraud]] = True
        rows = np.flatnonzero(day == TRAIN_DAYS + DELAY_DAYS + i)
        judge.append(rows[~known[customer[rows]]])
    return Fold(start, train, np.concatenate(judge))


def judged(log: pd.DataFrame, rows: npt.NDArray[np.intp], scores: npt.NDArray[np.float64]) -> Score:
    """Measure scores of a fold's judging rows.

    Parameters
    ----------
    log
        The log.
    rows
        (rows,) positions.
    scores
        (rows,) the higher, the more suspect.
    """
    asked = log.iloc[rows]
    labels, ones = np.where(asked["fraud"], "abusive", "valid"), np.ones(len(rows))
    days = asked["filed_at"].dt.floor("D").to_numpy()
    precision = card_precision(days, asked["customer_id"].to_numpy(), asked["fraud"].to_numpy(dtype=bool), scores)
    return Score(metrics.auc(labels, scores, ones), metrics.average_precision(labels, scores, ones), precision)


def card_precision(
    days: npt.NDArray[Any], customers: npt.NDArray[Any], fraud: npt.NDArray[np.bool_], scores: npt.NDArray[np.float64], top: int = TOP
) -> float:
    """Return Card Precision@top: the share of defrauded cards among the ``top`` most suspect ones of a day, averaged over days.

    Parameters
    ----------
    days, customers, fraud, scores
        Of each transaction, shape (rows,).
    top
        Cards looked at in a day. The share is of so many even where a day has fewer cards.

    Notes
    -----
    A card is as suspect as its most suspect transaction of the day, and defrauded if one of its transactions of the day is
    a fraud. A card that was caught is not seen again. Of equally suspect cards the one named first in sorted order counts.

    Examples
    --------
    >>> days, cards = np.array([0, 0, 0, 1, 1]), np.array(["a", "b", "c", "a", "c"])
    >>> card_precision(days, cards, np.array([True, False, False, True, True]), np.array([0.9, 0.5, 0.1, 0.9, 0.2]), top=1)
    1.0
    """
    frame = pd.DataFrame({"day": days, "card": customers, "fraud": fraud, "score": scores})
    cards = (
        frame.groupby(["day", "card"], sort=True, as_index=False)
        .max()
        .sort_values(["day", "score"], ascending=[True, False], kind="stable")
    )
    caught: set[Any] = set()
    shares = []
    for _, today in cards.groupby("day", sort=True):
        looked_at = today[~today["card"].isin(caught)].head(top)
        found = looked_at.loc[looked_at["fraud"], "card"]
        shares.append(len(found) / top)
        caught.update(found)
    return float(np.mean(shares))


def most_cards(log: pd.DataFrame, rows: npt.NDArray[np.intp]) -> float:
    """Return the Card Precision@100 that scores would have that knew every label: few cards are defrauded in a day."""
    return judged(log, rows, log["fraud"].to_numpy(dtype=np.float64)[rows]).cp100
