"""Manifests: named by verb and instant, complete, equal for equal inputs, replaced by a repetition."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.manifest import PACKAGES, inputs_hash, record
from tests.pipelines.conftest import Market

NOON = datetime(2025, 4, 8, 12, tzinfo=UTC)


def test_a_manifest_says_what_when_with_what_on_what_and_how_it_ended(tmp_path: Path) -> None:
    file = record(Home(tmp_path), "score", NOON, NOON, NOON + timedelta(seconds=3), {"decided": 7}, "abc", exit_code=1)
    found = json.loads(file.read_text())
    assert file == tmp_path / "runs" / "score-2025-04-08T120000.json"
    assert (found["verb"], found["as_of"], found["counts"], found["inputs"], found["exit_code"]) == (
        "score", "2025-04-08 12:00:00+00:00", {"decided": 7}, "abc", 1
    )  # fmt: skip
    assert found["versions"].keys() == {"python", *PACKAGES}


def test_a_run_repeated_for_the_same_instant_replaces_its_manifest_and_another_instant_has_its_own(tmp_path: Path) -> None:
    for counts in ({"decided": 1}, {"decided": 2}):
        record(Home(tmp_path), "score", NOON, NOON, NOON, counts, "")
    record(Home(tmp_path), "score", NOON + timedelta(hours=1), NOON, NOON, {}, "")
    assert len(list((tmp_path / "runs").iterdir())) == 2
    assert json.loads((tmp_path / "runs" / "score-2025-04-08T120000.json").read_text())["counts"] == {"decided": 2}


def test_inputs_are_named_by_their_content_wherever_they_lie_and_whenever_they_were_written(small: Market, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(small.home.root / "lake", copy / "lake")
    for file in copy.rglob("*.parquet"):
        os.utime(file, (0, 0))
    assert inputs_hash(Home(copy)) == inputs_hash(small.home)


def test_one_more_claim_or_another_value_is_another_input_and_decisions_are_none(market: Market) -> None:
    lake, before = Lake(market.home.root), inputs_hash(market.home)
    claims = lake.read("claims")
    lake.append("claims", claims.assign(amount_cents=claims["amount_cents"].where(claims.index != 5, 999_999_00)), "initial")
    changed = inputs_hash(market.home)
    lake.append("claims", pd.concat([claims, claims.head(1).assign(claim_id="another")]), "initial")
    assert len({before, changed, inputs_hash(market.home)}) == 3
    last = inputs_hash(market.home)
    lake.append("decisions", lake.read("decisions"), "2025-01-01")
    assert inputs_hash(market.home) == last
