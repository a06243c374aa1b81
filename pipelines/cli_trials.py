"""Commands that try things on the past: backtest, tune."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from pipelines.home import Home
from pipelines.terminal import HomeOption, PolicyFile, SettingsFile, SummaryFile, console, instant, read_policy, steps

From = Annotated[datetime, typer.Option("--from", parser=instant, metavar="<instant>", help="Decide the claims filed from here on, UTC.")]
To = Annotated[datetime, typer.Option("--to", parser=instant, metavar="<instant>", help="Up to here, UTC; this instant is not included.")]


def backtest(
    start: From,
    end: To,
    retrain: Annotated[str, typer.Option(help="Train again: weekly, monthly, quarterly, or never after the start.")] = "monthly",
    challenger: Annotated[list[str] | None, typer.Option(help="Another learner beside: 'hist gradient boosting', 'xgboost'.")] = None,
    blocks: Annotated[str, typer.Option(help="What the bootstrap keeps together: components (linked claims) or weeks.")] = "components",
    file: Annotated[Path | None, typer.Option(help="Replay a file of real claims instead of the home's lake.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="With --file: TOML file that says what its columns mean.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.")] = 0,
    settings: SettingsFile = None,
    policy: PolicyFile = None,
    summary: SummaryFile = None,
    home: HomeOption = None,
) -> None:
    """Decide past claims again in the order of arrival, each by a model trained on what was known by then, and judge the decisions.

    Example: touchstone backtest --from 2024-10-01 --to 2025-04-01 --retrain monthly
    """
    from pipelines.backtest import backtest as run
    from pipelines.evaluate import true_classes
    from pipelines.history import history_of_file, history_of_home
    from pipelines.ingest import ingest
    from pipelines.simulated import Simulation
    from pipelines.train import settings_of

    where, prices = Home.at(home), read_policy(policy)
    if (file is None) != (mapping is None):
        raise typer.BadParameter("expected --file and --mapping together")
    real = file is not None and mapping is not None
    history = history_of_file(ingest(where, file, mapping)) if file is not None and mapping is not None else history_of_home(where, prices)
    truth = None if real or not Simulation.exists(where) else true_classes(where)
    with steps() as progress:
        found, page = run(
            where,
            history,
            start,
            end,
            prices,
            retrain,
            challenger or (),
            blocks,
            settings_of(where, settings),
            truth,
            seed,
            progress=progress,
        )
    for table in found.tables():
        console.print(_shown(*table))
    for name in found.absent:
        console.print(f"Left out: {name}", markup=False)
    console.print(f"Page: {page}", soft_wrap=True, markup=False)
    if summary is not None:
        summary.write_text(json.dumps(found.summary(), indent=2) + "\n", encoding="utf-8")


def _shown(title: str, heads: list[str], rows: list[list[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    return table
