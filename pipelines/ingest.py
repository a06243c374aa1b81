"""A real claims file + a mapping → contract tables: translated, checked, bad rows quarantined, labels as resolutions.

Each file becomes a lake of its own, ``sources/<mapping>/<file>/``, under the contract of that mapping; ingesting the file
again replaces it. Rows are never repaired: a value that cannot be read is passed on as it stands, so that the check
refuses it with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from data_contracts import ContractError
from data_contracts.check import check
from data_contracts.contract import Contract
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.mapping import LABEL, ExtraRule, FieldRule, LabelRule, Mapping, load
from pipelines.photo_files import hashed
from pipelines.source import read_file
from pipelines.validate import Counts, count

_BATCH = "all"
_OUTCOMES = {"valid": "paid", "unsubstantiated": "denied_unsubstantiated", "abusive": "denied_abusive"}


@dataclass(frozen=True)
class Ingested:
    """What became of a file.

    Parameters
    ----------
    mapping
        How it was read.
    counts
        Rows read, accepted, quarantined, and the most frequent reasons.
    labelled
        Accepted rows that carry a label.
    lake
        Where the rows are: tables ``claims`` and ``resolutions``.
    """

    mapping: Mapping
    counts: Counts
    labelled: int
    lake: Lake

    def summary(self) -> dict[str, int]:
        """Return the counts by the names that the command writes."""
        return {
            "rows_read": self.counts.read,
            "rows_accepted": self.counts.accepted,
            "rows_quarantined": self.counts.quarantined,
            "rows_labelled": self.labelled,
        }


def ingest(home: Home, file: Path, mapping: Path) -> Ingested:
    """Map a file of claims onto the contract and keep it.

    Parameters
    ----------
    home
        Where the lakes of real sources are kept.
    file
        ``.csv`` or ``.parquet``, one claim per row, in any order.
    mapping
        The TOML file that says what its columns mean (see :mod:`pipelines.mapping`).

    Returns
    -------
    Ingested
        With counts that add up; the same is written to ``runs/ingest-<mapping>-<file>.json``.

    Raises
    ------
    ContractError
        If the mapping is wrong, the file cannot be read, a column is missing or unaccounted for, or no row is there.
    """
    how = load(mapping)
    arrived = read_file(file)
    _must_fit(arrived.frame, how, file)
    translated = translate(arrived.frame, how, file.parent)
    checked = check(translated, how.intake)
    raw = arrived.frame[~checked.sound].astype("str").assign(reasons=checked.quarantined["reasons"].to_numpy())
    quarantined = pd.concat([raw, arrived.broken], ignore_index=True)
    counts = count("claims", arrived, checked, quarantined)
    claims = checked.accepted.drop(columns=LABEL, errors="ignore")
    resolutions = resolutions_of(checked.accepted, how)
    lake = lake_of(home, file, how)
    lake.publish({"claims": claims, "resolutions": resolutions}, {"claims": quarantined}, _BATCH)
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", file.stem)
    facts = {"file": file.name, "read": counts.read, "accepted": counts.accepted, "quarantined": counts.quarantined}
    Lake(home.root).manifest(f"ingest-{how.name}-{name}", facts | {"labelled": len(resolutions), "reasons": dict(counts.reasons)})
    return Ingested(how, counts, len(resolutions), lake)


def lake_of(home: Home, file: Path, how: Mapping) -> Lake:
    """Return the lake of a source's file, whether or not it was ingested yet."""
    folder = re.sub(r"[^A-Za-z0-9_.-]", "_", file.stem)
    return Lake(home.sources / how.name / folder, {"claims": how.claims, "resolutions": how.resolutions})


def _must_fit(frame: pd.DataFrame, how: Mapping, file: Path) -> None:
    columns = set(map(str, frame.columns))
    missing = sorted(how.sources - columns)
    label = {how.label.source} if how.label else set()
    unused = sorted(columns - how.sources - label - set(how.ignore))
    if missing or unused:
        raise ContractError(
            f"{file}: expected the columns of the mapping {how.name!r}; "
            + (f"missing: {', '.join(missing)}; " if missing else "")
            + (f"neither mapped nor ignored: {', '.join(unused)}; add them to extras or to ignore" if unused else "")
        )
    if frame.empty:
        raise ContractError(f"{file}: expected at least one claim under the header, found none")


def translate(frame: pd.DataFrame, how: Mapping, folder: Path) -> pd.DataFrame:
    """Return the file's rows under the names and in the notation of the contract; what cannot be read stays as it is.

    Parameters
    ----------
    frame
        Rows as read, with all columns of the mapping.
    how
        The mapping.
    folder
        Where paths of photographs begin.

    Returns
    -------
    DataFrame
        The columns of ``how.intake``, same rows in the same order.
    """
    made = {name: hashed(frame[rule.source], folder) if rule.image else _field(frame, rule) for name, rule in how.fields.items()}
    made |= {name: _extra(frame[rule.source], rule) for name, rule in how.extras.items()}
    if how.label is not None:
        made[LABEL] = _label(frame, how.label)
    return pd.DataFrame({name: made[name] for name in how.intake.arrow.names})


def resolutions_of(accepted: pd.DataFrame, how: Mapping) -> pd.DataFrame:
    """Return one resolution per labelled claim, known after the declared delay; an unlabelled claim has none."""
    contract = how.resolutions
    if how.label is None:
        return _empty(contract)
    labelled = accepted[accepted[LABEL].notna()]
    known = labelled["filed_at"] + pd.Timedelta(days=how.label.delay_days)
    made = {
        "resolution_id": labelled["claim_id"] + ".label",
        "source": how.label.how,
        "outcome": labelled[LABEL].map(_OUTCOMES),
        "label": labelled[LABEL],
        "propensity": how.label.propensity,
        "resolved_at": known,
        "known_at": known,
    }
    rows = labelled.assign(**made)[contract.arrow.names]
    return check(rows, contract).accepted if len(rows) else _empty(contract)


def _empty(contract: Contract) -> pd.DataFrame:
    return pd.DataFrame({c.name: pd.Series(dtype=c.pandas) for c in contract.columns})


def plain_text(column: pd.Series) -> pd.Series:
    """Write a column as text; a whole number loses its ``.0``, which a gap in the column would have given it.

    >>> plain_text(pd.Series([7.0, None, 1.5])).tolist()
    ['7', nan, '1.5']
    """
    text = column.astype("str").str.strip()
    return text.str.replace(r"^(-?\d+)\.0+$", r"\1", regex=True).where(text != "")


def _field(frame: pd.DataFrame, rule: FieldRule) -> pd.Series:
    if rule.constant:
        return pd.Series(rule.constant, index=frame.index, dtype="str")
    column = frame[rule.source]
    if rule.format:
        moments = _moments(column, rule.format)
        return moments.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ").astype("str").where(moments.notna(), plain_text(column))
    if rule.unit is not None:
        return _cents(column, rule.unit)
    if rule.values:
        return _translated(column, rule.values)
    return plain_text(column).map(rule.template.format, na_action="ignore").astype("str") if rule.template else column


def _moments(column: pd.Series, written: str) -> pd.Series:
    """Read dates; a typed column without a zone is taken as UTC, as the mapping says of written ones."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.dt.tz_localize("UTC") if column.dt.tz is None else column.dt.tz_convert("UTC")
    return pd.to_datetime(plain_text(column), format=written, errors="coerce", utc=True)


def _cents(column: pd.Series, unit: str) -> pd.Series:
    number = pd.to_numeric(column, errors="coerce").astype("float64")
    cents = np.rint(number * 100) if unit == "dollars" else number
    readable = np.isfinite(cents)
    return cents.astype(object).where(readable, column.astype(object))


def _translated(column: pd.Series, values: Dictionary[str, str]) -> pd.Series:
    """Translate listed values; any other stays as it is, marked where it would pass for a translated one."""
    text = plain_text(column)
    otherwise = text.where(~text.isin(list(values.values())), "unlisted " + text)
    return text.map(dict(values)).astype("str").fillna(otherwise)


def _extra(column: pd.Series, rule: ExtraRule) -> pd.Series:
    text = plain_text(column)
    unknown = text.isin(rule.missing)
    if rule.part is None:
        return (text if rule.type == "categorical" else column).mask(unknown)
    moments = _moments(column, rule.format)
    days = (moments - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(days=1)
    found = days if rule.part == "day_number" else getattr(moments.dt, rule.part)
    return found.astype("float64").mask(unknown)


def _label(frame: pd.DataFrame, rule: LabelRule) -> pd.Series:
    if rule.source not in frame.columns:
        return pd.Series(None, index=frame.index, dtype="str")
    return _translated(frame[rule.source], rule.values)
