"""Conflicts of interest on the command line: declared, listed, taken back, and written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving import audit
from serving.store import Store
from serving.ties import Tie, TieKind, ties_of
from tests.console import touchstone


def test_a_tie_is_declared_listed_and_taken_back_and_each_deed_is_an_entry_of_the_log(tmp_path: Path) -> None:
    home = ("--home", str(tmp_path))
    assert touchstone("ties", "declare", "ann", "--seller", "S0042", *home).code == 0
    assert touchstone("ties", "declare", "ann", "--customer", "K7", *home).code == 0
    listed = touchstone("ties", "list", "ann", *home)
    assert "S0042" in listed.out and "K7" in listed.out
    with Store(f"sqlite:///{tmp_path / 'store.db'}", "NORMAL") as store, store.view() as view:
        assert ties_of(view, "ann") == {Tie("ann", TieKind.SELLER, "S0042"), Tie("ann", TieKind.CUSTOMER, "K7")}
    assert touchstone("ties", "retract", "ann", "--seller", "S0042", *home).code == 0
    assert touchstone("ties", "retract", "ann", "--seller", "S0042", *home).code == 1
    assert "S0042" not in touchstone("ties", "list", "ann", *home).out
    with Store(f"sqlite:///{tmp_path / 'store.db'}", "NORMAL") as store, store.view() as view:
        assert len(store.read("audit_log")) == 3 and audit.verify(view).broken == ""


@pytest.mark.parametrize("given", [("list",), ("declare", "ann"), ("declare", "ann", "--seller", "S", "--customer", "K")])
def test_what_is_not_said_completely_is_refused(tmp_path: Path, given: tuple[str, ...]) -> None:
    found = touchstone("ties", *given, "--home", str(tmp_path))
    assert found.code == 2 and "expected" in found.err
