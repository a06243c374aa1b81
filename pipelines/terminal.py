"""How the command line talks: the options that commands share, instants and policies read, facts and progress shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from models.policy import Policy
    from models.rules import Rules

console = Console()
errors = Console(stderr=True)


def instant(text: str) -> datetime:
    """Read an instant given on the command line; a date is its midnight in UTC.

    >>> instant("2025-04-01").isoformat()
    '2025-04-01T00:00:00+00:00'
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"expected a date or an instant in UTC such as 2025-04-01, found {text!r}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Folder of runtime data; default: $TOUCHSTONE_HOME, else ./.touchstone.", show_default=False)
]
AsOf = Annotated[
    datetime,
    typer.Option(
        "--as-of", parser=instant, metavar="<instant>", help="UTC; nothing at or after it is known: 2025-04-01 or 2025-04-01T12:00:00Z."
    ),
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="Prices and capacities, a TOML file; default: the shipped policy.", show_default=False)
]
SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings", help="How to train, a TOML file; default: what tune left in the home, else the defaults.", show_default=False
    ),
]
RulesFile = Annotated[
    Path | None,
    typer.Option("--rules", help="Rules beside the model, a TOML file such as models/rules.toml; default: none.", show_default=False),
]
SummaryFile = Annotated[Path | None, typer.Option("--summary", help="Also write the summary to this JSON file.")]


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show progress on standard error, so that standard output stays clean for scripts."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=False) as progress:
        yield progress


@contextmanager
def steps() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function that is told what is being done, how many steps of it are done and how many there are, and shows it."""
    with progress_bar() as bar:
        tasks: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield report


def show(title: str, facts: dict[str, Any], summary: Path | None = None) -> None:
    """Print facts as a two-column table, every character as it is, and, if asked, write them as JSON."""
    table = Table(title=escape(title), show_header=False, title_justify="left")
    for name, value in facts.items():
        words = name if name.isupper() else name.replace("_", " ")
        table.add_row(Text(words), Text(f"{value:,}" if isinstance(value, int) else str(value)))
    console.print(table)
    if summary is not None:
        summary.write_text(json.dumps(facts, indent=2, default=str) + "\n")


def read_policy(file: Path | None) -> Policy:
    """Read a policy file, or the shipped policy where none is given."""
    from models.policy import Policy, default_policy  # half a second, which --help does without

    return default_policy() if file is None else Policy.parse(file.read_text(encoding="utf-8"))


def read_rules(file: Path | None) -> Rules | None:
    """Read a rules file over the feature catalogue; without one there are no rules."""
    if file is None:
        return None
    from features.catalog import CATALOG
    from models.rules import Rules

    return Rules.parse(file.read_text(encoding="utf-8"), CATALOG.names)
