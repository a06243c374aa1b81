"""The laws of a check that is dealt to workers: the halves, the reasons and the tally of the whole file, whoever has which rows."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from data_contracts import CONTRACTS
from data_contracts.check import Checked, check
from pipelines import spark_check
from pipelines.source import read_file
from tests.pipelines.conftest import Market

TABLES = ("sellers", "customers", "products", "orders", "returns", "seller_events", "claims", "resolutions")


@pytest.fixture(scope="module")
def raw(small: Market, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw files of the small marketplace, with more that is wrong: rows twice, gaps in whole numbers, parents that are not there."""
    folder, rng = tmp_path_factory.mktemp("raw"), np.random.default_rng(7)
    for name in TABLES:
        table = pq.read_table(small.home.raw / f"{name}.parquet").slice(0, 4_000)
        again = table.take(rng.integers(0, len(table), 25))
        table = pa.concat_tables([table, again]).take(rng.permutation(len(table) + 25))
        for column in ("photo_count", "amount_cents"):
            if column in table.column_names:
                gone = pa.array(rng.random(len(table)) < 0.01)
                table = table.set_column(
                    table.schema.get_field_index(column), column, pc.if_else(gone, pa.scalar(None, pa.int64()), table[column])
                )
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


def whole(raw: Path) -> dict[str, Checked]:
    """Every table, checked at once."""
    done: dict[str, Checked] = {}
    for name in TABLES:
        parents = {rule.table: done[rule.table].accepted for rule in CONTRACTS[name].references}
        done[name] = check(read_file(raw / f"{name}.parquet").frame, CONTRACTS[name], parents, _taken(name, raw))
    return done


def _taken(name: str, raw: Path) -> pd.Index:
    """Some claims are in the lake already."""
    ids = pq.read_table(raw / f"{name}.parquet", columns=[CONTRACTS[name].key]).column(0).unique().to_pandas()
    return pd.Index(ids.head(9 if name == "claims" else 0))


def dealt(raw: Path, name: str, buckets: int, done: dict[str, Checked]) -> Checked:
    """One table, checked bucket by bucket by what workers do, each row beside what it refers to."""
    contract, path = CONTRACTS[name], raw / f"{name}.parquet"
    table = pq.read_table(path)
    rows = table.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}.get).assign(_row=range(len(table)))
    for rule in contract.references:
        columns = spark_check.compared(rule)
        theirs = {column: spark_check._theirs(rule.table, column) for column in columns if column != rule.column}
        parent = done[rule.table].accepted[columns].rename(columns=theirs)
        rows = rows.merge(parent.assign(**{spark_check._theirs(rule.table, rule.column): True}), "left", rule.column)
    known = rows[contract.key].isin(_taken(name, raw))
    places = rows[contract.key].map(lambda key: crc32(str(key).encode()) % buckets)
    travelled = pa.Table.from_pandas(rows.assign(_taken=known.where(known, None).astype("boolean")), preserve_index=False)
    parts = [
        spark_check.judged(contract, table.column_names, spark_check.gaps(path), travelled.filter(pa.array(places == bucket)))
        for bucket in np.random.default_rng(buckets).permutation(places.unique())
    ]
    return spark_check._together(pa.concat_tables(parts).sort_by("_row"), contract, table.column_names)


@pytest.mark.parametrize("buckets", [1, 7])
def test_what_workers_find_in_their_buckets_is_what_the_check_finds_in_the_whole(raw: Path, buckets: int) -> None:
    done = whole(raw)
    for name in TABLES:
        assert spark_check.can(raw / f"{name}.parquet", CONTRACTS[name])
        found, expected = dealt(raw, name, buckets, done), done[name]
        assert_frame_equal(found.accepted, expected.accepted)
        assert_frame_equal(found.quarantined, expected.quarantined)
        assert dict(found.tally) == dict(expected.tally) and list(found.tally) == list(expected.tally)
        assert np.array_equal(found.sound, expected.sound)
    assert sum(len(half.quarantined) for half in done.values()) > 200
    assert any("already in the lake" in rule for rule in done["claims"].tally)


def test_a_file_that_can_be_judged_only_as_a_whole_is_not_for_spark(raw: Path, tmp_path: Path) -> None:
    claims = pq.read_table(raw / "claims.parquet")
    contract = CONTRACTS["claims"]
    odd = {
        "text": claims.set_column(claims.schema.get_field_index("amount_cents"), "amount_cents", claims["amount_cents"].cast(pa.string())),
        "less": claims.drop_columns(["narrative"]),
        "more": claims.append_column("mood", pa.nulls(len(claims), pa.string())),
    }
    for name, table in odd.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
        assert not spark_check.can(tmp_path / f"{name}.parquet", contract)
    pq.write_table(claims, tmp_path / "uncounted.parquet", write_statistics=False)
    assert not spark_check.can(tmp_path / "uncounted.parquet", contract)
    claims.to_pandas().to_csv(tmp_path / "claims.csv")
    assert not spark_check.can(tmp_path / "claims.csv", contract)
