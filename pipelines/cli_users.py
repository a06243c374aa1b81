"""Commands about who may sign in to the console: make users, list them, change passwords, shut somebody out."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from pipelines.home import Home
from pipelines.terminal import HomeOption, console, errors

if TYPE_CHECKING:
    from serving.store import Store

Deed = Literal["add", "list", "password", "disable", "enable"]


def users(
    what: Annotated[Deed, typer.Argument(help="add, list, password (another one), disable (shut out) or enable (let in again).")],
    name: Annotated[str | None, typer.Argument(help="The user, for everything but list.")] = None,
    role: Annotated[
        str | None, typer.Option(help="What a new user may do: operations, expert, investigator, auditor or admin.", show_default=False)
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(help="File whose first line is the password; - reads standard input; default: asked for.", allow_dash=True),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Make, list and change the users of the console. Passwords are asked for or read from a file, never given as an argument.

    Example: touchstone users add ann --role expert
    """
    from serving.store import Store

    with Store(Home.at(home).store_url) as store:
        if what == "list":
            _list(store)
            return
        if name is None:
            raise ValueError(f"name: expected the user to {what}, found none; touchstone users list shows them")
        _change(store, what, name, role, password_file)


def _change(store: Store, what: Deed, name: str, role: str | None, password_file: Path | None) -> None:
    from serving.console import users as kept
    from serving.console.deeds import note
    from serving.console.roles import Role
    from serving.instants import micros

    now, roles = micros(datetime.now(UTC)), [one.value for one in Role]
    if what == "add" and role not in roles:
        raise ValueError(f"--role: expected one of {', '.join(roles)}, found {role or 'none'}")
    secret = _password(name, password_file) if what in ("add", "password") else ""
    with store.write() as tx:
        if what == "add":
            kept.add_user(tx, name, Role(role or ""), secret, now)
        elif what == "password":
            kept.set_password(tx, name, secret, now)
        elif what == "disable":
            kept.disable_user(tx, name, now)
        else:
            kept.enable_user(tx, name)
        note(tx, "command line", f"{what} user", name, now)
    done = {"add": f"can sign in as {role}", "password": "has another password", "disable": "is shut out", "enable": "can sign in again"}
    errors.print(f"{name} {done[what]}.", markup=False)


def _list(store: Store) -> None:
    from serving.console.users import every_user
    from serving.console.wording import minute

    table = Table(title="Users of the console", title_justify="left")
    for column in ("name", "role", "made", "password of", "can sign in"):
        table.add_column(column)
    with store.view() as view:
        for user in every_user(view):
            table.add_row(user.name, user.role.value, minute(user.created_at), minute(user.changed_at), "no" if user.disabled_at else "yes")
    console.print(table)


def _password(name: str, file: Path | None) -> str:
    """Read the password from a file, from standard input, or from whoever sits there; it is never echoed."""
    if file is not None:
        text = sys.stdin.readline() if str(file) == "-" else file.read_text(encoding="utf-8")
        return text.partition("\n")[0].rstrip("\r")
    if not sys.stdin.isatty():
        raise ValueError("password: expected a terminal to ask on, found none; give --password-file FILE, or - for standard input")
    return str(typer.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True))
