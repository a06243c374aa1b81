"""The folder of trained bundles, and which of them is champion and which challenger.

The registry of MLflow carries the same aliases for people and for other tools; this file is what scoring and the endpoint
read, so that neither needs a tracking server to know which model decides.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.bundle import Bundle, BundleError, load, save

Alias = Literal["champion", "challenger", "previous"]


@dataclass(frozen=True)
class Shelf:
    """Bundles by hash, and aliases.

    Parameters
    ----------
    folder
        Holds one folder per bundle, named by its hash, and ``aliases.json``.
    """

    folder: Path

    def put(self, bundle: Bundle) -> str:
        """Keep a bundle and return its hash; keeping it twice changes nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return save(bundle, self.path(bundle.hash))

    def path(self, name: str) -> Path:
        """Return the folder of the bundle with this hash."""
        return self.folder / name

    def aliases(self) -> dict[str, str]:
        """Return the hash behind each alias; empty before the first training."""
        file = self.folder / "aliases.json"
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}

    def point(self, alias: Alias, name: str | None) -> None:
        """Let an alias name a bundle, or nothing, in one step."""
        self.move({alias: name})

    def move(self, names: Mapping[Alias, str | None]) -> None:
        """Let several aliases name bundles, or nothing, all in one step."""
        kept = {alias: name for alias, name in self.aliases().items() if alias not in names}
        aliases = kept | {alias: name for alias, name in names.items() if name}
        draft = self.folder / f".aliases.{os.getpid()}.tmp"
        draft.write_text(json.dumps(aliases, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        draft.replace(self.folder / "aliases.json")

    def get(self, alias: Alias, catalog_hash: str | None = None) -> Bundle:
        """Load the bundle behind an alias.

        Raises
        ------
        BundleError
            If no bundle has this alias, or it does not fit this code.
        """
        name = self.aliases().get(alias)
        if name is None:
            raise BundleError(f"{self.folder}: expected a bundle with the alias {alias!r}, found none; run touchstone train first")
        return load(self.path(name), catalog_hash)
