"""The lake on object storage: objects that are never changed, and a log that says which of them are the lake.

Object stores cannot rename. So a batch is written as an object of a name that nobody has used before, and becomes part of the lake by
the next entry of the log, ``_log/<number>.json``, which names every batch there is: several tables at once, whole or not at all. An entry
is written on condition that there is none of its number, so of two writers at once one is first, and the other looks again and takes the
number after. What an entry no longer names is deleted so many entries later that whoever still reads it has had the time to.

Readers take the newest entry, and keep a copy of what it names on their own disk: only what has changed is fetched. Every engine then
reads files as it always does, several times over where it needs to, with the statistics and the skipping that Parquet has for files.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.fetched import expect_bucket, reaching
from pipelines.replacing import replacing

KEPT = 100
"""Entries of the log that are kept; what they name can still be read."""

HALVES = ("lake", "quarantine")
"""Folders whose batches are copied near: accepted rows and quarantined ones."""

_ATTEMPTS, _AT_ONCE = 20, 8


@dataclass(frozen=True)
class Batch:
    """One batch as the log names it.

    Parameters
    ----------
    object
        Its object, seen from the address of the lake.
    size
        Bytes.
    written
        When its file was written, in nanoseconds: every copy has this time, so that a change is seen by it.
    sha256
        Of its bytes.
    """

    object: str
    size: int
    written: int
    sha256: str


@dataclass(frozen=True)
class Entry:
    """One entry of the log: its number, every batch of the lake by ``<half>/<table>/<batch>``, and the objects that went with it."""

    number: int
    batches: Mapping[str, Batch]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Far:
    """A lake's tables at an address, with their copy on this machine.

    Parameters
    ----------
    address
        Any that fsspec knows: ``s3://bucket/prefix``, ``gs://…``, ``abfs://…``; who we are its package takes from the environment. The
        store must know conditional writes, as those do.
    near
        Folder of the copy; processes of one machine share it.

    Examples
    --------
    >>> import fsspec, tempfile
    >>> fsspec.filesystem("memory").mkdir("/doc-lake")
    >>> far = Far("memory://doc-lake", Path(tempfile.mkdtemp()))
    >>> with far.writing():
    ...     far.commit({})
    >>> far.newest()
    Entry(number=0, batches={}, dropped=())
    """

    address: str
    near: Path

    def newest(self) -> Entry:
        """Return the newest entry of the log; one without batches, number 0, where nobody has written yet.

        Raises
        ------
        data_contracts.ContractError
            If the bucket is not there, or we may not read in it.
        """
        with reaching(self.address):
            for _ in range(_ATTEMPTS):
                numbers = self._numbers()
                if not numbers:
                    expect_bucket(self._system, self._root)
                    return Entry(0, {})
                try:
                    return self._entry(numbers[-1])
                except FileNotFoundError:  # so many were written meanwhile that this one is gone
                    continue
            raise TimeoutError("a log that changes faster than it can be read")

    def bring(self) -> None:
        """Make the copy on this machine what the newest entry names: what is missing or changed is fetched, what went is removed.

        Raises
        ------
        data_contracts.ContractError
            If the lake cannot be read, or an object is not what was written.
        """
        with self.writing(), reaching(self.address):
            for attempt in range(_ATTEMPTS):
                batches = self.newest().batches
                try:
                    with ThreadPoolExecutor(_AT_ONCE) as threads:
                        list(threads.map(self._fetched, (item for item in batches.items() if not self._is_near(*item))))
                    break
                except FileNotFoundError:  # replaced meanwhile
                    if attempt + 1 == _ATTEMPTS:
                        raise
            here = {self._file(name) for name in batches}
            for half in HALVES:
                for file in (self.near / half).glob("*/*.parquet"):
                    if file not in here:
                        file.unlink()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Let no other process of this machine touch the copy meanwhile."""
        self.near.mkdir(parents=True, exist_ok=True)
        with (self.near / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def commit(self, files: Mapping[str, Path]) -> None:
        """Make files batches of the lake, all of them or, if this raises, none; within :meth:`writing`.

        Parameters
        ----------
        files
            By ``<half>/<table>/<batch>``; each gets the time that its batch has in the log. One whose bytes are there already is not
            written again.

        Raises
        ------
        data_contracts.ContractError
            If the lake cannot be written.
        """
        ours = {name: _described(name, file) for name, file in files.items()}
        put: set[str] = set()
        for _ in range(_ATTEMPTS):
            held = self.newest()
            changed = {name: ours[name] for name in ours if name not in held.batches or held.batches[name].sha256 != ours[name].sha256}
            for name in changed.keys() - put:
                self._put(files[name], ours[name].object)
                put.add(name)
            batches = {**held.batches, **changed}
            gone = {batch.object for batch in held.batches.values()} - {batch.object for batch in batches.values()}
            if not changed or self._added(Entry(held.number + 1, batches, tuple(sorted(gone)))):
                for name, file in files.items():
                    os.utime(file, ns=(batches[name].written,) * 2)
                return
        with reaching(self.address):
            raise TimeoutError(f"{_ATTEMPTS} entries of others in a row before ours could be written")

    def _added(self, entry: Entry) -> bool:
        """Add an entry to the log unless there is one of its number; then tidy what nobody reads any more."""
        told = {"batches": {name: asdict(batch) for name, batch in entry.batches.items()}, "dropped": entry.dropped}
        content, path = json.dumps(told, sort_keys=True, separators=(",", ":")).encode(), self._log(entry.number)
        with reaching(self.address):
            try:
                self._system.pipe_file(path, content, mode="create")
            except OSError:
                # Somebody else's, or our own whose answer was lost on its way and that was sent again: the next look will tell.
                self._system.invalidate_cache()
                if not self._system.exists(path):
                    raise
                return False
            numbers = self._numbers()
            if numbers[-1] >= entry.number + KEPT:  # so late that one of our number may have been there, and been deleted since
                return False
            self._tidied([old for old in numbers if old <= entry.number - KEPT], {batch.object for batch in entry.batches.values()})
        return True

    def _tidied(self, numbers: list[int], named: set[str]) -> None:
        """Delete entries and what went with them; what somebody else deletes, or we may not, is left to them."""
        for old in numbers:
            with suppress(OSError):
                for dropped in set(self._entry(old).dropped) - named:
                    with suppress(FileNotFoundError):
                        self._system.rm_file(self._there(dropped))
                self._system.rm_file(self._log(old))

    def _put(self, file: Path, name: str) -> None:
        with reaching(self.address):
            self._system.put_file(str(file), self._there(name))

    def _fetched(self, item: tuple[str, Batch]) -> None:
        name, batch = item
        with replacing(self._file(name)) as draft:
            self._system.get_file(self._there(batch.object), str(draft))
            if _sha256(draft) != batch.sha256:
                raise OSError(f"{batch.object} is not what was written")
            os.utime(draft, ns=(batch.written,) * 2)

    def _is_near(self, name: str, batch: Batch) -> bool:
        file = self._file(name)
        return file.exists() and (file.stat().st_size, file.stat().st_mtime_ns) == (batch.size, batch.written)

    def _file(self, name: str) -> Path:
        return self.near / f"{name}.parquet"

    def _numbers(self) -> list[int]:
        """Return the numbers of the log's entries, the least first."""
        self._system.invalidate_cache()
        try:
            found = self._system.ls(self._there("_log"), detail=False)
        except FileNotFoundError:
            return []
        return sorted(int(path.stem) for path in map(PurePosixPath, found) if path.suffix == ".json" and path.stem.isdecimal())

    def _entry(self, number: int) -> Entry:
        told = json.loads(self._system.cat_file(self._log(number)))
        return Entry(number, {name: Batch(**batch) for name, batch in told["batches"].items()}, tuple(told["dropped"]))

    def _log(self, number: int) -> str:
        return self._there(f"_log/{number:012d}.json")

    def _there(self, name: str) -> str:
        return f"{self._root}/{name}"

    @property
    def _system(self) -> Any:
        return self._opened[0]

    @property
    def _root(self) -> str:
        return str(self._opened[1])

    @property
    def _opened(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        with reaching(self.address):
            system, root = url_to_fs(self.address)
        return system, root


def _described(name: str, file: Path) -> Batch:
    about, digest = file.stat(), _sha256(file)
    return Batch(f"{name}.{about.st_mtime_ns:x}-{digest[:16]}.parquet", about.st_size, about.st_mtime_ns, digest)


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        for piece in iter(partial(opened.read, 1 << 20), b""):
            digest.update(piece)
    return digest.hexdigest()
