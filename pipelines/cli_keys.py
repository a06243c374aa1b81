"""Commands about who may call the endpoint: make, list and revoke API keys."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from pipelines.home import Home
from pipelines.terminal import HomeOption, console, errors

if TYPE_CHECKING:
    from serving.store import Store

What = Literal["create", "list", "rotate", "revoke"]


def keys(
    what: Annotated[What, typer.Argument(help="create, list, rotate (a new key beside the old, which ends later) or revoke.")],
    key: Annotated[str | None, typer.Argument(help="The key's identifier, for rotate and revoke.")] = None,
    name: Annotated[str | None, typer.Option(help="Who will hold the key; of a seller or insurer the identity that claims know.")] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What its holder may do: score, events, read, expert, investigator, admin; "
            "or for whom they speak: seller, insurer, customers, rulings; may be repeated."
        ),
    ] = None,
    days: Annotated[int, typer.Option(help="Days until the key ends; 0: never.", min=0)] = 365,
    per_second: Annotated[int | None, typer.Option(help="Requests per second on average; default: as the endpoint's settings say.")] = None,
    overlap_hours: Annotated[int, typer.Option(help="Hours for which a rotated key is still valid.", min=0)] = 24,
    home: HomeOption = None,
) -> None:
    """Make, list, rotate or revoke the API keys of the scoring endpoint. A key is shown once; only its hash is kept.

    Example: touchstone keys create --name claims-service --scope score --scope read

    Example: touchstone keys create --name S0042 --scope seller
    """
    from serving.store import Store

    now = datetime.now(UTC)
    with Store(Home.at(home).store_url) as store:
        if what == "create":
            _create(store, name, scope or [], now, now + timedelta(days=days) if days else None, per_second)
        elif what == "list":
            _list(store, now)
        else:
            _end(store, key, now, overlap_hours if what == "rotate" else None, days)


def _create(store: Store, name: str | None, scopes: list[str], now: datetime, ends: datetime | None, per_second: int | None) -> None:
    from serving.auth import Scope
    from serving.instants import micros
    from serving.keys import ENTROPY, add_key, make

    known = [scope.value for scope in Scope]
    wrong = [scope for scope in scopes if scope not in known]
    if wrong:
        raise ValueError(f"--scope: expected some of {', '.join(known)}, found {', '.join(wrong)}")
    entropy = secrets.token_bytes(ENTROPY)
    text, key = make(entropy, name or "", map(Scope, scopes), micros(now), None if ends is None else micros(ends), per_second)
    add_key(store, key)
    errors.print(f"Key {key.key_id} for {key.name}. It is shown this once:", markup=False)
    console.print(text, soft_wrap=True, markup=False, highlight=False)


def _list(store: Store, now: datetime) -> None:
    from serving.instants import micros
    from serving.keys import kept_keys

    table = Table(title="API keys", title_justify="left")
    for column in ("key", "name", "scopes", "made", "ends", "valid"):
        table.add_column(column)
    for key in kept_keys(store).values():
        ends = min((at for at in (key.expires_at, key.revoked_at) if at is not None), default=None)
        valid = "yes" if key.holds(micros(now)) else "no"
        dates = [_day(key.created_at), "never" if ends is None else _day(ends)]
        table.add_row(key.key_id, Text(key.name), " ".join(sorted(key.scopes)), *dates, valid)
    console.print(table)


def _end(store: Store, key_id: str | None, now: datetime, overlap_hours: int | None, days: int) -> None:
    from serving.instants import micros
    from serving.keys import end_key, kept_keys

    held = kept_keys(store).get(key_id or "")
    if held is None or not held.holds(micros(now)):
        raise ValueError(f"key: expected the identifier of a valid key, found {key_id!r}; touchstone keys list shows them")
    if overlap_hours is not None:
        ends = now + timedelta(days=days) if days else None
        _create(store, held.name, [scope.value for scope in held.scopes], now, ends, held.per_second)
    at = now + timedelta(hours=overlap_hours or 0)
    end_key(store, held.key_id, micros(at))
    errors.print(f"Key {held.key_id} ends at {at:%Y-%m-%d %H:%M:%S} UTC.", markup=False)


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1e6, UTC):%Y-%m-%d}"
