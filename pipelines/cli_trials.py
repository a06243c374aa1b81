"""Commands that try things on the past: backtest, tune."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from pipelines.home import Home
from pipelines.terminal import AsOf, HomeOption, PolicyFile, RulesFile, SettingsFile, SummaryFile, console, instant, read_policy, steps

if TYPE_CHECKING:
    from models.settings import TrainingSettings

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
    rules: RulesFile = None,
    policy: PolicyFile = None,
    summary: SummaryFile = None,
    home: HomeOption = None,
) -> None:
    """Decide past claims again in the order of arrival, each by a model trained on what was known by then, and judge the decisions.

    Example: touchstone backtest --from 2024-10-01 --to 2025-04-01 --retrain monthly
    """
    from models.rules import Rules
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
    # A real file brings features of its own, which rules may read as well.
    beside = None if rules is None else Rules.parse(rules.read_text(encoding="utf-8"), list(history.matrix.columns))
    how = settings_of(where, settings)
    with steps() as progress:
        found, page = run(
            where, history, start, end, prices, retrain, challenger or (), blocks, how, truth, beside, seed, progress=progress
        )
    for table in found.tables():
        console.print(_shown(*table))
    for name in found.absent:
        console.print(f"Left out: {name}", markup=False)
    console.print(f"Page: {page}", soft_wrap=True, markup=False)
    if summary is not None:
        summary.write_text(json.dumps(found.summary(), indent=2) + "\n", encoding="utf-8")


def tune(
    as_of: AsOf,
    trials: Annotated[int, typer.Option(help="Trials in all; those the study holds already count.")] = 40,
    seed: Annotated[int, typer.Option(help="Seed of the search.")] = 0,
    study: Annotated[str | None, typer.Option(help="Name of the study; default: the day of --as-of.", show_default=False)] = None,
    policy: PolicyFile = None,
    home: HomeOption = None,
) -> None:
    """Search training settings by the money later claims would have cost, and leave the best where train finds them.

    A search that was stopped goes on where it was; one of other data needs another --study.

    Example: touchstone tune --as-of 2025-04-01 --trials 60
    """
    from pipelines.backtested import written
    from pipelines.tune import AFTER, BEFORE
    from pipelines.tune import tune as run

    with steps() as progress:
        found = run(Home.at(home), as_of, read_policy(policy), trials, seed, study, progress=progress)
    rows = [
        [str(tried.number), tried.state, f"${tried.cost_cents / 100:,.2f}", f"{tried.log_loss:.4f}", _differs(tried.settings)]
        for tried in [*found.tried[:5], *([found.first] if found.first not in found.tried[:5] else [])]
    ]
    heads = ["trial", "state", "lost per claim, automatic", "log-loss", "settings"]
    console.print(_shown(f"Best of {len(found.tried)} trials, and the settings as they were (trial 0)", heads, rows))
    latest = [
        [name, *(written(measure, found.latest[name][measure]) for measure in ("cost_cents", "log_loss", "auc_abusive", "ece"))]
        for name in (BEFORE, AFTER)
    ]
    title = f"Both on the latest {found.claims:,} labelled claims, which the search never saw"
    console.print(_shown(title, ["settings", "lost per claim, automatic", "log-loss", "AUC", "calibration error"], latest))
    console.print(
        f"Tuned saves {written('saved_cents', found.latest[BEFORE]['saved_cents'])} a claim there. Settings: {found.settings}",
        soft_wrap=True,
        markup=False,
    )


def _differs(settings: TrainingSettings) -> str:
    growth = settings.hyperparameters
    return (
        f"rate {growth.learning_rate:.3f}, leaves {growth.num_leaves}, in leaf {growth.min_data_in_leaf}, columns "
        f"{growth.feature_fraction:.2f}, rows {growth.bagging_fraction:.2f}, L2 {growth.lambda_l2:.1f}, weight cap {settings.fit_cap:.1f}"
    )


def _shown(title: str, heads: list[str], rows: list[list[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    return table
