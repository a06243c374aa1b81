"""The store on a PostgreSQL server that the environment names: every verb works there as on the file, and leaves no file behind."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from pipelines.home import STORE
from serving.store import Store
from tests.console import Finished, touchstone
from tests.pipelines.conftest import Market
from tests.postgres import Server

COMPARED = ("decisions", "cases", "case_events", "proceedings", "postings", "ledger", "resolutions", "audit_log")


def verb(market: Market, *arguments: str, server: str = "") -> Finished:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STORE, server)
        return touchstone(*arguments, "--home", str(market.home.root))


def rows(url: str) -> dict[str, pd.DataFrame]:
    with Store(url) as store:
        return {name: store.read(name) for name in COMPARED}


def test_the_verbs_leave_on_a_server_what_they_leave_in_a_file(small: Market, tmp_path: Path, postgres: Server) -> None:
    here, there = small.copy(tmp_path / "here"), small.copy(tmp_path / "there")
    url = postgres.database()
    server = url.replace("postgresql+psycopg", "postgresql")
    live = small.simulation.live_from
    for name, days in (("score", 7), ("resolve", 21), ("score", 21), ("resolve", 42), ("report", 42)):
        for market, where in ((here, ""), (there, server)):
            ran = verb(market, name, "--as-of", f"{live + timedelta(days=days):%Y-%m-%d}", server=where)
            assert ran.code == 0, ran.err
    assert not there.home.store.exists()
    expected, found = rows(here.home.store_url), rows(url)
    assert len(expected["decisions"]) > 50
    for name, table in expected.items():
        assert_frame_equal(found[name], table)


def test_a_market_is_not_simulated_over_decisions_on_a_server(small: Market, tmp_path: Path, postgres: Server) -> None:
    market, url = small.copy(tmp_path / "home"), postgres.database()
    arguments = ("simulate", "--orders", "2000", "--claims", "200")
    assert verb(market, *arguments, server=url).code == 0
    day = small.simulation.live_from + timedelta(days=2)
    assert verb(small.copy(tmp_path / "decided"), "score", "--as-of", f"{day:%Y-%m-%d}", server=url).code == 0
    refused = verb(market, *arguments, server=url)
    assert refused.code == 2 and "expected a store without decisions" in refused.err


def test_a_server_that_is_not_there_is_an_error_of_input_and_shows_no_password(small: Market, tmp_path: Path) -> None:
    ran = verb(small.copy(tmp_path / "home"), "score", "--as-of", "2025-04-02", server="postgresql://ann:secret@127.0.0.1:1/claims")
    assert ran.code == 2 and "expected a server that lets us in" in ran.err and "secret" not in ran.err
