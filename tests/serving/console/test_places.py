"""Who may do what: every place for every role, over HTTP."""

from __future__ import annotations

import pytest

from serving.console.answers import ANSWERS
from serving.console.places import PLACES, Place, places
from serving.console.roles import EXPERTS, OVERSEERS, Role
from tests.serving.console.houses import OF, House, Visitor

OPEN = [place for place in PLACES if place.roles is None]
CLOSED = [place for place in PLACES if place.roles is not None]


def path_of(place: Place) -> str:
    return place.path.replace("{claim_id}", "C000000").replace("{name}", "nobody")


def name_of(place: Place) -> str:
    return f"{place.method} {place.path}"


def test_every_place_is_answered_and_every_answer_has_a_place() -> None:
    assert {place.does for place in PLACES} == set(ANSWERS)
    assert len({(place.method, place.path) for place in PLACES}) == len(PLACES)


@pytest.mark.parametrize("role", list(Role))
def test_a_place_answers_the_roles_that_it_names_and_refuses_all_others(shown: House, role: Role) -> None:
    visitor = shown.visitor(OF[role])
    for place in CLOSED:
        found = visitor.ask(place.method, path_of(place), data={} if place.method == "POST" else None)
        if place.roles is not None and role in place.roles:
            # Let in: a form without its token is refused behind the door, in other words; a case that is not there is not found.
            assert "for the role" not in found.text, name_of(place)
            assert found.status_code in ((403,) if place.method == "POST" else (200, 303, 404)), name_of(place)
        else:
            assert (found.status_code, f"This is not for the role {role.value}." in found.text) == (403, True), name_of(place)


def test_who_has_not_signed_in_is_asked_to(shown: House) -> None:
    for place in CLOSED:
        found = Visitor(shown.app).ask(place.method, path_of(place), data={} if place.method == "POST" else None)
        assert found.status_code == 303 and found.headers["location"].startswith("/console/sign-in?said="), name_of(place)


def test_without_a_session_there_is_the_sign_in_and_nothing_else(shown: House) -> None:
    assert [(place.method, place.path) for place in OPEN] == [("GET", "/sign-in"), ("POST", "/sign-in")]
    for path in ("/nowhere", "/users/", "/cases", "/cases/a/b", "/../v1/cases"):
        assert Visitor(shown.app).get(path).status_code in (401, 404)


def test_auditors_and_admins_answer_no_case_and_only_admins_change_users() -> None:
    writes = [place for place in CLOSED if place.method == "POST" and place.does not in ("sign_out", "change_password")]
    allowed = {role: {place.does for place in writes if place.roles is not None and role in place.roles} for role in Role}
    assert allowed[Role.AUDITOR] == set()
    assert allowed[Role.ADMIN] == {"add_user", "disable_user", "enable_user", "give_password"}
    assert allowed[Role.OPERATIONS] == {"assign_case", "ask_for_second_opinion"}
    assert allowed[Role.EXPERT] == allowed[Role.INVESTIGATOR] and "answer_case" in allowed[Role.EXPERT]
    assert set(EXPERTS) | set(OVERSEERS) == set(Role) and not EXPERTS & OVERSEERS


@pytest.mark.parametrize("path", ["/cases/take/answer/x", "/cases/", "/queue/x", "//queue", "/cases/" + "x" * 65])
def test_a_path_that_only_looks_like_a_place_is_none(path: str) -> None:
    assert places(path) == []
