"""Answers that wait on disk: whatever the order in which they came, each is handed out once, in the order of the claims."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.ordered import CHUNK, Waiting, chunks, slices, write
from tests.strategies import FEW


@FEW
@given(st.integers(1, 2 * CHUNK), st.integers(1, 5), st.integers(0, 1_000))
def test_answers_come_back_in_the_order_of_the_claims(claims: int, pieces: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.random((claims, 2))
    with tempfile.TemporaryDirectory() as folder:
        waiting = Waiting(Path(folder), (1, 2))
        for rows in np.array_split(rng.permutation(claims), pieces):
            waiting.put(1, rows, values[rows])
        for number, start in enumerate(range(0, claims, CHUNK)):
            np.testing.assert_array_equal(waiting.take(1, number, min(CHUNK, claims - start)), values[start : start + CHUNK])
        assert not list(Path(folder).iterdir())


@pytest.mark.parametrize("rows", [[0, 1], [0, 1, 1], [0, 1, 2, 2]])
def test_a_claim_without_an_answer_or_with_two_is_a_bug_that_is_told(rows: list[int], tmp_path: Path) -> None:
    waiting = Waiting(tmp_path, (1,))
    waiting.put(0, np.array(rows), np.zeros((len(rows), 1)))
    with pytest.raises(ValueError, match="expected one answer for each of 3 claims"):
        waiting.take(0, 0, 3)


def test_files_are_read_as_chunks_that_do_not_mind_where_a_file_ends(tmp_path: Path) -> None:
    sizes = (CHUNK - 1, 0, 3, 2 * CHUNK, 5)
    numbers = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    files = [tmp_path / f"{at}.parquet" for at in range(len(sizes))]
    for file, mine in zip(files, numbers, strict=True):
        pq.write_table(pa.table({"n": mine, "unread": mine}), file)
    found = list(chunks(files, ["n"]))
    assert [len(chunk) for chunk in found] == [CHUNK, CHUNK, CHUNK, sum(sizes) - 3 * CHUNK]
    assert pa.concat_tables(found).equals(pa.table({"n": np.arange(sum(sizes))}))


def test_a_written_matrix_reads_as_it_was_and_says_what_it_was_told(tmp_path: Path) -> None:
    index = pd.Index([f"C{n}" for n in range(CHUNK + 1)], name="claim_id", dtype="str")
    matrix = pd.DataFrame({"a": np.arange(CHUNK + 1) / 3, "b": np.nan}, index=index)
    assert write(slices(matrix), tmp_path / "m.parquet", {b"made_from": b"this"}) == (CHUNK + 1, 2)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "m.parquet"), matrix, check_exact=True)
    kept = pq.ParquetFile(tmp_path / "m.parquet")
    assert kept.schema_arrow.metadata[b"made_from"] == b"this" and kept.num_row_groups == 2
    kept.close()
