"""Commands about data: simulate, validate, ingest, build."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from pipelines.engine import Carrier, Engine, memory_of
from pipelines.home import Home
from pipelines.terminal import HomeOption, PolicyFile, SummaryFile, console, errors, read_policy, show, steps


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


def validate(
    source: Annotated[
        str | None,
        typer.Option(metavar="<path>", help="Folder of <table>.parquet or .csv files, here or at s3://…; default: raw/ of the home."),
    ] = None,
    batch: Annotated[str, typer.Option(help="Name of this batch; the same name again replaces it.")] = "initial",
    docs: Annotated[bool, typer.Option(help="Run the Great Expectations suites and write their HTML data docs.")] = True,
    leakage: Annotated[bool, typer.Option("--leakage", help="Instead check features: do any look into the future of a claim?")] = False,
    features: Annotated[
        str | None, typer.Option(help="With --leakage: your catalogue, FILE.py:NAME or module:NAME; default: the shipped one.")
    ] = None,
    sample: Annotated[int, typer.Option(help="With --leakage: how many claims of the lake to replay.")] = 50,
    seed: Annotated[int, typer.Option(help="With --leakage: seed of that sample.")] = 0,
    engine: Annotated[
        Literal["local", "spark"], typer.Option(help="Check here, or let Spark's workers check; the same outcome.")
    ] = "local",
    master: Annotated[str, typer.Option(help="With spark: a master URL, or sc://host:port of Spark Connect.")] = "local[2]",
    home: HomeOption = None,
) -> None:
    """Check tables against their contracts: good rows to the lake, bad rows to quarantine with every reason.

    With --leakage, check features instead: claims of the lake are replayed as of their filing with the future deleted.

    Example: touchstone validate --source exports/ --batch 2025-04-01

    Example: touchstone validate --source s3://bucket/exports/2025-04-01 --batch 2025-04-01

    Example: touchstone validate --engine spark --master spark://cluster:7077

    Example: touchstone validate --leakage --features mine.py:CATALOG --sample 200
    """
    if features is not None and not leakage:
        raise typer.BadParameter(f"expected --leakage together with --features, found --features {features} alone")
    if leakage:
        if source is not None:
            raise typer.BadParameter(f"expected either tables to check or --leakage, found both; {source} was not read")
        _guard(features, sample, seed, Home.at(home))
        return
    from pipelines.fetched import fetched
    from pipelines.validate import validate as run

    where = Home.at(home)
    with fetched(str(where.raw) if source is None else source, where.root) as folder:
        result = run(where, source=folder, batch=batch, docs=docs, carrier=Carrier(Engine(engine), master=master))
    table = Table(title="Validated", title_justify="left")
    for heading in ("table", "read", "accepted", "quarantined", "most frequent reason"):
        table.add_column(heading, justify="left" if heading in ("table", "most frequent reason") else "right")
    for name, counts in result.tables.items():
        table.add_row(name, f"{counts.read:,}", f"{counts.accepted:,}", f"{counts.quarantined:,}", counts.top_reason)
    console.print(table)
    if result.docs is not None:
        console.print(f"Data docs: {result.docs}", soft_wrap=True, markup=False)


def _guard(features: str | None, sample: int, seed: int, home: Home) -> None:
    """Replay claims, show the features that knew too much, and end with code 1 if there are any."""
    from pipelines.leakage import catalog_at, guard

    catalog = catalog_at(features)
    with steps() as report:
        found = guard(home, catalog, sample, seed, report)
    if found.leaks:
        table = Table(title="Leaks", title_justify="left")
        for heading in ("feature", "claims", "for example", "value now", "value then"):
            table.add_column(heading, overflow="fold")
        for leak in found.leaks:
            table.add_row(Text(leak.feature), f"{leak.claims:,}", Text(leak.claim_id), f"{leak.now}", f"{leak.then}")
        console.print(table)
    show("Replayed", {"claims": found.claims, "features": found.features, "that look into the future": len(found.leaks)})
    if found.leaks:
        raise typer.Exit(1)


def ingest(
    file: Annotated[Path, typer.Argument(help="A .csv or .parquet file of claims, one per row.")],
    mapping: Annotated[Path, typer.Option(help="TOML file that says what the columns mean.")],
    train: Annotated[
        bool, typer.Option("--train", help="Also train, judge on later claims, keep the bundle, decide claims without a label.")
    ] = False,
    holdout_ids: Annotated[Path | None, typer.Option(help="With --train: CSV of claim numbers to judge on as well.")] = None,
    policy: PolicyFile = None,
    summary: SummaryFile = None,
    home: HomeOption = None,
) -> None:
    """Bring a real claims file into the contract's shape; label what it labels, quarantine what it cannot mean.

    Example: touchstone ingest claims.csv --mapping pipelines/mappings/travelers.toml --train --holdout-ids ids.csv
    """
    from pipelines.ingest import ingest as run
    from pipelines.kept_source import keep
    from pipelines.train_ingested import train_ingested

    found = run(Home.at(home), file, mapping)
    facts: dict[str, Any] = dict(found.summary())
    if train:
        with errors.status("training, with settings chosen inside the training rows"):
            trained = train_ingested(found, holdout_ids)
            kept = keep(found, read_policy(policy), trained.time_split.tried[0].hyperparameters)
            facts |= trained.summary() | kept.summary()
    show(f"Ingested {file.name}", facts, summary)


def build(
    engine: Annotated[Engine, typer.Option(help="Arrays in memory, bounded memory, the first that fits, or Spark; the same file.")] = (
        Engine.AUTO
    ),
    memory: Annotated[
        str | None, typer.Option(help="What may be taken, such as 2GB (the default); with auto: half of what is free.", show_default=False)
    ] = None,
    master: Annotated[str, typer.Option(help="With spark: a master URL, or sc://host:port of Spark Connect.")] = "local[2]",
    threads: Annotated[int | None, typer.Option(help="Threads of the local engine; by default one for each processor.")] = None,
    home: HomeOption = None,
) -> None:
    """Compute the features of every claim as of its filing, into features/matrix.parquet.

    Example: touchstone build --engine bounded --memory 2GB
    """
    from pipelines.build import build as run

    carrier = Carrier(engine, memory_of(memory) if memory else None, master, (os.cpu_count() or 1) if threads is None else threads)
    with steps() as report:
        found = run(Home.at(home), carrier=carrier, report=report)
    show("Built", {"claims": found.claims, "features": found.features, "catalogue": found.catalog_hash[:12]})
