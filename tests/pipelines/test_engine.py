"""What may compute the matrix: amounts of memory and addresses are read as people write them, or refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.facts import FeatureError
from pipelines.build import build
from pipelines.engine import Carrier, Engine, memory_of
from tests.console import touchstone
from tests.pipelines.conftest import Market


@pytest.mark.parametrize(("text", "expected"), [("2GB", 2 << 30), ("1500 MB", 1500 << 20), ("0.5gib", 1 << 29), ("3TB", 3 << 40)])
def test_memory_is_read_as_people_write_it(text: str, expected: int) -> None:
    assert memory_of(text) == expected


@pytest.mark.parametrize("text", ["lots", "2", "-1GB", "2 GB of it", "", "GB"])
def test_what_is_no_amount_of_memory_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected an amount such as 2GB"):
        memory_of(text)


@pytest.mark.parametrize(
    "master", ["local", "local[2]", "local[*]", "spark://host:7077", "sc://host:15002", "k8s://https://host:6443", "yarn"]
)
def test_addresses_that_spark_knows_are_taken(master: str) -> None:
    assert Carrier(Engine.SPARK, master=master).master == master


@pytest.mark.parametrize("master", ["", "here", "local[two]", "http://host", "sc://"])
def test_addresses_that_spark_does_not_know_are_refused(master: str) -> None:
    with pytest.raises(ValueError, match=r"master: expected local\[2\]"):
        Carrier(Engine.SPARK, master=master)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads_makes_the_same_file_to_the_last_byte(market: Market, threads: int) -> None:
    path = market.home.features / "matrix.parquet"
    kept = path.read_bytes()
    path.unlink()
    build(market.home, carrier=Carrier(threads=threads))
    assert path.read_bytes() == kept


def test_the_bounded_engine_makes_the_same_file_to_the_last_byte(market: Market) -> None:
    path = market.home.features / "matrix.parquet"
    local = path.read_bytes()
    path.unlink()
    told: list[str] = []
    build(market.home, carrier=Carrier(Engine.BOUNDED, 1 << 30), report=lambda what, *_: told.append(what))
    assert path.read_bytes() == local and {"by customer", "links", "writing"} <= set(told)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("memory", [None, 8 << 30])
def test_auto_takes_arrays_where_they_fit_and_makes_the_same_file(memory: int | None, market: Market) -> None:
    path = market.home.features / "matrix.parquet"
    kept = path.read_bytes()
    path.unlink()
    told: list[str] = []
    build(market.home, carrier=Carrier(Engine.AUTO, memory), report=lambda what, *_: told.append(what))
    assert path.read_bytes() == kept and not told  # the bounded engine tells of its steps


def test_auto_is_bounded_where_arrays_do_not_fit(market: Market) -> None:
    (market.home.features / "matrix.parquet").unlink()
    with pytest.raises(FeatureError, match=r"memory: expected at least 1\.0 GB, found 0\.1 GB"):
        build(market.home, carrier=Carrier(Engine.AUTO, 100 << 20))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--engine", "abacus"], "'abacus' is not one of"),
        (["--engine", "bounded", "--memory", "lots"], "memory: expected an amount such as 2GB"),
        (["--engine", "bounded", "--memory", "100MB"], "memory: expected at least 1.0 GB, found 0.1 GB"),
        (["--engine", "spark", "--master", "moon"], "master: expected local[2]"),
        (["--threads", "0"], "threads: expected at least one, found 0"),
    ],
)
def test_a_wrong_call_ends_with_code_2_and_a_sentence(options: list[str], words: str, small: Market, tmp_path: Path) -> None:
    copied = small.copy(tmp_path / "home")
    (copied.home.features / "matrix.parquet").unlink()
    found = touchstone("build", *options, "--home", str(copied.home.root))
    said = " ".join(found.err.replace("│", " ").split())
    assert found.code == 2 and words in said and "Traceback" not in said
    assert not list(copied.home.features.iterdir())
