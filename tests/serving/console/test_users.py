"""Users: kept with a hash of their password and nothing else of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from argon2 import extract_parameters
from sqlalchemy import Connection, select

from serving.console.roles import Role
from serving.console.users import (
    UserError,
    add_user,
    check_password,
    disable_user,
    enable_user,
    every_user,
    find_user,
    is_password,
    password_of,
    set_password,
)
from serving.schema_console import USERS
from serving.store import Store
from tests.serving.console.houses import PASSWORD


@pytest.fixture
def tx() -> Iterator[Connection]:
    with Store("sqlite://") as store, store.write() as tx:
        add_user(tx, "ann", Role.EXPERT, PASSWORD, 5)
        yield tx


def test_the_right_password_is_known_and_every_other_is_not(tx: Connection) -> None:
    kept = password_of(tx, "ann")
    assert is_password(kept, PASSWORD)
    for wrong in ("", PASSWORD[:-1], PASSWORD + " ", PASSWORD.upper(), "\x00", "x" * 10_000):
        assert not is_password(kept, wrong)


def test_what_is_kept_is_argon2id_as_owasp_asks_and_different_for_equal_passwords(tx: Connection) -> None:
    add_user(tx, "bob", Role.EXPERT, PASSWORD, 5)
    kept = [row.password for row in tx.execute(select(USERS.c.password))]
    for text in kept:
        found = extract_parameters(text)
        assert (found.type.name, found.memory_cost, found.time_cost, found.parallelism) == ("ID", 19_456, 2, 1)
        assert PASSWORD not in text
    assert len(set(kept)) == 2


def test_nobodys_password_costs_what_a_users_does(tx: Connection) -> None:
    from serving.console.users import _NOBODYS

    kept = password_of(tx, "ann")
    assert kept is not None and extract_parameters(_NOBODYS) == extract_parameters(kept)
    assert password_of(tx, "nobody") is None and not is_password(None, PASSWORD)


def test_what_is_no_name_is_refused(tx: Connection) -> None:
    for name in ("", "Ann", "ann lee", "-ann", ".a", "a" * 65, "änn", "a/b", "a\x00", "a\n", "'; --"):
        with pytest.raises(UserError, match="name: expected"):
            add_user(tx, name, Role.EXPERT, PASSWORD, 5)


@pytest.mark.parametrize("password", ["", "short", "x" * 11, "x" * 257, "this is ANN speaking"])
def test_a_password_that_is_short_endless_or_holds_the_name_is_refused(password: str) -> None:
    with pytest.raises(UserError, match="password: expected 12 to 256 characters"):
        check_password("ann", password)


def test_a_name_is_one_persons(tx: Connection) -> None:
    with pytest.raises(UserError, match="expected one that nobody has"):
        add_user(tx, "ann", Role.ADMIN, "quite another one", 6)
    assert find_user(tx, "ann") == every_user(tx)[0] and every_user(tx)[0].role is Role.EXPERT


def test_who_is_shut_out_has_no_password_until_let_in_again(tx: Connection) -> None:
    disable_user(tx, "ann", 7)
    found = find_user(tx, "ann")
    assert found is not None and found.disabled_at == 7 and password_of(tx, "ann") is None
    enable_user(tx, "ann")
    assert is_password(password_of(tx, "ann"), PASSWORD)


def test_a_changed_password_replaces_the_old_one(tx: Connection) -> None:
    set_password(tx, "ann", "another good one", 9)
    assert is_password(password_of(tx, "ann"), "another good one") and not is_password(password_of(tx, "ann"), PASSWORD)
    found = find_user(tx, "ann")
    assert found is not None and (found.created_at, found.changed_at) == (5, 9)


def test_who_is_not_there_cannot_be_changed(tx: Connection) -> None:
    for change in (lambda: set_password(tx, "eve", PASSWORD, 5), lambda: disable_user(tx, "eve", 5), lambda: enable_user(tx, "eve")):
        with pytest.raises(UserError, match="expected a user, found 'eve'"):
            change()
