"""Where everything is kept: the one folder of an installation, and the one place that reads ``TOUCHSTONE_HOME``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "TOUCHSTONE_HOME"
"""The environment variable that names the folder; without it, ``.touchstone`` in the current folder."""


@dataclass(frozen=True)
class Home:
    """The paths of an installation; making one touches nothing on disk.

    Parameters
    ----------
    root
        The folder that holds all others.

    Examples
    --------
    >>> from pathlib import Path
    >>> Home(Path("somewhere")).bundles.as_posix()
    'somewhere/bundles'
    """

    root: Path

    @classmethod
    def at(cls, folder: Path | None = None, environment: Mapping[str, str] = os.environ) -> Home:
        """Return the home at ``folder``, else where the environment says (entry points call this once and pass it on)."""
        return cls((folder or Path(environment.get(VARIABLE) or ".touchstone")).absolute())

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
        """The file of the case store."""
        return self.root / "store.db"

    @property
    def store_url(self) -> str:
        """The case store: decisions, queue, answers, ledger, audit (SQLite)."""
        return f"sqlite:///{self.store}"

    @property
    def mlflow_url(self) -> str:
        """The tracking store (SQLite)."""
        return f"sqlite:///{self.root / 'mlflow.db'}"

    @property
    def mlflow_artifacts(self) -> Path:
        """The folder of the tracking store's artifacts."""
        return self.root / "mlartifacts"
