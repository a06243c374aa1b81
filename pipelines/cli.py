"""The command line: one sub-command per verb, each a thin call of the module of the same name.

Exit codes: 0 done · 1 done, and the answer is no (a gate failed, a check found trouble) · 2 the input or the call is wrong.
Modules are imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from pipelines.home import Home
from pipelines.terminal import AsOf, HomeOption, PolicyFile, SummaryFile, console, errors, instant, progress_bar, read_policy, show

app = typer.Typer(
    name="touchstone",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Tell valid marketplace claims from unsubstantiated and abusive ones, price the decision, learn from the outcome.",
)


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
    from pipelines.simulated import simulate_into

    found = simulate_into(Home.at(home), orders, claims, seed, months, live_months, dirt)
    show(
        "Simulated",
        {
            "orders": found.orders,
            "claims": found.claims,
            "claims filed": f"{found.start:%Y-%m-%d} to {found.end:%Y-%m-%d}",
            "nobody has decided since": f"{found.live_from:%Y-%m-%d}",
            "broken rows planted": sum(found.planted.values()),
        },
    )


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
        console.print(f"Data docs: {result.docs}", soft_wrap=True, markup=False)


@app.command()
def ingest(
    file: Annotated[Path, typer.Argument(help="A .csv or .parquet file of claims, one per row.")],
    mapping: Annotated[Path, typer.Option(help="TOML file that says what the columns mean.")],
    train: Annotated[bool, typer.Option("--train", help="Also train, and judge on later claims.")] = False,
    holdout_ids: Annotated[Path | None, typer.Option(help="With --train: CSV of claim numbers to judge on as well.")] = None,
    summary: SummaryFile = None,
    home: HomeOption = None,
) -> None:
    """Bring a real claims file into the contract's shape; label what it labels, quarantine what it cannot mean.

    Example: touchstone ingest claims.csv --mapping pipelines/mappings/travelers.toml --train --holdout-ids ids.csv
    """
    from pipelines.ingest import ingest as run
    from pipelines.train_ingested import train_ingested

    found = run(Home.at(home), file, mapping)
    facts: dict[str, Any] = dict(found.summary())
    if train:
        with errors.status("training, with settings chosen inside the training rows"):
            facts |= train_ingested(found, holdout_ids).summary()
    show(f"Ingested {file.name}", facts, summary)


@app.command()
def build(home: HomeOption = None) -> None:
    """Compute the features of every claim as of its filing, into features/matrix.parquet.

    Example: touchstone build
    """
    from pipelines.build import build as run

    with errors.status("computing features"):
        found = run(Home.at(home))
    show("Built", {"claims": found.claims, "features": found.features, "catalogue": found.catalog_hash[:12]})


@app.command()
def train(as_of: AsOf, policy: PolicyFile = None, home: HomeOption = None) -> None:
    """Train on the labels known at an instant; the first bundle becomes champion, later ones challenger.

    Example: touchstone train --as-of 2025-04-01
    """
    from pipelines.train import train as run

    where = Home.at(home)
    with errors.status("training"):
        found = run(where, as_of, read_policy(policy))
    table = Table(title="Model and baselines on the latest labelled claims (weighted by 1/propensity)", title_justify="left")
    compared = found.table.set_index("model").T
    table.add_column("metric")
    for model in compared.columns:
        table.add_column(str(model), justify="right")
    for metric, values in compared.iterrows():
        table.add_row(str(metric).replace("_", " "), *(f"{value:.3f}" for value in values))
    console.print(table)
    labelled = ", ".join(f"{count:,} {label}" for label, count in found.labelled.items())
    show("Trained", {"labels known": labelled, "bundle": found.bundle[:12], "alias": found.alias, "mlflow": where.mlflow_url})


@app.command()
def promote(as_of: AsOf, policy: PolicyFile = None, home: HomeOption = None) -> None:
    """Compare the challenger with the champion on later claims; promote it only if it saves money beyond chance.

    Exit code 0: promoted; 1: the champion stays.

    Example: touchstone promote --as-of 2025-09-01
    """
    from pipelines.promote import promote as run

    verdict = run(Home.at(home), as_of, read_policy(policy))
    console.print(verdict.why, soft_wrap=True)
    raise typer.Exit(0 if verdict.promote else 1)


@app.command()
def score(
    as_of: AsOf,
    since: Annotated[
        datetime | None,
        typer.Option(
            parser=instant,
            metavar="<instant>",
            help="Claims filed earlier are not ours; default: all, or since nobody decided (simulation).",
        ),
    ] = None,
    policy: PolicyFile = None,
    home: HomeOption = None,
) -> None:
    """Decide every claim filed before an instant that has no decision yet. Running it again changes nothing.

    Example: touchstone score --as-of 2025-04-08
    """
    from pipelines.score import score as run

    where = Home.at(home)
    first = since or _live_from(where)
    with progress_bar() as bar:
        task = bar.add_task("deciding", total=None)
        found = run(where, as_of, read_policy(policy), first, progress=lambda done, total: bar.update(task, completed=done, total=total))
    show("Decided", {"new decisions": found.decided, **found.by_action, "still undecided": found.pending})


@app.command()
def experts(
    as_of: AsOf,
    seed: Annotated[int, typer.Option(help="Fixes all chance of the simulated firm.")] = 0,
    home: HomeOption = None,
) -> None:
    """Let the simulated external firm work the queue up to an instant (simulated marketplaces only).

    Example: touchstone experts --as-of 2025-04-08
    """
    import pandas as pd

    from pipelines.experts import work
    from pipelines.simulated import examined_truths
    from serving.store import Store

    where = _decided(Home.at(home))
    with Store(where.store_url) as store, progress_bar() as bar:
        task = bar.add_task("experts at work, day by day", total=None)
        done = work(
            store,
            examined_truths(where),
            pd.Timestamp(as_of),
            seed,
            progress=lambda day, days: bar.update(task, completed=day, total=days),
        )
    show("Experts", {"days worked": done.days, "cases taken": done.leased, "cases answered": done.answered})


@app.command()
def resolve(
    as_of: AsOf,
    answers: Annotated[Path | None, typer.Option(help="File of answers (contract answers) of sellers, insurers, customers.")] = None,
    seed: Annotated[int, typer.Option(help="Fixes the habits of simulated parties.")] = 0,
    policy: PolicyFile = None,
    home: HomeOption = None,
) -> None:
    """Carry every case forward by answers and clocks: pay, recover, deny, cure, appeal; verdicts become resolutions.

    Example: touchstone resolve --as-of 2025-04-08
    """
    import pandas as pd

    from pipelines.resolve import receive, settle
    from pipelines.simulated import Simulation, parties
    from serving.store import Store

    where = _decided(Home.at(home))
    facts: dict[str, Any] = {}
    with Store(where.store_url) as store, progress_bar() as bar:
        task = bar.add_task("resolving", total=None)
        if answers is not None:
            counts = receive(where, store, answers)
            facts = {"answers accepted": counts.accepted, "answers quarantined": counts.quarantined}
        said = parties(where, seed) if Simulation.exists(where) else None
        done = settle(
            where,
            store,
            pd.Timestamp(as_of),
            read_policy(policy),
            said,
            lambda cases, total: bar.update(task, completed=cases, total=total),
        )
    facts |= {
        "events": done.events,
        "verdicts": done.verdicts,
        "cases open": done.cases_open,
        "cases resolved": done.cases_resolved,
        **{f"borne by {who.replace('_', ' ')}": f"${cents / 100:,.2f}" for who, cents in done.borne_cents.items() if cents},
        "ledger balance cents": done.ledger_balance_cents,
    }
    show("Resolved", facts)


@app.command()
def report(as_of: AsOf, policy: PolicyFile = None, home: HomeOption = None) -> None:
    """Write one self-contained HTML page with pictures about everything decided so far.

    Example: touchstone report --as-of 2025-09-01
    """
    from pipelines.evaluate import evaluate
    from pipelines.lake import Lake
    from pipelines.received import export_claims
    from pipelines.report import report as run
    from pipelines.simulated import Simulation
    from serving.store import Store

    where, prices = _decided(Home.at(home)), read_policy(policy)
    with Store(where.store_url) as store, errors.status("writing the report"):
        export_claims(where, store)
        tables = Lake(where.root).tables()
        page = run(where, as_of, prices, store, tables, evaluate(where, prices, store, tables) if Simulation.exists(where) else None)
    console.print(f"Report: {page}", soft_wrap=True, markup=False)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; default 8000.")] = None,
    policy: PolicyFile = None,
    home: HomeOption = None,
) -> None:
    """Serve the scoring endpoint: POST /v1/claims:score decides one claim and keeps the decision before it answers.

    Example: touchstone serve --port 8000
    """
    from pipelines.serve import serve as run

    run(Home.at(home), read_policy(policy), host, port)


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

    with progress_bar() as bar:
        tasks: dict[str, Any] = {}

        def progress(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done)

        found = run(Home.at(home), read_policy(policy), progress, orders, claims, seed)
    for table in tell(found):
        console.print(table)
    if summary is not None:
        summary.write_text(json.dumps(found.summary(), indent=2) + "\n", encoding="utf-8")


def _decided(home: Home) -> Home:
    """Refuse a home in which nothing was ever decided, before a store is made in it."""
    if not home.store.is_file():
        raise FileNotFoundError(f"{home.store}: expected a store of decided claims, found none; run touchstone score first")
    return home


def _live_from(home: Home) -> datetime | None:
    from pipelines.simulated import Simulation

    return Simulation.of(home).live_from if Simulation.exists(home) else None


def main() -> None:
    """Run the command line; errors of input end with code 2 and a message instead of a traceback."""
    try:
        app(standalone_mode=True)
    except (OSError, ValueError) as error:
        # Every error of input is one of these; anything else is a bug here and keeps its traceback.
        errors.print("[bold red]error:[/]", Text(str(error)), soft_wrap=True)
        sys.exit(2)
