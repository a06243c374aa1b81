"""What admins do about users: it works at once, is written down, and leaves somebody to do it."""

from __future__ import annotations

from serving.console.roles import Role
from serving.console.users import every_user, find_user
from tests.serving.console.houses import PASSWORD, PEOPLE, House, Visitor


def test_a_new_user_signs_in_with_the_role_that_was_given(house: House) -> None:
    admin = house.visitor("adam")
    found = admin.send("/users", name="eve", role="auditor", password="quite a long one")
    assert "The user can sign in now." in admin.follow(found).text
    visitor = Visitor(house.app)
    assert visitor.send("/sign-in", name="eve", password="quite a long one").status_code == 303
    assert "auditor" in visitor.get("/account").text and visitor.get("/users").status_code == 403
    assert any(row["subject"] == "eve" and b'"role": "auditor"' in row["body"] for row in house.rows("audit_log"))


def test_what_cannot_be_a_user_is_told_and_not_made(house: House) -> None:
    admin = house.visitor("adam")
    for name, role, password, words in (
        ("ann", "admin", PASSWORD, "expected one that nobody has"),
        ("Eve!", "admin", PASSWORD, "name: expected"),
        ("eve", "king", PASSWORD, "role: expected"),
        ("eve", "admin", "short", "password: expected"),
        ("eve", "admin", "", "password: expected"),
    ):
        found = admin.send("/users", name=name, role=role, password=password)
        assert found.status_code == 422 and words in found.text
    with house.store.view() as view:
        assert {user.name: user.role for user in every_user(view)} == PEOPLE


def test_who_is_shut_out_is_out_at_once_and_back_when_let_in_again(house: House) -> None:
    admin, ann = house.visitor("adam"), house.visitor("ann")
    assert ann.get("/queue").status_code == 200
    admin.send("/users/ann/disable")
    assert ann.get("/queue").status_code == 303
    assert "Let in again" in admin.get("/users").text
    admin.send("/users/ann/enable")
    assert Visitor(house.app).send("/sign-in", name="ann", password=PASSWORD).status_code == 303


def test_an_admin_cannot_shut_themselves_out(house: House) -> None:
    admin = house.visitor("adam")
    assert admin.send("/users/adam/disable").status_code == 409 and admin.get("/users").status_code == 200


def test_a_given_password_ends_the_sessions_that_knew_the_old_one(house: House) -> None:
    admin, ann = house.visitor("adam"), house.visitor("ann")
    assert admin.send("/users/ann/password", password="short").status_code == 422
    assert ann.get("/queue").status_code == 200
    assert admin.send("/users/ann/password", password="given by the admin").status_code == 303
    assert ann.get("/queue").status_code == 303
    assert Visitor(house.app).send("/sign-in", name="ann", password="given by the admin").status_code == 303


def test_who_is_not_there_is_not_changed(house: House) -> None:
    admin = house.visitor("adam")
    assert [admin.send(f"/users/eve/{what}").status_code for what in ("disable", "enable")] == [404, 404]
    assert admin.send("/users/eve/password", password=PASSWORD).status_code == 422
    with house.store.view() as view:
        assert find_user(view, "eve") is None and find_user(view, "adam").role is Role.ADMIN  # type: ignore[union-attr]
