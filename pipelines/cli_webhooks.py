"""Commands about who is told by webhook: endpoints made, listed and removed, dead letters shown and sent again, the outbox emptied."""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from pipelines.home import Home
from pipelines.terminal import HomeOption, console, errors, show

if TYPE_CHECKING:
    from serving.store import Store
    from serving.webhook_address import Reach

Deed = Literal["add", "list", "rotate", "remove", "dead", "replay", "deliver"]


def webhooks(
    what: Annotated[
        Deed,
        typer.Argument(help="add, list, rotate (another secret) or remove an endpoint; dead (letters), replay (them) or deliver (now)."),
    ],
    name: Annotated[str | None, typer.Argument(help="The endpoint, for rotate and remove; the message, for replay: default all.")] = None,
    url: Annotated[str | None, typer.Option(help="Where a new endpoint listens, https://….")] = None,
    audience: Annotated[
        str | None,
        typer.Option(help="What it is told of: desk, investigation (cases), seller:SELLER, insurer:INSURER (their claims) or marketplace."),
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Who is responsible for it.")] = None,
    secret_file: Annotated[
        Path | None, typer.Option(help="File with the secret (whsec_…), for add and rotate; default: one is made and shown once.")
    ] = None,
    overlap_hours: Annotated[int, typer.Option(help="Hours for which the secret before a rotation signs as well.", min=0)] = 24,
    networks: Annotated[str, typer.Option(help="Networks that may be told although they are not public, such as 10.1.0.0/16.")] = "",
    development: Annotated[bool, typer.Option("--development", help="Anything may be told, and by HTTP; for trying out.")] = False,
    home: HomeOption = None,
) -> None:
    """Tell others when a case or a claim has moved: signed messages (Standard Webhooks), sent by touchstone serve or by deliver.

    Example: touchstone webhooks add --url https://firm.example/hooks --audience desk --owner "The firm"

    Example: touchstone webhooks replay
    """
    from serving.store import Store
    from serving.webhook_address import Reach

    reach = Reach.of(networks, development)
    with Store(Home.at(home).store_url) as store:
        if what == "add":
            reach.url(url or "")
            _add(store, owner or "", audience or "", url or "", secret_file)
        elif what == "list":
            _list(store)
        elif what == "rotate":
            _rotate(store, name or "", secret_file, overlap_hours)
        elif what == "remove":
            _remove(store, name or "")
        elif what == "dead":
            _dead(store)
        elif what == "replay":
            _replay(store, name)
        else:
            _deliver(store, reach)


def _now() -> int:
    from serving.instants import micros

    return micros(datetime.now(UTC))


def _add(store: Store, owner: str, audience: str, url: str, file: Path | None) -> None:
    from serving.webhook_endpoints import add_endpoint

    endpoint, secret = f"whe_{secrets.token_hex(6)}", _secret(file)
    with store.write() as tx:
        add_endpoint(tx, endpoint, owner, audience, url, secret, _now())
    errors.print(f"Endpoint {endpoint} is told of {audience}.", markup=False)
    _show(secret, file)


def _rotate(store: Store, endpoint: str, file: Path | None, overlap_hours: int) -> None:
    from serving.instants import SECOND
    from serving.webhook_endpoints import exchange_secret

    secret, now = _secret(file), _now()
    with store.write() as tx:
        exchange_secret(tx, endpoint, secret, now, now + overlap_hours * 3600 * SECOND)
    errors.print(f"Endpoint {endpoint} has another secret; the one before signs as well for {overlap_hours} hours.", markup=False)
    _show(secret, file)


def _secret(file: Path | None) -> bytes:
    """Read a secret from a file, or make one; it is never an argument, which others on the machine could see."""
    from serving.webhook_signature import SECRET_BYTES, read_secret

    return secrets.token_bytes(SECRET_BYTES) if file is None else read_secret(file.read_text(encoding="utf-8"))


def _show(secret: bytes, file: Path | None) -> None:
    from serving.webhook_signature import written

    if file is None:
        errors.print("Its secret is shown this once:", markup=False)
        console.print(written(secret), soft_wrap=True, markup=False, highlight=False)


def _list(store: Store) -> None:
    from serving.webhook_endpoints import endpoints

    table = Table(title="Webhook endpoints", title_justify="left")
    for column in ("endpoint", "owner", "told of", "url", "since", "told"):
        table.add_column(column, overflow="fold")
    with store.view() as view:
        for one in endpoints(view):
            told = "yes" if one.ended_at is None else "no"
            table.add_row(one.endpoint_id, Text(one.owner), one.audience, Text(one.url), _day(one.created_at), told)
    console.print(table)


def _remove(store: Store, endpoint: str) -> None:
    from serving.webhook_endpoints import end_endpoint

    with store.write() as tx:
        end_endpoint(tx, endpoint, _now())
    errors.print(f"Endpoint {endpoint} is told nothing any more.", markup=False)


def _dead(store: Store) -> None:
    from serving.webhook_delivery import dead_letters

    table = Table(title="Dead letters", title_justify="left")
    for column in ("message", "endpoint", "kind", "of", "attempts", "at last"):
        table.add_column(column, overflow="fold")
    with store.view() as view:
        letters = dead_letters(view)
    for one in letters:
        row = (one.message_id, one.endpoint_id, one.kind, _day(one.created_at), str(one.attempts), Text(one.last_error or ""))
        table.add_row(*row)
    console.print(table)
    if letters:
        raise typer.Exit(1)


def _replay(store: Store, message: str | None) -> None:
    from serving.webhook_delivery import revive

    with store.write() as tx:
        count = revive(tx, _now(), message)
    if message is not None and not count:
        raise ValueError(f"message: expected the name of a dead letter, found {message!r}; touchstone webhooks dead shows them")
    show("Replay", {"messages to be sent again": count})


def _deliver(store: Store, reach: Reach) -> None:
    from serving.webhook_delivery import Delivery
    from serving.webhook_sending import Sender

    show("Webhooks", Delivery(store, Sender(reach), _now, Random(os.urandom(16))).run())


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1e6, UTC):%Y-%m-%d %H:%M}"
