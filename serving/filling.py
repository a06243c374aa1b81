"""The store's history filled from tables: at the first start in bulk, afterwards by what is new; stopped anywhere, it goes on.

Rows that are new are put in the order in which they became known and taken in portions, each in one transaction of its own: what
claims may refer to, the history of the online features, and an entry of the audit log. What became known before something
that is in the history already came late, and counts from now on; it is kept like a received event, with the instant it was
recorded at, so that the next export corrects the lake and a batch sees it from that instant as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import text

from data_contracts import CONTRACTS
from data_contracts.contract import Contract
from features.facts import RECORDED
from features.history import NEVER, Ints
from features.online import OnlineHistory
from serving import audit, known
from serving.driver import Driver
from serving.history import StorePages
from serving.known import RESOLVED, STANDING, kept_of, named
from serving.schema import RECEIVED_EVENTS
from serving.standing import with_changes
from serving.store import Store, columns_of
from serving.written import json_of

Tables = Mapping[str, pd.DataFrame]

Progress = Callable[[int, int], None]
"""Told (rows taken in, rows to take in) after every portion."""

FILLED_FROM = ("customers", "sellers", "products", "orders", "returns", "seller_events", "claims", "resolutions")
"""Tables that make history or are referred to."""

PORTION = 250_000
"""Rows of one transaction at the first start."""

MANY = 10_000
"""Rows after which a database's own idea of its tables is out of date."""


def fill(store: Store, history: OnlineHistory, tables: Tables, at: int, portion: int = PORTION, progress: Progress | None = None) -> int:
    """Take in the rows of some tables that the store does not know yet.

    Parameters
    ----------
    store
        Whose history is filled.
    history
        Prepared for the catalogue that is served; its own pages are not used.
    tables
        Frames by contract name, as accepted by their contracts; those of :data:`FILLED_FROM` are read.
    at
        The present instant, microseconds UTC: that of the entries in the audit log.
    portion
        Rows per transaction; others can write between two.
    progress
        Told how far it is.

    Returns
    -------
    int
        How many rows were new.

    Examples
    --------
    >>> from features.pages import MemoryPages
    >>> sellers = pd.DataFrame({"seller_id": ["S"], "joined_at": pd.to_datetime(["2025-01-01"], utc=True), "country": ["US"],
    ...                         "category": ["home"], "recorded_at": pd.to_datetime([None], utc=True)})
    >>> with Store("sqlite://") as store:
    ...     [fill(store, OnlineHistory(MemoryPages()), {"sellers": sellers}, 0) for _ in range(2)]
    [1, 0]
    """
    with store.view() as tx:
        new = {name: unknown(Driver(tx), name, tables[name]) for name in FILLED_FROM if name in tables}
    total, done, taken = sum(len(frame) for frame in new.values()), 0, 0
    for part in portions(new, portion):
        with store.write() as tx:
            driver = Driver(tx)
            audit.lock(driver)
            held = history.within(StorePages(tx).alone())
            # Another process may have been quicker since the look at the whole.
            still = {name: unknown(driver, name, frame) for name, frame in part.items()}
            taken += _take(driver, held, {name: frame for name, frame in still.items() if len(frame)}, at)
        done += sum(len(frame) for frame in part.values())
        if progress is not None:
            progress(done, total)
    if taken >= MANY:
        _counted(store)
    return taken


def _counted(store: Store) -> None:
    """Let PostgreSQL count its tables now: until it has, it reads whole tables for every look-up (eight times the time of a claim)."""
    with store.write() as tx:
        if tx.dialect.name == "postgresql":
            tx.execute(text("ANALYZE"))


def unknown(driver: Driver, table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table that the store does not know."""
    if not driver.rows("SELECT 1 FROM known_rows LIMIT 1"):
        return frame
    names = (named(table, "") + frame[CONTRACTS[table].key]).tolist()
    held = {name for (name,) in driver.among("SELECT name FROM known_rows WHERE name IN {keys}", names)}
    return frame[[name not in held for name in names]] if held else frame


def portions(tables: Tables, size: int) -> Iterator[dict[str, pd.DataFrame]]:
    """Cut tables into portions of about so many rows, each known after the one before and never between rows of one instant."""
    instants = {name: _known(name, frame) for name, frame in tables.items() if len(frame)}
    if not instants:
        return
    times = np.sort(np.concatenate(list(instants.values())))
    edges = np.unique(np.append(times[size::size], np.iinfo(np.int64).max))
    before = NEVER
    for edge in edges.tolist():
        inside = {name: (mine >= before) & (mine < edge) for name, mine in instants.items()}
        part = {name: tables[name][rows] for name, rows in inside.items() if rows.any()}
        if part:
            yield part
        before = edge


def _known(table: str, frame: pd.DataFrame) -> Ints:
    """Read when each row became known, in microseconds."""
    columns = [CONTRACTS[table].known_at, *([RECORDED] if RECORDED in frame else [])]
    known_at = frame[columns].max(axis=1).dt.tz_convert("UTC").dt.tz_localize(None)
    instants: Ints = known_at.to_numpy().astype("datetime64[us]").astype(np.int64)
    return instants


def _changed(table: str, before: pd.DataFrame, after: pd.DataFrame) -> np.ndarray:
    """Tell which rows were given another instant."""
    column = CONTRACTS[table].known_at if CONTRACTS[table].known_at != CONTRACTS[table].event_time else RECORDED
    if column not in before:
        return after[column].notna().to_numpy() if column in after else np.zeros(len(after), dtype=bool)
    same: np.ndarray = ((before[column] == after[column]) | (before[column].isna() & after[column].isna())).to_numpy()
    return ~same


def _take(driver: Driver, history: OnlineHistory, tables: Tables, at: int) -> int:
    """Keep what may be referred to, what came late and the history, and note in the audit log what was taken over."""
    if not tables:
        return 0
    admitted, told = history.admit(tables), {}
    for name, frame in admitted.items():
        contract = CONTRACTS[name]
        columns = columns_of(contract, frame)
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        prints = known.prints_of(contract, columns)
        known.keep(driver, ((named(name, r[contract.key]), kept_of(name, r), p) for r, p in zip(rows, prints, strict=True)))
        told[name] = {"rows": len(rows), "sha256": sha256(b"".join(prints)).hexdigest()}
        late = np.flatnonzero(_changed(name, tables[name], frame)).tolist()
        keep_received(driver, contract, [rows[place] for place in late], at)
        if name == "seller_events":
            keep_standings(driver, rows)
        elif name == "resolutions":
            keep_resolved(driver, [row["claim_id"] for row in rows])
    audit.append(driver, [audit.Entry(audit.FILLED, "lake", at, json.dumps(told, sort_keys=True).encode())])
    history.append(admitted)
    return sum(len(frame) for frame in admitted.values())


def keep_received(driver: Driver, contract: Contract, rows: Sequence[Mapping[str, Any]], at: int) -> list[bytes]:
    """Keep rows (plain values) for the next export to the lake; returns them as they are written."""
    bodies = [json_of(contract, row) for row in rows]
    told = [
        (contract.name, row[contract.key], body.decode(), known_from(contract, row), at) for row, body in zip(rows, bodies, strict=True)
    ]
    driver.add(RECEIVED_EVENTS, told)
    return bodies


def known_from(contract: Contract, row: Mapping[str, Any]) -> int:
    """Return the instant from which a row counts, microseconds UTC."""
    at: int = row[contract.known_at]
    return max(at, row.get(RECORDED) or at)


def keep_standings(driver: Driver, seller_events: list[dict[str, object]]) -> None:
    """Add seller events (plain values) to what is known of their sellers' standing."""
    by_seller: dict[str, list[tuple[object, ...]]] = {}
    for row in seller_events:
        by_seller.setdefault(str(row["seller_id"]), []).append((row["known_at"], row["occurred_at"], row["event_id"], row["kind"]))
    held = known.look_up(driver, [named(STANDING, seller) for seller in by_seller])
    nothing = known.KnownRow([], b"")
    changed = ((named(STANDING, s), with_changes(held.get(named(STANDING, s), nothing).held, more), b"") for s, more in by_seller.items())
    known.change(driver, list(changed))


def keep_resolved(driver: Driver, claim_ids: list[str]) -> None:
    """Note that claims were resolved."""
    known.change(driver, [(named(RESOLVED, claim), [], b"") for claim in dict.fromkeys(claim_ids)])
