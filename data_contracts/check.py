"""Frame → accepted rows and quarantined rows, each with *every* reason.

The rules are the columns, orderings and references of the contract; the same function judges one row and ten million.
A file that cannot be read by the contract at all (a column missing, a column in which nothing has the right type)
raises :class:`~data_contracts.contract.ContractError`; a single bad row never does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts.contract import WRITTEN_INSTANT, Column, Contract, ContractError

REASONS = "reasons"
"""The column of a quarantined frame that holds its reasons, separated by ``"; "``."""

_SHOWN = 80


@dataclass(frozen=True)
class Checked:
    """The two halves of a frame.

    Parameters
    ----------
    accepted
        Rows that keep every rule, in the contract's columns and types.
    quarantined
        The other rows as they were read, plus the column ``reasons``.
    tally
        How many rows broke each rule, by rule, most frequent first.
    sound
        Which rows of the frame were accepted, boolean, shape (rows read,).
    """

    accepted: pd.DataFrame
    quarantined: pd.DataFrame
    tally: Mapping[str, int]
    sound: np.ndarray

    @property
    def read(self) -> int:
        """Rows read: always accepted + quarantined."""
        return len(self.accepted) + len(self.quarantined)


class _Reasons:
    """Collects reasons by row position."""

    def __init__(self, rows: int) -> None:
        self._by_row: dict[int, list[str]] = {}
        self._tally: dict[str, int] = {}
        self.bad = np.zeros(rows, dtype=bool)

    def add(self, where: np.ndarray, reason: str, found: pd.Series) -> None:
        self.bad |= where
        for row in np.flatnonzero(where):
            self._by_row.setdefault(int(row), []).append(f"{reason}, found {_shown(found.iloc[row])}")
        if where.any():
            self._tally[reason] = self._tally.get(reason, 0) + int(where.sum())

    def texts(self) -> list[str]:
        return ["; ".join(self._by_row[int(row)]) for row in np.flatnonzero(self.bad)]

    def tally(self) -> dict[str, int]:
        return dict(sorted(self._tally.items(), key=lambda item: (-item[1], item[0])))


def _shown(value: Any) -> str:
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return "nothing"
    text = repr(value if isinstance(value, str) else str(value))
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def check(
    frame: pd.DataFrame,
    contract: Contract,
    parents: Mapping[str, pd.DataFrame] | None = None,
    taken: pd.Index | None = None,
) -> Checked:
    """Split a frame into accepted and quarantined rows.

    Parameters
    ----------
    frame
        Rows as read, in any order; typed (Parquet) or all text (CSV). Columns that the contract calls optional may be
        missing; the accepted rows have them, empty.
    contract
        What a row must be.
    parents
        Accepted frames of the tables referred to, by table name; a reference to a table that is not given is not judged.
    taken
        Keys already accepted in earlier batches: a row that repeats one is quarantined.

    Returns
    -------
    Checked
        ``accepted`` and ``quarantined``; together they have as many rows as ``frame``.

    Raises
    ------
    ContractError
        If a column is missing or unknown, or holds no value of its type at all.

    Examples
    --------
    >>> import pandas as pd
    >>> from data_contracts import SELLERS
    >>> from data_contracts.check import check
    >>> rows = pd.DataFrame({"seller_id": ["S1", "S2"], "joined_at": ["2025-01-01T00:00:00Z", "soon"],
    ...                      "country": ["US", "usa"], "category": ["home", "home"]})
    >>> found = check(rows, SELLERS)
    >>> found.accepted.seller_id.tolist()
    ['S1']
    >>> found.quarantined.reasons.item().split("; ")[1]
    "country: expected text matching ^[A-Z]{2}$, found 'usa'"
    """
    _must_have_columns(frame, contract)
    reasons = _Reasons(len(frame))
    empty = pd.Series(None, index=frame.index, dtype="object")
    typed = pd.DataFrame({c.name: _typed(frame.get(c.name, empty), c, contract, reasons) for c in contract.columns})
    _check_orderings(typed, contract, reasons)
    _check_references(typed, contract, reasons, parents or {})
    _check_keys(typed, contract, reasons, taken)
    accepted = typed[~reasons.bad].reset_index(drop=True)
    for column in contract.columns:
        accepted[column.name] = accepted[column.name].astype(column.pandas)
    quarantined = frame[reasons.bad].reset_index(drop=True).astype("str")
    quarantined[REASONS] = pd.array(reasons.texts(), dtype="str")
    return Checked(accepted, quarantined, reasons.tally(), ~reasons.bad)


def is_new_and_refers(
    typed: pd.DataFrame, contract: Contract, parents: Mapping[str, pd.DataFrame] | None = None, taken: pd.Index | None = None
) -> bool:
    """Tell whether all rows of a sound table (:mod:`data_contracts.sound`) keep the references as well and no key is taken.

    Parameters
    ----------
    typed
        The rows in the contract's pandas types.
    contract, parents, taken
        As in :func:`check`, which accepts every row where this is so.
    """
    reasons = _Reasons(len(typed))
    _check_references(typed, contract, reasons, parents or {})
    is_known = taken is not None and bool(len(taken)) and bool((_places(pd.Series(taken), typed[contract.key]) >= 0).any())
    return not (is_known or reasons.bad.any())


def _must_have_columns(frame: pd.DataFrame, contract: Contract) -> None:
    expected = [column.name for column in contract.columns]
    missing = [column.name for column in contract.columns if column.name not in frame.columns and not column.optional]
    unknown = [str(name) for name in frame.columns if name not in expected]
    twice = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
    if missing or unknown or twice:
        raise ContractError(
            f"{contract.name}: expected the columns {', '.join(expected)}; "
            + (f"missing: {', '.join(missing)}; " if missing else "")
            + (f"unknown: {', '.join(unknown)}; " if unknown else "")
            + (f"more than once: {', '.join(twice)}; " if twice else "")
            + "rename or map the columns of the source"
        )


def _typed(raw: pd.Series, column: Column, contract: Contract, reasons: _Reasons) -> pd.Series:
    """Convert a column to its type; what does not convert becomes missing and is given a reason."""
    missing = raw.isna().to_numpy()
    if pd.api.types.is_string_dtype(raw) and column.kind != "string":
        missing = missing | (raw == "").fillna(False).to_numpy(dtype=bool)
    value = _CONVERT[column.kind](raw)
    unreadable = value.isna().to_numpy() & ~missing
    if unreadable.sum() == (~missing).sum() > 1:
        first = raw[unreadable].iloc[0]
        raise ContractError(
            f"{contract.name}.{column.name}: expected {column.expected} in every row, found {raw.dtype} such as {str(first)[:_SHOWN]!r}; "
            "no value of the column has the right type"
        )
    reasons.add(unreadable, f"{column.name}: expected {column.expected}", raw)
    if not column.nullable:
        reasons.add(missing, f"{column.name}: expected {column.expected}", raw)
    present = ~missing & ~unreadable
    reasons.add(present & _breaks(value, column), f"{column.name}: expected {column.expected}", raw)
    return value.reset_index(drop=True)


def _to_string(raw: pd.Series) -> pd.Series:
    if pd.api.types.is_string_dtype(raw) and raw.dtype != object:
        return raw
    is_text = raw.map(lambda v: isinstance(v, str)).to_numpy(dtype=bool)
    return raw.where(is_text).astype("str")


def _to_integer(raw: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(raw):
        return pd.Series(pd.NA, index=raw.index, dtype="Int64")
    if pd.api.types.is_integer_dtype(raw):
        return raw.astype("Int64")
    if raw.dtype == object:
        raw = raw.where(~raw.map(lambda v: isinstance(v, bool | np.bool_)).to_numpy(dtype=bool))
    if pd.api.types.is_string_dtype(raw):
        text = raw.astype("str").str.strip()
        raw = text.where(text.str.fullmatch(_WHOLE).fillna(False).to_numpy(dtype=bool)).str.replace("_", "")
    number = pd.to_numeric(raw, errors="coerce").astype("float64")
    number = number.where(np.isfinite(number) & (number.abs() < 2**53))
    return number.where(number % 1 == 0).astype("Int64")


def _to_number(raw: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(raw):
        return pd.Series(np.nan, index=raw.index)
    number = pd.to_numeric(raw, errors="coerce").astype("float64")
    return number.where(np.isfinite(number))


_WHOLE = r"[+-]?\d+(?:_\d+)*(?:\.0*)?"
_TRUTH = dict.fromkeys(("true", "1", "t", "yes", "y", "on"), True) | dict.fromkeys(("false", "0", "f", "no", "n", "off"), False)


def _to_boolean(raw: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(raw):
        return raw.astype("boolean")
    text = raw.map(lambda v: v, na_action="ignore").astype("str").str.lower()
    return text.map(_TRUTH).astype("boolean")


def _to_instant(raw: pd.Series) -> pd.Series:
    if isinstance(raw.dtype, pd.DatetimeTZDtype):
        return raw.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    if raw.dtype.kind == "M" or raw.dtype.kind in "ifb":
        return pd.Series(pd.NaT, index=raw.index, dtype="datetime64[us, UTC]")
    text = raw.astype("str")
    written = text.str.fullmatch(WRITTEN_INSTANT).fillna(False).to_numpy(dtype=bool)
    return pd.to_datetime(text.where(written), errors="coerce", utc=True, format="ISO8601").astype("datetime64[us, UTC]")


_CONVERT = {
    "string": _to_string,
    "integer": _to_integer,
    "number": _to_number,
    "boolean": _to_boolean,
    "instant": _to_instant,
}


def _breaks(value: pd.Series, column: Column) -> np.ndarray:
    bad = np.zeros(len(value), dtype=bool)
    if column.ge is not None:
        bad |= (value < column.ge).fillna(False).to_numpy(dtype=bool)
    if column.le is not None:
        bad |= (value > column.le).fillna(False).to_numpy(dtype=bool)
    if column.choices:
        bad |= ~value.isin(column.choices).to_numpy()
    if column.min_length is not None:
        bad |= (value.str.len() < column.min_length).fillna(False).to_numpy(dtype=bool)
    if column.max_length is not None:
        bad |= (value.str.len() > column.max_length).fillna(False).to_numpy(dtype=bool)
    if column.pattern is not None:
        bad |= ~value.str.fullmatch(column.pattern.removeprefix("^").removesuffix("$")).fillna(False).to_numpy(dtype=bool)
    return bad


def _check_keys(typed: pd.DataFrame, contract: Contract, reasons: _Reasons, taken: pd.Index | None) -> None:
    """Quarantine repetitions: of the otherwise sound rows of one key, the first in time stays, whatever the order of the file."""
    key = typed[contract.key]
    if taken is not None and len(taken):
        known = (_places(pd.Series(taken), key) >= 0) & key.notna().to_numpy()
        reasons.add(known, f"{contract.key}: expected a new key, this one is already in the lake", key)
    shared = typed[(key.duplicated(keep=False) & key.notna()).to_numpy(dtype=bool)]
    sound = shared[~reasons.bad[shared.index]]
    order = [contract.event_time, *(c.name for c in contract.columns if c.name != contract.event_time)]
    stays = sound.sort_values(order, kind="stable").drop_duplicates(contract.key)
    repeated = np.zeros(len(key), dtype=bool)
    repeated[shared.index[shared[contract.key].isin(stays[contract.key])]] = True
    repeated[stays.index] = False
    reasons.add(repeated, f"{contract.key}: expected a key not used before in this batch", key)


def _check_orderings(typed: pd.DataFrame, contract: Contract, reasons: _Reasons) -> None:
    for rule in contract.orderings:
        late = (typed[rule.earlier] > typed[rule.later]).to_numpy(dtype=bool)
        reasons.add(late, f"{rule.later}: expected {rule.earlier} ≤ {rule.later}", typed[rule.later])


def _check_references(typed: pd.DataFrame, contract: Contract, reasons: _Reasons, parents: Mapping[str, pd.DataFrame]) -> None:
    for rule in contract.references:
        if rule.table not in parents:
            continue
        here = typed[rule.column]
        place = _places(parents[rule.table][rule.column], here)
        named = here.notna().to_numpy()
        lost = named & (place < 0)
        reasons.add(lost, f"{rule.column}: expected a row of {rule.table}", here)
        found = named & ~lost
        if not len(parents[rule.table]):
            continue
        compared = {*rule.agree, *(theirs for _, theirs in rule.not_before)} & set(parents[rule.table].columns)
        parent = parents[rule.table][sorted(compared)].take(np.where(found, place, 0)).reset_index(drop=True)
        for name in (n for n in rule.agree if n in typed.columns):
            unequal = (typed[name].reset_index(drop=True) != parent[name]).fillna(True).to_numpy(dtype=bool)
            differs = found & typed[name].notna().to_numpy() & unequal
            reasons.add(differs, f"{name}: expected the {name} of the row of {rule.table} that {rule.column} names", typed[name])
        for own, theirs in rule.not_before:
            if own not in typed.columns:
                continue
            early = found & (typed[own].reset_index(drop=True) < parent[theirs]).to_numpy(dtype=bool)
            reasons.add(early, f"{own}: expected not before {theirs} of {rule.table}", typed[own])


def _places(held: pd.Series, wanted: pd.Series) -> np.ndarray:
    """Return for each key that is wanted the row that holds it, −1 where none does.

    Only what is wanted is indexed, and all that is held is looked up in it once: a lake holds many more rows than a file brings.
    """
    coded = _text(wanted).dictionary_encode()
    place = pc.index_in(_text(held), value_set=coded.dictionary)
    rows = np.flatnonzero(place.is_valid().to_numpy(zero_copy_only=False))
    row_of = np.full(len(coded.dictionary) + 1, -1, dtype=np.int64)  # the last is that of no key
    row_of[place.drop_null().to_numpy()] = rows
    found: np.ndarray = row_of[coded.indices.fill_null(-1).to_numpy()]
    return found


def _text(keys: pd.Series) -> pa.Array:
    text = pa.array(keys, from_pandas=True).cast(pa.large_string())
    return text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text


def to_arrow(frame: pd.DataFrame, contract: Contract) -> pa.Table:
    """Return an accepted frame as an Arrow table of the contract's schema."""
    return pa.Table.from_pandas(frame, schema=contract.arrow, preserve_index=False)
