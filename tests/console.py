"""The command line inside the test process: arguments in, exit code and everything printed out."""

from __future__ import annotations

import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO

import pytest

from pipelines import cli


@dataclass(frozen=True)
class Finished:
    """How a call ended and what it printed."""

    code: int
    out: str
    err: str


def touchstone(*arguments: str, columns: int = 200) -> Finished:
    """Call ``touchstone`` as its console script does, on a terminal without colours of so many columns."""
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["touchstone", *arguments])
        patch.setenv("COLUMNS", str(columns))
        patch.setenv("NO_COLOR", "1")
        for console in (cli.console, cli.errors):
            patch.setattr(console, "_width", columns)
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Finished(code, out.getvalue(), err.getvalue())
