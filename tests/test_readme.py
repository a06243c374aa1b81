"""The README is true: its session is run command by command, its Python examples are run, its links lead somewhere.

Blocks marked ``console`` are one session, run in order in an empty folder on a terminal of 100 columns. ``$ touchstone …``
starts a command (a line that ends in a backslash goes on), the lines after it are what it prints on standard output. A line of
only ``…`` stands for any lines, a ``…`` inside a line for any text in it. Other commands and other blocks are not run.
"""

from __future__ import annotations

import doctest
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

import pytest

from tests.console import touchstone

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COLUMNS, ANY = 100, "…"


@dataclass(frozen=True)
class Step:
    """A command of the session and what the README shows after it."""

    command: str
    shown: list[str]


def session(text: str) -> Iterator[Step]:
    """Yield the commands of every block marked ``console``, in order."""
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
            command, *shown = part.splitlines()
            if command.split()[0] == "touchstone":
                yield Step(command, tidy(shown))


def tidy(lines: list[str]) -> list[str]:
    """Drop blanks at the ends of lines, and empty lines at both ends."""
    return "\n".join(line.rstrip() for line in lines).strip("\n").split("\n")


def fits(shown: list[str], printed: list[str]) -> bool:
    """Tell whether printed lines are what is shown."""
    pattern = "".join("(?:.*\n)*?" if line.strip() == ANY else re.escape(line).replace(ANY, ".*") + "\n" for line in shown)
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def test_the_session_of_the_readme_prints_what_the_readme_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOUCHSTONE_HOME", str(tmp_path / ".touchstone"))
    steps = list(session(README))
    assert steps, "expected a session of touchstone in README.md, found none"
    wrong = []
    for step in steps:
        done = touchstone(*shlex.split(step.command)[1:], columns=COLUMNS)
        printed = tidy(done.out.splitlines())
        if not fits(step.shown, printed):
            wrong += [f"$ {step.command}", *unified_diff(step.shown, printed, "README.md", "printed", lineterm=""), done.err]
    assert not wrong, "\n".join(wrong)


def test_the_python_examples_of_the_readme_run() -> None:
    examples = doctest.DocTestParser().get_doctest(README, {}, "README.md", "README.md", 0)
    assert doctest.DocTestRunner().run(examples).failed == 0


def test_every_link_of_the_readme_leads_to_a_file_or_a_heading() -> None:
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    headings = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", prose, re.MULTILINE)}
    targets = [target for target in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in target]
    lost = [t for t in targets if not (t.lstrip("#") in headings if t.startswith("#") else (ROOT / t.split("#")[0]).exists())]
    assert not lost


@pytest.mark.parametrize(
    ("shown", "printed", "fit"),
    [
        (["a", ANY, "c"], ["a", "b", "b", "c"], True),
        (["a", ANY, "c"], ["a", "c"], True),
        (["a", ANY], ["b"], False),
        (["took … s"], ["took 12 s"], True),
        (["took … s"], ["took 12 s", "more"], False),
        (["1.5"], ["1x5"], False),
        ([""], [""], True),
    ],
)
def test_an_ellipsis_stands_for_lines_or_for_text_and_for_nothing_else(shown: list[str], printed: list[str], fit: bool) -> None:
    assert fits(shown, printed) == fit


def test_a_session_is_read_across_blocks_continued_lines_and_other_commands() -> None:
    text = "```console\n$ touchstone a \\\n  --b\none  \n\n$ ls\nfiles\n```\n```\n$ touchstone no\n```\n```console\n$ touchstone c\n```\n"
    assert list(session(text)) == [Step("touchstone a    --b", ["one"]), Step("touchstone c", [""])]
