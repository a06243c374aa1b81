"""Self-contained HTML pages for people: sections with pictures and tables, key figures on top, everything in one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure

from pipelines import pictures
from pipelines.replacing import replacing


@dataclass(frozen=True)
class Section:
    """A part of the page: a title, a note that says how to read it, pictures with their alternative text, perhaps a table.

    The first ``text_columns`` of the table hold text, which wraps; the others hold figures, set to the right.
    """

    title: str
    note: str
    pictures: Sequence[dict[str, str]] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default_factory=list)
    text_columns: int = 1


def picture(figure: Figure, alt: str) -> dict[str, str]:
    """Return a figure as a section holds it."""
    return {"uri": pictures.as_data_uri(figure), "alt": alt}


def write_page(path: Path, content: dict[str, Any], template: str = "page.html.j2") -> Path:
    """Write a page in one step and return its path; every text in it is escaped.

    Parameters
    ----------
    path
        The file to write or replace.
    content
        ``title``, ``as_of``, ``subtitle``, ``cards`` (``name``, ``value``), ``sections`` and ``footer``; what else the template asks for.
    template
        ``page.html.j2`` or one that extends it.
    """
    page = _ENVIRONMENT.get_template(template).render(**content)
    with replacing(path) as draft:
        draft.write_text(page, encoding="utf-8")
    return path


_ENVIRONMENT = Environment(loader=PackageLoader("pipelines"), autoescape=True, trim_blocks=True, lstrip_blocks=True)
