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
from features.arena import BEGIN, LENGTH, MISSING, look
from features.facts import PROBES, RECORDED, FeatureError
from features.from_claim import CLAIM_FEATURES, FIELDS, KEYS, measure
from features.history import NEVER, Floats, Ints
from features.online_rows import HashedFacts, Rows, keys_of, log_on, whole
from features.online_sources import keep
from features.pages import END, Pages, rows
from features.spec import ENTITIES, Direct

DELIVERIES = "deliveries"
"""Pseudo-table of a batch: ``order_id`` and ``delivered_at`` of orders that are known already."""

_FIRST_LOG = 0x8010
_LOGS = {table: log_on((key,), _FIRST_LOG + number) for number, (table, key) in enumerate(KEYS.items())}


@dataclass(frozen=True)
class ClaimPlan:
    """Which features of the claim itself are wanted, and which columns of which tables they read.

    Parameters
    ----------
    features, columns
        The features, and columns by table.
    told
        Of each field whether the claim itself tells it, by which column, what of it is asked, and what stands where it is missing.
    named, fields
        What is looked up, as :func:`look_up_all` takes it.
    """

    features: tuple[Direct, ...]
    columns: dict[str, tuple[str, ...]]
    told: tuple[tuple[bool, str, str | None, int], ...]
    named: Ints
    fields: Ints
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
        tables = list(columns)
        return cls(
            features,
            columns,
            tuple((f.table == PROBES, f.column, f.word, f.missing) for f in FIELDS),
            np.array([(_LOGS[t], ENTITIES.index(KEYS[t]), len(columns[t])) for t in tables], dtype=np.int64).reshape(-1, 3),
            np.array([_place(f.table, f.column, columns) for f in FIELDS], dtype=np.int64),
        )


def _place(table: str, column: str, columns: Mapping[str, tuple[str, ...]]) -> tuple[int, int]:
    """Return where a field is looked up: which table, and which of the columns behind its instant."""
    held = columns.get(table, ())
    return ([*columns].index(table), held.index(column)) if column in held else (-1, -1)


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


def told(plan: ClaimPlan, claim: Mapping[str, Any], codes: Mapping[str, int]) -> tuple[list[int], Ints]:
    """Read what a claim itself says.

    Parameters
    ----------
    plan
        What is wanted.
    claim, codes
        Its columns as plain values, and its identifiers as codes.

    Returns
    -------
    tuple
        Its fields, those of what it names missing, and where each feature of the plan is computed (behind the last where the claim
        lacks a column that it needs).
    """
    return [_field(claim, codes, *entry) for entry in plan.told], _places(plan, tuple(claim))


def _field(claim: Mapping[str, Any], codes: Mapping[str, int], is_told: bool, column: str, word: str | None, missing: int) -> int:
    if not is_told or column not in claim:
        return missing
    if word is not None:
        value = claim[column]
        return len((value or "").split()) if word == "*" else int(value == word)
    return codes[column] if column in ENTITIES else whole(claim[column])


@njit(cache=True)
def look_up_all(pool, named, fields, codes, now, done, found):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Look up what some claims name, as far as it is in the arena; the rest is asked for.

    Parameters
    ----------
    pool
        The arena's arrays.
    named
        (tables, 3) log of each, by which of a claim's identifiers, and how many columns.
    fields
        (fields, 2) table and column of each field; −1 of one that is not looked up.
    codes
        (claims, identifiers) as codes, −1 where missing.
    now
        (claims,) the instants of filing: what was known at one or later is not used.
    done
        (claims,) which are looked up; changed here.
    found
        (claims, fields) is filled where there is something.
    """
    for claim in range(len(now)):
        if done[claim]:
            continue
        done[claim] = True
        for table in range(len(named)):
            log, identifier, columns = named[table]
            if codes[claim, identifier] < 0:
                continue
            slot = look(pool, log, (codes[claim, identifier],), END)
            done[claim] &= slot != MISSING
            if slot >= 0:
                row = pool.slots[slot, BEGIN] + pool.slots[slot, LENGTH] - 1 - columns
                if NEVER < pool.words[row] < now[claim]:
                    for field in range(len(fields)):
                        if fields[field, 0] == table:
                            found[claim, field] = pool.words[row + 1 + fields[field, 1]]


def chosen(fields: Ints, places: Ints) -> Floats:
    """Compute the features of some claims from their fields, (claims, features) in the order of the plan."""
    found: Floats = _chosen(measure(fields), places)
    return found


@njit(cache=True)
def _chosen(measured, places):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Put the features of each claim in order; undefined where the place lies behind the last."""
    found = np.empty(places.shape, dtype=np.float64)
    for claim in range(len(places)):
        for i in range(places.shape[1]):
            place = places[claim, i]
            found[claim, i] = measured[claim, place] if place < measured.shape[1] else np.nan
    return found


def _places(plan: ClaimPlan, shape: tuple[str, ...]) -> Ints:
    """Return where each feature of the plan is computed; behind the last where the claim lacks a column that it needs."""
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
