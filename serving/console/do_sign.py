"""Signing in and out, and changing one's own password.

A wrong name and a wrong password are answered alike and take as long. Tries are counted by name and by address, whether right or wrong, in
every process; who has tried too often is told to wait, and their password is not looked at.
"""

from __future__ import annotations

from serving.console.deeds import note
from serving.console.places import places
from serving.console.sessions import ENTROPY, end_session, open_session
from serving.console.users import LONGEST, UserError, is_password, password_of, set_password
from serving.console.visit import Answer, Office, Sent, Shown, Visit, WrongError

PER_NAME, PER_ADDRESS = 1 / 30, 1 / 3
"""Tries per second on average, by name and by address; with :data:`BURST_SECONDS` ten and a hundred at once."""

BURST_SECONDS = 300.0
"""Seconds' worth of tries that may come at once."""

_WRONG = "The name or the password is wrong, or you may not sign in."


def ask_to_sign_in(office: Office, visit: Visit) -> Answer:
    """Show the form; who is signed in already goes on."""
    if visit.session is not None:
        return Sent("/")
    return _form(visit.query.get("to", ""))


def sign_in(office: Office, visit: Visit) -> Answer:
    """Open a session for who gives a name and its password."""
    name, password, to = visit.form.get("name", "").strip().lower(), visit.form.get("password", ""), visit.form.get("to", "")
    waits = (
        office.tries.wait(f"name {name[:64]}", 1, visit.seconds, PER_NAME),
        office.tries.wait(f"address {visit.address}", 1, visit.seconds, PER_ADDRESS),
    )
    if max(waits) > 0:
        raise WrongError(429, "That was tried too often. Wait some minutes and try again.")
    with office.store.view() as view:
        kept = password_of(view, name) if name.isascii() else None
    if not is_password(kept, password) or len(password) > LONGEST:
        if kept is not None:
            with office.store.write() as tx:
                note(tx, name, "sign-in refused", name, visit.now)
        return _form(to, _WRONG, 401)
    with office.store.write() as tx:
        if visit.session is not None:
            end_session(tx, visit.cookie)
        identifier = open_session(tx, name, office.entropy(ENTROPY), visit.now)
        note(tx, name, "sign-in", name, visit.now)
    return Sent(to if _is_page(to) else "/", cookie=identifier)


def sign_out(office: Office, visit: Visit) -> Answer:
    """End the session."""
    with office.store.write() as tx:
        end_session(tx, visit.cookie)
        note(tx, visit.name, "sign-out", visit.name, visit.now)
    return Sent("/sign-in", "out", cookie="")


def show_account(office: Office, visit: Visit) -> Answer:
    """Show who one is here."""
    return Shown("account", {"wrong": ""})


def change_password(office: Office, visit: Visit) -> Answer:
    """Change one's own password, which ends every session; the present one must be given, and tries are counted."""
    if office.tries.wait(f"name {visit.name}", 1, visit.seconds, PER_NAME) > 0:
        raise WrongError(429, "That was tried too often. Wait some minutes and try again.")
    with office.store.view() as view:
        kept = password_of(view, visit.name)
    if not is_password(kept, visit.form.get("password", "")):
        return Shown("account", {"wrong": "The present password is another one."}, 403)
    try:
        with office.store.write() as tx:
            set_password(tx, visit.name, visit.form.get("new", ""), visit.now)
            note(tx, visit.name, "password", visit.name, visit.now)
    except UserError as error:
        return Shown("account", {"wrong": str(error)}, 422)
    return Sent("/sign-in", "password", cookie="")


def _form(to: str, wrong: str = "", status: int = 200) -> Shown:
    return Shown("sign_in", {"wrong": wrong, "to": to if _is_page(to) else ""}, status)


def _is_page(path: str) -> bool:
    """Tell whether a path is a page of the console, so that nobody is sent elsewhere after signing in."""
    return any(place.method == "GET" and place.roles is not None for place, _ in places(path))
