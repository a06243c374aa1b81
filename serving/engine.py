"""One claim at a time: check, features, decision, and everything written down before the answer is given.

The engine has no rules, features or prices of its own. A claim is checked against its contract and what it refers to, its features
are read from the history in the store (:mod:`features.online`, to the last bit those of the batch), and it passes the one road to a
decision (:class:`models.scorer.Scorer`). Claim, decision, queue case, history and audit entry are committed together; claims that
came together share one commit. A claim that was decided is history for the next one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from threading import RLock
from types import TracebackType
from typing import Any

import pandas as pd
from sqlalchemy import select
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from data_contracts import CLAIMS
from data_contracts.claims import Claim
from features.catalog import CATALOG, Catalog
from features.history import NEVER
from features.online import OnlineHistory
from features.pages import MemoryPages
from models.bundle import Bundle
from models.policy import Policy
from models.rules import Rules
from models.scorer import Scorer, probabilities
from serving import audit
from serving.background import Background
from serving.claimed import Written, keep_keys, write
from serving.decider import BUNCH, CROWD, Decider
from serving.draft import Answer, Draft, look, settle
from serving.driver import Driver
from serving.events import RECEIVES, Outcome, receive
from serving.grouped import apart, spans
from serving.history import StorePages
from serving.instants import micros
from serving.queue import minutes_of
from serving.reading import Asked, Reading
from serving.refusals import BusyError, ConflictError, InvalidClaimError, InvalidRowError, RefusedError, Violation, shown
from serving.schema import CLAIMS_TABLE
from serving.shadow import Shadow
from serving.store import Store, columns_of, find, is_busy
from serving.written import json_of

__all__ = [
    "RECEIVES",
    "BusyError",
    "ConflictError",
    "Engine",
    "InvalidClaimError",
    "InvalidRowError",
    "Outcome",
    "RefusedError",
    "Violation",
    "shown",
]

AHEAD = timedelta(milliseconds=100)
"""Where processes decide side by side, what one of them has decided is history from so long after now: later than any claim
was filed that another one is reading at this moment, so that its features are final when they are read."""

DRAFTED = 3
"""So many claims at once are drafted before the turn to write: fewer are decided within it, for a draft has to be looked at again."""

Done = Answer | Written


class Engine:
    """Decides claims; safe to call from several threads, and several processes may share a store.

    Parameters
    ----------
    bundle
        The model.
    policy
        Prices and capacities.
    store
        Where history, claims, decisions and queue cases are; filled before from the lake (:mod:`serving.filling`).
    clock_skew
        How far in the future a claim may have been filed because the sender's clock is ahead of ours.
    rules
        Rules beside the model, if there are any.
    catalog
        The features that the history is laid out for.
    sample
        Share of the claims whose feature row is kept until the batch has computed it as well.
    side_by_side
        Whether other processes decide from the same store: then claims that came together are drafted before the turn to write comes, so
        that the processes work at the same time, and become history :data:`AHEAD` of now, so that their drafts hold.

    Notes
    -----
    A claim becomes history at its filing if nothing there is later, else just after everything that is, and where processes decide side
    by side :data:`AHEAD` of now; it is stored with that instant (``recorded_at``), so that a batch sees the history that decisions saw.
    """

    def __init__(
        self,
        bundle: Bundle,
        policy: Policy,
        store: Store,
        clock_skew: timedelta = timedelta(minutes=1),
        rules: Rules | None = None,
        catalog: Catalog = CATALOG,
        sample: float = 0.0,
        side_by_side: bool = False,
    ) -> None:
        self.policy, self._rules, self.store, self._clock_skew = policy, rules, store, clock_skew
        self._history = OnlineHistory(MemoryPages(), catalog)
        self._minutes = minutes_of(policy)
        self._sample, self._side_by_side = sample, side_by_side
        self._last: Reading | None = None
        self._lock = RLock()
        self._counts: Counter[str] = Counter()
        self._background: list[Background] = []
        self._shadow: Shadow | None = None
        self._bundle, self._decider = bundle, self._prepared(bundle)

    @property
    def history(self) -> OnlineHistory:
        """The features that are read, prepared; its own pages are empty."""
        return self._history

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End what runs in the background; what was decided is repeated by the challenger first."""
        for background in self._background:
            background.close()
        self.challenge(None)

    def behind(self, background: Background) -> None:
        """Let something run beside the requests until the engine is closed."""
        self._background.append(background)
        background.start()

    def adopt(self, bundle: Bundle) -> None:
        """Decide with another model from the next group of claims on; it is prepared before anybody waits for it."""
        decider = self._prepared(bundle)
        with self._lock:
            self._bundle, self._decider = bundle, decider
        self._counts["model_swaps"] += 1

    def challenge(self, bundle: Bundle | None) -> None:
        """Let a challenger decide beside the model, or none; its decisions are stored and never acted on."""
        shadow = None if bundle is None else Shadow(self.store, self._prepared(bundle).scorer, bundle.hash, self._counts)
        before, self._shadow = self._shadow, shadow
        if before is not None:
            before.close()

    def score(self, claim: Claim, now: datetime, key: str | None = None) -> bytes:
        """Decide a claim, or return the answer that it already has; see :meth:`score_many`.

        Raises
        ------
        InvalidClaimError
            Naming every rule that the claim breaks.
        ConflictError
            If another claim was received under this identity or key, or the claim was resolved elsewhere.
        BusyError
            If the store is held by others for too long.
        """
        (answer,) = self.score_many([claim], now, [key])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def score_many(self, claims: Sequence[Claim], now: datetime, keys: Sequence[str | None] | None = None) -> list[Answer]:
        """Decide claims that came together; everything about them is committed in one transaction before this returns.

        Parameters
        ----------
        claims
            As received.
        now
            The present instant, in UTC.
        keys
            What each caller gave to tell a repetition by, beside the claim's identity.

        Returns
        -------
        list
            In the order of the claims: the first decision on each as JSON, the same bytes whenever and however often it is asked for,
            or the error that :meth:`score` raises. A claim that fails fails alone.
        """
        asked = [Asked.of(i, c, k) for i, (c, k) in enumerate(zip(claims, keys or [None] * len(claims), strict=True))]
        answers: list[Answer] = [BusyError()] * len(asked)
        with self._lock:
            while asked:
                group, asked = apart(asked)
                for one, answer in zip(group, self._safely(group, now), strict=True):
                    answers[one.place] = answer
        return answers

    def _safely(self, group: list[Asked], now: datetime) -> list[Answer]:
        """Decide a group; if the whole of it fails, each claim alone, so that none suffers for another."""
        try:
            return self._decided(group, now)
        except Exception as error:
            if is_busy(error):
                return [BusyError()] * len(group)
            if len(group) == 1:
                return [error]
            return [answer for one in group for answer in self._safely([one], now)]

    def _decided(self, group: list[Asked], now: datetime) -> list[Answer]:
        decider, parts = self._decider, spans(group)
        drafts: dict[int, Draft] = {}
        done: dict[int, Done] = {}
        if self._side_by_side and len(group) >= DRAFTED:
            with self.store.view() as view:
                reading = self._last = Reading(view, self._history, self.policy, self._last)
                looks, answers = look(reading, parts[0], decider, now, self._clock_skew, {})
                drafts = settle(reading, looks, decider, now)
            done |= answers
        if len(done) < len(group) or any(one.key is not None for one in group):
            done = self._written(parts, drafts, decider, now)
        found = [done[one.place] for one in group]
        self._counts.update(_counted(one) for one in found)
        if self._shadow is not None:
            self._shadow.give(one.draft for one in found if isinstance(one, Written))
        return [one.body if isinstance(one, Written) else one for one in found]

    def _written(self, parts: list[list[Asked]], drafts: Mapping[int, Draft], decider: Decider, now: datetime) -> dict[int, Done]:
        """Write drafts that still hold; draft anew what does not, and what waits for others to be history first."""
        done: dict[int, Done] = {}
        earliest = micros(now + AHEAD) if self._side_by_side else NEVER
        last, self._last = self._last, None  # what a transaction that fails has remembered is forgotten
        with self.store.write() as tx:
            audit.lock(Driver(tx))
            StorePages(tx).alone()
            for part in parts:
                reading = last = Reading(tx, self._history, self.policy, last)
                old = drafts if part is parts[0] else {}
                looks, answers = look(reading, part, decider, now, self._clock_skew, old)
                done |= answers
                done |= write(tx, reading, looks, decider, now, self._minutes, self._sample, earliest)
                keep_keys(reading.driver, [asked for asked in part if not isinstance(done[asked.place], Exception)])
        self._last = last
        self._counts["commits"] += 1
        return done

    def receive(self, table: str, rows: Sequence[Any], now: datetime) -> list[Outcome | RefusedError]:
        """Take in events as they happen; see :func:`serving.events.receive`, which does it in one transaction.

        Raises
        ------
        KeyError
            If events of this table are not taken.
        BusyError
            If the store is held by others for too long.
        """
        try:
            with self._lock, self.store.write() as tx:
                found = receive(tx, self._history, table, rows, now, self._clock_skew)
        except OperationalError as error:
            raise (BusyError() if is_busy(error) else error) from error
        self._counts.update(f"events_{one.status if isinstance(one, Outcome) else 'refused'}" for one in found)
        return found

    def decision(self, claim_id: str) -> bytes | None:
        """Return the answer on a claim, whether the endpoint or a batch decided it; ``None`` if nobody did."""
        with self.store.view() as view:
            return audit.answers(Driver(view), [claim_id]).get(claim_id)

    def claim(self, claim_id: str) -> bytes | None:
        """Return a claim that was received here, as JSON with the instant it was recorded at if that was late; else ``None``."""
        with self.store.view() as view:
            found = find(view, CLAIMS_TABLE, claim_id)
        return None if found is None else json_of(CLAIMS, found)

    def features(self, claim: pd.DataFrame) -> pd.DataFrame:
        """Return what was known of a claim at its filing: the row that the batch computes, (1, features) float64."""
        values = {name: column[0] for name, column in columns_of(CLAIMS, claim).items()}
        with self.store.view() as view:
            return self._history.within(StorePages(view)).row(values)

    def probabilities(self, matrix: pd.DataFrame) -> pd.DataFrame:
        """Return the model's calibrated probabilities of feature rows."""
        return probabilities(self._bundle, matrix)

    def warm_up(self) -> None:
        """Load or compile what claims need, so that the first caller does not wait for it; nothing is written."""
        self._history.rehearse()
        with self.store.view() as view:
            self._history.within(StorePages(view)).vector(_NOTHING)

    def reachable(self) -> bool:
        """Tell whether the store answers."""
        try:
            with self.store.view() as view:
                view.execute(select(1))
        except SQLAlchemyError:
            return False
        return True

    def versions(self) -> dict[str, str]:
        """Name what decides: bundle, policy, rules if there are any, feature catalogue and data contracts."""
        named = {} if self._rules is None else {"rules": self._rules.identifier}
        bundle = self._bundle
        return named | {
            "bundle": bundle.hash,
            "policy": self.policy.identifier,
            "catalog": bundle.catalog_hash,
            "contracts": bundle.contract_hash,
        }

    def counters(self) -> dict[str, int]:
        """Return what this process has counted so far."""
        return {name: self._counts[name] for name in COUNTED}

    def parity(self) -> dict[str, int]:
        """Return what the batch found so far about the sample of feature rows, whichever process kept them."""
        with self.store.view() as view:
            ((checked, differ),) = Driver(view).rows(_PARITY)
        return {"parity_checked": checked, "parity_mismatches": differ}

    def _prepared(self, bundle: Bundle) -> Decider:
        scorer = Scorer(bundle, self.policy, self._rules, self._history.names)
        return Decider(scorer, bundle.hash, CROWD if self._side_by_side else BUNCH)


COUNTED = (
    *("decided", "repeated", "refused", "conflicts", "failed", "commits"),
    *("events_accepted", "events_known", "events_refused"),
    *("shadow_decided", "shadow_failed", "shadow_dropped", "model_swaps"),
)
"""Names of the counters."""

_PARITY = "SELECT count(*), coalesce(sum(CASE WHEN differs > 0 THEN 1 ELSE 0 END), 0) FROM parity_samples WHERE differs IS NOT NULL"

_NOTHING: dict[str, Any] = {column.name: 0 if column.kind in ("integer", "instant") else None for column in CLAIMS.columns}


def _counted(answer: Done) -> str:
    kinds = ((Written, "decided"), (bytes, "repeated"), (ConflictError, "conflicts"), (RefusedError, "refused"))
    return next((name for kind, name in kinds if isinstance(answer, kind)), "failed")
