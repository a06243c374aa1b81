"""Pages made of templates, every text in them escaped; and the few files that pages load, named by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from serving.console.places import ROOT
from serving.console.wording import FILTERS

KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
"""Ending of a file → its content type."""


def render(template: str, content: Mapping[str, Any]) -> str:
    """Return a page.

    Parameters
    ----------
    template
        A file of ``templates`` without its ending ``.html.j2``.
    content
        What it shows.

    Examples
    --------
    >>> "&lt;b&gt;" in render("wrong", {"status": 404, "words": "<b>", "visit": None, "said": ""})
    True
    """
    return _environment().get_template(f"{template}.html.j2").render(content)


@cache
def asset(name: str) -> tuple[bytes, str, str] | None:
    """Return a file that pages load: content, type and the name under which it may be kept for ever; ``None`` if there is none.

    >>> asset("console.css")[1], asset("../users.py")
    ('text/css; charset=utf-8', None)
    """
    kind = KINDS.get(name.rpartition(".")[2])
    if kind is None or "/" in name or "\\" in name:
        return None
    path = files("serving.console") / "static" / name
    if not path.is_file():
        return None
    content = path.read_bytes()
    return content, kind, hashlib.sha256(content).hexdigest()[:16]


def asset_url(name: str) -> str:
    """Return the address of a file that pages load; it changes with the content."""
    found = asset(name)
    if found is None:
        raise LookupError(f"static: expected a file of the console, found {name!r}")
    return f"{ROOT}/static/{name}?v={found[2]}"


@cache
def _environment() -> Environment:
    loader = PackageLoader("serving.console")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters |= FILTERS
    environment.globals |= {"root": ROOT, "asset": asset_url}
    return environment
