"""How often each caller may ask: a token bucket per caller, in memory, per process.

References
----------
Turner, J. S. (1986). New directions in communications (or which way to the information age?). IEEE Communications Magazine 24(10).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, field

from serving.auth import Caller
from serving.problem import RefusalError
from serving.refusals import Violation

MOST_CALLERS = 10_000
"""Buckets kept; the caller who asked longest ago is forgotten first, and starts anew with a full bucket."""


@dataclass(slots=True)
class Limits:
    """The buckets of all callers.

    Parameters
    ----------
    per_second
        Requests that a caller may make on average, unless their key says otherwise; 0: no limit.
    burst_seconds
        Seconds' worth of requests that may come at once after a pause.

    Examples
    --------
    >>> limits = Limits(per_second=2, burst_seconds=1.0)
    >>> [limits.wait("a", 1, at) for at in (0.0, 0.0, 0.0, 0.5)]
    [0.0, 0.0, 0.5, 0.0]
    """

    per_second: float
    burst_seconds: float = 2.0
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def wait(self, caller: str, cost: int, now: float, per_second: float | None = None) -> float:
        """Take ``cost`` tokens and return 0, or take none and return the seconds until it is worth asking again.

        Parameters
        ----------
        caller
            Whose bucket.
        cost
            Tokens; what costs more than a full bucket is let through by a full one, which then is in debt.
        now
            Any steadily rising clock, seconds.
        per_second
            The caller's own rate, if the key has one.
        """
        rate = self.per_second if per_second is None else per_second
        if not rate:
            return 0.0
        full = max(1.0, rate * self.burst_seconds)
        held, seen = self._buckets.pop(caller, (full, now))
        held = min(full, held + max(0.0, now - seen) * rate)
        needed = min(float(cost), full)
        short = max(0.0, needed - held)
        self._buckets[caller] = (held if short else held - cost, now)
        if len(self._buckets) > MOST_CALLERS:
            self._buckets.popitem(last=False)
        return short / rate

    def spend(self, caller: Caller, cost: int, now: float) -> None:
        """Take ``cost`` requests from a caller's limit at an instant (seconds): 429 with ``Retry-After`` if there is not enough left."""
        wait = self.wait(caller.name, cost, now, caller.per_second)
        if wait:
            limit = self.per_second if caller.per_second is None else caller.per_second
            found = Violation("requests", f"at most {limit:g} a second on average", "more")
            raise RefusalError(429, found, headers={"retry-after": str(math.ceil(wait))})
