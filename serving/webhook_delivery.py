"""Empties the outbox: takes what is due, sends it, and writes down what came of it; several processes may do so at once.

A message is taken for two minutes by moving its next attempt on, in a transaction of its own; nothing is held while it is sent. Who dies
in between has lost nothing: they end, and the message is sent again under the same name, so that a receiver who keeps names sees
it once. After every failure the wait grows fourfold from five seconds to a day, each drawn between half and one and a half of that, so
that an endpoint that comes back is not met by everything at once. After the last attempt, some three days later, the message is dead: it
is kept, shown and can be sent again (:func:`revive`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from serving.instants import DAY, SECOND
from serving.schema_parties import WEBHOOK_MESSAGES
from serving.store import Store
from serving.webhook_endpoints import Endpoint, end_endpoint, endpoints
from serving.webhook_sending import GONE, Attempt, Send
from serving.webhook_signature import signed
from serving.webhooks import MessageState

MOST_ATTEMPTS = 10
"""Then a message is dead."""

KEPT_FOR = 30 * DAY
"""How long delivered messages are kept, microseconds; dead ones are kept until somebody sends them again."""

_FIRST, _FACTOR, _LONGEST = 5 * SECOND, 4, DAY
_TAKEN_FOR = 120 * SECOND
_EACH, _AT_ONCE, _THREADS = 3, 24, 8  # even if all are slow, what is taken is sent before it may be taken again


@dataclass(frozen=True)
class Letter:
    """A message of the outbox, with what became of it (instants in microseconds UTC)."""

    message_id: str
    endpoint_id: str
    kind: str
    body: bytes
    attempts: int
    created_at: int
    last_error: str | None


@dataclass
class Delivery:
    """Sends what is due.

    Parameters
    ----------
    store
        Holds the outbox.
    send
        Carries a message.
    now
        Tells the present instant, microseconds UTC.
    rng
        Draws the waits.
    """

    store: Store
    send: Send
    now: Callable[[], int]
    rng: Random

    def run(self, rounds: int = 1_000_000) -> dict[str, int]:
        """Send until nothing is due, in so many rounds at most, and return how many messages were delivered, failed, and died."""
        told: Counter[str] = Counter(delivered=0, failed=0, dead=0)
        for _ in range(rounds):
            letters, known = self._taken()
            if not letters:
                break
            by_endpoint: dict[str, list[Letter]] = {}
            for letter in letters:
                by_endpoint.setdefault(letter.endpoint_id, []).append(letter)
            to = [known[name] for name in by_endpoint]
            with ThreadPoolExecutor(_THREADS) as pool:
                for came in pool.map(self._sent, to, by_endpoint.values()):
                    told.update(self._noted(came))
        return dict(told)

    def _taken(self) -> tuple[list[Letter], dict[str, Endpoint]]:
        """Take some messages that are due, few of each endpoint, so that one that is slow keeps nobody waiting."""
        now = self.now()
        with self.store.view() as tx:  # most of the time there is nothing to do, and nothing is locked for it
            if tx.execute(select(WEBHOOK_MESSAGES.c.message_id).where(*_due(now)).limit(1)).first() is None:
                return [], {}
        with self.store.write() as tx:
            columns = WEBHOOK_MESSAGES.c
            place = func.row_number().over(partition_by=columns.endpoint_id, order_by=(columns.next_at, columns.message_id))
            ranked = select(columns.message_id, columns.next_at, place.label("place")).where(*_due(now)).subquery()
            first = select(ranked.c.message_id).where(ranked.c.place <= _EACH).order_by(ranked.c.place, ranked.c.next_at).limit(_AT_ONCE)
            query = select(WEBHOOK_MESSAGES).where(columns.message_id.in_(first), *_due(now)).with_for_update(skip_locked=True)
            letters = [_letter(row) for row in tx.execute(query)]
            mine = columns.message_id.in_([letter.message_id for letter in letters])
            tx.execute(update(WEBHOOK_MESSAGES).where(mine).values(next_at=now + _TAKEN_FOR))
            return letters, {one.endpoint_id: one for one in endpoints(tx)}

    def _sent(self, endpoint: Endpoint, letters: Sequence[Letter]) -> list[tuple[Letter, Attempt | None]]:
        """Send an endpoint's messages one after the other; after a failure the others wait without an attempt (``None``).

        If the endpoint is gone, it is for all of them.
        """
        came: list[tuple[Letter, Attempt | None]] = []
        for place, letter in enumerate(letters):
            attempt = self._attempt(endpoint, letter)
            came.append((letter, attempt))
            if not attempt.delivered:
                return came + [(other, attempt if attempt.gone else None) for other in letters[place + 1 :]]
        return came

    def _attempt(self, endpoint: Endpoint, letter: Letter) -> Attempt:
        if endpoint.ended_at is not None:
            return Attempt(GONE, "the endpoint was removed")
        now = self.now()
        headers = signed(letter.message_id, now // SECOND, letter.body, endpoint.secrets(now))
        return self.send(endpoint.url, letter.body, headers)

    def _noted(self, came: Sequence[tuple[Letter, Attempt | None]]) -> Counter[str]:
        now, told, until = self.now(), Counter[str](), 0
        with self.store.write() as tx:
            for letter, attempt in came:
                if attempt is None:
                    _set(tx, letter, next_at=until)
                    continue
                tries = letter.attempts + 1
                if attempt.delivered:
                    done = {"state": MessageState.DELIVERED.value, "ended_at": now, "next_at": now + KEPT_FOR, "last_error": None}
                    _set(tx, letter, attempts=tries, **done)
                    told["delivered"] += 1
                    continue
                until = now + max(wait(tries, self.rng), attempt.after * SECOND)
                if attempt.gone:
                    _end(tx, letter.endpoint_id, now)
                dead = tries >= MOST_ATTEMPTS or attempt.gone
                state = MessageState.DEAD if dead else MessageState.WAITING
                ended = now if dead else None
                _set(tx, letter, state=state.value, attempts=tries, next_at=until, ended_at=ended, last_error=attempt.said)
                told["dead" if dead else "failed"] += 1
            over = (WEBHOOK_MESSAGES.c.state == MessageState.DELIVERED.value, WEBHOOK_MESSAGES.c.next_at <= now)
            tx.execute(delete(WEBHOOK_MESSAGES).where(*over))
        return told


def wait(attempts: int, rng: Random) -> int:
    """Return how long to wait after so many failed attempts, microseconds: half to one and a half of 5 s, 20 s, 80 s … a day.

    >>> 2.5 * SECOND <= wait(1, Random(0)) <= 7.5 * SECOND
    True
    """
    middle: int = min(_FIRST * _FACTOR ** (attempts - 1), _LONGEST)
    return round(middle * rng.uniform(0.5, 1.5))


def dead_letters(tx: Connection) -> list[Letter]:
    """Return the messages that were given up, the oldest first."""
    dead = select(WEBHOOK_MESSAGES).where(WEBHOOK_MESSAGES.c.state == MessageState.DEAD.value)
    return [_letter(row) for row in tx.execute(dead.order_by(WEBHOOK_MESSAGES.c.created_at, WEBHOOK_MESSAGES.c.message_id))]


def revive(tx: Connection, now: int, message_id: str | None = None) -> int:
    """Send dead messages again from now on (microseconds UTC), all of them or one, and return how many."""
    dead = [WEBHOOK_MESSAGES.c.state == MessageState.DEAD.value]
    which = dead if message_id is None else [*dead, WEBHOOK_MESSAGES.c.message_id == message_id]
    again = {"state": MessageState.WAITING.value, "attempts": 0, "next_at": now, "ended_at": None}
    return int(tx.execute(update(WEBHOOK_MESSAGES).where(*which).values(again)).rowcount)


def _due(now: int) -> tuple[Any, ...]:
    return (WEBHOOK_MESSAGES.c.state == MessageState.WAITING.value, WEBHOOK_MESSAGES.c.next_at <= now)


def _letter(row: Any) -> Letter:
    return Letter(row.message_id, row.endpoint_id, row.kind, bytes(row.body), row.attempts, row.created_at, row.last_error)


def _set(tx: Connection, letter: Letter, **values: Any) -> None:
    """Write down what became of a message, unless somebody else has delivered it meanwhile."""
    mine = (WEBHOOK_MESSAGES.c.message_id == letter.message_id, WEBHOOK_MESSAGES.c.state == MessageState.WAITING.value)
    tx.execute(update(WEBHOOK_MESSAGES).where(*mine).values(**values))


def _end(tx: Connection, endpoint_id: str, now: int) -> None:
    if any(one.endpoint_id == endpoint_id and one.ended_at is None for one in endpoints(tx)):
        end_endpoint(tx, endpoint_id, now)
