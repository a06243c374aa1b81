"""The command line: one sub-command per verb, each a thin call of the module of the same name.

Exit codes: 0 done · 1 done, and the answer is no (a gate failed, a check found trouble) · 2 the input or the call is wrong.
Modules are imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from pipelines.home import Home

app = typer.Typer(
    name="touchstone",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Tell valid marketplace claims from unsubstantiated and abusive ones, price the decision, learn from the outcome.",
)
console = Console()
errors = Console(stderr=True)

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="Folder of runtime data; default: $TOUCHSTONE_HOME, else ./.touchstone.", show_default=False)
]
AsOf = Annotated[
    str, typer.Option("--as-of", help="Instant in UTC: nothing at or after it is known, e.g. 2025-04-01 or 2025-04-01T12:00:00Z.")
]
SummaryFile = Annotated[Path | None, typer.Option("--summary", help="Also write the summary to this JSON file.")]


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


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show progress on standard error, so that standard output stays clean for scripts."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=False) as progress:
        yield progress


def show(title: str, facts: dict[str, Any], summary: Path | None = None) -> None:
    """Print facts as a two-column table and, if asked, write them as JSON."""
    table = Table(title=title, show_header=False, title_justify="left")
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
    console.print(table)
    if summary is not None:
        summary.write_text(json.dumps(facts, indent=2, default=str) + "\n")


@app.command()
def simulate(
    orders: Annotated[int, typer.Option(help="Orders to simulate.")] = 300_000,
    claims: Annotated[int, typer.Option(help="Claims to simulate.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed; the same seed gives the same files.")] = 0,
    months: Annotated[int, typer.Option(help="Length of the simulated history.")] = 18,
    live_months: Annotated[int, typer.Option(help="The last months, whose claims nobody has decided yet.")] = 3,
    dirt: Annotated[float, typer.Option(help="Share of rows that break their contract, as real files have them.")] = 0.002,
    home: HomeOption = None,
) -> None:
    """Simulate a marketplace: customers, sellers, orders, claims, adversaries and late resolutions, into raw/.

    Example: touchstone simulate --orders 100000 --claims 8000 --seed 7
    """
    from pipelines import market

    show("Simulated", market.simulate_into(Home.at(home), orders, claims, seed, months, live_months, dirt))


@app.command()
def validate(
    source: Annotated[Path | None, typer.Option(help="Folder of <table>.parquet or .csv files; default: raw/ of the home.")] = None,
    batch: Annotated[str, typer.Option(help="Name of this batch; the same name again replaces it.")] = "initial",
    docs: Annotated[bool, typer.Option(help="Run the Great Expectations suites and write their HTML data docs.")] = True,
    home: HomeOption = None,
) -> None:
    """Check tables against their contracts: good rows to the lake, bad rows to quarantine with every reason.

    Example: touchstone validate --source exports/ --batch 2025-04-01
    """
    from pipelines.validate import validate as run

    result = run(Home.at(home), source=source, batch=batch, docs=docs)
    table = Table(title="Validated", title_justify="left")
    for heading in ("table", "read", "accepted", "quarantined", "most frequent reason"):
        table.add_column(heading, justify="left" if heading in ("table", "most frequent reason") else "right")
    for name, counts in result.tables.items():
        table.add_row(name, f"{counts.read:,}", f"{counts.accepted:,}", f"{counts.quarantined:,}", counts.top_reason)
    console.print(table)
    if result.docs is not None:
        console.print(f"Data docs: {result.docs}")


def main() -> None:
    """Run the command line; errors of input end with code 2 and a message instead of a traceback."""
    from data_contracts import ContractError

    try:
        app(standalone_mode=True)
    except (ContractError, FileNotFoundError, KeyError, ValueError) as error:
        errors.print(f"[bold red]error:[/] {error}", highlight=False)
        sys.exit(2)
