"""Who may say what time it is: callers of an endpoint in development mode, and nobody else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from serving.call import Call
from serving.problem import RefusalError
from serving.simulated_clock import SIMULATED_NOW, now_of
from serving.trace import trace_of

REAL = datetime(2026, 1, 1, tzinfo=UTC)


def asked(said: bytes | None) -> Call:
    headers = {} if said is None else {SIMULATED_NOW.encode(): said}
    return Call(None, headers, trace_of({}, lambda: "r"), 0, 0.0)  # type: ignore[arg-type]


def test_in_development_it_is_as_late_as_the_caller_says_and_else_as_late_as_it_is() -> None:
    now = now_of(lambda: REAL, simulated=True)
    assert now(asked(b"2025-04-01T11:00:00+02:00")) == datetime(2025, 4, 1, 9, tzinfo=UTC)
    assert now(asked(None)) == REAL


@pytest.mark.parametrize("said", [b"", b"today", b"2025-04-01T11:00:00", b"\xff"])
def test_what_is_no_instant_is_refused(said: bytes) -> None:
    with pytest.raises(RefusalError, match="an instant with a time zone"):
        now_of(lambda: REAL, simulated=True)(asked(said))


def test_in_production_whoever_says_so_is_refused_instead_of_not_heard() -> None:
    now = now_of(lambda: REAL, simulated=False)
    assert now(asked(None)) == REAL
    with pytest.raises(RefusalError, match="except in development mode"):
        now(asked(b"2025-04-01T11:00:00Z"))
