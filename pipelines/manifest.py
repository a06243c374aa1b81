"""What a run did, as one JSON file: what, up to when, with which versions, on which inputs, how much of it, how it ended.

Every verb that a scheduler calls leaves one, whoever the scheduler is: ``runs/<verb>-<as_of>.json``. It is written when the work is
done, in one step, and a run repeated for the same instant replaces it; so a missing manifest means a run that did not finish.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data_contracts import CONTRACTS
from pipelines.home import Home
from pipelines.lake import Lake

PACKAGES = ("duckdb", "lightgbm", "numba", "numpy", "pandas", "pyarrow", "sqlalchemy", "touchstone")
"""Whose versions a manifest names."""

_DERIVED = ("decisions",)
_TAIL = 8


@dataclass(frozen=True)
class Manifest:
    """What one run did.

    Parameters
    ----------
    verb
        What was done, one word or several joined by ``-``.
    as_of
        Nothing at or after this instant was read.
    started_at, finished_at
        By the clock of the machine, UTC.
    exit_code
        0 done, 1 done and the answer is no.
    counts
        How much of what.
    inputs
        :func:`inputs_hash` of the lake as the run found it.
    versions
        Of Python and of :data:`PACKAGES`.
    """

    verb: str
    as_of: datetime
    started_at: datetime
    finished_at: datetime
    exit_code: int
    counts: Mapping[str, Any]
    inputs: str
    versions: Mapping[str, str]

    @property
    def name(self) -> str:
        """The file's name without its ending.

        >>> from datetime import UTC
        >>> noon = datetime(2025, 4, 8, 12, tzinfo=UTC)
        >>> Manifest("score", noon, noon, noon, 0, {}, "", {}).name
        'score-2025-04-08T120000'
        """
        return f"{self.verb}-{self.as_of:%Y-%m-%dT%H%M%S}"


def record(
    home: Home,
    verb: str,
    as_of: datetime,
    started_at: datetime,
    finished_at: datetime,
    counts: Mapping[str, Any],
    inputs: str,
    exit_code: int = 0,
) -> Path:
    """Write the manifest of a run that is done, and return its file.

    Parameters
    ----------
    home
        Where it is written, into ``runs/``.
    verb, as_of, started_at, finished_at, counts, inputs, exit_code
        As in :class:`Manifest`; the versions are those of this process.
    """
    run = Manifest(verb, as_of, started_at, finished_at, exit_code, dict(counts), inputs, versions())
    return Lake(home.root).manifest(run.name, asdict(run))


@dataclass
class Telling:
    """What a run tells of itself while it works: how much of what, and 1 where the answer is no."""

    counts: dict[str, Any] = field(default_factory=dict)
    exit_code: int = 0


@contextmanager
def recorded(home: Home, verb: str, as_of: datetime, clock: Callable[[], datetime]) -> Iterator[Telling]:
    """Yield what the work in the block tells of itself; its manifest is written when it is done, and not if it fails.

    Parameters
    ----------
    home, verb, as_of
        As for :func:`record`.
    clock
        Tells the present instant, UTC.
    """
    started, inputs, told = clock(), inputs_hash(home), Telling()
    yield told
    record(home, verb, as_of, started, clock(), told.counts, inputs, told.exit_code)


def utc_now() -> datetime:
    """Return the present instant by the clock of the machine; entry points pass it on."""
    return datetime.now(UTC)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}


def inputs_hash(home: Home) -> str:
    """Return a hash of everything in the lake but decisions: equal files, equal hash, wherever they lie.

    Notes
    -----
    Of each file it takes table, batch, size and Parquet footer, which holds the schema, the number of rows and the least and greatest
    value of every column in every row group: reading gigabytes every hour would say little more.
    """
    digest = hashlib.sha256()
    lake = Lake.of(home)
    for file in (file for table in sorted(CONTRACTS) if table not in _DERIVED for file in lake.files(table)):
        digest.update(f"{file.parent.name}/{file.stem} {file.stat().st_size}\n".encode())
        digest.update(_footer(file))
    return digest.hexdigest()


def _footer(file: Path) -> bytes:
    with file.open("rb") as opened:
        opened.seek(-_TAIL, 2)
        length = int.from_bytes(opened.read(4), "little")
        opened.seek(-_TAIL - length, 2)
        return opened.read(length)
