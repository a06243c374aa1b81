"""What training on a file leaves: a bundle that can be loaded, decisions of the claims nobody had judged, nothing in the home."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data_contracts import DECISIONS
from data_contracts.check import check
from models.classifier import Hyperparameters
from models.policy import default_policy
from models.shelf import Shelf
from pipelines.home import Home
from pipelines.ingest import Ingested
from pipelines.kept_source import KeptSource, keep
from pipelines.lake import Lake
from tests.pipelines.test_train_ingested import claims, file

POLICY, QUICK = default_policy(), Hyperparameters(max_depth=2, num_leaves=4, max_rounds=20, patience=5, max_bin=31)
OPEN = 30


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Ingested, KeptSource]:
    rows = claims(300)
    rows["fraud"] = rows["fraud"].astype("Int64").where(np.arange(len(rows)) >= OPEN)
    ingested = file(tmp_path_factory.mktemp("kept"), rows)
    return ingested, keep(ingested, POLICY, QUICK)


def test_claims_without_a_label_are_decided_with_reasons_as_the_contract_says_and_the_others_are_not(
    done: tuple[Ingested, KeptSource],
) -> None:
    ingested, kept = done
    labelled = set(ingested.lake.tables()["resolutions"]["claim_id"])
    assert len(kept.decisions) == OPEN and not set(kept.decisions["claim_id"]) & labelled
    assert check(kept.decisions, DECISIONS).sound.all()
    assert set(kept.decisions["bundle"]) == {kept.bundle} and (kept.decisions["reasons"] != "").any()
    held = Lake(ingested.lake.root, {DECISIONS.name: DECISIONS}).read(DECISIONS.name)
    assert held["claim_id"].tolist() == kept.decisions["claim_id"].tolist()
    assert kept.summary() == {"bundle": kept.bundle, "claims_decided": OPEN}


def test_the_bundle_lies_beside_its_file_can_be_loaded_and_the_home_has_none(done: tuple[Ingested, KeptSource]) -> None:
    ingested, kept = done
    shelf = Shelf(ingested.lake.root / "bundles")
    assert shelf.aliases() == {"champion": kept.bundle} and shelf.get("champion").hash == kept.bundle
    assert not Home(ingested.lake.root.parents[2]).bundles.exists()


def test_a_file_that_is_all_labelled_keeps_a_bundle_and_decides_nothing(tmp_path: Path) -> None:
    whole = file(tmp_path, claims(200))
    kept = keep(whole, POLICY, QUICK)
    assert kept.decisions.empty and list(kept.decisions.columns) == DECISIONS.arrow.names
    assert Lake(whole.lake.root, {DECISIONS.name: DECISIONS}).read(DECISIONS.name).empty
