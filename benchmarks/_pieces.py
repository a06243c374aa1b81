"""A long benchmark in pieces: one that is done is kept, so that a run which was stopped goes on where it was.

Pieces belong to the code that measured them. Any change in the packages, in a benchmark or in the lock file begins anew, so that no
result is ever put together from two versions. They lie in the system's folder for temporary files and are never part of a result.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
CODE = ("data_contracts", "features", "models", "serving", "pipelines", "benchmarks")


def piece(benchmark: str, measure: Callable[..., Any], *arguments: object, root: Path | None = None) -> Any:
    """Return a piece as it was kept, or measure and keep it.

    Parameters
    ----------
    benchmark
        Whose piece.
    measure, arguments
        Measures it; returns plain JSON values. Its name and its arguments tell one piece from another.
    root
        Where pieces lie; by default a folder of the system's for temporary files.

    Returns
    -------
    Any
        The values as JSON reads them back, whether kept or new, so that a run which was stopped ends as any other.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [piece("doc", divmod, 7, 2, root=Path(folder)) for _ in range(2)]
    [[3, 1], [3, 1]]
    """
    folder = (root or Path(tempfile.gettempdir()) / "touchstone-benchmarks") / f"{benchmark}-{_code()}"
    kept = folder / f"{'-'.join([measure.__name__, *map(str, arguments)])}.json"
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(measure(*arguments)), encoding="utf-8")
        unfinished.replace(kept)
    return json.loads(kept.read_text(encoding="utf-8"))


@cache
def _code() -> str:
    """Return a hash of all code and settings that can change what is measured."""
    files = [path for part in CODE for path in (ROOT / part).rglob("*") if path.suffix in (".py", ".toml")]
    digest = hashlib.sha256()
    for path in sorted([*files, ROOT / "requirements.lock"]):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]
