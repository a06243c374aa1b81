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
_READ = {
    "claims": (
        *("claim_id", "customer_id", "seller_id", "kind", "filed_at", "amount_cents"),
        *("has_receipt", "has_dated_photo", "has_medical_record"),
    ),
    "resolutions": ("claim_id", "known_at"),
    "seller_events": None,
}
"""What deciding itself reads, features apart."""

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
        read = {name: lake.read(name, columns) if tables is None else tables[name] for name, columns in _READ.items()}
        writer = Writer.of(store)
        done, pending = 0, undecided(store, read["claims"], as_of, since, read["resolutions"])
        counts: Counter[str] = Counter()
        if len(pending):
            known = partial(_priced_by, home, carrier, pending["claim_id"])
            road = _Road(bundle, known(bundle), policy, Standing(read["seller_events"]), num_threads, rules, reasons_for)
            challenger = beside.challenger_of(home)
            shadow = None if challenger is None else replace(road, bundle=challenger, model=known(challenger))
            rows = _feature_rows(home, tables, read["claims"], pending, num_threads)
            taken = _taken(store.read("decisions", {"action": _REVIEWED}))
            found = _decided(road, shadow, rows, pending, taken, pd.Timestamp(as_of), piece)
            for done, claims, decisions, besides in found if num_threads == 1 else ahead(found):
                content = packed(decisions)
                if writer.keep(decisions, minutes_of(policy), _parties(claims, decisions), content) == len(decisions):
                    append_decisions(lake, decisions, content)
                if besides is not None:
                    beside.keep(store, framed(besides))
                counts.update({one["values"]: one["counts"] for one in decisions["action"].value_counts().to_pylist()})
                if progress is not None:
                    progress(done, len(pending))
        mend_decisions(home, store)
    return Scored(done, {str(action): counts[action] for action in sorted(counts)}, len(pending) - done)


def _parties(claims: pd.DataFrame, decisions: pa.Table) -> dict[str, tuple[str, str]]:
    """Return claim → (customer, seller) of the claims that go to an expert; claims and decisions are in the same order."""
    sent = claims[pc.is_in(decisions["action"], pa.array(_REVIEWED)).to_numpy()]
    return {claim: (customer, seller) for claim, customer, seller in sent[["claim_id", "customer_id", "seller_id"]].itertuples(index=False)}


def undecided(
    store: Store, claims: pd.DataFrame, as_of: datetime, since: datetime | None = None, resolutions: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the claims filed in [since, as_of) without a decision, in order of filing, indexed by their places among all claims given.

    Claims that were resolved without a decision of ours, as far as ``resolutions`` were known by ``as_of``, were another process's:
    deciding them again would pay them again.
    """
    ours = claims.reset_index(drop=True)
    ours = ours[(ours["filed_at"] < as_of) & ((ours["filed_at"] >= since) if since is not None else True)]
    if resolutions is not None:
        settled = resolutions.loc[resolutions["known_at"] < as_of, "claim_id"]
        ours = ours[~pc.is_in(pa.array(ours["claim_id"]), value_set=pa.array(settled)).to_numpy(zero_copy_only=False)]
    open_ = ours[store.undecided(pa.array(ours["claim_id"]))]
    filed = pa.table({"filed_at": pa.array(open_["filed_at"]), "claim_id": pa.array(open_["claim_id"])})
    order = pc.sort_indices(filed, [("filed_at", "ascending"), ("claim_id", "ascending")]).to_numpy()
    return open_ if (order[1:] > order[:-1]).all() else open_.iloc[order]


def _feature_rows(home: Home, tables: Tables | None, claims: pd.DataFrame, pending: pd.DataFrame, threads: int) -> FeatureRows:
    if tables is None and (kept := kept_matrix(home)) is not None:
        return StoredRows(kept, pending.index.to_numpy())
    whole = Lake.of(home).tables() if tables is None else tables
    return HeldRows(build_matrix(whole, whole["claims"].iloc[pending.index], threads=threads))


def _priced_by(home: Home, carrier: Carrier | None, claim_ids: pd.Series, bundle: Bundle) -> Model:
    """Return what prices claims: the bundle in this process, or its probabilities as Spark's workers computed them."""
    kept = kept_matrix(home) if carrier is not None and carrier.engine is Engine.SPARK else None
    if carrier is None or kept is None:
        return bundle
    from features.spark_session import session  # an extra
    from pipelines.spark_score import carried

    with session(carrier.master, carrier.bound) as opened:
        return carried(opened, bundle, kept, claim_ids)


def _pieces(filed_at: pd.Series, least: int) -> Iterator[slice]:
    """Cut claims in order of filing into pieces of at least so many, each of whole days."""
    ends = np.append(np.flatnonzero(np.diff(_days(filed_at))) + 1, len(filed_at))
    start = 0
    while start < len(filed_at):
        stop = int(ends[min(int(np.searchsorted(ends, start + least)), len(ends) - 1)])
        yield slice(start, stop)
        start = stop


def _days(filed_at: pd.Series) -> np.ndarray:
    days: np.ndarray = filed_at.dt.as_unit("us").astype("int64").to_numpy() // DAY
    return days


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
        for day in _pieces(claims["filed_at"], 1):
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
    pending: pd.DataFrame,
    taken: pd.DataFrame,
    as_of: pd.Timestamp,
    piece: int,
) -> Iterator[tuple[int, pd.DataFrame, pa.Table, pa.Table | None]]:
    """Decide piece after piece: how far it is, the claims, the decisions on them, and those of a challenger if there is one."""
    for places in _pieces(pending["filed_at"], piece):
        claims, matrix, before = pending.iloc[places], rows.rows(places), taken
        decisions, taken = road.decide(matrix, claims, before, as_of)
        yield places.stop, claims, decisions, None if shadow is None else shadow.decide(matrix, claims, before, as_of)[0]


def _taken(reviewed: pd.DataFrame) -> pd.DataFrame:
    """Return what took an expert's capacity: what rules sent came on top of it."""
    return reviewed.loc[reviewed["route"] != Route.RULE.value, ["action", "decided_at"]]
