"""Training on an ingested file: judged on rows that had no say in anything, whatever the order of the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pipelines.train_ingested
from data_contracts import ContractError
from models.classifier import Hyperparameters
from models.search import search
from pipelines.home import Home
from pipelines.ingest import Ingested, ingest
from pipelines.train_ingested import judge, labelled_rows, listed, manifest, time_mask, train_ingested
from tests.pipelines.test_ingest import MAPPING
from tests.pipelines.test_mapping import SHIPPED, small

QUICK = tuple(Hyperparameters(max_depth=d, num_leaves=2**d, max_rounds=60, patience=20, max_bin=63) for d in (1, 2))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelines.train_ingested, "search", lambda *rows, **how: search(*rows, QUICK, **how))


def file(tmp_path: Path, rows: pd.DataFrame) -> Ingested:
    (tmp_path / "small.toml").write_text(MAPPING.format(absent=small()["absent"]))
    rows.to_csv(tmp_path / "file.csv", index=False)
    return ingest(Home(tmp_path / "home"), tmp_path / "file.csv", tmp_path / "small.toml")


def claims(rows: int = 800, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, rows)
    days = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), unit="D")
    return pd.DataFrame(
        {
            "no": np.arange(rows) + 1,
            "day": days.strftime("%d.%m.%Y"),
            "paid": rng.uniform(10, 900, rows).round(2),
            "what": rng.choice(["house", "body"], rows),
            "age": age,
            "city": rng.choice(["Rome", "Oslo"], rows),
            "fraud": (rng.random(rows) < 1 / (1 + np.exp((55 - age) / 8))).astype(int),
            "remark": "x",
        }
    )


def test_later_and_listed_claims_are_judged_by_what_the_others_taught(tmp_path: Path) -> None:
    ingested = file(tmp_path, claims())
    pd.DataFrame({"claim_number": range(1, 201)}).to_csv(tmp_path / "ids.csv", index=False)
    trained = train_ingested(ingested, tmp_path / "ids.csv")
    assert trained.holdout is not None
    assert (trained.holdout.trained_on, trained.holdout.judged_on) == (600, 200)
    assert trained.time_split.trained_on + trained.time_split.judged_on == 800
    assert set(trained.summary()) == {"auc_time_split", "ap_time_split", "auc_holdout", "ap_holdout"}
    assert min(trained.time_split.auc, trained.holdout.auc) > 0.8
    assert len(manifest(trained)["holdout"]["tried"]) == len(QUICK)
    assert "auc_holdout" not in train_ingested(ingested).summary()


def test_the_order_of_the_file_changes_no_figure(tmp_path: Path) -> None:
    one = train_ingested(file(tmp_path, claims()))
    two = train_ingested(file(tmp_path, claims().sample(frac=1, random_state=3)))
    assert one == two


def test_labels_of_judged_rows_change_no_probability(tmp_path: Path) -> None:
    rows = labelled_rows(file(tmp_path, claims()))
    train = time_mask(rows.filed_at, 0.75)
    flipped = np.where(~train & (rows.labels == "valid"), "abusive", np.where(~train, "valid", rows.labels)).astype(object)
    one = judge(rows.matrix, rows.labels, rows.weights, train)
    two = judge(rows.matrix, flipped, rows.weights, train)
    assert one.tried == two.tried
    assert one.auc + two.auc == pytest.approx(1.0)


def test_claims_of_one_instant_are_on_one_side_of_the_time_split() -> None:
    filed = pd.Series(pd.to_datetime(["2025-01-01"] * 6 + ["2025-01-02"] * 4, utc=True)).sample(frac=1, random_state=1)
    assert time_mask(filed, 0.75).sum() == 6
    assert filed[time_mask(filed, 0.75)].max() < filed[~time_mask(filed, 0.75)].min()


def test_three_classes_and_unlabelled_rows_are_understood(tmp_path: Path) -> None:
    rows = claims()
    rows["fraud"] = rows["fraud"].where(rows.index % 10 > 2, 2).astype("float64").where(rows.index % 10 < 9)
    trained = train_ingested(file(tmp_path, rows))
    assert trained.time_split.trained_on + trained.time_split.judged_on == 720
    assert trained.time_split.auc > 0.6


def test_a_list_that_names_no_claim_and_too_few_labels_are_errors(tmp_path: Path) -> None:
    ingested = file(tmp_path, claims())
    pd.DataFrame({"claim_number": [-1, -2]}).to_csv(tmp_path / "ids.csv", index=False)
    with pytest.raises(ContractError, match=r"ids\.csv: expected claim numbers of the ingested file"):
        train_ingested(ingested, tmp_path / "ids.csv")
    with pytest.raises(ContractError, match="expected at least 10 labelled abusive"):
        train_ingested(file(tmp_path, claims(30).assign(fraud=0)))


def test_numbers_written_as_floats_or_with_blanks_are_the_same_claims(tmp_path: Path) -> None:
    ingested = file(tmp_path, claims(20))
    (tmp_path / "ids.csv").write_text("claim_number\n1.0\n 2\n\n3\n")
    assert listed(ingested, tmp_path / "ids.csv") == {"A1", "A2", "A3"}


def test_the_travelers_claims_can_be_ranked_and_shuffled_labels_cannot(tmp_path: Path, yardsticks: Path) -> None:
    folder = yardsticks / "travelers"
    if not (folder / "claims.csv").is_file():
        pytest.skip(f"no Travelers claims in {folder}; set TOUCHSTONE_YARDSTICKS to the folder of outside data")
    rows = labelled_rows(ingest(Home(tmp_path), folder / "claims.csv", SHIPPED))
    later = time_mask(rows.filed_at, 0.75)
    # A quick setting for a quick test; what the shipped search reaches is measured by benchmarks/travelers.py.
    assert judge(rows.matrix, rows.labels, rows.weights, later).auc > 0.66
    permuted = np.random.default_rng(1).permutation(rows.labels)
    assert judge(rows.matrix, permuted, rows.weights, later).auc == pytest.approx(0.5, abs=0.03)
