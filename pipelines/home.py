"""Where everything is kept: the one folder of an installation, and the one that reads its places from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

VARIABLE = "TOUCHSTONE_HOME"
"""The environment variable that names the folder; without it, ``.touchstone`` in the current folder."""

STORE, STORE_FILE = "TOUCHSTONE_STORE", "TOUCHSTONE_STORE_FILE"
"""Environment variables with the URL of a case store on a PostgreSQL server, or with the file that holds it (as secrets are mounted)."""

LAKE = "TOUCHSTONE_LAKE"
"""The environment variable that names the lake where it does not lie in the home: another folder, or an address such as
``s3://bucket/prefix``."""


@dataclass(frozen=True)
class Home:
    """The paths of an installation; making one touches nothing on disk.

    Parameters
    ----------
    root
        The folder that holds all others.
    server
        URL of the case store where it lies on a PostgreSQL server, shared by several machines; empty: a SQLite file in the folder. It
        may hold a password and is never shown.
    lake
        Where the lake's tables lie if not in the folder: another folder, or an address on object storage, shared by several machines.

    Examples
    --------
    >>> from pathlib import Path
    >>> Home(Path("somewhere")).bundles.as_posix()
    'somewhere/bundles'
    """

    root: Path
    server: str = field(default="", repr=False)
    lake: str = ""

    @classmethod
    def at(cls, folder: Path | None = None, environment: Mapping[str, str] = os.environ) -> Home:
        """Return the home at ``folder``, else where the environment says (entry points call this once and pass it on).

        Raises
        ------
        ValueError
            If the environment names a store that is none, or names it twice.
        """
        root = (folder or Path(environment.get(VARIABLE) or ".touchstone")).absolute()
        return cls(root, _server(environment), _lake(environment))

    @property
    def raw(self) -> Path:
        """Files as they arrive, ``<table>.parquet`` or ``<table>.csv``, before any check."""
        return self.root / "raw"

    @property
    def sealed(self) -> Path:
        """The simulator's hidden truth; evaluation alone may read it."""
        return self.root / "sealed"

    @property
    def sources(self) -> Path:
        """Real claims files that were ingested, each a lake of its own: ``sources/<name>/``."""
        return self.root / "sources"

    @property
    def features(self) -> Path:
        """Feature matrices."""
        return self.root / "features"

    @property
    def bundles(self) -> Path:
        """Trained models as folders of plain files, named by their hash."""
        return self.root / "bundles"

    @property
    def settings(self) -> Path:
        """How to train here, as tuning found it; absent means the defaults."""
        return self.root / "settings.toml"

    @property
    def studies(self) -> Path:
        """The trials of tuning (SQLite)."""
        return self.root / "studies.db"

    @property
    def reports(self) -> Path:
        """Pages for people: the report and the data docs."""
        return self.root / "reports"

    @property
    def data_docs(self) -> Path:
        """The HTML data docs of the last validation."""
        return self.reports / "data_docs"

    @property
    def runs(self) -> Path:
        """Manifests of what was run, JSON."""
        return self.root / "runs"

    @property
    def store(self) -> Path:
        """The file of the case store, unless it lies on a server."""
        return self.root / "store.db"

    @property
    def store_url(self) -> str:
        """The case store: decisions, queue, answers, ledger, audit (SQLite, or PostgreSQL where the environment says so)."""
        return self.server or f"sqlite:///{self.store}"

    def has_store(self) -> bool:
        """Tell whether there is a case store to read; one on a server is taken to be there."""
        return bool(self.server) or self.store.is_file()

    @property
    def mlflow_url(self) -> str:
        """The tracking store (SQLite)."""
        return f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def mlflow_artifacts(self) -> Path:
        """The folder of the tracking store's artifacts."""
        return self.root / "mlartifacts"


def _lake(environment: Mapping[str, str]) -> str:
    """Return the address of the lake, or its folder from the root on; nothing where none is named."""
    named = environment.get(LAKE, "").removeprefix("file://")
    return named.rstrip("/") if "://" in named or not named else str(Path(named).absolute())


def _server(environment: Mapping[str, str]) -> str:
    """Return the URL of the store's server as SQLAlchemy takes it, and nothing where none is named."""
    named = {name: environment[name] for name in (STORE, STORE_FILE) if environment.get(name)}
    if len(named) > 1:
        raise ValueError(f"{STORE}, {STORE_FILE}: expected one of them, found both; unset the other")
    url = Path(named[STORE_FILE]).read_text(encoding="utf-8").strip() if STORE_FILE in named else named.get(STORE, "")
    scheme, _, rest = url.partition("://")
    if named and (scheme not in ("postgres", "postgresql", "postgresql+psycopg") or not rest):
        # what was found may be a password, so only its beginning is told, and only where it is one of a URL
        found = f"one of {scheme!r}" if rest else "no URL"
        raise ValueError(f"{next(iter(named))}: expected a URL such as postgresql://user:password@host/database, found {found}")
    return f"postgresql+psycopg://{rest}" if named else ""
