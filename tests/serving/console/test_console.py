"""The console as it meets the world: cookies, forms, headers, and a page for whatever goes wrong."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from serving.console.console import MOST_FIELDS, POLICY
from serving.console.places import PLACES
from serving.console.rendering import asset_url
from serving.console.sessions import form_token
from serving.store import Store
from tests.postgres import Server
from tests.serving.console.houses import OF, PASSWORD, WHY, House, Visitor, furnish, lease

POSTS = [place for place in PLACES if place.method == "POST"]
TEMPLATES = Path(__file__).parents[3] / "serving" / "console" / "templates"


@pytest.mark.parametrize("place", POSTS, ids=lambda place: place.path)
def test_a_form_is_refused_without_its_token_with_anothers_and_from_another_site(shown: House, place: object) -> None:
    path = place.path.replace("{claim_id}", "C000000").replace("{name}", "ann")  # type: ignore[attr-defined]
    roles = place.roles  # type: ignore[attr-defined]
    visitor = Visitor(shown.app) if roles is None else shown.visitor(OF[sorted(roles)[0]])
    mine = visitor.token("/sign-in" if roles is None else "/account")
    theirs = shown.visitor("zoe").token()
    before = len(shown.rows("audit_log"))
    fields = {"name": "ann", "password": PASSWORD}
    for told, headers in (
        (fields, {}),
        (fields | {"form": ""}, {}),
        (fields | {"form": theirs}, {}),
        (fields | {"form": mine}, {"sec-fetch-site": "cross-site"}),
        (fields | {"form": mine}, {"sec-fetch-site": "same-site"}),
    ):
        found = visitor.ask("POST", path, data=told, headers=headers)
        assert found.status_code == 403 and "The form was not made for this session" in found.text
    assert len(shown.rows("audit_log")) == before
    assert mine and mine != theirs


def test_a_token_is_of_no_use_without_the_cookie_that_it_was_made_for(shown: House) -> None:
    visitor = Visitor(shown.app)
    token = visitor.token("/sign-in")
    assert token == form_token(visitor.cookies["__Host-touchstone-form"])
    found = Visitor(shown.app).ask("POST", "/sign-in", data={"form": token, "name": "ann", "password": PASSWORD})
    assert found.status_code == 403 and "set-cookie" not in found.headers


def test_every_page_forbids_whatever_is_inline_or_from_elsewhere(shown: House) -> None:
    assert "unsafe" not in POLICY and "*" not in POLICY and "default-src 'none'" in POLICY and "frame-ancestors 'none'" in POLICY
    visitor = shown.visitor("adam")
    case = shown.rows("cases")[0]["claim_id"]
    for path in ("/queue", f"/cases/{case}", "/operations", "/experts", "/audit", "/users", "/account", "/help", "/nowhere"):
        found = visitor.get(path)
        assert found.headers["content-security-policy"] == POLICY
        assert found.headers["cache-control"] == "no-store" and found.headers["x-frame-options"] == "DENY"
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?![^>]*\ssrc=)|https?://", found.text)
        assert set(re.findall(r'(?:src|href)="(?!/console|#|\?)([^"]*)"', found.text)) == set()


def test_no_template_hands_out_text_that_is_not_escaped() -> None:
    assert not [path.name for path in TEMPLATES.glob("*") if re.search(r"\|\s*safe|autoescape|Markup", path.read_text(encoding="utf-8"))]


def test_the_sessions_cookie_is_for_this_host_https_and_no_script_alone(shown: House) -> None:
    visitor = Visitor(shown.app)
    given = visitor.send("/sign-in", name="ann", password=PASSWORD).headers["set-cookie"]
    assert given.startswith("__Host-touchstone-session=")
    assert set(given.split("; ")[1:]) == {"Path=/", "HttpOnly", "SameSite=Strict", "Secure", "Max-Age=43200"}


def test_who_comes_for_a_page_is_sent_there_after_signing_in_and_never_elsewhere(shown: House) -> None:
    visitor = Visitor(shown.app)
    asked = visitor.follow(visitor.get("/operations"))
    assert "Please sign in." in asked.text and 'name="to" value="/operations"' in asked.text
    assert visitor.send("/sign-in", name="olga", password=PASSWORD, to="/operations").headers["location"] == "/console/operations"
    for elsewhere in ("//evil.example", "https://evil.example/", "/sign-out", "/nowhere", "/queue\r\nx: y", "javascript:alert(1)"):
        found = Visitor(shown.app).send("/sign-in", name="ann", password=PASSWORD, to=elsewhere)
        assert found.headers["location"] == "/console/"


def test_words_in_an_address_do_not_reach_the_page(shown: House) -> None:
    visitor = shown.visitor("olga")
    for query in ("said=<script>alert(1)</script>", "find=<script>alert(1)</script>", "tier=<b>&state=<b>&clock=<b>&page=<b>"):
        found = visitor.get(f"/queue?{query}")
        assert found.status_code == 200 and "<script>alert" not in found.text and "<b>" not in found.text
    assert "Please sign in." in visitor.get("/queue?said=please").text


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/nowhere", 404, "There is no such page."),
        ("DELETE", "/queue", 405, "There is no such page."),
        ("GET", "/cases/none-such", 404, "There is no such case for you."),
        ("GET", "/queue?" + "&".join(f"a{n}=1" for n in range(MOST_FIELDS + 1)), 400, "The form cannot be read."),
        ("GET", "/queue?find=%ff%fe", 200, ""),
        ("GET", "/queue?page=99999999999999999999", 200, ""),
        ("GET", "/audit?before=99999999999999999999999", 200, ""),
        ("GET", "/audit?before=-1&subject=%00", 200, ""),
    ],
)
def test_whatever_is_asked_is_answered_with_a_page(shown: House, method: str, path: str, status: int, words: str) -> None:
    found = shown.visitor("olga").ask(method, path)
    assert found.status_code == status and words in found.text and found.headers["content-type"].startswith("text/html")


def test_a_form_that_is_too_long_or_no_form_is_refused_with_a_page(shown: House) -> None:
    visitor = shown.visitor("ann")
    long = visitor.ask("POST", "/account", data={"form": visitor.token(), "new": "x" * 70_000})
    assert long.status_code == 413 and "too much text" in long.text
    assert visitor.ask("POST", "/account", content=b"\xff\xfe=1").status_code == 400
    assert visitor.ask("POST", "/account", content=b"{}").status_code == 403


def test_a_page_without_its_body_is_still_a_page(shown: House) -> None:
    found = shown.visitor("ann").ask("HEAD", "/queue")
    assert found.status_code == 200 and found.content == b""


def test_a_bug_is_a_page_that_tells_nothing(shown: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.console.console.ANSWERS", {"show_help": lambda *_: 1 / 0})
    found = shown.visitor("ann").get("/help")
    assert found.status_code == 500 and "Something is wrong here" in found.text and "division" not in found.text


def test_files_of_pages_are_named_by_their_content_and_nothing_else_is_served(shown: House) -> None:
    visitor = Visitor(shown.app)
    for name, kind in (("console.css", "text/css"), ("console.js", "text/javascript"), ("mark.svg", "image/svg+xml")):
        found = visitor.get(asset_url(name).removeprefix("/console"))
        assert found.status_code == 200 and found.headers["content-type"].startswith(kind) and "immutable" in found.headers["cache-control"]
    for name in ("", "../users.py", "..%2fusers.py", "users.py", "console.css/", "%2e%2e/console.py"):
        assert visitor.get(f"/static/{name}").status_code in (401, 404)
    assert visitor.ask("POST", "/static/console.css").status_code == 404


def test_in_development_on_this_machine_the_cookie_needs_no_https(house: House) -> None:
    from serving.app import Outside, create_app
    from serving.engine import Engine
    from tests.serving.homes import POLICY as PRICES

    app = create_app(Engine(house.market.bundle, PRICES, house.store), lambda: house.now, Outside(secure=False))
    visitor = Visitor(app)
    visitor.get("/sign-in")
    assert set(visitor.cookies) == {"touchstone-form"}


def test_the_longer_half_of_a_session_ends_it_whatever_happens(house: House) -> None:
    visitor = house.visitor("ann")
    for _ in range(24):
        assert visitor.get("/queue").status_code == 200
        house.now += timedelta(minutes=29)
    house.now += timedelta(minutes=29)
    assert visitor.get("/queue").status_code == 303


def test_what_pages_show_and_deeds_do_is_the_same_on_postgresql(house: House, postgres: Server) -> None:
    with Store(postgres.database(), "NORMAL") as store:
        there = House(house.market, store, furnish(store, house.market))
        pages = []
        for one in (house, there):
            seen = []
            ann, adam = one.visitor("ann"), one.visitor("adam")
            for claim_id in one.taken("ann", limit=3)[:2]:
                seen.append(ann.get(f"/cases/{claim_id}").text)
                told = {"token": lease(seen[-1]), "label": "valid", "minutes": "9", "rationale": WHY}
                assert ann.send(f"/cases/{claim_id}/answer", **told).status_code == 303
                seen.append(adam.get(f"/cases/{claim_id}").text)
            paths = ("/queue", "/queue?state=all&clock=breach", "/queue?state=all&page=2", "/operations", "/experts", "/users")
            seen += [adam.get(path).text for path in paths]
            seen += [ann.get("/queue").text, one.visitor("olga").get("/audit?kind=case").text]
            pages.append([re.sub(r'name="form" value="\w+"|[0-9a-f]{10,64}', "", page) for page in seen])
        assert pages[0] == pages[1] and all("<h1>" in page and 'class="number"' not in page for page in pages[0])  # and no page of an error
