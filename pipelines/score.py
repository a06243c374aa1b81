"""Scheduled scoring: every claim filed before an instant and not yet decided gets its decision, once.

Columnar all the way: claims are priced, explained and written down some tens of thousands at a time, whole days of filing in each
piece; only who is sent to an expert is settled day by day, under that day's capacity. A piece is one transaction. A run that is
killed leaves whole pieces; running again decides the others, and what was decided stays as it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data_contracts import Action, Route
from features.catalog import CATALOG
from features.facts import Tables
from features.matrix import build_matrix
from models.bundle import Bundle
from models.policy import Policy
from models.review import capacity_left
from models.rules import Rules
from models.shelf import Shelf
from models.stages import Model, ReasonsFor, Routed, framed, price, send, written
from pipelines import beside
from pipelines.batch_ahead import ahead
from pipelines.batch_export import append_decisions, mend_decisions
from pipelines.batch_pending import Pending, pending
from pipelines.batch_rows import FeatureRows, HeldRows, StoredRows
from pipelines.batch_write import Writer
from pipelines.build import build, kept_matrix
from pipelines.engine import Carrier, Engine
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.received import export_received
from serving.attachments import packed
from serving.instants import DAY
from serving.queue import minutes_of
from serving.standing import Standing
from serving.store import Store

PIECE = 50_000
"""Claims decided at once, rounded up to whole days: what is held in memory for one of them takes some kilobytes."""

_REVIEWED = (Action.DESK.value, Action.INVESTIGATE.value)
_READ = (
    *("claim_id", "customer_id", "seller_id", "kind", "filed_at", "amount_cents"),
    *("has_receipt", "has_dated_photo", "has_medical_record"),
)
"""What deciding itself reads of a claim, features apart."""

Progress = Callable[[int, int], None]
"""Told (claims decided, claims to decide) after every piece."""


@dataclass(frozen=True)
class Scored:
    """What one run decided.

    Parameters
    ----------
    decided
        New decisions.
    by_action
        New decisions by action.
    pending
        Claims filed before the instant that are still undecided: always 0 after an undisturbed run.
    """

    decided: int
    by_action: dict[str, int]
    pending: int


def score(
    home: Home,
    as_of: datetime,
    policy: Policy,
    since: datetime | None = None,
    tables: Tables | None = None,
    progress: Progress | None = None,
    num_threads: int = 1,
    rules: Rules | None = None,
    carrier: Carrier | None = None,
    reasons_for: ReasonsFor = "disputable",
    piece: int = PIECE,
) -> Scored:
    """Decide the claims filed in [since, as_of) that have no decision yet; a challenger's decisions are stored beside, never acted on.

    Parameters
    ----------
    home
        Lake, bundles and store.
    as_of
        Nothing at or after this instant is read.
    policy
        Prices and capacities.
    since
        Claims filed earlier are somebody else's (another process decides them); by default every claim is ours that the lake does not
        show as resolved.
    tables
        The lake's tables, if they are at hand already.
    progress
        Told how far the run is.
    num_threads
        Threads for features and boosters; from two on, the next piece is decided while one is written down. Results do not depend on it.
    rules
        Rules beside the model, if there are any.
    carrier
        Brings the kept matrix up to date first; Spark computes the model's probabilities as well. Without, features are read from the
        kept matrix where it is still right, and else computed in memory for the claims to be decided.
    reasons_for
        ``disputable``: claims that go to experts or are denied carry reasons for the investigator; or ``all``.
    piece
        Claims decided at once, rounded up to whole days of filing; decisions do not depend on it.

    Raises
    ------
    models.bundle.BundleError
        If there is no champion, or it does not fit this code.
    """
    bundle = Shelf(home.bundles).get("champion", CATALOG.hash)
    with Store(home.store_url, synchronous="NORMAL") as store:
        export_received(home, store)
        if carrier is not None:
            build(home, carrier=carrier)
        lake = Lake.of(home)
        writer = Writer.of(store)
        done, waiting = 0, pending(store, lake, _READ, as_of, since, tables)
        counts: Counter[str] = Counter()
        if len(waiting):
            known = partial(_priced_by, home, carrier, waiting)
            standing = Standing(lake.read("seller_events") if tables is None else tables["seller_events"])
            road = _Road(bundle, known(bundle), policy, standing, num_threads, rules, reasons_for)
            challenger = beside.challenger_of(home)
            shadow = None if challenger is None else replace(road, bundle=challenger, model=known(challenger))
            rows = _feature_rows(home, tables, waiting, num_threads)
            taken = _taken(store.read("decisions", {"action": _REVIEWED}))
            found = _decided(road, shadow, rows, waiting, taken, pd.Timestamp(as_of), piece)
            for done, claims, decisions, besides in found if num_threads == 1 else ahead(found):
                content = packed(decisions)
                if writer.keep(decisions, minutes_of(policy), _parties(claims, decisions), content) == len(decisions):
                    append_decisions(lake, decisions, content)
                if besides is not None:
                    beside.keep(store, framed(besides))
                counts.update({one["values"]: one["counts"] for one in decisions["action"].value_counts().to_pylist()})
                if progress is not None:
                    progress(done, len(waiting))
        mend_decisions(home, store)
    return Scored(done, {str(action): counts[action] for action in sorted(counts)}, len(waiting) - done)


def _parties(claims: pd.DataFrame, decisions: pa.Table) -> dict[str, tuple[str, str]]:
    """Return claim → (customer, seller) of the claims that go to an expert; claims and decisions are in the same order."""
    sent = claims[pc.is_in(decisions["action"], pa.array(_REVIEWED)).to_numpy()]
    return {claim: (customer, seller) for claim, customer, seller in sent[["claim_id", "customer_id", "seller_id"]].itertuples(index=False)}


def _feature_rows(home: Home, tables: Tables | None, waiting: Pending, threads: int) -> FeatureRows:
    if tables is None and (kept := kept_matrix(home)) is not None:
        return StoredRows(kept, waiting.numbers)
    whole = Lake.of(home).tables() if tables is None else tables
    return HeldRows(build_matrix(whole, whole["claims"].iloc[waiting.numbers], threads=threads))


def _priced_by(home: Home, carrier: Carrier | None, waiting: Pending, bundle: Bundle) -> Model:
    """Return what prices claims: the bundle in this process, or its probabilities as Spark's workers computed them."""
    kept = kept_matrix(home) if carrier is not None and carrier.engine is Engine.SPARK else None
    if carrier is None or kept is None:
        return bundle
    from features.spark_session import session  # an extra
    from pipelines.spark_score import carried

    with session(carrier.master, carrier.bound) as opened:
        return carried(opened, bundle, kept, waiting.claims(slice(None))["claim_id"])


def _pieces(days: np.ndarray, least: int) -> Iterator[slice]:
    """Cut claims in order of filing into pieces of at least so many, each of whole days."""
    ends = np.append(np.flatnonzero(np.diff(days)) + 1, len(days))
    start = 0
    while start < len(days):
        stop = int(ends[min(int(np.searchsorted(ends, start + least)), len(ends) - 1)])
        yield slice(start, stop)
        start = stop


@dataclass(frozen=True, eq=False)
class _Road:
    """Everything decisions depend on, apart from claims and days; ``model`` prices as the bundle does, which gives the reasons."""

    bundle: Bundle
    model: Model
    policy: Policy
    standing: Standing
    num_threads: int
    rules: Rules | None
    reasons_for: ReasonsFor

    def decide(self, matrix: pd.DataFrame, claims: pd.DataFrame, taken: pd.DataFrame, as_of: pd.Timestamp) -> tuple[pa.Table, pd.DataFrame]:
        """Decide the claims of some whole days; returns the decisions, and what has been taken of the experts' capacity with them."""
        insured = self.standing.insured(claims["seller_id"], claims["filed_at"])
        priced = price(self.model, self.policy, matrix, claims, insured, num_threads=self.num_threads)
        parts, instants = [], []
        for day in _pieces(claims["filed_at"].dt.as_unit("us").astype("int64").to_numpy() // DAY, 1):
            decided_at = min(claims["filed_at"].iloc[day.start].floor("D") + pd.Timedelta(days=1), as_of)
            capacity = capacity_left(self.policy, taken, decided_at)
            part = send(self.policy, priced.rows(day), matrix.iloc[day], claims.iloc[day], capacity, decided_at, self.rules)
            reviewed = np.isin(part.action, _REVIEWED) & (part.route != Route.RULE.value)
            # No capacity reaches back beyond its month.
            month = taken[taken["decided_at"] > decided_at - pd.Timedelta(days=32)]
            taken = pd.concat([month, pd.DataFrame({"action": part.action[reviewed], "decided_at": decided_at})], ignore_index=True)
            parts.append(part)
            instants.append(np.full(day.stop - day.start, decided_at.as_unit("us").asm8))
        at = pd.Series(np.concatenate(instants)).dt.tz_localize("UTC")
        routed = Routed.joined(parts)
        decisions = written(
            self.bundle, self.policy, priced, routed, matrix, claims, at, num_threads=self.num_threads, reasons_for=self.reasons_for
        )
        return decisions, taken


def _decided(
    road: _Road,
    shadow: _Road | None,
    rows: FeatureRows,
    waiting: Pending,
    taken: pd.DataFrame,
    as_of: pd.Timestamp,
    piece: int,
) -> Iterator[tuple[int, pd.DataFrame, pa.Table, pa.Table | None]]:
    """Decide piece after piece: how far it is, the claims, the decisions on them, and those of a challenger if there is one."""
    for places in _pieces(waiting.filed // DAY, piece):
        claims, matrix, before = waiting.claims(places), rows.rows(places), taken
        if not np.array_equal(matrix.index, claims["claim_id"]):
            raise ValueError("features: expected the rows of the claims to be decided, found others; run build, then score again")
        decisions, taken = road.decide(matrix, claims, before, as_of)
        yield places.stop, claims, decisions, None if shadow is None else shadow.decide(matrix, claims, before, as_of)[0]


def _taken(reviewed: pd.DataFrame) -> pd.DataFrame:
    """Return what took an expert's capacity: what rules sent came on top of it."""
    return reviewed.loc[reviewed["route"] != Route.RULE.value, ["action", "decided_at"]]
