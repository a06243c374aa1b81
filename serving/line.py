"""The waiting line before the engine: bounded, in order of arrival, and served together.

One thread decides. Whoever waits when it becomes free is decided together with the others, in one transaction, so that one
commit to disk serves many requests; the busier it is, the more share it. A full line refuses at once instead of growing, and
a request that nobody waits for any more is not begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import perf_counter

from data_contracts.claims import Claim

Answer = bytes | Exception
"""What became of a claim: the answer as it goes out, or why there is none."""

Decide = Callable[[Sequence[Claim], Sequence[str | None]], Sequence[Answer]]
"""Decides claims under their idempotency keys in one transaction, each for itself."""

TOGETHER = 32
"""Claims decided in one transaction at most: more would let the first of them wait for the last."""

LINGER = 0.001
"""Seconds that a group waits for one more of as many as were answered together before. They mostly ask again at once, one after the
other: without it every second group would be the first of them alone, and a commit to disk serve half as many."""


class FullError(RuntimeError):
    """The line is full; nothing was begun."""


class LateError(RuntimeError):
    """The answer did not come in time; what was asked may be done all the same."""


@dataclass(slots=True)
class _Ticket:
    claims: Sequence[Claim]
    keys: Sequence[str | None]
    loop: asyncio.AbstractEventLoop
    answers: asyncio.Future[Sequence[Answer]]
    came: float


@dataclass(slots=True)
class Line:
    """A line of claims and the thread that serves it, started by the first claim.

    Parameters
    ----------
    decide
        Called by that thread alone.
    length
        Claims that may wait or be at work.
    patience
        Seconds that a request waits for its answer.
    served
        Told seconds waited and seconds at work of every group, in the thread.
    linger
        Seconds that a group waits for one more, as :data:`LINGER` says; nobody waits where claims come one by one.

    Examples
    --------
    >>> async def ask() -> Sequence[Answer]:
    ...     line = Line(lambda claims, keys: [b"{}" for _ in claims], length=8, patience=5.0)
    ...     answers = await line.ask([None], [None])
    ...     line.close()
    ...     return answers
    >>> asyncio.run(ask())
    [b'{}']
    """

    decide: Decide
    length: int
    patience: float
    served: Callable[[float, float], None] = lambda _waited, _worked: None
    linger: float = LINGER
    _tickets: SimpleQueue[_Ticket | None] = field(default_factory=SimpleQueue)
    _lock: Lock = field(default_factory=Lock)
    _inside: int = 0
    _thread: Thread | None = None

    @property
    def depth(self) -> int:
        """Claims that wait or are at work."""
        return self._inside

    async def ask(self, claims: Sequence[Claim], keys: Sequence[str | None]) -> Sequence[Answer]:
        """Wait for the answers to some claims, at most :data:`TOGETHER`, in their order.

        Raises
        ------
        FullError
            If there is no place for them.
        LateError
            If the answer takes longer than :attr:`patience`.
        """
        with self._lock:
            if self._inside + len(claims) > self.length:
                raise FullError(f"expected at most {self.length} claims at once, found {self._inside + len(claims)}")
            self._inside += len(claims)
            if self._thread is None:
                self._thread = Thread(target=self._serve, name="deciding", daemon=True)
                self._thread.start()
        loop = asyncio.get_running_loop()
        ticket = _Ticket(claims, keys, loop, loop.create_future(), perf_counter())
        self._tickets.put(ticket)
        limit = loop.call_later(self.patience, ticket.answers.cancel, "late")
        try:
            return await ticket.answers
        except asyncio.CancelledError as error:
            if "late" in error.args:
                raise LateError(f"expected an answer within {self.patience:g} seconds, found none") from None
            raise
        finally:
            limit.cancel()

    def close(self) -> None:
        """Serve those who wait, then end the thread."""
        if self._thread is not None:
            self._tickets.put(None)
            self._thread.join()
            self._thread = None

    def _serve(self) -> None:
        ahead: _Ticket | None = None
        size = 1
        while (first := ahead or self._tickets.get()) is not None:
            group, ahead = self._joined(first, size)
            size = sum(len(ticket.claims) for ticket in group)
            waited_for = [ticket for ticket in group if not ticket.answers.cancelled()]
            begin = perf_counter()
            if waited_for:
                self._answer(waited_for)
                self.served(begin - waited_for[0].came, perf_counter() - begin)
            with self._lock:
                self._inside -= size

    def _joined(self, first: _Ticket, before: int) -> tuple[list[_Ticket], _Ticket | None]:
        """Take those who wait behind the first, as many as fit, and linger for as many as came before.

        The one that did not fit is the next first.
        """
        group, size = [first], len(first.claims)
        while size < TOGETHER:
            try:
                ticket = self._tickets.get(timeout=self.linger) if size < before else self._tickets.get_nowait()
            except Empty:
                break
            if ticket is None:  # the end comes after those who were here before it
                self._tickets.put(None)
                break
            if size + len(ticket.claims) > TOGETHER:
                return group, ticket
            group.append(ticket)
            size += len(ticket.claims)
        return group, None

    def _answer(self, group: list[_Ticket]) -> None:
        claims = [claim for ticket in group for claim in ticket.claims]
        keys = [key for ticket in group for key in ticket.keys]
        try:
            answers = self.decide(claims, keys)
        except Exception as error:
            if len(group) > 1:
                for ticket in group:
                    self._answer([ticket])
                return
            answers = [error] * len(claims)
        place = 0
        for ticket in group:
            with suppress(RuntimeError):  # its loop has ended: nobody waits
                ticket.loop.call_soon_threadsafe(_deliver, ticket.answers, answers[place : place + len(ticket.claims)])
            place += len(ticket.claims)


def _deliver(asked: asyncio.Future[Sequence[Answer]], answers: Sequence[Answer]) -> None:
    if not asked.done():
        asked.set_result(answers)
