"""Training: the same data and seed give the same bundle, the future changes nothing, and the first one decides."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_contracts import LABELS
from models.classifier import Hyperparameters
from models.labels import as_known
from models.settings import TrainingSettings
from models.shelf import Shelf
from pipelines.lake import Lake
from pipelines.train import hash_of, train
from tests.pipelines.conftest import Market, trained_home

QUICK = TrainingSettings(hyperparameters=Hyperparameters(max_rounds=20, learning_rate=0.2))


def contradicted(lake: Lake, at: pd.Timestamp) -> pd.DataFrame:
    """Every label turned into another one, known at an instant."""
    rows = lake.read("resolutions").dropna(subset="label").drop_duplicates("claim_id")
    other = {label: LABELS[(place + 1) % len(LABELS)] for place, label in enumerate(LABELS)}
    return rows.assign(
        resolution_id="later-" + rows["resolution_id"],
        label=rows["label"].map(other),
        resolved_at=rows["resolved_at"].clip(upper=at),
        known_at=at,
    )


def filed_later(lake: Lake, at: pd.Timestamp) -> pd.DataFrame:
    """Copies of many claims, filed at an instant and after it."""
    rows = lake.read("claims").sample(200, random_state=0)
    return rows.assign(claim_id="later-" + rows["claim_id"], filed_at=at + pd.to_timedelta(np.arange(len(rows)), unit="h"))


def test_two_homes_with_the_same_data_and_seed_hold_the_same_bundle(small: Market, tmp_path: Path) -> None:
    trained_home(tmp_path / "twin")
    twin = Market.at(tmp_path / "twin")
    assert Shelf(twin.home.bundles).aliases() == Shelf(small.home.bundles).aliases()
    name = Shelf(small.home.bundles).aliases()["champion"]
    files = sorted(path.name for path in (small.home.bundles / name).iterdir())
    for file in files:
        assert (twin.home.bundles / name / file).read_bytes() == (small.home.bundles / name / file).read_bytes()


def test_what_is_known_or_filed_at_the_instant_or_later_changes_no_bit_of_the_bundle(market: Market) -> None:
    lake, at = Lake(market.home.root), pd.Timestamp(market.simulation.live_from)
    champion = Shelf(market.home.bundles).aliases()["champion"]
    lake.append("resolutions", contradicted(lake, at), "future")
    lake.append("claims", filed_later(lake, at), "future")
    again = train(market.home, market.simulation.live_from, tracking=False)
    assert (again.bundle, again.alias) == (champion, "champion")


def test_a_label_known_one_microsecond_earlier_is_learned_from(market: Market) -> None:
    lake, at = Lake(market.home.root), pd.Timestamp(market.simulation.live_from)
    champion = Shelf(market.home.bundles).aliases()["champion"]
    lake.append("resolutions", contradicted(lake, at - pd.Timedelta(microseconds=1)), "past")
    assert train(market.home, market.simulation.live_from, settings=QUICK, tracking=False).bundle != champion


def test_the_first_bundle_is_champion_and_every_later_one_has_to_win(market: Market) -> None:
    champion = Shelf(market.home.bundles).aliases()["champion"]
    later = train(market.home, market.simulation.live_from, settings=QUICK, tracking=False)
    assert later.alias == "challenger" and later.bundle != champion and later.version is None
    assert Shelf(market.home.bundles).aliases() == {"champion": champion, "challenger": later.bundle}


def test_the_run_counts_the_labels_known_and_shows_the_model_first(small: Market, tmp_path: Path) -> None:
    market, at = small.copy(tmp_path / "home"), small.simulation.live_from
    found = train(market.home, at, settings=QUICK, tracking=False)
    tables = Lake(market.home.root).tables(["claims", "resolutions"])
    known = as_known(tables["resolutions"], tables["claims"][tables["claims"]["filed_at"] < at], at)
    assert found.labelled == {label: int((known["label"] == label).sum()) for label in LABELS}
    assert found.table["model"].tolist()[0] == "touchstone" and len(found.table) >= 4
    manifest = json.loads((market.home.bundles / found.bundle / "manifest.json").read_text())
    assert pd.Timestamp(manifest["trained"]["as_of"]) == at


def test_before_anything_was_examined_training_says_what_is_missing(market: Market) -> None:
    with pytest.raises(ValueError, match="review or audit some claims first"):
        train(market.home, market.simulation.start, tracking=False)


def test_the_hash_of_the_data_names_values_columns_and_labels_alone() -> None:
    matrix, known = pd.DataFrame({"a": [1.0, np.nan]}, index=["C1", "C2"]), pd.DataFrame({"label": ["valid", "abusive"]})
    assert hash_of(matrix, known) == hash_of(matrix.copy(), known.copy())
    assert hash_of(matrix.rename(columns={"a": "b"}), known) != hash_of(matrix, known)
    assert hash_of(matrix.fillna(0.0), known) != hash_of(matrix, known)
    assert hash_of(matrix, known.iloc[::-1]) != hash_of(matrix, known)
