"""Which models decide and which are tried beside them: aliases are looked at again and again, and what changed is loaded aside.

A model is put in the place of another one between two groups of claims: every answer comes from exactly one, and none waits
while files are read. What cannot be loaded leaves everything as it was, and is loaded again only when the alias has moved on.
"""

from __future__ import annotations

import logging

from models.bundle import Bundle, BundleError, load
from models.shelf import Alias, Shelf
from serving.engine import Engine

_LOG = logging.getLogger("touchstone.models")


class Roles:
    """Follows the aliases of a shelf.

    Parameters
    ----------
    engine
        Decides with the champion, and has the challenger decide beside it.
    shelf
        Bundles and aliases.
    catalog_hash
        Hash of the catalogue that is served; a bundle for another one is refused.
    pinned
        Hash of the bundle that decides whatever the champion is; empty: the champion does.
    """

    def __init__(self, engine: Engine, shelf: Shelf, catalog_hash: str, pinned: str = "") -> None:
        self._engine, self._shelf, self._catalog_hash, self._pinned = engine, shelf, catalog_hash, pinned
        self._tried: dict[Alias, str | None] = {"champion": engine.versions()["bundle"], "challenger": None}

    def look(self) -> None:
        """Look at the aliases once, and follow those that moved."""
        aliases = self._shelf.aliases()
        champion = self._pinned or aliases.get("champion")
        if champion is not None and self._moved("champion", champion):
            bundle = self._loaded("champion", champion)
            if bundle is not None:
                self._engine.adopt(bundle)
        if self._moved("challenger", aliases.get("challenger")):
            name = aliases.get("challenger")
            self._engine.challenge(None if name is None else self._loaded("challenger", name))

    def _moved(self, alias: Alias, name: str | None) -> bool:
        moved = self._tried[alias] != name
        self._tried[alias] = name
        return moved

    def _loaded(self, alias: Alias, name: str) -> Bundle | None:
        try:
            return load(self._shelf.path(name), self._catalog_hash)
        except (BundleError, OSError) as error:
            _LOG.warning("%s %s: %s", alias, name[:12], error)
            return None
