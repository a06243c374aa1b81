"""People at work in a real browser: what each role comes for, by mouse, by keys, without a script; and axe-core on every page."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.serving.console.houses import PASSWORD, WHY, House
from tests.serving.homes import Small, store_at
from tests.serving.running import running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PATIENCE = 30_000

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="journeys need Chromium: expected chromium on the PATH, found none")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def place(market: Small, furnished: tuple[Path, datetime], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, str]]:
    """A house whose console listens, and its address; journeys take cases of their own."""
    folder = tmp_path_factory.mktemp("place") / "house"
    shutil.copytree(furnished[0], folder)
    with store_at(folder) as store:
        house = House(market, store, furnished[1], secure=False)
        with running(house.app) as url:
            yield house, f"{url}/console"


@pytest.fixture
def enter(browser: Browser, place: tuple[House, str]) -> Iterator[Any]:
    """Opens a page for somebody who signs in; at the end nothing was complained of and nobody else was asked."""
    contexts, complaints, elsewhere = [], [], []
    _, url = place

    def enter(name: str | None = None, **more: Any) -> Page:
        context = browser.new_context(viewport={"width": 1200, "height": 800}, **more)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: elsewhere.append(request.url) if not request.url.startswith(url) else None)
        page.goto(f"{url}/sign-in")
        if name is not None:
            page.fill("#name", name)
            page.fill("#password", PASSWORD)
            page.click("main button")
            page.wait_for_url("**/queue")
        return page

    yield enter
    for context in contexts:
        context.close()
    assert (complaints, elsewhere) == ([], [])


def held(page: Page) -> list[str]:
    return [words.strip() for words in page.locator("table[data-keys] tbody th a").all_inner_texts()]


def test_an_expert_takes_cases_answers_one_and_goes_on_to_the_next(enter: Any, place: tuple[House, str]) -> None:
    page = enter("ann")
    page.select_option("#limit-desk", "2")
    page.get_by_role("button", name="Take the next").click()
    expect(page.get_by_role("status")).to_contain_text("The cases are yours")
    first, second = held(page)
    page.click(f"text={first}")
    expect(page.get_by_role("heading", level=1)).to_have_text(first)
    page.get_by_role("button", name="Answer").click()
    assert page.evaluate("document.querySelector('input[name=label]').validity.valueMissing")  # the browser asks for a finding and a reason
    page.check("input[value=abusive]")
    page.fill("#rationale", WHY)
    page.fill("#minutes", "25")
    page.get_by_role("button", name="Answer").click()
    expect(page.get_by_role("status")).to_contain_text("Your answer was kept")
    assert held(page) == [second]
    page.click(f"text={second}")
    page.click("text=Request evidence")
    page.check("input[name=receipt]")
    page.fill("#rationale-e", "There is no receipt at all.")
    page.get_by_role("button", name="Request it").click()
    expect(page.get_by_role("status")).to_contain_text("asked for what is missing")
    found = {row["claim_id"]: (row["expert"], row["label"], row["minutes"]) for row in place[0].rows("expert_answers")}
    assert found[first] == ("ann", "abusive", 25) and found[second][:2] == ("ann", "unsubstantiated")


def test_operations_find_a_late_case_keep_it_for_somebody_and_look_at_the_dashboard(enter: Any) -> None:
    page = enter("olga")
    page.click("text=Operations")
    page.get_by_role("link", name=re.compile("case")).first.click()
    expect(page).to_have_url(re.compile("clock=breach"))
    page.select_option("#state", "waiting")
    page.select_option("#tier", "investigation")
    page.select_option("#clock", "")
    page.get_by_role("button", name="Show").click()
    page.locator("table.list tbody th a").first.click()
    assert page.locator("#to option").all_inner_texts() == ["zoe"]
    page.get_by_role("button", name="Assign").click()
    expect(page.get_by_role("status")).to_contain_text("kept for that expert")
    expect(page.locator("#decide")).to_contain_text("Kept for zoe.")
    page.click("text=What the audit log says of it")
    expect(page.locator("table.log")).to_contain_text("assign")
    page.locator(".bar nav >> text=Operations").click()
    page.locator("figure summary").first.click()
    expect(page.locator("figure").first.get_by_role("table")).to_be_visible()


def test_an_auditor_sees_everything_and_finds_nothing_to_change(enter: Any, place: tuple[House, str]) -> None:
    page = enter("aude")
    case = place[0].rows("cases")[-1]["claim_id"]
    for path in ("/queue", f"/cases/{case}", "/operations", "/experts", "/audit"):
        page.goto(place[1] + path)
        assert [form.get_attribute("action") for form in page.locator("form[method=post]").all()] == ["/console/sign-out"]


def test_a_case_is_answered_with_keys_alone(enter: Any) -> None:
    page = enter()
    page.keyboard.type("bob")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/queue")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    while page.evaluate("document.activeElement.textContent.trim()") != "Take the next":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/cases/*")
    page.keyboard.press("d")
    assert page.evaluate("document.activeElement.name") == "label"
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("The photographs, the receipt and the order agree.")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Your answer was kept")


def test_keys_walk_through_a_list_and_leave_typing_alone(enter: Any) -> None:
    page = enter("olga")
    cases = held(page)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") == cases[1]
    page.keyboard.press("/")
    page.keyboard.type("jk?d")
    assert page.input_value("#find") == "jk?d"
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("?")
    page.wait_for_url("**/help")


def test_without_a_script_everything_is_done_as_well(enter: Any) -> None:
    page = enter("zoe", java_script_enabled=False)
    page.locator("form", has=page.locator("input[value=desk]")).get_by_role("button").click()
    page.check("input[value=valid]")
    page.fill("#rationale", "The photographs, the receipt and the order agree.")
    page.get_by_role("button", name="Answer").click()
    expect(page.get_by_role("status")).to_contain_text("Your answer was kept")


PAGES = {
    "olga": ("/queue?find=K", "/cases/{live}", "/operations", "/experts", "/audit?subject={live}", "/help", "/account"),
    "adam": ("/users",),
    "ann": ("/queue", "/cases/{held}"),
    "": ("/sign-in", "/sign-in?said=please"),
}


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_in_light_or_dark_and_no_page_is_wider_than_a_telephone(enter: Any, place: tuple[House, str], name: str) -> None:
    house, url = place
    live = next(row["claim_id"] for row in house.rows("cases") if row["claim_id"].startswith("K"))
    held = house.taken("ann", limit=1)[0] if name == "ann" else ""
    page, axe = enter(name or None, color_scheme="light"), Axe()
    for path in PAGES[name]:
        answer = page.goto(url + path.format(live=live, held=held))
        assert answer is not None and answer.status == 200
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        for scheme, only in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
            page.emulate_media(color_scheme=scheme)
            found = axe.run(page, options=only)
            assert found.violations_count == 0, f"{path}, {scheme}: {found.generate_report()}"
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 360, "height": 700})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        page.set_viewport_size({"width": 1200, "height": 800})
