"""Processes killed without warning while they decide: nothing answered is lost, nothing is decided twice."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from benchmarks.crash import judged, past_of, trial
from pipelines.home import Home
from tests.serving.homes import Small


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 here")
def test_whoever_is_killed_at_whatever_moment_every_answer_is_in_the_store_and_every_claim_has_one(market: Small, tmp_path: Path) -> None:
    (tmp_path / "bundles").symlink_to(market.home.bundles)
    scene, past = past_of(Home(tmp_path), market.tables, market.live_from, market.now, copies=4)
    told = trial(scene, kills=3, seed=5, longest=0.2)
    found = judged(scene, told, past)
    assert found.pop("answers_told") >= 10 and found.pop("claims_decided") >= 5
    assert set(found.values()) == {0}, found
