"""Pictures of the console for the documentation: a simulated marketplace halfway through its live weeks, photographed with Chromium.

``python -m tests.serving.console.pictures --home FOLDER [--out docs]`` makes the world where it is missing, and the pictures anew. The
clock is the simulation's; what is shown is what the steps of ``touchstone demo`` decided.
"""

from __future__ import annotations

import argparse
import shutil
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Literal

from fastapi import FastAPI
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from features.catalog import CATALOG
from models.policy import default_policy
from models.rules import example_rules
from models.shelf import Shelf
from pipelines.demo import CYCLE, live
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.lake_records import LakeRecords
from pipelines.simulated import Simulation, simulate_into
from pipelines.train import train
from pipelines.validate import validate
from serving.app import Outside, create_app
from serving.console.roles import Role
from serving.console.users import add_user, find_user
from serving.engine import Engine
from serving.instants import micros
from serving.store import Store
from tests.serving.console.houses import PASSWORD
from tests.serving.running import running

WEEKS = 13
"""Weeks of operation before the pictures are taken."""

ORDERS, CLAIMS, SEED = 60_000, 6_000, 0
ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ARGS += ["--disable-component-update", "--disable-sync", "--font-render-hinting=none"]
WIDTH, COLOURS = 1280, 256

OVERSEEN = (
    ("queue", "/queue?state=in-hand", 700),
    ("operations", "/operations", 1500),
    ("experts", "/experts", 700),
    ("audit", "/audit?kind=case", 640),
)
"""Of what oversees: name, address, and pixels from the top."""

Scheme = Literal["light", "dark"]


class _MidwayError(Exception):
    """The weeks that were wanted are over; everything is committed."""


def world(root: Path, orders: int = ORDERS, claims: int = CLAIMS, weeks: int = WEEKS, seed: int = SEED) -> tuple[Home, datetime]:
    """Return a home halfway through its live weeks, and the instant it is at; it is made where it is missing."""
    home, done = Home(root), root / "midway"
    if not done.exists():
        shutil.rmtree(root, ignore_errors=True)
        market = simulate_into(home, orders, claims, seed=seed)
        validate(home, docs=False)
        train(home, market.live_from, tracking=False)

        def progress(_: str, week: int, __: int) -> None:
            if week == weeks:
                raise _MidwayError

        try:
            live(home, default_policy(), market.live_from, market.end, progress, seed)
        except _MidwayError:
            done.touch()
    return home, Simulation.of(home).live_from + weeks * CYCLE + timedelta(hours=15)


def people(store: Store, now: datetime) -> None:
    """Let somebody of each role sign in."""
    names = {"olga": Role.OPERATIONS, "desk-1": Role.EXPERT, "investigator-1": Role.INVESTIGATOR, "aude": Role.AUDITOR, "adam": Role.ADMIN}
    with store.write() as tx:
        for name, role in names.items():
            if find_user(tx, name) is None:
                add_user(tx, name, role, PASSWORD, micros(now - timedelta(days=30)))


def application(home: Home, now: datetime) -> FastAPI:
    """Return the endpoint over a home, at an instant."""
    store = Store(home.store_url, "NORMAL")
    people(store, now)
    bundle = Shelf(home.bundles).get("champion", CATALOG.hash)
    engine = Engine(bundle, default_policy(), store, rules=example_rules(CATALOG.names))
    return create_app(engine, lambda: now, Outside(secure=False, records=LakeRecords(Lake(home.root))))


def visitor(browser: Browser, url: str, name: str, scheme: Scheme = "light") -> Page:
    """Return a page on which somebody has signed in."""
    page = browser.new_context(viewport={"width": WIDTH, "height": 860}, color_scheme=scheme).new_page()
    page.goto(f"{url}/sign-in")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("main button")
    page.wait_for_url("**/queue")
    return page


def photograph(page: Page, path: Path, height: int) -> None:
    """Take a picture of at most so many pixels of a page, in few enough colours to be small."""
    tall = page.evaluate("document.documentElement.scrollHeight")
    taken = page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": WIDTH, "height": min(height, tall)})
    with Image.open(BytesIO(taken)) as image:
        image.convert("RGB").quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)


def pictures(url: str, out: Path) -> None:
    """Take all pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
        olga = visitor(browser, url, "olga")
        for name, path, height in OVERSEEN:
            olga.goto(url + path)
            photograph(olga, out / f"console-{name}.png", height)
        expert = visitor(browser, url, "desk-1")
        case = richest(expert, url.removesuffix("/console"))
        expert.goto(case)
        photograph(expert, out / "console-case.png", 2000)
        dark = visitor(browser, url, "desk-1", "dark")
        dark.goto(case)
        photograph(dark, out / "console-dark.png", 860)
        browser.close()


def richest(page: Page, url: str) -> str:
    """Return the address of the case, of those on a list, that has something of everything and not too much of it."""
    links = [url + str(link.get_attribute("href")) for link in page.locator("table.list tbody th a").all()]
    worth = {}
    for link in links:
        page.goto(link)
        parts = {part: page.locator(part).count() for part in (".graph", ".prints", ".twin", ".reasons")}
        worth[link] = sum(number > 0 for number in parts.values()) - (parts[".twin"] > 2)
    return max(worth, key=worth.__getitem__)


def main() -> None:
    """Make the world and the pictures."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--home", type=Path, required=True)
    asked.add_argument("--out", type=Path, default=Path("docs"))
    given = asked.parse_args()
    home, now = world(given.home)
    with running(application(home, now)) as url:
        pictures(f"{url}/console", given.out)


if __name__ == "__main__":
    main()
