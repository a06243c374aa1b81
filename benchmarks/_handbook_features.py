"""The book's features over the card-transactions log: declared in our language, and computed from their definition in SQL.

The log is the simulated data of the *Fraud-Detection Handbook*. A transaction is read as a claim that its customer files
against its terminal: ``customer_id`` stays, ``terminal_id`` is the ``seller_id``, ``tx_datetime`` is ``filed_at``. With that
the book's windows are a catalogue like any other, which every carrier of ours can compute.

Windows are intervals of time. A customer's 29 and a terminal's 12 transactions of one and the same second (of 1,754,155)
therefore count each other, whatever the order of the rows.

References
----------
Le Borgne, Siblini, Lebichot, Bontempi, *Reproducible Machine Learning for Credit Card Fraud Detection: Practical
Handbook*, 2022, chapter 3, "Baseline feature transformation".
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from features.catalog import Catalog
from features.entry import Entry, Group, Unit
from features.from_claim import CLAIM_FEATURES
from features.spec import DAY_US, Aggregate, Feature, Selection, Window

DAYS = (1, 7, 30)
"""Lengths of the book's windows."""

DELAY_DAYS = 7
"""Days until a fraud is known: a terminal's windows end so long before the transaction."""

NIGHT_HOUR = 6
"""Up to and with this hour it is night."""

_CUSTOMER, _TERMINAL = ("customer_id",), ("seller_id",)


def _entry(feature: Feature, meaning: str, unit: Unit, group: Group) -> Entry:
    return Entry(feature, meaning, unit, 0, group, meaning)


def _of_customer(days: int) -> tuple[Entry, ...]:
    over, span = Window(days, closed="right"), f"in {days} days, this one included"
    return (
        _entry(Aggregate("transactions", _CUSTOMER, "count", over), f"customer's transactions {span}", "count", "customer_history"),
        _entry(Aggregate("transactions.amount_cents", _CUSTOMER, "sum", over), f"customer's spending {span}", "cents", "customer_history"),
        _entry(Aggregate("transactions.amount_cents", _CUSTOMER, "mean", over), f"average amount {span}", "cents", "customer_history"),
    )


def _of_terminal(days: int) -> tuple[Entry, ...]:
    over, span = Window(days, DELAY_DAYS, "right"), f"in {days} days up to {DELAY_DAYS} days ago"
    return (
        _entry(Aggregate("transactions", _TERMINAL, "count", over), f"terminal's transactions {span}", "count", "seller_history"),
        _entry(Aggregate("transactions.fraud", _TERMINAL, "sum", over), f"terminal's frauds {span}", "count", "seller_history"),
        _entry(Aggregate("transactions.fraud", _TERMINAL, "rate", over), f"share of frauds {span}", "share", "seller_history"),
    )


HANDBOOK = Catalog(
    (
        *(entry for days in DAYS for entry in _of_customer(days)),
        *(entry for days in DAYS for entry in _of_terminal(days)),
        _entry(CLAIM_FEATURES["claim_weekend"], "on a Saturday or Sunday", "flag", "timing"),
        _entry(CLAIM_FEATURES["claim_hour"], "hour of the transaction", "hour", "timing"),
    ),
    {"transactions": Selection("claims", "filed_at")},
    counts_itself=True,
)
"""What the book's 14 features are made of: its counts, means, risks and flags, and the exact sums behind means and risks."""


def load(folder: Path, rows: int | None = None) -> pd.DataFrame:
    """Read the log in the columns of claims.

    Parameters
    ----------
    folder
        The folder of outside data; the log is ``handbook/transactions.parquet`` in it.
    rows
        Only the first so many, which are the earliest.

    Returns
    -------
    DataFrame
        ``claim_id``, ``customer_id``, ``seller_id`` (the terminal), ``filed_at`` (UTC), ``amount_cents``, ``fraud``, in the
        order of the log. Give it to a carrier as ``{"claims": frame}``; every row is also a probe.
    """
    log = pd.read_parquet(folder / "handbook" / "transactions.parquet").head(rows)
    return pd.DataFrame(
        {
            **{name: log[column].astype("str") for name, column in _COLUMNS.items()},
            "filed_at": log["tx_datetime"].dt.as_unit("us").dt.tz_localize("UTC"),
            "amount_cents": log["tx_amount_cents"].astype("int64"),
            "fraud": log["tx_fraud"],
        }
    ).reset_index(drop=True)


_COLUMNS = {"claim_id": "transaction_id", "customer_id": "customer_id", "seller_id": "terminal_id"}


def defined(frame: pd.DataFrame) -> dict[str, npt.NDArray[np.float64]]:
    """Compute every feature of :data:`HANDBOOK` from the book's own definition, by integer SQL in DuckDB.

    A window (t − w, t] is a frame of the same key in microseconds; a lagged one is the difference of two such frames, as
    in the book. Only means and shares divide, once and at the end; the share of nothing is undefined (NaN).

    Returns
    -------
    dict
        (rows,) float64 by name, in the order of the rows.
    """
    columns = ", ".join(f"{sql} AS {name}" for name, sql in _definitions().items())
    hidden = ", ".join(
        f"{what} OVER ({_frame(key, days)}) AS {name}_{days}"
        for key, name, what, lengths in (
            ("customer_id", "customer_count", "count(*)", DAYS),
            ("customer_id", "customer_cents", "sum(cents)", DAYS),
            ("seller_id", "seller_count", "count(*)", _LAGGED),
            ("seller_id", "seller_frauds", "sum(fraud)", _LAGGED),
        )
        for days in lengths
    )
    asked = frame.assign(row=np.arange(len(frame)))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET threads = 1")
        connection.register("log", asked)
        source = "SELECT row, epoch_us(filed_at) AS t, customer_id, seller_id, amount_cents AS cents, fraud::BIGINT AS fraud FROM log"
        found = connection.execute(f"SELECT {columns} FROM (SELECT *, {hidden} FROM ({source})) ORDER BY row").fetchnumpy()
    return {name: np.ma.filled(column.astype(np.float64), np.nan) for name, column in found.items()}


_LAGGED = (DELAY_DAYS, *(DELAY_DAYS + days for days in DAYS))


def _frame(key: str, days: int) -> str:
    return f"PARTITION BY {key} ORDER BY t RANGE BETWEEN {days * DAY_US - 1} PRECEDING AND CURRENT ROW"


def _definitions() -> dict[str, str]:
    found: dict[str, str] = {}
    for days in DAYS:
        count, cents = f"customer_count_{days}", f"customer_cents_{days}"
        found |= {
            f"transactions_count_customer_{days}d_right": count,
            f"transactions_sum_amount_cents_customer_{days}d_right": cents,
            f"transactions_mean_amount_cents_customer_{days}d_right": f"{cents}::DOUBLE / {count}::DOUBLE",
        }
    for days in DAYS:
        count, frauds = (f"(seller_{what}_{DELAY_DAYS + days} - seller_{what}_{DELAY_DAYS})" for what in ("count", "frauds"))
        found |= {
            f"transactions_count_seller_{days}d_lag{DELAY_DAYS}d_right": count,
            f"transactions_sum_fraud_seller_{days}d_lag{DELAY_DAYS}d_right": frauds,
            f"transactions_rate_fraud_seller_{days}d_lag{DELAY_DAYS}d_right": f"{frauds}::DOUBLE / nullif({count}, 0)::DOUBLE",
        }
    return found | {
        "claim_weekend": "(isodow(make_timestamp(t)) >= 6)::BIGINT",
        "claim_hour": "hour(make_timestamp(t))",
    }


def book(values: Mapping[str, npt.ArrayLike]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the book's 14 features under its names, of a matrix or of :func:`defined`; amounts in dollars, no fraud of none is 0."""
    found: dict[str, npt.NDArray[np.float64]] = {}
    for days in DAYS:
        over = f"seller_{days}d_lag{DELAY_DAYS}d_right"
        cents = np.asarray(values[f"transactions_mean_amount_cents_customer_{days}d_right"], dtype=np.float64)
        risk = np.asarray(values[f"transactions_rate_fraud_{over}"], dtype=np.float64)
        found |= {
            f"CUSTOMER_ID_NB_TX_{days}DAY_WINDOW": np.asarray(values[f"transactions_count_customer_{days}d_right"], dtype=np.float64),
            f"CUSTOMER_ID_AVG_AMOUNT_{days}DAY_WINDOW": cents / 100,
            f"TERMINAL_ID_NB_TX_{days}DAY_WINDOW": np.asarray(values[f"transactions_count_{over}"], dtype=np.float64),
            f"TERMINAL_ID_RISK_{days}DAY_WINDOW": np.where(np.isnan(risk), 0.0, risk),
        }
    return found | {
        "TX_DURING_WEEKEND": np.asarray(values["claim_weekend"], dtype=np.float64),
        "TX_DURING_NIGHT": (np.asarray(values["claim_hour"]) <= NIGHT_HOUR).astype(np.float64),
    }


def differing(found: Mapping[str, npt.ArrayLike], expected: Mapping[str, npt.NDArray[np.float64]]) -> dict[str, int]:
    """Count, by feature, the rows whose value is not the expected one to the last bit; features without such a row are left out."""
    counts = {}
    for name, column in expected.items():
        ours = np.ascontiguousarray(found[name], dtype=np.float64)
        other_bits = ours.view(np.int64) != column.view(np.int64)
        counts[name] = int(np.count_nonzero(other_bits & ~(np.isnan(ours) & np.isnan(column))))
    return {name: count for name, count in counts.items() if count}
