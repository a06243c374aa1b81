"""Commands about claims and their cases: score, experts, resolve, report, serve, audit."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipelines.engine import Carrier, Engine, memory_of
from pipelines.home import Home
from pipelines.manifest import recorded, utc_now
from pipelines.terminal import (
    AsOf,
    HomeOption,
    PolicyFile,
    RulesFile,
    console,
    errors,
    instant,
    progress_bar,
    read_policy,
    read_rules,
    show,
)

if TYPE_CHECKING:
    from models.stages import ReasonsFor
    from serving.store import Store


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
    engine: Annotated[Engine | None, typer.Option(help="Bring the kept matrix up to date with this engine first; see build.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory that --engine may take; see build.", show_default=False)] = None,
    master: Annotated[
        str, typer.Option(help="With --engine spark, which also computes the probabilities: a master URL, or sc://host:port.")
    ] = "local[2]",
    threads: Annotated[int | None, typer.Option(help="Threads that may work; by default one for each processor.")] = None,
    all_reasons: Annotated[
        bool, typer.Option("--all-reasons", help="Explain every decision, not only those that experts will see or that deny.")
    ] = False,
    policy: PolicyFile = None,
    rules: RulesFile = None,
    home: HomeOption = None,
) -> None:
    """Decide every claim filed before an instant that has no decision yet. Running it again changes nothing.

    Example: touchstone score --as-of 2025-04-08

    Example: touchstone score --as-of 2025-04-08 --engine bounded --memory 4GB --threads 1

    Example: touchstone score --as-of 2025-04-08 --engine spark --master spark://cluster:7077
    """
    from pipelines.score import score as run

    where = Home.at(home)
    first = since or _live_from(where)
    beside = read_rules(rules)
    many = (os.cpu_count() or 1) if threads is None else threads
    carrier = Carrier(engine, memory_of(memory) if memory else None, master, many) if engine is not None else None
    with recorded(where, "score", as_of, utc_now) as told, progress_bar() as bar:
        task = bar.add_task("deciding", total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        explained: ReasonsFor = "all" if all_reasons else "disputable"
        found = run(where, as_of, read_policy(policy), first, None, progress, many, rules=beside, carrier=carrier, reasons_for=explained)
        told.counts = {"decided": found.decided, "pending": found.pending, **found.by_action}
    show("Decided", {"new decisions": found.decided, **found.by_action, "still undecided": found.pending})


def assign(as_of: AsOf, policy: PolicyFile = None, home: HomeOption = None) -> None:
    """Plan a morning: who is to look at which waiting case, which claims are one file, which cases measure the experts.

    Leases follow it for two days. A morning that was planned is not planned again.

    Example: touchstone assign --as-of 2025-04-08T08:00:00
    """
    from pipelines.assign import Mornings
    from serving.store import Store

    where = _decided(Home.at(home))
    with recorded(where, "assign", as_of, utc_now) as told, Store(where.store_url) as store:
        found = Mornings.at(where, store, read_policy(policy))(as_of)
        told.counts = dict(vars(found))
    show(
        "Assigned",
        {
            "cases waiting": found.waiting,
            "meant for an expert": found.assigned,
            "expected to save": f"${found.value_cents / 100:,.0f}",
            "deadlines that will be missed": found.broken,
            "files of rings, and their cases": f"{found.files}, {found.filed}",
            "gold cases": found.gold,
        },
    )


def experts(
    as_of: AsOf,
    seed: Annotated[int, typer.Option(help="Fixes all chance of the simulated firm.")] = 0,
    url: Annotated[
        str | None, typer.Option(help="Endpoint in development mode that the firm calls; default: one of its own in this process.")
    ] = None,
    key_file: Annotated[Path | None, typer.Option(help="For --url: a line for each expert, name and API key.")] = None,
    policy: PolicyFile = None,
    home: HomeOption = None,
) -> None:
    """Let the simulated external firm work the queue up to an instant (simulated marketplaces only), as a client of /v1/cases.

    Example: touchstone experts --as-of 2025-04-08

    Example: touchstone experts --as-of 2025-04-08 --url http://127.0.0.1:8000 --key-file experts.keys
    """
    from pipelines.assign import Mornings
    from pipelines.diary import FILE, Diary
    from pipelines.experts import work
    from pipelines.firm import hire
    from pipelines.firm_desks import desks_at, office_of, read_keys
    from pipelines.simulated import Simulation, examined_truths
    from serving.store import Store

    if (url is None) != (key_file is None):
        raise ValueError("experts: expected --url and --key-file together or neither, found one of them")
    where = Home.at(home) if url else _decided(Home.at(home))
    truths, since, firm = examined_truths(where), Simulation.of(where).live_from, hire(seed)
    morning: Mornings | None = None  # who works elsewhere is planned for elsewhere: touchstone assign
    with ExitStack() as stack:
        told = stack.enter_context(recorded(where, "experts", as_of, utc_now))
        bar = stack.enter_context(progress_bar())
        if url is not None and key_file is not None:
            desks = stack.enter_context(desks_at(url, read_keys(key_file), firm))
        else:
            store = stack.enter_context(Store(where.store_url, "NORMAL"))
            desks = stack.enter_context(office_of(store, firm, read_policy(policy)))
            morning = Mornings.at(where, store, read_policy(policy))
        task = bar.add_task("experts at work, day by day", total=None)

        def progress(day: int, days: int) -> None:
            bar.update(task, completed=day, total=days)

        done = work(desks, truths, since, as_of, seed, firm, progress, Diary(where.root / FILE), morning)
        told.counts = dict(vars(done))
    show("Experts", {"days worked": done.days, "cases taken": done.leased, "cases answered": done.answered, "refused": done.refused})


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
    with recorded(where, "resolve", as_of, utc_now) as told, Store(where.store_url) as store, progress_bar() as bar:
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
        told.counts = dict(vars(done))
    facts |= {
        "events": done.events,
        "verdicts": done.verdicts,
        "cases open": done.cases_open,
        "cases resolved": done.cases_resolved,
        **{f"borne by {who.replace('_', ' ')}": f"${cents / 100:,.2f}" for who, cents in done.borne_cents.items() if cents},
        "ledger balance cents": done.ledger_balance_cents,
    }
    show("Resolved", facts)


def report(as_of: AsOf, policy: PolicyFile = None, home: HomeOption = None) -> None:
    """Write one self-contained HTML page with pictures about everything decided by an instant, as it stood then.

    Example: touchstone report --as-of 2025-09-01
    """
    from pipelines.evaluate import evaluate
    from pipelines.lake import Lake
    from pipelines.past import Past
    from pipelines.received import export_received
    from pipelines.report import report as run
    from pipelines.simulated import Simulation
    from serving.store import Store

    where, prices = _decided(Home.at(home)), read_policy(policy)
    with Store(where.store_url) as store, errors.status("writing the report"):
        export_received(where, store)
        tables = Lake.of(where).tables()
        judged = evaluate(where, prices, Past(store, as_of), tables) if Simulation.exists(where) else None
        page = run(where, as_of, prices, store, tables, judged)
    console.print(f"Report: {page}", soft_wrap=True, markup=False)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; default 8000.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that share the port and the store; default 2, in development mode 1.")
    ] = None,
    development: Annotated[
        bool | None, typer.Option("--development", help="Ask nobody for a key; only where this machine alone can call.")
    ] = None,
    policy: PolicyFile = None,
    rules: RulesFile = None,
    home: HomeOption = None,
) -> None:
    """Serve the scoring endpoint: POST /v1/claims:score decides one claim and keeps the decision before it answers.

    Callers need a key (touchstone keys), unless --development lets everybody on this machine in.

    Example: touchstone serve --development --port 8000
    """
    from pipelines.origin import begin

    if (workers or (1 if development else 2)) > 1:
        begin()  # which imports for the workers what is imported here for this process, at the same time
    from pipelines.serve import serve as run

    def progress(done: int, total: int) -> None:
        errors.print(f"filling the history: {done:,} of {total:,} rows")

    run(Home.at(home), read_policy(policy), host, port, read_rules(rules), workers, development, progress, errors.print)


def audit(
    what: Annotated[Literal["verify", "features"], typer.Argument(help="verify the chain of the audit log, or the sampled features.")],
    head: Annotated[
        str | None, typer.Option(help="Number and hash of an entry noted earlier, NUMBER:HASH; the log must still hold it.")
    ] = None,
    home: HomeOption = None,
) -> None:
    """Follow the audit log from its first entry, or compute sampled features again; exit code 1 and the first break if something is wrong.

    Example: touchstone audit verify
    """
    from serving.store import Store

    where = _decided(Home.at(home))
    with Store(where.store_url) as store, errors.status("checking"):
        sound, facts = _chain(store, head) if what == "verify" else _features(where, store)
    show("Audit log" if what == "verify" else "Sampled features", facts)
    if not sound:
        raise typer.Exit(1)


def _chain(store: Store, noted: str | None) -> tuple[bool, dict[str, Any]]:
    from serving.audit import Head, verify

    expected = None
    if noted is not None:
        number, _, digest = noted.partition(":")
        if not number.isdecimal() or not re.fullmatch("[0-9a-f]{64}", digest):
            raise ValueError(f"--head: expected NUMBER:HASH with 64 hexadecimal digits, found {noted!r}")
        expected = Head(int(number), bytes.fromhex(digest))
    with store.view() as tx:
        found = verify(tx, expected)
    facts = {"entries that hold": found.entries, "head": f"{found.head.seq}:{found.head.hash.hex()}"}
    return not found.broken, facts | ({"broken": found.broken} if found.broken else {})


def _features(home: Home, store: Store) -> tuple[bool, dict[str, Any]]:
    from pipelines.sampled import check_sample

    found = check_sample(home, store)
    first = {f"claim {claim}": ", ".join(names[:5]) for claim, names in list(found.differing.items())[:5]}
    return not found.differing, {"rows compared": found.checked, "rows that differ": len(found.differing), **first}


def _decided(home: Home) -> Home:
    """Refuse a home in which nothing was ever decided, before a store is made in it."""
    if not home.has_store():
        raise FileNotFoundError(f"{home.store}: expected a store of decided claims, found none; run touchstone score first")
    return home


def _live_from(home: Home) -> datetime | None:
    from pipelines.simulated import Simulation

    return Simulation.of(home).live_from if Simulation.exists(home) else None
