"""What time it is for a request: the real time, or in development mode the instant that a simulation says it is.

A simulated firm works through months in seconds, so it must be able to say when it does something. An endpoint that real people depend on
must never believe that: only one started with ``--development`` (which listens on this machine alone) heeds the header, any other
refuses a request that carries it, instead of quietly doing it at another time than the caller thinks.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from serving.call import Call
from serving.problem import RefusalError
from serving.refusals import Violation, shown

SIMULATED_NOW = "touchstone-simulated-now"
"""The header: an instant with a time zone, ISO 8601."""

Now = Callable[[Call], datetime]
"""Tells the present instant of a request, UTC."""


def now_of(clock: Callable[[], datetime], simulated: bool) -> Now:
    """Return what tells the present instant of a request.

    Parameters
    ----------
    clock
        The real time, UTC.
    simulated
        Whether callers may say what time it is.

    Returns
    -------
    callable
        Raises :class:`serving.problem.RefusalError`: 422 if the header is no instant, or where nobody may say so.

    Examples
    --------
    >>> from serving.trace import trace_of
    >>> from datetime import UTC
    >>> call = Call(None, {SIMULATED_NOW.encode(): b"2025-04-01T09:00:00Z"}, trace_of({}, lambda: "r"), 0, 0.0)
    >>> now_of(lambda: datetime.now(UTC), simulated=True)(call).isoformat()
    '2025-04-01T09:00:00+00:00'
    """

    def now(call: Call) -> datetime:
        said = call.headers.get(SIMULATED_NOW.encode())
        if said is None:
            return clock()
        if not simulated:
            raise RefusalError(422, Violation(SIMULATED_NOW, "no such header, except in development mode", "one"))
        try:
            at = datetime.fromisoformat(said.decode("ascii"))
        except ValueError:
            at = datetime.min
        if at.tzinfo is None:
            expected = "an instant with a time zone such as 2025-04-01T09:00:00Z"
            raise RefusalError(422, Violation(SIMULATED_NOW, expected, shown(said.decode("latin-1"))))
        return at

    return now
