"""Our own features over the card-transactions log: windows of our language, and the transaction beside its customer's habits.

Two passes of the one engine. The first asks what each customer usually spends, by the transactions *known* to be
legitimate; with it every transaction gets a column ``unusual``. The second is a catalogue over the log with that column:
what customer, terminal and the two together did lately, and what became known of it. A label is known seven days after its
transaction and counts from then on, in both passes; ``tx_fraud_scenario`` is never read. An *ordinary* fraud is one of an
amount that its customer might have spent: it says that the terminal leaks, where an unusual one says that the card does.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks._handbook_features import DELAY_DAYS
from features.catalog import Catalog
from features.entry import Entry, Group
from features.facts import Facts, ratio
from features.matrix import build_matrix
from features.spec import ALL, Aggregate, How, Selection, Window
from features.windows import evaluate

UNUSUAL_DEVIATIONS = 3.0
"""An amount is unusual if it lies so many of the customer's standard deviations above the customer's mean."""

MOST_TIMES_USUAL = 20.0
"""Where multiples of the usual amount are cut off before they are averaged."""

_CUSTOMER, _TERMINAL, _PAIR = ("customer_id",), ("seller_id",), ("customer_id", "seller_id")
_GROUPS: dict[tuple[str, ...], Group] = {_CUSTOMER: "customer_history", _TERMINAL: "seller_history", _PAIR: "pair_history"}
_OUTCOMES = {
    "outcomes": Selection("claims", "known_at"),
    "legitimate": Selection("claims", "known_at", "fraud", ("false",)),
    "frauds": Selection("claims", "known_at", "fraud", ("true",)),
}

_USUAL = {
    "count": Aggregate("legitimate", _CUSTOMER, "count", ALL),
    "mean": Aggregate("legitimate.amount_cents", _CUSTOMER, "mean", ALL),
    "square": Aggregate("legitimate.amount_squared", _CUSTOMER, "mean", ALL),
    "largest": Aggregate("legitimate.amount_cents", _CUSTOMER, "max", ALL),
}


def _over(on: str, by: tuple[str, ...], how: How, *days: int | None) -> tuple[Entry, ...]:
    parts = (Aggregate(on, by, how, Window(length)) for length in days)
    return tuple(Entry(part, part.name, "count", 0, _GROUPS[by], part.name) for part in parts)


_SPENT = "transactions.times_usual_milli"
OWN = Catalog(
    (
        *_over("transactions", _CUSTOMER, "count", 1, 3, 7, 14, 28),
        *_over("unusual", _CUSTOMER, "count", 1, 3, 7, 14, 28),
        *_over("transactions.unusual", _CUSTOMER, "rate", 3, 7, 14),
        *_over(_SPENT, _CUSTOMER, "mean", 1, 3, 7, 14, 28),
        *_over(_SPENT, _CUSTOMER, "max", 1, 3, 7, 14, 28),
        *_over("unusual", _CUSTOMER, "since_last", None),
        *_over("unusual", _CUSTOMER, "since_first", 14, 21),
        *_over("frauds", _CUSTOMER, "count", 7, 14, 28),
        *_over("frauds", _CUSTOMER, "since_last", None),
        *_over("frauds", _TERMINAL, "count", 1, 3, 7, 14, 21, 28, 35, None),
        *_over("legitimate", _TERMINAL, "count", 1, 3, 7, 14, 21, 28, 35, None),
        *_over("outcomes.fraud", _TERMINAL, "rate", 1, 3, 7, 14, 21, 28, 35, None),
        *_over("ordinary_frauds", _TERMINAL, "count", 1, 3, 7, 14, 21, 28, 35, None),
        *(entry for source in ("frauds", "ordinary_frauds") for entry in _over(source, _TERMINAL, "since_last", None)),
        *(entry for source in ("frauds", "ordinary_frauds") for entry in _over(source, _TERMINAL, "since_first", 21, 28, 35)),
        *_over("legitimate", _TERMINAL, "since_last", None),
        *_over("outcomes.fraud", _TERMINAL, "last", None),
        *_over("telling.fraud", _TERMINAL, "last", None),
        *_over("telling.fraud", _TERMINAL, "rate", 3, 7, 14),
        *_over("frauds.customer_id", _TERMINAL, "distinct", 7, 28),
        *_over("transactions", _TERMINAL, "count", 1, 7, 14, 28),
        *_over("unusual", _TERMINAL, "count", 1, 7, 14, 28),
        *_over(_SPENT, _TERMINAL, "mean", 7),
        *_over("transactions", _PAIR, "count", None),
        *_over("transactions", _PAIR, "since_last", None),
    ),
    _OUTCOMES
    | {
        "transactions": Selection("claims", "filed_at"),
        "unusual": Selection("claims", "filed_at", "unusual", ("true",)),
        "ordinary_frauds": Selection("claims", "known_at", "finding", ("ordinary fraud",)),
        "telling": Selection("claims", "known_at", "finding", ("legitimate", "ordinary fraud")),
    },
)
"""What happened lately, by customer, terminal and pair, strictly before the transaction and as far as it was known."""


def own_features(log: pd.DataFrame, rows: npt.NDArray[np.bool_], delay_days: int = DELAY_DAYS) -> pd.DataFrame:
    """Compute our features.

    Parameters
    ----------
    log
        Transactions as :func:`benchmarks._handbook_features.load` reads them.
    rows
        Boolean, shape (transactions,): the ones asked about. All of them are history.
    delay_days
        Days until a label is known. Anything but the protocol's seven is for showing what a leak looks like.

    Returns
    -------
    DataFrame
        float64, one row for each transaction asked about, its position in the log as index: the amount, the amount beside
        what its customer usually spends, and the features of :data:`OWN`.
    """
    known = log.assign(known_at=log["filed_at"] + pd.Timedelta(days=delay_days), amount_squared=log["amount_cents"] ** 2)
    beside = _beside_the_usual(known)
    frame = _judged(known, beside)
    asked = frame[rows]
    history = build_matrix({"claims": frame}, asked, OWN).set_axis(asked.index)
    return pd.concat([pd.DataFrame({name: column[rows] for name, column in beside.items()}, index=asked.index), history], axis=1)


def _beside_the_usual(log: pd.DataFrame) -> dict[str, npt.NDArray[np.float64]]:
    """Compare each amount with those of its customer that are known to be legitimate."""
    found = evaluate(list(_USUAL.values()), Facts({"claims": log}, log, sources=_OUTCOMES))
    count, mean, square, largest = (found[part.name] for part in _USUAL.values())
    amount = log["amount_cents"].to_numpy(dtype=np.float64)
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
    return {
        "amount_cents": amount,
        "amount_times_usual": ratio(amount, mean),
        "amount_deviations_above_usual": ratio(amount - mean, deviation),
        "amount_times_largest": ratio(amount, largest),
        "usual_count": count,
        "usual_mean": mean,
        "usual_deviation": deviation,
    }


def _judged(log: pd.DataFrame, beside: dict[str, npt.NDArray[np.float64]]) -> pd.DataFrame:
    """Add the columns that the second pass reads; a customer without a past spends as usual."""
    times = np.nan_to_num(beside["amount_times_usual"], nan=1.0).clip(0.0, MOST_TIMES_USUAL)
    unusual = np.nan_to_num(beside["amount_deviations_above_usual"]) > UNUSUAL_DEVIATIONS
    fraud = log["fraud"].to_numpy(dtype=bool)
    finding = np.select([~fraud, ~unusual], ["legitimate", "ordinary fraud"], "unusual fraud")
    return log.assign(times_usual_milli=(times * 1000).astype(np.int64), unusual=unusual, finding=finding)
