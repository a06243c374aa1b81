"""Tables on object storage: brought near in one step, so that everything else reads files as it always does.

Any file system that fsspec knows will do (``s3://``, ``gs://``, ``abfs://``, ``memory://`` …) once its package is installed; who may
read there, and at which server, that package takes from the environment, as its documentation says.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from data_contracts import ContractError

ENDINGS = (".parquet", ".csv")
"""Files that hold rows; whatever else lies beside them is left where it is."""


def is_remote(source: str) -> bool:
    """Tell whether a source is an address rather than a place on this machine.

    >>> is_remote("s3://arriving/2025-04-01"), is_remote("exports/2025-04-01")
    (True, False)
    """
    return "://" in source


@contextmanager
def fetched(source: str, near: Path | None = None) -> Iterator[Path]:
    """Yield a local path with the rows of a source: the source itself, or a copy that is gone afterwards.

    Parameters
    ----------
    source
        A folder or a file on this machine, or the address of one.
    near
        Folder in which the copy is made, such as a home, which Spark's workers share with this process; by default that of the system
        for what is temporary.

    Raises
    ------
    ContractError
        If there is nothing at the address, it cannot be read, or the package for its kind is missing.

    Examples
    --------
    >>> import fsspec
    >>> with fsspec.open("memory://doc/sellers.csv", "w") as file:
    ...     _ = file.write("seller_id")
    >>> with fetched("memory://doc") as folder:
    ...     [file.name for file in folder.iterdir()]
    ['sellers.csv']
    """
    if not is_remote(source):
        yield Path(source)
        return
    if near is not None:
        near.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".touchstone-", dir=near) as folder:
        yield _bring(source, Path(folder))


def is_there(source: str) -> bool:
    """Tell whether anything lies in a folder of this machine or at an address; a bucket that is not there is an error, not an empty one.

    Raises
    ------
    ContractError
        If we cannot look.

    Examples
    --------
    >>> import fsspec
    >>> with fsspec.open("memory://doc/2025-04-01/sellers.csv", "w") as file:
    ...     _ = file.write("seller_id")
    >>> is_there("memory://doc/2025-04-01"), is_there("memory://doc/2025-04-02")
    (True, False)
    """
    if not is_remote(source):
        return Path(source).is_dir() and any(Path(source).iterdir())
    from fsspec.core import url_to_fs  # type: ignore[import-untyped]

    with reaching(source):
        system, there = url_to_fs(source)
        system.invalidate_cache()
        if system.exists(there):
            return True
        expect_bucket(system, there)
    return False


def expect_bucket(system: Any, there: str) -> None:
    """Raise unless the bucket of a path is there, or we may not know, because we may read but a part of it.

    Parameters
    ----------
    system
        A file system of fsspec.
    there
        A path in it.

    Raises
    ------
    FileNotFoundError
        If the bucket is not there.
    """
    bucket = str(PurePosixPath(*PurePosixPath(there).parts[: 2 if there.startswith("/") else 1]))
    with suppress(PermissionError):
        if not system.exists(bucket):
            raise FileNotFoundError(f"no bucket {bucket!r}")


def _bring(source: str, near: Path) -> Path:
    """Copy every file of rows; return the file if the source is one, else the folder."""
    from fsspec.core import url_to_fs

    with reaching(source, "files of rows that we may read"):
        system, there = url_to_fs(source)
        system.invalidate_cache()
        single = system.isfile(there)
        files = [there] if single else [name for name in system.ls(there, detail=False) if name.endswith(ENDINGS)]
        for name in files:
            system.get_file(name, str(near / PurePosixPath(name).name))
    if not files:
        raise ContractError(f"{source}: expected <table>.parquet or <table>.csv files, found none; name a folder that holds some")
    return near / PurePosixPath(there).name if single else near


@contextmanager
def reaching(address: str, expected: str = "object storage that we may use") -> Iterator[None]:
    """Turn whatever a file system of fsspec raises into an error of input that names the address.

    Parameters
    ----------
    address
        What is being reached.
    expected
        What should be there.

    Raises
    ------
    ContractError
        If anything is raised in the block: each package has errors of its own, and what they say is what is known.

    Examples
    --------
    >>> with reaching("s3://bucket"):
    ...     raise PermissionError("Access Denied")
    Traceback (most recent call last):
    data_contracts.contract.ContractError: s3://bucket: expected object storage that we may use, found PermissionError: Access Denied
    """
    try:
        yield
    except ContractError:
        raise
    except ImportError as error:
        raise ContractError(f"{address}: expected a package that reads such addresses, found {error}; for s3:// it is s3fs") from error
    except Exception as error:
        raise ContractError(f"{address}: expected {expected}, found {type(error).__name__}: {error}") from error
