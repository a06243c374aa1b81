"""Commands about conflicts of interest: who is tied to which customer or seller, declared before any case comes up, or taken back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer
from rich.table import Table

from pipelines.home import Home
from pipelines.terminal import HomeOption, console


def ties(
    what: Annotated[Literal["list", "declare", "retract"], typer.Argument(help="list them, declare one, or take one back.")],
    expert: Annotated[str | None, typer.Argument(help="The expert, as their key or user is named.")] = None,
    customer: Annotated[str | None, typer.Option(help="The customer that the expert is tied to.", show_default=False)] = None,
    seller: Annotated[str | None, typer.Option(help="The seller that the expert is tied to.", show_default=False)] = None,
    home: HomeOption = None,
) -> None:
    """Say whom an expert is tied to: their cases are taken back and never offered to this expert again. Exit code 1: no tie to retract.

    Example: touchstone ties declare ann --seller S0042
    """
    from serving import audit, handover
    from serving.driver import Driver
    from serving.instants import micros
    from serving.store import Store
    from serving.ties import Tie, TieKind, retract, ties_of

    if expert is None:
        raise ValueError("expert: expected the expert's name, found none")
    with Store(Home.at(home).store_url) as store:
        if what == "list":
            with store.view() as view:
                found = ties_of(view, expert)
            table = Table("tied to", "who")
            for tie in sorted(found, key=lambda tie: (tie.kind, tie.party)):
                table.add_row(tie.kind.value, tie.party)
            console.print(table)
            return
        named = [(kind, party) for kind, party in ((TieKind.CUSTOMER, customer), (TieKind.SELLER, seller)) if party]
        if len(named) != 1:
            raise ValueError(f"--customer, --seller: expected one of them, found {len(named)}")
        tie, now = Tie(expert, *named[0]), micros(datetime.now(UTC))
        told = {"did": what, "expert": expert, "tied_to": tie.kind.value, "party": tie.party}
        with store.write() as tx:
            done = retract(tx, tie) if what == "retract" else handover.declare(tx, tie, now) is not None
            if done:
                audit.append(Driver(tx), [audit.Entry(audit.CASE, expert, now, json.dumps(told, sort_keys=True).encode())])
    if not done:
        raise typer.Exit(1)
