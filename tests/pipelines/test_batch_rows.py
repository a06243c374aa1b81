"""Feature rows read some at a time are those of the whole matrix, in the order asked for, and little of the file is read twice."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.batch_rows import HeldRows, StoredRows

ROWS, GROUP = 500, 64


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"a": rng.random(ROWS), "b": rng.random(ROWS)}, index=pd.Index([f"C{i}" for i in range(ROWS)], name="claim_id", dtype="str")
    )
    frame.iloc[::7, 0] = np.nan
    path = tmp_path_factory.mktemp("matrix") / "matrix.parquet"
    pq.write_table(pa.Table.from_pandas(frame), path, row_group_size=GROUP)
    return path, frame


@given(
    st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=200, unique=True),
    st.lists(st.integers(0, 200), min_size=0, max_size=4),
    st.booleans(),
)
@settings(max_examples=60)
def test_pieces_of_any_size_and_order_are_the_rows_of_the_whole(
    matrix: tuple[Path, pd.DataFrame], numbers: list[int], cuts: list[int], in_order: bool
) -> None:
    path, frame = matrix
    wanted = np.array(sorted(numbers) if in_order else numbers)
    stored, held = StoredRows(path, wanted), HeldRows(frame.iloc[wanted])
    bounds = sorted({0, len(wanted), *(cut for cut in cuts if cut < len(wanted))})
    for start, stop in pairwise(bounds):
        pd.testing.assert_frame_equal(stored.rows(slice(start, stop)), held.rows(slice(start, stop)))
        pd.testing.assert_frame_equal(stored.rows(slice(start, stop)), frame.iloc[wanted[start:stop]])


def test_a_file_in_the_order_of_the_claims_is_read_once(matrix: tuple[Path, pd.DataFrame], monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = matrix
    read: list[int] = []
    plain = pq.ParquetFile.read_row_group
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda self, group: read.append(group) or plain(self, group))
    stored = StoredRows(path, np.arange(ROWS))
    for start in range(0, ROWS, 50):
        stored.rows(slice(start, min(start + 50, ROWS)))
    assert read == list(range(-(-ROWS // GROUP)))
