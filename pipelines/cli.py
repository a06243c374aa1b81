"""The command line: one sub-command per verb, each a thin call of the module of the same name.

Exit codes: 0 done · 1 done, and the answer is no (a gate failed, a check found trouble) · 2 the input or the call is wrong ·
70 something is wrong here, so that no scheduler takes a bug for a "no".
Modules are imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import json
import sys
import traceback
from typing import Annotated

import typer
from rich.text import Text

from pipelines import cli_cases, cli_data, cli_keys, cli_models, cli_schedule, cli_ties, cli_trials, cli_users, cli_webhooks
from pipelines.home import Home
from pipelines.terminal import HomeOption, PolicyFile, SummaryFile, console, errors, read_policy, steps

BUG = 70
"""Exit code of an internal error (``EX_SOFTWARE`` of sysexits.h)."""

app = typer.Typer(
    name="touchstone",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Tell valid marketplace claims from unsubstantiated and abusive ones, price the decision, learn from the outcome.",
)

for verb in (
    cli_data.simulate,
    cli_data.validate,
    cli_data.ingest,
    cli_data.build,
    cli_models.train,
    cli_models.promote,
    cli_trials.tune,
    cli_trials.backtest,
    cli_models.monitor,
    cli_cases.score,
    cli_cases.assign,
    cli_cases.experts,
    cli_cases.resolve,
    cli_cases.report,
    cli_cases.serve,
    cli_schedule.schedule,
    cli_cases.audit,
    cli_keys.keys,
    cli_users.users,
    cli_ties.ties,
    cli_webhooks.webhooks,
):
    app.command()(verb)


@app.command()
def demo(
    orders: Annotated[int, typer.Option(help="Orders to simulate.")] = 300_000,
    claims: Annotated[int, typer.Option(help="Claims to simulate.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed of the whole demo.")] = 0,
    policy: PolicyFile = None,
    summary: SummaryFile = None,
    home: HomeOption = None,
) -> None:
    """Run the whole loop on a simulated marketplace, from raw files to a report, in the folder demo/ of the home.

    Example: touchstone demo --orders 50000 --claims 5000 --summary summary.json
    """
    from pipelines.demo import demo as run
    from pipelines.demo_summary import tell

    with steps() as report:
        found = run(Home.at(home), read_policy(policy), report, orders, claims, seed)
    for table in tell(found):
        console.print(table)
    if summary is not None:
        summary.write_text(json.dumps(found.summary(), indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Run the command line; errors of input end with code 2 and a message, bugs with code 70 and their traceback."""
    try:
        app(standalone_mode=True)
    except (OSError, ValueError) as error:
        # Every error of input is one of these; anything else is a bug here and keeps its traceback.
        errors.print("[bold red]error:[/]", Text(str(error)), soft_wrap=True)
        sys.exit(2)
    except Exception:
        traceback.print_exc()
        sys.exit(BUG)
