"""Files replaced in one step: nobody ever sees one half-written, and what a killed process left is tidied by the next write."""

from __future__ import annotations

import glob
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; on success it becomes ``path`` in one step, on failure it is removed.

    What a killed process of this machine has left of the same file is removed as well.

    Parameters
    ----------
    path
        The file to write or replace; its folder is made if need be.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with replacing(target) as draft:
    ...     _ = draft.write_text("done")
    >>> target.read_text(), len(list(target.parent.iterdir()))
    ('done', 1)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _tidy(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}@{platform.node()}.tmp")
    try:
        yield draft
        _flush(draft)
        draft.replace(path)
        _flush(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _tidy(path: Path) -> None:
    """Remove the drafts of a file whose processes on this machine are gone."""
    for left in path.parent.glob(glob.escape(f".{path.name}.") + "*" + glob.escape(f"@{platform.node()}.tmp")):
        process = left.name.removeprefix(f".{path.name}.").partition("@")[0]
        if process.isdecimal() and not _lives(int(process)):
            left.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _flush(path: Path) -> None:
    """Make a file or a folder's list of names survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
