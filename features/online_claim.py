"""The claim itself and what it names, for one claim: the rows that :mod:`features.from_claim` looks up, kept by identifier.

An order, an account or a listing is one row under its identifier, with the instants at which it happened and was recorded;
whether it was known at filing is decided where it always is, in :mod:`features.from_claim`. A delivery that is reported
later is a second row, and the last one counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import njit

from data_contracts import CONTRACTS
from features.facts import PROBES, RECORDED, FeatureError
from features.from_claim import CLAIM_FEATURES, FIELDS, KEYS, Field, measure
from features.history import NEVER, Floats, Ints
from features.online_rows import HashedFacts, Rows, key_of, keys_of, log_on, whole
from features.online_sources import keep
from features.online_windows import Round
from features.pages import END, Key, Pages, rows, words_of
from features.spec import ENTITIES, Direct

DELIVERIES = "deliveries"
"""Pseudo-table of a batch: ``order_id`` and ``delivered_at`` of orders that are known already."""

_FIRST_LOG = 0x8010
_LOGS = {table: log_on((key,), _FIRST_LOG + number) for number, (table, key) in enumerate(KEYS.items())}


@dataclass(frozen=True)
class ClaimPlan:
    """Which features of the claim itself are wanted, which columns of which tables they read, and each field with its place in them."""

    features: tuple[Direct, ...]
    columns: dict[str, tuple[str, ...]]
    fields: tuple[tuple[Field, int, int], ...]
    _places: dict[tuple[str, ...], Ints] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, features: Iterable[Direct]) -> ClaimPlan:
        """Prepare the features of the family ``claim``."""
        features = tuple(features)
        needs = {need for feature in features for need in feature.needs}
        columns = {}
        for table, key in KEYS.items():
            named = sorted(column for name, column in (need.split(".") for need in needs) if name == table and column != key)
            if named:
                columns[table] = tuple(dict.fromkeys((CONTRACTS[table].known_at, RECORDED, *named)))
        where = [columns[f.table].index(f.column) if f.column in columns.get(f.table, ()) else -1 for f in FIELDS]
        return cls(features, columns, tuple((f, f.missing, place) for f, place in zip(FIELDS, where, strict=True)))


def write(facts: HashedFacts | Rows, plan: ClaimPlan, pages: Pages, fresh: bool) -> None:
    """Keep the rows of a batch that claims may name."""
    for table, key in KEYS.items():
        if table in plan.columns and facts.has(f"{table}.{key}"):
            codes = facts.codes(table, key)
            values = np.stack([_read(facts, table, column) for column in plan.columns[table]], axis=1)
            keep(pages, _LOGS[table], codes, facts.known(table), values, fresh)
    if "delivered_at" in plan.columns.get("orders", ()) and facts.has(f"{DELIVERIES}.order_id", f"{DELIVERIES}.delivered_at"):
        _deliver(facts, plan, pages)


def _read(facts: HashedFacts | Rows, table: str, column: str) -> Ints:
    if not facts.has(f"{table}.{column}"):
        return np.full(len(facts.known(table)), NEVER)
    return facts.codes(table, column) if column in ENTITIES else facts.numbers(table, column)


def _deliver(facts: HashedFacts | Rows, plan: ClaimPlan, pages: Pages) -> None:
    """Write orders' rows again, with their delivery."""
    codes, delivered = facts.codes(DELIVERIES, "order_id"), facts.instants(DELIVERIES, "delivered_at")
    held = pages.latest(keys_of(_LOGS["orders"], codes[:, None]), [END] * len(codes))
    if None in held:
        raise FeatureError(f"{DELIVERIES}.order_id: expected orders that are known, found {held.count(None)} that are not")
    now = np.stack([rows(page, 1 + len(plan.columns["orders"]))[-1] for page in held if page is not None])
    now[:, 1 + plan.columns["orders"].index("delivered_at")] = delivered
    keep(pages, _LOGS["orders"], codes, now[:, 0], now[:, 1:], False)


def read(plan: ClaimPlan, claim: Rows, codes: Mapping[str, int], filed: int) -> Round:
    """Compute the features of a claim itself: a reader as in :mod:`features.online_windows`.

    Parameters
    ----------
    plan
        What to compute.
    claim
        The claim, as the table ``probes``.
    codes, filed
        Its identifiers as codes, and its filing.

    Returns
    -------
    ndarray
        (features,) float64 in the order of ``plan.features``; undefined where the claim lacks a column.
    """
    asked: dict[str, Key] = {}
    for table in plan.columns:
        named = codes.get(KEYS[table], -1)
        if named >= 0:
            asked[table] = key_of(_LOGS[table], (named,))
    pages = dict(zip(asked, (yield [(key, END) for key in asked.values()]), strict=True))
    held: dict[str, list[int]] = {}
    for table, page in pages.items():
        if page is not None:
            row = words_of(page)[-1 - len(plan.columns[table]) :].tolist()
            if NEVER < row[0] < filed:
                held[table] = row[1:]
    fields = np.array([_fields(plan, claim.tables[PROBES], codes, held)], dtype=np.int64)
    values: Floats = _chosen(measure(fields), _places(plan, claim))
    return values


@njit(cache=True)
def _chosen(measured, places):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Put the features of one claim in order; undefined where the place lies behind the last."""
    found = np.empty(len(places), dtype=np.float64)
    for i in range(len(places)):
        found[i] = measured[0, places[i]] if places[i] < measured.shape[1] else np.nan
    return found


def _fields(plan: ClaimPlan, told: Mapping[str, Any], codes: Mapping[str, int], held: Mapping[str, list[int]]) -> list[int]:
    """Read every field of the claim at hand, and of the rows that it names and that were known at filing."""
    found: list[int] = []
    for (table, column, word), missing, place in plan.fields:
        if table != PROBES:
            row = held.get(table)
            found.append(missing if row is None or place < 0 else row[place])
        elif column not in told:
            found.append(missing)
        elif word is not None:
            value = told[column][0]
            found.append(len((value or "").split()) if word == "*" else int(value == word))
        else:
            found.append(codes[column] if column in ENTITIES else whole(told[column][0]))
    return found


def _places(plan: ClaimPlan, claim: Rows) -> Ints:
    """Return where each feature of the plan is computed; behind the last where the claim lacks a column that it needs."""
    shape = tuple(claim.tables[PROBES])
    places = plan._places.get(shape)
    if places is None:
        lacking = {feature.name for feature in plan.features if any(_lacks(need, shape) for need in feature.needs)}
        every = list(CLAIM_FEATURES)
        places = np.array([len(every) if f.name in lacking else every.index(f.name) for f in plan.features], dtype=np.int64)
        plan._places[shape] = places
    return places


def _lacks(need: str, shape: tuple[str, ...]) -> bool:
    table, column = need.split(".")
    return table == PROBES and column not in shape
