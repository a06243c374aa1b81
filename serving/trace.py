"""What names a request across systems: the request id and the W3C trace context.

A caller's id is taken if it is short and plain, so that it can neither break a log line nor fill it; otherwise one is made.

References
----------
W3C, Trace Context, Recommendation 23 November 2021, section 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_ID = re.compile(rb"[A-Za-z0-9_.:-]{1,64}")
_PARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@dataclass(frozen=True, slots=True)
class Trace:
    """The names of one request.

    Parameters
    ----------
    request_id
        Given back to the caller as ``X-Request-Id`` and written into every log line about the request.
    trace_id
        32 hexadecimal digits, shared by all systems that the request passes; empty if the caller sent none.
    parent_id
        16 hexadecimal digits: the caller's own part of the trace; empty if the caller sent none.
    """

    request_id: str
    trace_id: str = ""
    parent_id: str = ""


def trace_of(headers: Mapping[bytes, bytes], fresh: Callable[[], str]) -> Trace:
    """Read a request's names, or make the request id.

    Parameters
    ----------
    headers
        Name in lower case → value.
    fresh
        Makes a request id that nobody has used.

    Examples
    --------
    >>> trace_of({b"x-request-id": b"a-1"}, lambda: "made").request_id
    'a-1'
    >>> trace_of({b"x-request-id": b'"} {"level": "forged"'}, lambda: "made").request_id
    'made'
    >>> trace_of({b"traceparent": b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"}, lambda: "made").trace_id == "a" * 32
    True
    """
    asked = headers.get(b"x-request-id")
    request_id = asked.decode("ascii") if asked is not None and _ID.fullmatch(asked) else fresh()
    parent = headers.get(b"traceparent")
    found = _PARENT.fullmatch(parent) if parent is not None else None
    if found is None or ((parent or b"").startswith(b"00") and found[4]) or not (found[1].strip(b"0") and found[2].strip(b"0")):
        return Trace(request_id)
    return Trace(request_id, found[1].decode(), found[2].decode())
