"""A challenger in the shadow of the model that decides: the same features, its decision stored beside, never acted on.

It works behind the answers, in a thread of its own that is given what was decided and drops it when it cannot keep up. Whatever
goes wrong here is counted and felt by nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from queue import Empty, Full, Queue
from threading import Thread

from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError

from models.scorer import Scorer
from serving.draft import Draft
from serving.instants import micros
from serving.schema import SHADOW_DECISIONS
from serving.store import Store

WAITING = 1_000
"""Decisions that may wait to be repeated; further ones are dropped."""

_AT_ONCE = 50


class Shadow:
    """Repeats decisions with another model.

    Parameters
    ----------
    store
        Where its decisions go.
    scorer
        The challenger, with the prices and rules of the champion.
    bundle
        Its hash.
    counts
        Told ``shadow_decided``, ``shadow_failed`` and ``shadow_dropped``.
    """

    def __init__(self, store: Store, scorer: Scorer, bundle: str, counts: Counter[str]) -> None:
        self._store, self._scorer, self._bundle, self._counts = store, scorer, bundle, counts
        self._waiting: Queue[Draft | None] = Queue(WAITING)
        self._thread = Thread(target=self._work, name="shadow", daemon=True)
        self._thread.start()

    def give(self, drafts: Iterable[Draft]) -> None:
        """Hand over decisions that were written down; never waits."""
        for draft in drafts:
            try:
                self._waiting.put_nowait(draft)
            except Full:
                self._counts["shadow_dropped"] += 1

    def close(self) -> None:
        """Repeat what was handed over, then end."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        over = False
        while not over:
            group = [self._waiting.get()]
            while len(group) < _AT_ONCE and group[-1] is not None:
                try:
                    group.append(self._waiting.get_nowait())
                except Empty:
                    break
            over = group[-1] is None
            self._repeat([draft for draft in group if draft is not None])

    def _repeat(self, drafts: list[Draft]) -> None:
        rows = [row for row in map(self._tried, drafts) if row is not None]
        try:
            if rows:
                with self._store.write() as tx:
                    tx.execute(insert(SHADOW_DECISIONS), rows)
            self._counts["shadow_decided"] += len(rows)
        except SQLAlchemyError:
            self._counts["shadow_failed"] += len(rows)

    def _tried(self, draft: Draft) -> dict[str, object] | None:
        try:
            return self._row(draft)
        except Exception:  # a challenger's trouble is never felt
            self._counts["shadow_failed"] += 1
            return None

    def _row(self, draft: Draft) -> dict[str, object]:
        first = draft.decision
        found = self._scorer.score_one(
            draft.vector, dict(draft.asked.claim), draft.look.insured, draft.capacity, first.decided_at, explain=False
        )
        return {
            "claim_id": first.claim_id,
            "bundle": self._bundle,
            "action": found.action.value,
            "p_valid": found.p_valid,
            "p_unsubstantiated": found.p_unsubstantiated,
            "p_abusive": found.p_abusive,
            "decided_at": micros(first.decided_at),
        }
