"""The lake on object storage: what goes in comes out on every machine, whole or not at all, whoever else writes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec
import pandas as pd
import pytest
import s3fs
from fsspec.implementations.memory import MemoryFileSystem
from pandas.testing import assert_frame_equal

from data_contracts import ContractError
from pipelines import far as far_module
from pipelines.build import kept_matrix
from pipelines.far import Far
from pipelines.home import LAKE, Home
from pipelines.lake import Lake
from pipelines.manifest import inputs_hash
from tests.console import touchstone
from tests.objects import serving
from tests.pipelines.conftest import Market
from tests.pipelines.test_lake import sellers

BUCKET = "lakes"


@pytest.fixture(scope="module")
def storage() -> Iterator[s3fs.S3FileSystem]:
    with serving(BUCKET) as found:
        yield found


@pytest.fixture(params=["memory", "s3"])
def address(request: pytest.FixtureRequest) -> str:
    """A place of its own, in memory and on a server."""
    if request.param == "s3":
        request.getfixturevalue("storage")
        return f"s3://{BUCKET}/{uuid4().hex}"
    return in_memory()


def in_memory() -> str:
    name = uuid4().hex
    fsspec.filesystem("memory").mkdir(f"/{name}")
    return f"memory://{name}"


def machine(root: Path, address: str) -> Home:
    return Home(root, lake=address)


def objects(address: str) -> dict[str, bytes]:
    system, root = fsspec.core.url_to_fs(address)
    system.invalidate_cache()
    return {name.removeprefix(root): system.cat_file(name) for name in system.find(root)}


def test_what_one_machine_appends_another_reads_equal_and_in_the_order_of_batches(address: str, tmp_path: Path) -> None:
    one, two = machine(tmp_path / "one", address), machine(tmp_path / "two", address)
    Lake.of(one).append("sellers", sellers("S3", "S1"), batch="b")
    Lake.of(two).append("sellers", sellers("S2"), batch="a")
    Lake.of(two).quarantine("sellers", pd.DataFrame({"seller_id": ["S 1"], "reasons": ["seller_id: odd"]}), batch="b")
    for home in (one, two):
        lake = Lake.of(home)
        assert_frame_equal(lake.read("sellers"), sellers("S2", "S3", "S1"))
        assert lake.quarantined("sellers").reasons.tolist() == ["seller_id: odd"]
        assert not (home.root / "lake").exists()
    assert inputs_hash(one) == inputs_hash(two)


def test_a_batch_written_again_replaces_itself_and_equal_bytes_write_nothing(address: str, tmp_path: Path) -> None:
    one, two = machine(tmp_path / "one", address), machine(tmp_path / "two", address)
    Lake.of(one).append("sellers", sellers("S1", "S2"), batch="a")
    Lake.of(two)
    Lake.of(one).append("sellers", sellers("S9"), batch="a")
    assert Lake.of(two).read("sellers").seller_id.tolist() == ["S9"]
    before, lakes = objects(address), [Lake.of(home) for home in (one, two)]
    (written,) = {lake.files("sellers")[0].stat().st_mtime_ns for lake in lakes}
    for lake in lakes:
        lake.append("sellers", sellers("S9"), batch="a")
        assert lake.files("sellers")[0].stat().st_mtime_ns == written
    assert objects(address) == before


def test_a_lake_is_seen_as_it_was_when_it_was_asked_for_and_only_what_changed_is_fetched(address: str, tmp_path: Path) -> None:
    one, two = machine(tmp_path / "one", address), machine(tmp_path / "two", address)
    Lake.of(one).publish({"sellers": sellers("S1")}, {}, "a")
    seen = Lake.of(two)
    (first,) = seen.files("sellers")
    untouched = first.stat().st_ctime_ns
    Lake.of(one).publish({"sellers": sellers("S2")}, {}, "b")
    assert seen.read("sellers").seller_id.tolist() == ["S1"]
    assert Lake.of(two).read("sellers").seller_id.tolist() == ["S1", "S2"]
    assert first.stat().st_ctime_ns == untouched


def test_an_error_while_publishing_leaves_storage_and_copy_as_they_were(address: str, tmp_path: Path) -> None:
    home = machine(tmp_path, address)
    Lake.of(home).append("sellers", sellers("S1"), batch="a")
    before = objects(address)
    with pytest.raises(ContractError, match="customers: expected accepted rows"):
        Lake.of(home).publish({"sellers": sellers("S2"), "customers": sellers("C1")}, {"sellers": sellers("S3")}, batch="a")
    assert objects(address) == before
    assert Lake.of(home).read("sellers").seller_id.tolist() == ["S1"] and not list(tmp_path.rglob("*.tmp"))


class Busy(MemoryFileSystem):
    """Storage on which, once, somebody else writes between our look and our entry."""

    protocol = "busy"
    meanwhile: list[Callable[[], Any]] = []
    after: list[BaseException] = []

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix("busy://")))

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        if mode != "create" or not (self.meanwhile or self.after):
            super().pipe_file(path, value, mode=mode, **kwargs)
            return
        after = self.after.pop() if self.after else None
        if self.meanwhile:
            self.meanwhile.pop()()
        super().pipe_file(path, value, mode=mode, **kwargs)
        if after is not None:
            raise after


@pytest.fixture
def busy() -> str:
    fsspec.register_implementation("busy", Busy, clobber=True)
    return in_memory().replace("memory", "busy")


def test_of_two_writers_at_once_neither_loses_its_batch(busy: str, tmp_path: Path) -> None:
    one, two = Lake.of(machine(tmp_path / "one", busy)), Lake.of(machine(tmp_path / "two", busy))
    Busy.meanwhile.append(lambda: two.append("sellers", sellers("S2"), batch="b"))
    one.append("sellers", sellers("S1"), batch="a")
    for name in ("one", "two"):
        assert Lake.of(machine(tmp_path / name, busy)).read("sellers").seller_id.tolist() == ["S1", "S2"]


@pytest.mark.parametrize("dies", [False, True])
def test_a_writer_who_comes_after_the_log_was_tidied_beyond_its_number_loses_nothing(
    busy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies: bool
) -> None:
    monkeypatch.setattr(far_module, "KEPT", 3)
    one, two = Lake.of(machine(tmp_path / "one", busy)), Lake.of(machine(tmp_path / "two", busy))
    one.append("sellers", sellers("S0"), batch="a")
    Busy.meanwhile.append(lambda: [two.append("sellers", sellers(f"T{number}"), batch="b") for number in range(6)])
    if dies:
        Busy.after.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt) if dies else nullcontext():
        one.append("sellers", sellers("S1"), batch="a")
    for number in range(6):
        two.append("sellers", sellers(f"U{number}"), batch="b")
        seen = Lake.of(machine(tmp_path / f"three-{number}", busy)).read("sellers")
        assert seen.seller_id.tolist() == ["S0" if dies else "S1", f"U{number}"]


def test_an_entry_whose_answer_was_lost_is_known_for_ours(busy: str, tmp_path: Path) -> None:
    lake = Lake.of(machine(tmp_path, busy))
    Busy.after.append(OSError("412"))
    lake.append("sellers", sellers("S1"), batch="a")
    assert lake.far is not None and lake.far.newest().number == 1
    assert Lake.of(machine(tmp_path, busy)).read("sellers").seller_id.tolist() == ["S1"]


def test_what_is_no_longer_named_goes_so_many_entries_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(far_module, "KEPT", 3)
    home = machine(tmp_path, address := in_memory())
    for number in range(8):
        Lake.of(home).append("sellers", sellers(f"S{number}"), batch="a")
    names = [name for name in objects(address) if not name.startswith("/_log/")]
    entries = [name for name in objects(address) if name.startswith("/_log/")]
    assert (len(names), len(entries)) == (4, 3)
    assert Lake.of(home).read("sellers").seller_id.tolist() == ["S7"]


def test_what_is_broken_or_gone_in_the_copy_is_fetched_again_and_what_nobody_named_is_removed(address: str, tmp_path: Path) -> None:
    home = machine(tmp_path, address)
    Lake.of(home).publish({"sellers": sellers("S1")}, {"sellers": pd.DataFrame({"reasons": ["x"]})}, "a")
    (file,) = Lake.of(home).files("sellers")
    file.write_bytes(b"broken")
    file.with_name("stray.parquet").write_bytes(b"")
    assert Lake.of(home).read("sellers").seller_id.tolist() == ["S1"]
    file.unlink()
    assert Lake.of(home).batches("sellers") == ["a"]


def test_an_object_that_is_not_what_was_written_is_refused(tmp_path: Path) -> None:
    Lake.of(machine(tmp_path / "one", address := in_memory())).append("sellers", sellers("S1"), batch="a")
    system, root = fsspec.core.url_to_fs(address)
    (name,) = system.find(f"{root}/lake")
    system.pipe_file(name, system.cat_file(name)[:-1] + b"?")
    with pytest.raises(ContractError, match="is not what was written"):
        Lake.of(machine(tmp_path / "two", address))


KILLED = """
import os, signal, sys
from pathlib import Path
import s3fs
from pipelines.home import Home
from pipelines.lake import Lake
from tests.pipelines.conftest import Market
from tests.pipelines.test_lake import sellers
sync = s3fs.S3FileSystem.pipe_file
def die(self, path, value, mode="overwrite", **kwargs):
    if sys.argv[3] == "after":
        sync(self, path, value, mode=mode, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
s3fs.S3FileSystem.pipe_file = die
Lake.of(Home(Path(sys.argv[1]), lake=sys.argv[2])).publish({"sellers": sellers("S2"), "customers": CUSTOMERS}, {}, "a")
""".replace("CUSTOMERS", 'Lake(Path("/nowhere")).read("customers")')


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_writer_killed_before_its_entry_wrote_nothing_and_after_it_everything(
    storage: s3fs.S3FileSystem, tmp_path: Path, moment: str
) -> None:
    home = machine(tmp_path, f"s3://{BUCKET}/killed-{moment}")
    Lake.of(home).append("sellers", sellers("S1"), batch="a")
    root = Path(__file__).parents[2]
    call = [sys.executable, "-c", KILLED, str(tmp_path), home.lake, moment]
    assert subprocess.run(call, cwd=root, env=os.environ | {"PYTHONPATH": str(root)}, check=False).returncode == -signal.SIGKILL
    after = moment == "after"
    for seen in (home, machine(tmp_path / "elsewhere", home.lake)):
        assert Lake.of(seen).read("sellers").seller_id.tolist() == (["S2"] if after else ["S1"])
        assert Lake.of(seen).batches("customers") == (["a"] if after else [])
    Lake.of(home).append("sellers", sellers("S3"), batch="a")
    assert Lake.of(home).read("sellers").seller_id.tolist() == ["S3"]


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("s3://no-such-bucket/lake", "found FileNotFoundError: no bucket 'no-such-bucket'"),
        ("memory://no-such-place/lake", "found FileNotFoundError: no bucket '/no-such-place'"),
        ("nowhere://bucket/lake", "found ValueError: Protocol not known: nowhere"),
    ],
)
def test_a_place_that_is_not_there_is_said_and_no_empty_lake(storage: s3fs.S3FileSystem, tmp_path: Path, address: str, found: str) -> None:
    with pytest.raises(ContractError, match=f"{address}: expected object storage that we may use, {found}"):
        Lake.of(machine(tmp_path, address))


def test_whoever_may_not_read_is_told_so(storage: s3fs.S3FileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(ContractError, match=r"found \w+: .*[Cc]redentials"):
            Lake.of(machine(tmp_path, f"s3://{BUCKET}/lake"))
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_the_environment_says_where_the_lake_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for named, found in (
        ("", ""), ("s3://bucket/lake/", "s3://bucket/lake"), ("data", str(tmp_path / "data")), (f"file://{tmp_path}/x", f"{tmp_path}/x")
    ):  # fmt: skip
        assert Home.at(tmp_path, {LAKE: named}).lake == found
    assert Lake.of(Home(tmp_path)).root == tmp_path
    lake = Lake.of(Home(tmp_path / "home", lake=str(tmp_path / "data")))
    lake.append("sellers", sellers("S1"), batch="a")
    assert (tmp_path / "data" / "lake" / "sellers" / "a.parquet").exists() and not (tmp_path / "home").exists()


def test_a_copy_is_that_of_its_address_and_a_kept_matrix_is_not_another_lakes(tmp_path: Path) -> None:
    one, two = (machine(tmp_path, in_memory()) for _ in range(2))
    Lake.of(one).append("sellers", sellers("S1"), batch="a")
    assert Lake.of(two).read("sellers").empty and kept_matrix(two) is None
    assert Lake.of(one).read("sellers").seller_id.tolist() == ["S1"]
    assert isinstance(Lake.of(one).far, Far)


def test_every_verb_of_a_week_reads_and_writes_the_lake_where_it_lies(
    small: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = small.copy(tmp_path / "here"), small.copy(tmp_path / "there")
    shutil.rmtree(there.home.root / "lake")
    monkeypatch.setenv(LAKE, address := in_memory())
    moved = Home.at(there.home.root)
    assert touchstone("validate", "--no-docs", "--home", str(there.home.root)).code == 0
    live = small.simulation.live_from
    for name, days in (("score", 21), ("resolve", 42), ("monitor", 21), ("report", 42)):
        for market, named in ((here, ""), (there, address)):
            monkeypatch.setenv(LAKE, named)
            ran = touchstone(name, "--as-of", f"{live + timedelta(days=days):%Y-%m-%d}", "--home", str(market.home.root))
            assert ran.code in ((0, 1) if name == "monitor" else (0,)), ran.err
    assert not (there.home.root / "lake").exists()
    for table, rows in Lake.of(here.home).tables().items():
        assert_frame_equal(Lake.of(moved).read(table), rows)
    assert len(Lake.of(moved).read("decisions")) > 10 and len(Lake.of(moved).batches("resolutions")) > 1
