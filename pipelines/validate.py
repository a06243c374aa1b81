"""Raw files → the lake: good rows accepted, bad rows quarantined with every reason, nothing lost, nothing half-written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_contracts import CONTRACTS, Contract, ContractError
from data_contracts.check import REASONS, Checked, check, is_new_and_refers
from features.names import Names
from pipelines.engine import Carrier, Engine
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.sound_file import sound_file
from pipelines.source import Arrived, read_file
from pipelines.spark_check import compared

_TOP = 10


@dataclass(frozen=True)
class Counts:
    """What became of one table's rows.

    Parameters
    ----------
    read, accepted, quarantined
        Rows; ``accepted + quarantined == read``.
    reasons
        How many rows broke each rule, the ten most frequent.
    """

    read: int
    accepted: int
    quarantined: int
    reasons: Mapping[str, int]

    @property
    def top_reason(self) -> str:
        """The most frequent reason; empty if every row was accepted."""
        return next(iter(self.reasons), "")


@dataclass(frozen=True)
class Validated:
    """The outcome of one batch.

    Parameters
    ----------
    batch
        Its name.
    tables
        Counts by table, in the order of the contracts.
    docs
        The folder of the HTML data docs, if they were asked for.
    """

    batch: str
    tables: Mapping[str, Counts]
    docs: Path | None


def validate(
    home: Home, source: Path | None = None, batch: str = "initial", docs: bool = True, carrier: Carrier | None = None
) -> Validated:
    """Check a set of tables against their contracts and publish both halves in one step.

    References and keys are judged against this batch and every other batch of the lake. Running a batch again replaces it.

    Parameters
    ----------
    home
        Where the lake is.
    source
        A folder of ``<table>.parquet`` or ``<table>.csv`` files, or one such file; ``home.raw`` by default.
    batch
        Name of the batch.
    docs
        Also run the Great Expectations suites on the accepted rows and write their data docs to ``home.data_docs``.
    carrier
        With Spark, its workers check the files that :func:`pipelines.spark_check.can` names; the outcome is the same.

    Returns
    -------
    Validated
        Rows read, accepted and quarantined by table; the same is written to ``runs/validate-<batch>.json``.

    Raises
    ------
    ContractError
        If a file cannot be read by its contract at all, or the suites contradict the check; the lake is then as it was.
    """
    files = _files(home.raw if source is None else source)
    lake = Lake.of(home)
    checked: dict[str, Checked] = {}
    quarantined: dict[str, pd.DataFrame] = {}
    counts: dict[str, Counts] = {}
    whole: dict[str, bytes] = {}
    with _by_spark(home, lake, batch, carrier) as spark:
        for table, path in files.items():
            found = None if spark is None else spark(path, CONTRACTS[table], checked)
            arrived, checked[table] = found or _here(path, lake, CONTRACTS[table], checked, batch, whole)
            quarantined[table] = pd.concat([checked[table].quarantined, arrived.broken], ignore_index=True)
            counts[table] = count(table, arrived, checked[table], quarantined[table])
    accepted = {table: half.accepted for table, half in checked.items()}
    if docs:
        bear_witness(accepted, CONTRACTS, batch, home.data_docs)
    published: dict[str, pd.DataFrame | bytes] = {**accepted, **whole}
    lake.publish(published, quarantined, batch)
    Lake(home.root).manifest(f"validate-{batch}", {"batch": batch, "tables": {table: asdict(c) for table, c in counts.items()}})
    return Validated(batch, counts, home.data_docs if docs else None)


def bear_witness(accepted: Mapping[str, pd.DataFrame], contracts: Mapping[str, Contract], batch: str, docs: Path) -> None:
    """Run the suites on accepted rows, write the data docs, and raise ``ContractError`` if they contradict the check."""
    from data_contracts.expectations import witness  # seconds to import, and only wanted here

    seen = witness(accepted, contracts, run=batch, docs=docs)
    against = [f"{table}: {failed}" for table, found in seen.items() for failed in found.failed]
    if against:
        raise ContractError("the expectation suites contradict the check, nothing was published: " + "; ".join(against))


def count(table: str, arrived: Arrived, checked: Checked, quarantined: pd.DataFrame) -> Counts:
    """Count the halves of a table; ``ContractError`` if a row was lost or doubled on the way."""
    found = Counts(arrived.read, len(checked.accepted), len(quarantined), {})
    if found.accepted + found.quarantined != found.read:
        raise ContractError(f"{table}: expected accepted + quarantined = read, found {found}; nothing was published")
    tally = dict(checked.tally)
    if len(arrived.broken):
        tally["row: expected as many fields as the header"] = len(arrived.broken)
    top = sorted(tally.items(), key=lambda item: (-item[1], item[0]))[:_TOP]
    return Counts(found.read, found.accepted, found.quarantined, dict(top))


Judge = Callable[[Path, Contract, Mapping[str, Checked]], "tuple[Arrived, Checked] | None"]
"""Checks a file, given what was accepted of this batch; ``None``: not one of mine."""


@contextmanager
def _by_spark(home: Home, lake: Lake, batch: str, carrier: Carrier | None) -> Iterator[Judge | None]:
    """Yield a judge that lets Spark check what it can, if that is asked for."""
    if carrier is None or carrier.engine is not Engine.SPARK:
        yield None
        return
    from features.spark_session import session  # an extra
    from pipelines import spark_check

    others = {table: [file for file in lake.files(table) if file.stem != batch] for table in CONTRACTS}
    home.root.mkdir(parents=True, exist_ok=True)
    with session(carrier.master, carrier.bound) as opened, TemporaryDirectory(prefix=".spark-", dir=home.root) as near:
        spark = spark_check.SparkCheck(opened, others, Path(near))

        def judge(path: Path, contract: Contract, done: Mapping[str, Checked]) -> tuple[Arrived, Checked] | None:
            if not spark_check.can(path, contract):
                return None
            found = spark.halves(path, contract, {table: half.accepted for table, half in done.items()})
            rows = pd.DataFrame(index=pd.RangeIndex(pq.read_metadata(path).num_rows))  # they are with the workers
            return Arrived(rows, pd.DataFrame({REASONS: pd.Series(dtype="str")})), found

        yield judge


def _here(
    path: Path, lake: Lake, contract: Contract, done: Mapping[str, Checked], batch: str, whole: dict[str, bytes]
) -> tuple[Arrived, Checked]:
    """Read and check a file in this process; one that the lake can keep as it came is added to ``whole``."""
    sound = sound_file(path, contract)
    if sound is not None and is_new_and_refers(sound.frame, contract, *_known(lake, contract, done, batch, sound.frame)):
        if sound.content is not None:
            whole[contract.name] = sound.content
        nothing = sound.frame.head(0).astype("str").assign(**{REASONS: pd.Series(dtype="str")})
        arrived = Arrived(sound.frame, pd.DataFrame({REASONS: pd.Series(dtype="str")}))
        return arrived, Checked(sound.frame, nothing, {}, np.ones(len(sound.frame), dtype=bool))
    arrived = read_file(path, contract)
    return arrived, check(arrived.frame, contract, *_known(lake, contract, done, batch))


def _known(
    lake: Lake, contract: Contract, done: Mapping[str, Checked], batch: str, rows: pd.DataFrame | None = None
) -> tuple[dict[str, pd.DataFrame], pd.Index]:
    """Return what rows are judged by: the accepted rows they may refer to, of this batch and all others, and the keys that are taken.

    Where the rows are sound and at hand, batch after batch of the lake is read, and of each only what they name is kept.
    """
    parents = {}
    for table in dict.fromkeys(rule.table for rule in contract.references):
        # Only what is compared: a lake holds many more rows than a batch names.
        rules = [rule for rule in contract.references if rule.table == table]
        columns, named = list(dict.fromkeys(name for rule in rules for name in compared(rule))), [rule.column for rule in rules]
        here = [done[table].accepted[columns]] if table in done else []
        parents[table] = pd.concat([_held(lake, table, columns, batch, named, rows), *here], ignore_index=True)
    taken = _held(lake, contract.name, [contract.key], batch, [contract.key], rows)
    return parents, pd.Index(taken[contract.key])


def _held(lake: Lake, table: str, columns: list[str], without: str, named: list[str], rows: pd.DataFrame | None) -> pd.DataFrame:
    """Read a table of the lake: all of it, or where rows are given what one of these columns has in common with them."""
    if rows is None:
        return lake.read(table, columns, without=without)
    keys, parts = _span(rows, *named), [lake.read(table, columns, only="")]
    wanted = {name: Names() for name in named}
    for name, names in wanted.items():
        names.number(_texts(rows[name]))
    for batch in [other for other in lake.batches(table) if other != without]:
        held = lake.read(table, named, only=batch, keys=keys)
        met = np.logical_or.reduce([names.find(_texts(held[name])) >= 0 for name, names in wanted.items()])
        if met.any():  # most batches of a lake hold nothing that a file names: their other columns are not read
            parts.append(lake.read(table, columns, only=batch, keys=keys)[met])
    return pd.concat(parts, ignore_index=True)


def _texts(column: pd.Series) -> pa.ChunkedArray:
    held = pa.array(column, from_pandas=True)
    return held if isinstance(held, pa.ChunkedArray) else pa.chunked_array([held])


def _span(rows: pd.DataFrame | None, *columns: str) -> tuple[str, str] | None:
    """Return the least and the greatest text of some columns; ``None`` where nothing is known of them."""
    if rows is None:
        return None
    found = [pc.min_max(pa.array(rows[column])) for column in columns]
    known = [(one["min"].as_py(), one["max"].as_py()) for one in found if one["min"].is_valid]
    return (min(least for least, _ in known), max(most for _, most in known)) if known else None


def _files(source: Path) -> dict[str, Path]:
    """Return the files of a source by table, referred tables first; a file nobody has a contract for is an error."""
    if source.is_file():
        found = [source]
    else:
        found = sorted(path for path in source.glob("*") if path.suffix in (".parquet", ".csv") and not path.name.startswith("."))
    if not found:
        raise ContractError(
            f"{source}: expected <table>.parquet or <table>.csv files, found none; run `touchstone simulate` or name a folder"
        )
    names = [path.stem for path in found]
    unknown = [path.name for path in found if path.stem not in CONTRACTS]
    twice = sorted({name for name in names if names.count(name) > 1})
    if unknown or twice:
        what = f"no contract for {', '.join(unknown)}" if unknown else f"two files for {', '.join(twice)}"
        raise ContractError(f"{source}: expected one file for each of the tables {', '.join(CONTRACTS)}, found {what}")
    by_table = {path.stem: path for path in found}
    return {table: by_table[table] for table in CONTRACTS if table in by_table}
