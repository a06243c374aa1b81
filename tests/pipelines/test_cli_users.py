"""Users on the command line: made, listed, changed, and their passwords never an argument nor printed."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from serving import audit
from serving.console.roles import Role
from serving.console.users import find_user, is_password, password_of
from serving.store import Store
from tests.console import Finished, touchstone

PASSWORD = "correct horse battery"
Users = Callable[..., Finished]


@pytest.fixture
def users(tmp_path: Path) -> Users:
    (tmp_path / "secret").write_text(f"{PASSWORD}\nnot this line\n", encoding="utf-8")
    return lambda *arguments: touchstone("users", *arguments, "--home", str(tmp_path))


def store(home: Path) -> Store:
    return Store(f"sqlite:///{home / 'store.db'}", "NORMAL")


def test_a_user_is_made_with_the_password_of_a_file_listed_and_written_down(users: Users, tmp_path: Path) -> None:
    made = users("add", "ann", "--role", "expert", "--password-file", str(tmp_path / "secret"))
    assert made.code == 0 and "ann can sign in as expert." in made.err
    listed = users("list")
    assert "ann" in listed.out and "expert" in listed.out and PASSWORD not in made.err + made.out + listed.out
    with store(tmp_path) as opened, opened.view() as view:
        assert find_user(view, "ann").role is Role.EXPERT and is_password(password_of(view, "ann"), PASSWORD)  # type: ignore[union-attr]
        (entry,) = opened.read("audit_log").to_dict("records")
        assert audit.verify(view).broken == ""
    assert (entry["kind"], entry["subject"], entry["body"]) == ("console", "ann", b'{"did": "add user", "user": "command line"}')


def test_a_password_comes_from_standard_input_as_well(users: Users, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\r\n"))
    assert users("add", "ann", "--role", "admin", "--password-file", "-").code == 0
    with store(tmp_path) as opened, opened.view() as view:
        assert is_password(password_of(view, "ann"), PASSWORD)


def test_a_user_is_shut_out_let_in_and_given_another_password(users: Users, tmp_path: Path) -> None:
    users("add", "ann", "--role", "expert", "--password-file", str(tmp_path / "secret"))
    assert users("disable", "ann").code == 0 and "no" in users("list").out
    assert users("enable", "ann").code == 0
    (tmp_path / "secret").write_text("another good one", encoding="utf-8")
    assert users("password", "ann", "--password-file", str(tmp_path / "secret")).code == 0
    with store(tmp_path) as opened, opened.view() as view:
        assert is_password(password_of(view, "ann"), "another good one")


def test_what_cannot_be_done_is_bad_input_and_changes_nothing(users: Users, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = ("--password-file", str(tmp_path / "secret"))
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    for arguments, words in (
        (("add",), "name: expected the user to add"),
        (("add", "ann", *secret), "--role: expected one of operations"),
        (("add", "ann", "--role", "king", *secret), "--role: expected one of operations"),
        (("add", "Ann", "--role", "expert", *secret), "name: expected"),
        (("add", "ann", "--role", "expert"), "expected a terminal to ask on"),
        (("disable", "ann"), "expected a user, found 'ann'"),
        (("password", "ann", *secret), "expected a user, found 'ann'"),
    ):
        found = users(*arguments)
        assert found.code == 2 and words in " ".join(found.err.split())
    assert "ann" not in users("list").out
