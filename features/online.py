"""One claim's full row of features from a paged history, equal to the row of the batch to the last bit.

Events are appended as they become known; a claim is read as of its filing by looking up keys, so that the time it takes
grows with the logarithm of the history. The definitions are those of the batch: windows, the claim itself, links and
duplicates are measured by the same functions, only what they look at comes from pages.

**Late events.** Time runs forward: everything appended becomes known after everything that was appended before. What comes
late is given the instant at which it was recorded (:meth:`OnlineHistory.admit`); stored with the table, it makes the batch
see the event from that instant as well. All events of one instant are appended together.

**A claim becomes history after it was read**, with the next append: in one transaction read its row, decide, append it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data_contracts import CONTRACTS
from features import online_claim, online_duplicates, online_groups, online_link_logs, online_writing
from features.catalog import CATALOG, Catalog
from features.facts import RECORDED, FeatureError, Tables
from features.history import NEVER, Floats
from features.online_claim import DELIVERIES
from features.online_groups import Claim, Group
from features.online_plans import Plans
from features.online_rows import HashedFacts, Rows, key_of, whole
from features.online_sources import receive
from features.pages import MemoryPages, Pages
from features.spec import Computed

_STATE, _NOBODY = 0xFFFF << 16, np.empty(0, dtype=np.int64)
"""Log of how far the history reaches, and what it is laid out for; it stands under no identifier."""

_READ = ("customers", "sellers", "products", "orders", "returns", "claims", "resolutions", "seller_events")
"""Tables that make history; others are passed over."""

_NO_CLAIMS = pd.DataFrame({"claim_id": pd.Series(dtype="str"), "filed_at": pd.Series(dtype="datetime64[us, UTC]")})


@dataclass(frozen=True, eq=False)
class Read:
    """A claim that was read.

    Parameters
    ----------
    vector
        (features,) float64 in the order of the catalogue.
    filed
        The instant as of which it was read (µs).
    claim
        What it says.
    group, place
        What was prepared of the claims that were read with it, and its place among them.
    """

    vector: Floats
    filed: int
    claim: Mapping[str, Any]
    group: Group
    place: int


class OnlineHistory:
    """The history behind the endpoint.

    Parameters
    ----------
    pages
        Where it is kept. Append inside one transaction of theirs: a batch is there as a whole or not at all.
    catalog
        The features wanted. Its logs are laid out once: another catalogue needs its own pages, filled anew.

    Raises
    ------
    FeatureError
        If the catalogue has features computed by functions of the user's, or sources whose events are not known in the order
        in which they arrive.

    Examples
    --------
    >>> from features.pages import MemoryPages
    >>> claims = pd.DataFrame({"claim_id": ["C1"], "customer_id": ["A"], "amount_cents": [90_000],
    ...                        "filed_at": pd.to_datetime(["2025-01-01"], utc=True)})
    >>> history = OnlineHistory(MemoryPages(), CATALOG.without("links", "duplicates"))
    >>> history.append({"claims": claims})
    >>> asked = {"claim_id": "C2", "customer_id": "A", "filed_at": pd.Timestamp("2025-01-05", tz="UTC"), "amount_cents": 10_000}
    >>> history.vector(asked)[history.names.index("claims_count_customer_30d")].item()
    1.0
    """

    def __init__(self, pages: Pages, catalog: Catalog = CATALOG) -> None:
        unable = [entry.name for entry in catalog if isinstance(entry.feature, Computed)]
        if unable:
            raise FeatureError(
                f"online: expected features that are declared, found {', '.join(unable)} computed by functions; "
                "leave them out of the catalogue that is served"
            )
        for name, source in catalog.sources.items():
            if source.table not in _READ or source.at != CONTRACTS[source.table].known_at:
                raise FeatureError(
                    f"online: expected sources of {', '.join(_READ)} at the instant that their contract names, "
                    f"found {name!r} on {source.table}.{source.at}; leave it to the batch"
                )
        self.pages, self.catalog, self.names = pages, catalog, catalog.names
        self.plans = Plans.of(catalog)
        self._hash = bytes.fromhex(self.plans.hash)

    def within(self, pages: Pages) -> OnlineHistory:
        """Return the same history read from and written to other pages: those of the next transaction, without preparing again."""
        other = copy(self)
        other.pages = pages
        return other

    def rehearse(self) -> None:
        """Let claims become history where nobody sees them: then everything is compiled, and the first real one does not wait for it.

        What was compiled is kept beside the modules; the first time after an update takes most of a minute.
        """
        unseen = self.within(MemoryPages())
        for name in ("A", "B", "C"):  # the first of them takes the way of a history in which nothing is
            unseen.append_read(unseen.read({"claim_id": name, "customer_id": "A", "amount_cents": 0, "filed_at": 0}))

    def watermark(self) -> int:
        """Return the latest instant at which anything in the history became known (µs), ``NEVER`` if it is empty.

        Raises
        ------
        FeatureError
            If the pages were filled for another catalogue.
        """
        held = self.pages.arena().last(self.pages, _STATE, _NOBODY)
        if held is None:
            return NEVER
        if held[1:].tobytes() != self._hash:
            raise FeatureError(
                f"history: expected pages laid out for {self._hash.hex()[:12]}, found {held[1:].tobytes().hex()[:12]}; "
                "the catalogue has changed: fill an empty store from the tables"
            )
        return int(held[0])

    def admit(self, tables: Tables) -> dict[str, pd.DataFrame]:
        """Give late events the instant from which they count: just after everything known so far.

        Parameters
        ----------
        tables
            New rows by contract name, perhaps ``deliveries`` with ``order_id`` and ``delivered_at``.

        Returns
        -------
        dict
            The same rows; those that became known too late have it in ``recorded_at``, or in ``known_at`` where that is what
            the contract calls it. Store them like this: then a batch agrees.
        """
        earliest = self.watermark() + 1
        late = () if earliest == NEVER + 1 else (*_READ, DELIVERIES)
        return {name: _admitted(name, frame, earliest) if name in late else frame for name, frame in tables.items()}

    def append(self, events: Tables | Rows) -> None:
        """Add events to the history.

        Parameters
        ----------
        events
            New rows by contract name: frames, or for a few events :class:`features.online_rows.Rows`. Rows of the table
            ``deliveries`` (``order_id``, ``delivered_at``) complete orders that are known already.

        Raises
        ------
        FeatureError
            If an event became known no later than one that is there already; nothing is written then.
        """
        watermark = self.watermark()
        facts = events if isinstance(events, Rows) else HashedFacts(events, _NO_CLAIMS, self.catalog.sources)
        latest = self._latest(facts, events.tables if isinstance(events, Rows) else events, watermark)
        if watermark != NEVER and isinstance(facts, Rows) and (values := _only(facts)) is not None:
            self._append_claims([Claim(Group.of(self.plans, [values]), 0, values, latest)])
        else:
            self._append_any(facts, watermark, latest)

    def _append_any(self, facts: HashedFacts | Rows, watermark: int, latest: int) -> None:
        """Append events of any kind, known after one instant and up to another."""
        batch, plans, is_fresh = receive(facts, self.pages, watermark), self.plans, watermark == NEVER
        online_writing.write(batch, plans.layout, self.pages)
        online_claim.write(facts, plans.claim, self.pages, is_fresh)
        online_link_logs.write(batch, plans.links.graphs, plans.links.rules, self.pages, is_fresh)
        online_duplicates.write(facts, plans.duplicates, self.pages, is_fresh)
        self.pages.put([(key_of(_STATE, ()), 0, self._state(latest))])
        self.pages.flush()

    def _latest(self, facts: HashedFacts | Rows, tables: Mapping[str, Any], watermark: int) -> int:
        latest = watermark
        for name in tables:
            if name not in _READ or not facts.has(f"{name}.{CONTRACTS[name].known_at}"):
                continue
            known = facts.known(name)
            known = known[known != NEVER]
            if len(known) and known.min() <= watermark:
                late = int((known <= watermark).sum())
                raise FeatureError(
                    f"{name}: expected rows known after {pd.Timestamp(watermark, unit='us', tz='UTC')}, the latest in the history, "
                    f"found {late} that are not; give them the instant at which they were recorded (admit)"
                )
            latest = max(latest, int(known.max(initial=watermark)))
        return latest

    def vector(self, claim: Mapping[str, Any]) -> Floats:
        """Compute one claim's features as of its filing.

        Parameters
        ----------
        claim
            Columns of the contract ``claims`` as plain values; identifiers or columns that are missing leave what needs them
            undefined.

        Returns
        -------
        ndarray
            (features,) float64 in the order of the catalogue: the row of :func:`features.matrix.build_matrix`.
        """
        return self.read(claim).vector

    def read(self, claim: Mapping[str, Any]) -> Read:
        """Compute a claim's features, and keep what appending it needs to know again.

        Parameters
        ----------
        claim
            As for :meth:`vector`.

        Returns
        -------
        Read
            With its ``vector``; give it to :meth:`append_read` within the same transaction.

        Examples
        --------
        >>> from features.pages import MemoryPages
        >>> history = OnlineHistory(MemoryPages())
        >>> told = {"claim_id": "C1", "customer_id": "A", "amount_cents": 900, "filed_at": pd.Timestamp("2025-01-05", tz="UTC")}
        >>> for claim in (told, {**told, "claim_id": "C2"}):
        ...     read = history.read(claim)
        ...     print(read.vector[history.names.index("claims_count_customer_all")], history.append_read(read) - read.filed)
        0.0 0
        0.0 1
        """
        return self.read_many([claim])[0]

    def read_many(self, claims: Sequence[Mapping[str, Any]]) -> list[Read]:
        """Compute the features of claims that came together, none with another in its history.

        Parameters
        ----------
        claims
            As for :meth:`vector`.
        """
        if not claims:
            return []
        group = Group.of(self.plans, claims)
        vectors = online_groups.measure(self.plans, claims, group, self.pages)
        return [Read(*told, group, place) for place, told in enumerate(zip(vectors, group.filed.tolist(), claims, strict=True))]

    def append_read(self, read: Read) -> int:
        """Let a claim that was read become history, in the transaction in which it was read.

        Parameters
        ----------
        read
            Of :meth:`read`, on pages to which nothing but other claims was appended since.

        Returns
        -------
        int
            The instant from which it counts (µs): its filing, or just after everything known so far. Where it is later than
            the filing, it has to be stored with the claim as ``recorded_at``: then a batch agrees.
        """
        return self.append_reads([read])[0]

    def append_reads(self, reads: Sequence[Read]) -> list[int]:
        """Let claims that were read become history one after the other, and write everything down once.

        Parameters
        ----------
        reads
            As for :meth:`append_read`, which says what is returned of each; none was read with another one in its history.
        """
        watermark = self.watermark()
        claims: list[Claim] = []
        for read in reads:
            watermark = max(read.filed, watermark + 1, whole(read.claim.get(RECORDED)))
            values = read.claim if watermark == read.filed else {**read.claim, RECORDED: watermark}
            claims.append(Claim(read.group, read.place, values, watermark))
        self._append_claims(claims)
        return [claim.at for claim in claims]

    def _append_claims(self, claims: Sequence[Claim]) -> None:
        """Append claims that are known to come after everything that is there, each after the one before it."""
        left, watermark = list(claims), self.watermark()
        while left:
            done = 0 if watermark == NEVER else online_groups.append(self.plans, left, self.pages)
            if done:
                watermark = left[done - 1].at
                online_groups.put(self.pages, _STATE, _NOBODY, np.frombuffer(self._state(watermark), dtype=np.int64))
            self.pages.flush()
            for waited_for in left[done : done + 1]:
                rows = Rows({"claims": {name: (value,) for name, value in waited_for.values.items()}}, self.catalog.sources)
                self._append_any(rows, watermark, waited_for.at)
                watermark = waited_for.at
            del left[: done + 1]

    def _state(self, latest: int) -> bytes:
        """Return the page that says how far the history reaches."""
        return latest.to_bytes(8, "little", signed=True) + self._hash

    def row(self, claim: Mapping[str, Any]) -> pd.DataFrame:
        """Return :meth:`vector` as :func:`features.matrix.build_matrix` returns it: one row, indexed by ``claim_id``."""
        index = pd.Index([claim["claim_id"]], name="claim_id", dtype="str")
        return pd.DataFrame(self.vector(claim)[None, :], index=index, columns=list(self.names))


def _only(rows: Rows) -> dict[str, Any] | None:
    """Return the claim of a batch that consists of it alone."""
    if tuple(rows.tables) != ("claims",) or len(rows.frame("claims")) != 1 or not rows.has("claims.claim_id"):
        return None
    return {name: column[0] for name, column in rows.tables["claims"].items()}


def _admitted(name: str, frame: pd.DataFrame, earliest: int) -> pd.DataFrame:
    """Return a table whose late rows say when they were recorded."""
    instant = pd.Timestamp(earliest, unit="us", tz="UTC")
    known_at = "delivered_at" if name == DELIVERIES else CONTRACTS[name].known_at
    own = name == DELIVERIES or CONTRACTS[name].known_at != CONTRACTS[name].event_time
    if own:
        return frame.assign(**{known_at: frame[known_at].where(~(frame[known_at] < instant), instant)})
    recorded = frame.get(RECORDED, pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us, UTC]"))
    late = frame[[known_at]].assign(recorded=recorded).max(axis=1) < instant
    return frame.assign(**{RECORDED: recorded.where(~late, instant).astype("datetime64[us, UTC]")})
