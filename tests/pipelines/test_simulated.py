"""A simulated home: its time line, what it writes where, and that nothing which decides needs what is sealed."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from models.policy import default_policy
from models.shelf import Shelf
from pipelines.build import build
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.promote import promote
from pipelines.score import score
from pipelines.simulated import Simulation, examined_truths, parties, simulate_into
from pipelines.train import train
from pipelines.validate import validate
from serving.store import Store
from tests.pipelines.conftest import Market


def decide_everything(home: Home, raw: Path) -> dict[str, bytes | str]:
    """Run every verb that decides, on copied raw files; return all it left behind and said."""
    shutil.copytree(raw, home.raw)
    simulation = Simulation.of(home)
    said = [str(validate(home, docs=False)), str(build(home)), train(home, simulation.live_from, tracking=False).bundle]
    said.append(str(score(home, simulation.live_from + timedelta(days=10), default_policy(), simulation.live_from)))
    shelf = Shelf(home.bundles)
    shelf.point("challenger", shelf.aliases()["champion"])
    said.append(str(promote(home, simulation.end, default_policy(), tracking=False, clock=iter(range(10**6)).__next__)))
    with Store(home.store_url) as store:
        decided = {name: store.read(name).to_json() for name in ("decisions", "cases")}
    files = [path for folder in ("lake", "quarantine", "bundles", "runs") for path in (home.root / folder).rglob("*") if path.is_file()]
    return {"said": "\n".join(said), **decided, **{str(path.relative_to(home.root)): path.read_bytes() for path in files}}


def test_with_the_sealed_truth_gone_every_verb_that_decides_does_the_same(small: Market, tmp_path: Path) -> None:
    knowing, blind = Home(tmp_path / "knowing"), Home(tmp_path / "blind")
    shutil.copytree(small.home.sealed, knowing.sealed)
    # A world that says the opposite would be noticed as well as one that is missing.
    truth = pd.read_parquet(knowing.sealed / "truth.parquet")
    truth.assign(truth=truth["truth"].to_numpy()[::-1]).to_parquet(knowing.sealed / "truth.parquet", index=False)
    seen, unseen = decide_everything(knowing, small.home.raw), decide_everything(blind, small.home.raw)
    assert not blind.sealed.exists()
    assert unseen == seen
    assert any(name.startswith("lake/decisions/") for name in seen)


def test_the_time_line_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    made = simulate_into(Home(tmp_path), 1_000, 100, 5, months=6, live_months=2)
    assert Simulation.exists(Home(tmp_path)) and Simulation.of(Home(tmp_path)) == made
    assert (made.start, made.live_from, made.end) == tuple(datetime(2024, month, 1, tzinfo=UTC) for month in (1, 5, 7))
    assert json.loads((tmp_path / "raw" / "market.json").read_text())["seed"] == 5
    assert sum(made.planted.values()) > 0


def test_the_same_seed_writes_the_same_tables_and_another_seed_others(tmp_path: Path) -> None:
    lines = [simulate_into(Home(tmp_path / name), 1_000, 100, seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    assert lines[0] == lines[1]
    a, b, c = (pd.read_parquet(tmp_path / name / "raw" / "claims.parquet") for name in "abc")
    assert_frame_equal(a, b)
    assert not a.equals(c)


def test_nobody_has_resolved_a_claim_of_the_live_months(small: Market) -> None:
    tables = Lake(small.home.root).tables(["claims", "resolutions"])
    filed = tables["claims"].set_index("claim_id")["filed_at"]
    assert filed.loc[tables["resolutions"]["claim_id"]].max() < pd.Timestamp(small.simulation.live_from)
    assert (filed >= pd.Timestamp(small.simulation.live_from)).sum() > 100


def test_experts_learn_truth_and_difficulty_of_every_claim_and_no_more(small: Market) -> None:
    truths = examined_truths(small.home)
    assert list(truths.columns) == ["claim_id", "truth", "difficulty"]
    assert set(Lake(small.home.root).read("claims")["claim_id"]) <= set(truths["claim_id"])
    assert truths["claim_id"].is_unique and truths["difficulty"].between(0, 1).all()


def test_a_home_without_a_marketplace_says_what_to_run(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert not Simulation.exists(home)
    for ask in (Simulation.of, examined_truths, parties):
        with pytest.raises(FileNotFoundError, match=r"run `?touchstone simulate"):
            ask(home)


def test_sizes_that_make_no_marketplace_write_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected at least 50 claims"):
        simulate_into(Home(tmp_path / "home"), 10, 1)
    assert not (tmp_path / "home").exists()


def test_the_time_line_holds_nothing_but_its_own_fields(small: Market) -> None:
    assert set(json.loads((small.home.raw / "market.json").read_text())) == set(asdict(small.simulation))


def test_a_home_with_decisions_is_never_given_another_marketplace(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with Store(home.store_url):
        pass
    with pytest.raises(FileExistsError, match="expected a home without decisions"):
        simulate_into(home, 2_000, 200)
    assert not home.raw.exists()
