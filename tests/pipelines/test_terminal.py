"""The command line's manners: instants are UTC, text from outside stays text, a policy is the one that was named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from models.policy import PolicyError, default_policy
from pipelines import terminal
from pipelines.terminal import instant, read_policy, show


@given(
    st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2200, 1, 1)),
    st.integers(-14 * 60, 14 * 60),
)
def test_an_instant_is_the_same_moment_in_utc_whatever_the_zone_it_was_written_in(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert instant(aware.isoformat()) == aware and instant(aware.isoformat()).tzinfo is UTC
    assert instant(moment.isoformat()) == moment.replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "2025-13-01", "2025-02-30"])
def test_what_is_no_instant_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="such as 2025-04-01"):
        instant(text)


def test_what_looks_like_markup_is_printed_as_it_is(tmp_path: Path) -> None:
    facts = {"file": "[/red]claims[bold].csv", "rows_read": 1234}
    with terminal.console.capture() as printed:
        show("Ingested claims[final].csv", facts, tmp_path / "summary.json")
    assert all(words in printed.get() for words in ("claims[final].csv", "[/red]claims[bold].csv", "rows read", "1,234"))
    assert json.loads((tmp_path / "summary.json").read_text()) == facts


def test_without_a_file_the_shipped_policy_rules_and_a_broken_file_is_refused(tmp_path: Path) -> None:
    assert read_policy(None) == default_policy()
    broken = tmp_path / "policy.toml"
    broken.write_text("[audit]\n")
    with pytest.raises(PolicyError):
        read_policy(broken)
