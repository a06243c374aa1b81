"""The journal: one line of JSON per request, and nothing that a claimant wrote."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from serving import journal
from serving.trace import Trace


@pytest.fixture
def page() -> Iterator[io.StringIO]:
    found = io.StringIO()
    loggers = [logging.getLogger(name) for name in ("touchstone", "uvicorn")]
    before = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]
    journal.keep("info", found)
    yield found
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def test_a_request_is_one_line_with_its_names_route_status_and_time(page: io.StringIO) -> None:
    journal.note("POST", "/v1/claims:score", 200, 0.0012, Trace("r1", "a" * 32, "b" * 16), "key7")
    (line,) = page.getvalue().splitlines()
    told = json.loads(line)
    assert told.pop("at").endswith("+00:00")
    assert told == {
        "level": "info",
        "event": "request",
        "request_id": "r1",
        "method": "POST",
        "route": "/v1/claims:score",
        "status": 200,
        "ms": 1.2,
        "caller": "key7",
        "trace_id": "a" * 32,
        "parent_id": "b" * 16,
    }


def test_a_bug_is_told_by_its_kind_and_places_never_by_its_words(page: io.StringIO) -> None:
    try:
        int("Mrs Miller's kettle exploded\nin the kitchen")
    except ValueError as error:
        journal.broke(Trace("r1"), error)
        logging.getLogger("uvicorn.error").exception("failed", exc_info=error)
    lines = page.getvalue().splitlines()
    assert len(lines) == 2 and "kettle" not in page.getvalue()
    for line in lines:
        told = json.loads(line)
        assert told["error"] == "ValueError" and "test_journal.py" in told["passed"][-1]


def test_no_value_breaks_a_line(page: io.StringIO) -> None:
    journal.note("GET", 'a"\n{', 200, 0.0, Trace("r"), "c\r\n")
    assert json.loads(page.getvalue())["route"] == 'a"\n{' and page.getvalue().count("\n") == 1
