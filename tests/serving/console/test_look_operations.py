"""The dashboard: its figures are the store's."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from serving.console.roles import Role
from serving.console.users import add_user
from serving.instants import micros
from serving.ledger import Account, balances
from tests.serving.console.houses import PASSWORD, House
from tests.serving.homes import Small, store_at


def numbers_of(page: str, title: str) -> list[int]:
    """The numbers of a picture's table."""
    figure = page[page.index(title) :].partition("</figure>")[0]
    return [int(cell.replace(",", "")) for cell in re.findall(r'<td class="n">([\d,]+)</td>', figure)]


def test_the_dashboard_counts_what_the_store_holds(shown: House) -> None:
    page = shown.visitor("aude").get("/operations").text
    cards = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", page))
    cases, decided = pd.DataFrame(shown.rows("cases")), pd.DataFrame(shown.rows("decisions"))
    week_ago = pd.Timestamp(shown.now - timedelta(days=7))
    assert cards["claims decided in seven days"] == f"{int((decided['decided_at'] > week_ago).sum()):,}"
    assert cards["cases without an answer"] == f"{len(cases):,}"
    with shown.store.view() as view:
        assert cards["paid to customers"] == f"${balances(view)[Account.CUSTOMER] / 100:,.0f}"
    assert sum(numbers_of(page, "Claims decided by week and action")) == len(decided)
    assert sum(numbers_of(page, "Cases without an answer by age")) == len(cases)
    assert numbers_of(page, "Cases opened and answers given by week")[-2:] == [int((cases["opened_at"] > week_ago).sum()), 0]


def test_a_store_without_anything_has_pages_as_well(market: Small, tmp_path: Path, furnished: tuple[Path, datetime]) -> None:
    with store_at(tmp_path) as store:
        with store.write() as tx:
            add_user(tx, "adam", Role.ADMIN, PASSWORD, micros(furnished[1]))
        visitor = House(market, store, furnished[1]).visitor("adam")
        for path in ("/queue", "/queue?state=all", "/operations", "/experts", "/audit", "/users"):
            assert visitor.get(path).status_code == 200, path


def test_where_nothing_was_decided_lately_the_weeks_end_with_the_last_decision(house: House) -> None:
    before = house.visitor("aude").get("/operations").text
    house.now += timedelta(days=400)
    page = house.visitor("aude").get("/operations").text
    title = "Claims decided by week and action"
    assert sum(numbers_of(page, title)) == sum(numbers_of(before, title)) > 0
    assert "Nothing was decided lately" in page and "Nothing was decided lately" not in before
