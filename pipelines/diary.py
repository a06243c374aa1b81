"""What the simulated firm writes down for itself, as a real one would: how far it has come, and which cases are with whom."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, Field

from pipelines.replacing import replacing
from serving.casefile import CaseFile

FILE = "firm.json"
"""Where the firm of a simulated marketplace keeps it, in the marketplace's home."""

Held = Mapping[str, tuple[str, CaseFile]]
"""Claim → (holder, file)."""


class _Page(BaseModel):
    day: int
    held: dict[str, tuple[str, CaseFile]] = Field(default_factory=dict)


class Diary:
    """The diary, in memory and, if it has a place, in a file that is replaced as a whole.

    Parameters
    ----------
    path
        Where it is kept; ``None``: nowhere.

    Examples
    --------
    >>> diary = Diary()
    >>> diary.keep(86_400_000_000, {})
    >>> diary.day
    86400000000
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._page: _Page | None = None
        if path is not None and path.exists():
            self._page = _Page.model_validate_json(path.read_bytes())

    @property
    def day(self) -> int | None:
        """The first day that is not worked yet, microseconds at midnight UTC; ``None``: no day is."""
        return None if self._page is None else self._page.day

    @property
    def held(self) -> Held:
        """The cases that were with somebody when that day began."""
        return {} if self._page is None else self._page.held

    def keep(self, day: int, held: Held) -> None:
        """Write down that every day before ``day`` is worked, and what is held."""
        self._page = _Page(day=day, held=dict(held))
        if self._path is not None:
            with replacing(self._path) as draft:
                draft.write_text(self._page.model_dump_json(), encoding="utf-8")
