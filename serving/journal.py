"""The journal: one line of JSON for every request, and nothing personal in it.

A line names the route by its template, never by its address, and holds no body, no header and no text of an exception: claim
ids, narratives and addresses cannot reach a log because they are never handed to one. What went wrong by a bug is told by the
kind of the exception and the places in the code it passed.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO

from serving.trace import Trace

NAME = "touchstone.requests"
"""The logger of requests."""

_JSON = json.JSONEncoder(default=str)
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


class Lines(logging.Formatter):
    """Writes a record as one line of JSON: time, level, what happened, and the record's extra fields.

    Examples
    --------
    >>> record = logging.makeLogRecord({"msg": "request", "levelname": "INFO", "created": 0.0, "status": 200})
    >>> Lines().format(record)
    '{"at": "1970-01-01T00:00:00+00:00", "level": "info", "event": "request", "status": 200}'
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat()
        told: dict[str, Any] = {"at": at, "level": record.levelname.lower(), "event": record.getMessage()}
        told |= {name: value for name, value in record.__dict__.items() if name not in _OWN}
        if record.exc_info and record.exc_info[1] is not None:
            told |= what_broke(record.exc_info[1])
        return _JSON.encode(told)


def what_broke(error: BaseException) -> dict[str, Any]:
    """Return an exception's kind and the places it passed, without its words: they may quote what a claimant wrote."""
    places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    return {"error": type(error).__name__, "passed": places[-8:]}


def keep(level: str, stream: TextIO | None = None) -> None:
    """Send the records of the endpoint and of its server to a stream as lines of JSON (entry points call this once)."""
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # found out for every record, and never written
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines())
    for name in ("touchstone", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level.upper())


def note(method: str, route: str, status: int, seconds: float, trace: Trace, caller: str) -> None:
    """Write the line of one request."""
    logger = logging.getLogger(NAME)
    if logger.isEnabledFor(logging.INFO):
        told: dict[str, Any] = {
            "request_id": trace.request_id,
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1e3, 3),
            "caller": caller,
        }
        if trace.trace_id:
            told |= {"trace_id": trace.trace_id, "parent_id": trace.parent_id}
        logger.handle(logger.makeRecord(NAME, logging.INFO, "", 0, "request", (), None, extra=told))  # nobody asks where this line stands


def broke(trace: Trace, error: BaseException) -> None:
    """Write down that a request failed by a bug."""
    logging.getLogger(NAME).error("bug", extra={"request_id": trace.request_id, **what_broke(error)})
