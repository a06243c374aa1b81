"""The endpoint in operation: over HTTP, through a kill, and together with the batch."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pandas as pd
import pyarrow as pa
import pytest
from pandas.testing import assert_frame_equal

from models.bundle import BundleError
from models.policy import default_policy
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.received import export_received
from pipelines.resolve import settle
from pipelines.score import score
from pipelines.serve import compose, serve
from serving.recognition import LockedError
from serving.settings import Settings, SettingsError
from serving.store import Store
from serving.webhook_endpoints import add_endpoint
from serving.webhooks import MARKETPLACE, announce, case_answered
from tests.console import touchstone
from tests.pipelines.test_supervisor import soon
from tests.serving.homes import POLICY, Small, body, claim, small
from tests.serving.receiver import receiving

ROOT = Path(__file__).parents[2]
NEW = {"claim_id": "C-new"}


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return small(tmp_path_factory.mktemp("home") / "home")


@pytest.fixture
def mine(market: Small, tmp_path: Path) -> Small:
    """The same home with a store of its own and nothing received."""
    (tmp_path / "bundles").symlink_to(market.home.bundles)
    Lake(tmp_path).publish({name: frame for name, frame in market.tables.items() if len(frame)}, {}, "initial")
    return Small(Home(tmp_path), market.bundle, market.tables, market.live_from, market.end)


def test_claims_that_were_received_reach_the_lake_once_and_as_they_were(mine: Small) -> None:
    before = Lake(mine.home.root).read("claims")
    with Store(mine.home.store_url, "NORMAL") as store:
        engine = mine.engine(store, mine.tables)
        engine.score(claim(mine.live), mine.now)  # in the lake already
        assert export_received(mine.home, store) == 0
        engine.score(claim(mine.live, 1, **NEW), mine.now)
        assert export_received(mine.home, store) == 1
        assert export_received(mine.home, store) == 0
        engine.score(claim(mine.live, 1, claim_id="C-newer"), mine.now)
        assert export_received(mine.home, store) == 2  # the batch of the month is written anew
    after = Lake(mine.home.root).read("claims").set_index("claim_id")
    assert len(after) == len(before) + 2 and after.index.is_unique
    expected = mine.live.iloc[[1]].assign(**NEW).set_index("claim_id")
    assert_frame_equal(after.loc[["C-new"]].drop(columns="recorded_at"), expected.drop(columns="recorded_at"))
    assert after.loc["C-new", "recorded_at"] > after.loc["C-new", "filed_at"], "it came after what is in the lake"


def test_the_batch_passes_over_what_the_endpoint_decided_and_decides_the_rest_with_it_as_history(mine: Small) -> None:
    with Store(mine.home.store_url, "NORMAL") as store:
        first = mine.engine(store, mine.tables).score(claim(mine.live, 0, **NEW), mine.now)
    found = score(mine.home, mine.now, POLICY, since=mine.live_from)
    assert (found.decided, found.pending) == (len(mine.live), 0)
    with Store(mine.home.store_url, "NORMAL") as store:
        assert mine.engine(store).decision("C-new") == first
        known = Lake(mine.home.root).tables()
        assert set(known["decisions"]["claim_id"]) == {*mine.live["claim_id"], "C-new"} <= set(known["claims"]["claim_id"])


def test_a_claim_of_the_endpoint_is_carried_to_its_resolution_like_any_other(mine: Small) -> None:
    with Store(mine.home.store_url, "NORMAL") as store:
        mine.engine(store, mine.tables).score(claim(mine.live, 0, **NEW), mine.now)
        done = settle(mine.home, store, pd.Timestamp(mine.now + timedelta(days=200)), default_policy())
        assert done.opened == 1 and store.read("proceedings")["claim_id"].tolist() == ["C-new"]


def test_the_report_counts_a_claim_of_the_endpoint_that_no_batch_has_seen(mine: Small) -> None:
    with Store(mine.home.store_url, "NORMAL") as store:
        for row in range(3):
            mine.engine(store, mine.tables).score(claim(mine.live, row, claim_id=f"C-{row}"), mine.now)
    done = touchstone("report", "--as-of", f"{mine.now + timedelta(days=1):%Y-%m-%d}", "--home", str(mine.home.root))
    assert done.code == 0, done.err
    assert "3 claims decided" in (mine.home.reports / "report.html").read_text(encoding="utf-8")


def test_without_a_champion_or_with_wrong_settings_nothing_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BundleError, match="run touchstone train first"):
        compose(Home(tmp_path), POLICY, Settings())
    monkeypatch.setenv("TOUCHSTONE_SERVE_PORT", "many")
    with pytest.raises(SettingsError, match="TOUCHSTONE_SERVE_PORT: expected a whole number"):
        serve(Home(tmp_path), POLICY)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 here")
def test_killed_without_warning_and_started_again_it_answers_the_same_byte_for_byte_and_sends_what_is_in_the_outbox(mine: Small) -> None:
    asked = body(mine.live) | NEW
    with served(mine.home, signal.SIGKILL) as client:
        first = client.post("/v1/claims:score", json=asked)
        assert first.status_code == 200, first.text
    with receiving() as receiver:
        with Store(mine.home.store_url, "NORMAL") as store, store.write() as tx:
            add_endpoint(tx, "e1", "tests", MARKETPLACE, receiver.url, bytes(32), 0)
            announce(tx, [case_answered("C1", "C1.1", 0)])
        with served(mine.home, signal.SIGTERM) as client:
            assert client.post("/v1/claims:score", json=asked).content == first.content
            assert client.get("/v1/decisions/C-new").content == first.content
            assert client.post("/v1/claims:score", json=asked | {"amount_cents": 7}).status_code == 409
        assert [json.loads(content)["data"]["claim_id"] for _, _, content in receiver.came] == ["C1"]
    with Store(mine.home.store_url, "NORMAL") as store:
        assert export_received(mine.home, store) == 1
    assert "C-new" in set(Lake(mine.home.root).read("claims")["claim_id"])


def test_nothing_is_opened_to_everybody_unless_it_is_said(mine: Small) -> None:
    with pytest.raises(LockedError, match="touchstone keys create"):
        serve(mine.home, POLICY)
    with pytest.raises(SettingsError, match="in development mode"):
        serve(mine.home, POLICY, host="0.0.0.0", development=True)


def test_several_workers_share_keys_store_and_counts_and_finish_what_they_accepted(mine: Small) -> None:
    made = touchstone("keys", "create", "--name", "us", "--scope", "admin", "--home", str(mine.home.root))
    key = {"authorization": f"Bearer {made.out.strip()}"}
    rows = [body(mine.live, row) for row in range(8)]
    with served(mine.home, signal.SIGTERM, "workers=2") as client, ThreadPoolExecutor(8) as pool:
        assert client.get("/version").status_code == 401
        assert client.get("/version", headers=key).status_code == 200
        url = str(client.base_url)

        def score(row: dict[str, object]) -> httpx.Response:
            return httpx.post(f"{url}/v1/claims:score", json=row, headers=key, timeout=60)

        first = [response.json() for response in pool.map(score, rows)]
        assert [response.json() for response in pool.map(score, rows)] == first
        counts = re.findall(r'claims:score",status="200"} (\d+)', client.get("/metrics", headers=key).text)
        assert sum(map(int, counts)) == 16  # whichever worker is asked
        with Store(mine.home.store_url, "NORMAL") as store:  # what claims added to the history is put in its place beside the workers
            soon(lambda: len(store.read("history_fresh_shelves")) or None)
        last = [pool.submit(score, row | {"claim_id": f"last-{n}"}) for n, row in enumerate(rows)]
        wait(last, return_when=FIRST_COMPLETED)
    assert all(future.result().status_code == 200 for future in last if future.exception() is None)
    answered = {future.result().json()["claim_id"] for future in last if future.exception() is None}
    with Store(mine.home.store_url, "NORMAL") as store:
        assert not store.undecided(pa.array(sorted(answered), pa.string())).any()


@contextmanager
def served(home: Home, end: signal.Signals, more: str = "development=True") -> Iterator[httpx.Client]:
    """Run the real server in a process of its own, and end it by a signal."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = (
        "from pathlib import Path; from models.policy import default_policy; from pipelines.home import Home; "
        f"from pipelines.serve import serve; serve(Home(Path({str(home.root)!r})), default_policy(), '127.0.0.1', {port}, {more})"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True) as server:
        try:
            said = wait_for("Uvicorn running on", server)
            assert server.poll() is None, said
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, transport=httpx.HTTPTransport(retries=7)) as client:
                assert client.get("/readyz").status_code == 200
                yield client
        finally:
            server.send_signal(end)
            server.communicate()


def wait_for(words: str, server: subprocess.Popen[str]) -> str:
    """Read what a process says until it says the words, or ends."""
    said = ""
    while words not in said and (line := server.stderr.readline()):  # type: ignore[union-attr]
        said += line
    return said
