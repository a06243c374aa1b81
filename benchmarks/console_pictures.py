"""Pictures of the console for the documentation: a simulated marketplace halfway through its live weeks, photographed with Chromium.

``python -m benchmarks.console_pictures --home FOLDER [--out docs]`` makes the world where it is missing and the pictures anew. The clock
is the simulation's; what is shown is what the commands of the demo decided, and what the console's own deeds added.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn
from fastapi import FastAPI
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

WEEKS = 13
"""Weeks of operation before the pictures are taken."""

ORDERS, CLAIMS, SEED = 60_000, 6_000, 0
PASSWORD = "correct horse battery"
ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
ARGS += ["--disable-component-update", "--disable-sync", "--font-render-hinting=none"]
WIDTH = 1280


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


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """Serve an application on a free port of this machine; yields the address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False, ws="none")
    server, socket = uvicorn.Server(config), config.bind_socket()
    thread = Thread(target=server.run, args=([socket],))
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}/console"
    finally:
        server.should_exit = True
        thread.join()
        socket.close()


def visitor(browser: Browser, url: str, name: str, scheme: str = "light", **more: Any) -> Page:
    """Return a page on which somebody has signed in."""
    page = browser.new_context(viewport={"width": WIDTH, "height": 860}, color_scheme=scheme, **more).new_page()  # type: ignore[arg-type]
    page.goto(f"{url}/sign-in")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("main button")
    return page


def photograph(page: Page, path: Path, height: int | None = 1100) -> None:
    """Take a picture of a page, ``height`` pixels of it or all."""
    clip = None if height is None else {"x": 0, "y": 0, "width": WIDTH, "height": height}
    page.screenshot(path=path, full_page=True, clip=clip)  # type: ignore[arg-type]


def pictures(url: str, out: Path, schemes: tuple[str, ...] = ("light",)) -> None:
    """Take all pictures."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
        for scheme in schemes:
            mark = "" if scheme == "light" else f"-{scheme}"
            olga = visitor(browser, url, "olga", scheme)
            for name, path in (("queue", "/queue?state=all"), ("operations", "/operations"), ("experts", "/experts"), ("audit", "/audit")):
                olga.goto(url + path)
                photograph(olga, out / f"console-{name}{mark}.png", None if name == "operations" else 1000)
            olga.goto(f"{url}/queue?state=in-hand")
            photograph_case(olga, url, out / f"console-case{mark}.png")
            expert = visitor(browser, url, "desk-1", scheme)
            photograph(expert, out / f"console-desk{mark}.png", 700)
            for link in expert.locator("table.list tbody th a").all()[:1]:
                link.click()
                photograph(expert, out / f"console-decide{mark}.png", None)
            adam = visitor(browser, url, "adam", scheme)
            adam.goto(f"{url}/users")
            photograph(adam, out / f"console-users{mark}.png", None)
            nobody = browser.new_context(viewport={"width": WIDTH, "height": 640}, color_scheme=scheme).new_page()  # type: ignore[arg-type]
            nobody.goto(f"{url}/sign-in")
            photograph(nobody, out / f"console-sign-in{mark}.png", 640)
        browser.close()


def photograph_case(page: Page, url: str, path: Path) -> None:
    """Take a picture of the case with most to see among those that wait."""
    links = [link.get_attribute("href") for link in page.locator("table.list tbody th a").all()[:40]]
    best, most = None, -1
    for link in links:
        page.goto(url.removesuffix("/console") + str(link))
        rich = 5 * page.locator(".graph").count() + 4 * page.locator(".twin").count() + 3 * page.locator(".reasons").count()
        if rich > most:
            best, most = link, rich
    page.goto(url.removesuffix("/console") + str(best))
    photograph(page, path, None)


def main() -> None:
    """Make the world and the pictures."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--home", type=Path, required=True)
    asked.add_argument("--out", type=Path, default=Path("docs"))
    asked.add_argument("--dark", action="store_true", help="in dark colours as well")
    given = asked.parse_args()
    home, now = world(given.home)
    with listening(application(home, now)) as url:
        pictures(url, given.out, ("light", "dark") if given.dark else ("light",))


if __name__ == "__main__":
    main()
