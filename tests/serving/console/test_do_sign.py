"""Signing in and out: one answer for whoever fails, another session for whoever succeeds, and a wait for whoever tries too often."""

from __future__ import annotations

import pytest

from serving.console.do_sign import BURST_SECONDS, PER_NAME
from serving.schema_console import SESSIONS
from tests.serving.console.houses import PASSWORD, House, Visitor

AT_ONCE = round(PER_NAME * BURST_SECONDS)


def signed(house: House, name: str = "ann", password: str = PASSWORD) -> Visitor:
    visitor = Visitor(house.app)
    found = visitor.send("/sign-in", name=name, password=password)
    assert found.status_code == 303, found.text
    return visitor


def deeds(house: House) -> list[tuple[str, str]]:
    return [(row["subject"], row["body"].decode()) for row in house.rows("audit_log") if row["kind"] == "console"]


def test_signing_in_and_out_is_written_down_and_works_once(house: House) -> None:
    visitor = signed(house)
    assert visitor.get("/queue").status_code == 200
    cookie = visitor.cookies["__Host-touchstone-session"]
    assert "You are signed out." in visitor.follow(visitor.send("/sign-out")).text
    assert visitor.cookies["__Host-touchstone-session"] == ""
    assert Visitor(house.app, {"__Host-touchstone-session": cookie}).get("/queue").status_code == 303
    assert [(who, '"did": "' + what + '"' in body) for (who, body), what in zip(deeds(house), ("sign-in", "sign-out"), strict=True)] == [
        ("ann", True),
        ("ann", True),
    ]
    assert not any(PASSWORD in body or cookie in body for _, body in deeds(house))


def test_a_session_is_new_at_every_sign_in_and_the_one_before_is_over(house: House) -> None:
    visitor = signed(house)
    before = visitor.cookies["__Host-touchstone-session"]
    visitor.send("/sign-in", name="bob", password=PASSWORD)
    after = visitor.cookies["__Host-touchstone-session"]
    assert after != before and "bob" in visitor.get("/account").text
    assert Visitor(house.app, {"__Host-touchstone-session": before}).get("/queue").status_code == 303


def test_a_cookie_chosen_by_somebody_else_is_not_taken_over(house: House) -> None:
    planted = "ab" * 32
    visitor = Visitor(house.app, {"__Host-touchstone-session": planted})
    visitor.send("/sign-in", name="ann", password=PASSWORD)
    fresh = Visitor(house.app, {"__Host-touchstone-session": planted})
    assert fresh.get("/queue").status_code == 303


def test_a_wrong_name_a_wrong_password_and_somebody_shut_out_get_the_same_page(house: House) -> None:
    admin = house.visitor("adam")
    assert admin.send("/users/bob/disable").status_code == 303
    pages = set()
    for name, password in (("ann", "wrong"), ("nobody", PASSWORD), ("bob", PASSWORD), ("ünn", PASSWORD), ("", ""), ("x" * 500, "y" * 500)):
        visitor = Visitor(house.app)
        found = visitor.send("/sign-in", name=name, password=password)
        assert found.status_code == 401 and "set-cookie" not in found.headers
        pages.add(found.text.replace(visitor.token("/sign-in"), ""))
    assert len(pages) == 1
    with house.store.view() as view:
        assert [row.name for row in view.execute(SESSIONS.select())] == ["adam"]


def test_who_tries_too_often_waits_even_with_the_right_password_and_others_do_not(house: House) -> None:
    visitor = Visitor(house.app)
    for _ in range(AT_ONCE):
        assert visitor.send("/sign-in", name="ann", password="wrong one").status_code == 401
    found = visitor.send("/sign-in", name="ann", password=PASSWORD)
    assert found.status_code == 429 and "tried too often" in found.text and found.headers["retry-after"]
    assert visitor.send("/sign-in", name=" ANN ", password=PASSWORD).status_code == 429
    assert visitor.send("/sign-in", name="zoe", password=PASSWORD).status_code == 303


def test_refused_tries_for_a_user_are_written_down_and_names_that_nobody_has_are_not(house: House) -> None:
    visitor = Visitor(house.app)
    visitor.send("/sign-in", name="ann", password="wrong one")
    visitor.send("/sign-in", name="mistyped secret", password="wrong one")
    assert [who for who, _ in deeds(house)] == ["ann"] and "sign-in refused" in deeds(house)[0][1]


def test_ones_own_password_is_changed_by_who_knows_the_present_one(house: House) -> None:
    here, there = signed(house), signed(house)
    assert here.send("/account", password="not this one", new="a fresh long one").status_code == 403
    assert here.send("/account", password=PASSWORD, new="short").status_code == 422
    assert there.get("/queue").status_code == 200
    assert "every session" in here.follow(here.send("/account", password=PASSWORD, new="a fresh long one")).text
    assert there.get("/queue").status_code == 303
    assert signed(house, password="a fresh long one").get("/queue").status_code == 200
    with pytest.raises(AssertionError):
        signed(house)


def test_who_is_signed_in_already_goes_on(house: House) -> None:
    assert house.visitor("ann").get("/sign-in").headers["location"] == "/console/"
