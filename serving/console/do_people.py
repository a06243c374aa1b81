"""What admins do about users: make them, shut them out, let them in again, give them another password."""

from __future__ import annotations

from serving.console import users
from serving.console.deeds import note
from serving.console.roles import MEANING, Role
from serving.console.users import UserError
from serving.console.visit import Answer, Office, Sent, Shown, Visit, WrongError


def show_users(office: Office, visit: Visit) -> Answer:
    """List the users."""
    return _page(office)


def add_user(office: Office, visit: Visit) -> Answer:
    """Make a user."""
    name, role = visit.form.get("name", "").strip(), visit.form.get("role", "")
    if role not in {one.value for one in Role}:
        return _page(office, "role: expected one of the roles")
    try:
        with office.store.write() as tx:
            users.add_user(tx, name, Role(role), visit.form.get("password", ""), visit.now)
            note(tx, visit.name, "add user", name, visit.now, role=role)
    except UserError as error:
        return _page(office, str(error))
    return Sent("/users", "user-added")


def disable_user(office: Office, visit: Visit) -> Answer:
    """Shut a user out; not oneself, so that somebody is left."""
    name = visit.path["name"]
    if name == visit.name:
        raise WrongError(409, "You cannot shut yourself out; ask another admin.")
    with office.store.write() as tx:
        try:
            users.disable_user(tx, name, visit.now)
        except UserError as error:
            raise WrongError(404, str(error)) from None
        note(tx, visit.name, "disable user", name, visit.now)
    return Sent("/users", "user-disabled")


def enable_user(office: Office, visit: Visit) -> Answer:
    """Let a user in again."""
    name = visit.path["name"]
    with office.store.write() as tx:
        try:
            users.enable_user(tx, name)
        except UserError as error:
            raise WrongError(404, str(error)) from None
        note(tx, visit.name, "enable user", name, visit.now)
    return Sent("/users", "user-enabled")


def give_password(office: Office, visit: Visit) -> Answer:
    """Give a user another password."""
    name = visit.path["name"]
    try:
        with office.store.write() as tx:
            users.set_password(tx, name, visit.form.get("password", ""), visit.now)
            note(tx, visit.name, "give password", name, visit.now)
    except UserError as error:
        return _page(office, str(error))
    return Sent("/users", "password")


def _page(office: Office, wrong: str = "") -> Shown:
    with office.store.view() as view:
        found = users.every_user(view)
    return Shown("users", {"users": found, "roles": MEANING, "wrong": wrong}, 422 if wrong else 200)
