"""The log of ``make bench-batch`` keeps the contracts, and its peer computes what we compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks._batch_log import generate
from benchmarks.batch import summary
from benchmarks.peers import batch_pandas
from data_contracts import CONTRACTS
from data_contracts.check import check
from features.matrix import build_matrix
from pipelines.lake import frame_of

CLAIMS = 1_500


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("log")
    generate(made, CLAIMS)
    return made


@pytest.fixture(scope="module")
def tables(folder: Path) -> dict[str, pd.DataFrame]:
    held = {name: sorted(folder.glob(f"{name}-*.parquet")) for name in CONTRACTS}
    return {name: frame_of(pa.concat_tables(map(pq.read_table, files)), CONTRACTS[name]) for name, files in held.items() if files}


def test_every_row_of_the_log_keeps_its_contract(tables: dict[str, pd.DataFrame]) -> None:
    assert tables.keys() >= {"customers", "sellers", "products", "orders", "returns", "claims", "resolutions", "seller_events"}
    for name, frame in tables.items():
        assert check(frame, CONTRACTS[name], tables).quarantined.empty, name
    assert len(tables["claims"]) == CLAIMS and tables["claims"]["filed_at"].is_monotonic_increasing


def test_the_same_number_of_claims_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    generate(tmp_path, CLAIMS)
    for file in folder.iterdir():
        assert pq.read_table(file).equals(pq.read_table(tmp_path / file.name))


def test_what_the_pandas_script_computes_is_what_we_compute(folder: Path, tables: dict[str, pd.DataFrame]) -> None:
    theirs = batch_pandas.features(batch_pandas.read(folder), batch_pandas.checked(batch_pandas.read(folder)))
    ours = build_matrix(tables).loc[theirs.index]
    assert len(theirs) == CLAIMS
    shared = [name for name in theirs if name in ours]
    assert len(shared) > 80
    for name in shared:
        np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-12, err_msg=name)


def test_ratios_are_those_of_the_largest_size_that_both_finished() -> None:
    took = {100: 1.0, 1_000: 9.0, 10_000: 80.0}
    rows = [
        *(
            {"engine": "ours", "claims_in_log": size, "seconds": seconds, "cpu_seconds": seconds * 2, "peak_gb": 1.0}
            for size, seconds in took.items()
        ),
        *(
            {"engine": "ours, bounded", "claims_in_log": n, "seconds": n / 100, "peak_gb": p, "anonymous_gb": p / 2 + (n > 1_000)}
            for n, p in ((1_000, 2.0), (10_000, 3.0), (50_000, 3.5))
        ),
        {"engine": "pandas + mlflow", "claims_in_log": 100, "seconds": 20.0, "cpu_seconds": 20.0, "peak_gb": 1.0, "features": 80},
        {"engine": "pandas + mlflow", "claims_in_log": 1_000, "seconds": 270.0, "cpu_seconds": 270.0, "peak_gb": 9.0, "features": 80},
        {"engine": "pandas + mlflow", "claims_in_log": 10_000, "error": "did not finish within 240 s"},
        {"engine": "features, local", "claims_in_log": 100, "seconds": 2.0},
        {"engine": "features, spark", "claims_in_log": 100, "seconds": 50.0},
        {"engine": "features, local", "claims_in_log": 1_000, "seconds": 4.0},
        {"engine": "features, spark", "claims_in_log": 1_000, "seconds": 60.0},
    ]
    found = summary(rows, (100, 1_000, 10_000, 50_000))
    assert found["metrics"]["largest_claims"] == 50_000
    assert found["ratios"] == {
        "vs_pandas_mlflow": 30.0,
        "vs_pandas_mlflow_cpu": 15.0,
        "time_growth_10x": 80 / 9,
        "bounded_time_growth_10x": 10.0,
        "bounded_peak_growth_10x": 1.5,
        "bounded_anonymous_growth_10x": 2.5,
        "spark_vs_local_features": 15.0,
        "spark_vs_local_features_100": 25.0,
        "spark_vs_local_features_1000": 15.0,
    }
