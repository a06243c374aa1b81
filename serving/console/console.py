"""The console as one ASGI application behind the gate: who asks, may they, is the form theirs; then a page.

It answers below ``/console`` and holds no meaning of its own: :mod:`serving.console.places` says who may do what,
:mod:`serving.console.answers` does it. Everything that reads or writes the store runs aside, so that claims go on being decided.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from http.cookies import CookieError, SimpleCookie
from time import monotonic
from urllib.parse import parse_qsl, quote

from sqlalchemy.exc import OperationalError
from starlette.types import Receive, Scope, Send

from serving import journal
from serving.aside import Aside
from serving.auth import Caller
from serving.call import CALL, Call, Reply, answer
from serving.console.answers import ANSWERS
from serving.console.notices import NOTICES
from serving.console.places import ROOT, Place, places
from serving.console.rendering import asset, render
from serving.console.sessions import ABSOLUTE, ENTROPY, Session, find_session, form_token, note_seen
from serving.console.visit import Answer, Office, Sent, Shown, Visit, WrongError
from serving.instants import SECOND, micros
from serving.line import FullError, LateError
from serving.problem import RefusalError
from serving.store import is_busy

HTML = b"text/html; charset=utf-8"
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of every page: nothing inline, nothing from elsewhere."""

MOST_FIELDS = 200
"""Fields of a form at most."""

_FOREVER = "private, max-age=31536000, immutable"


@dataclass(frozen=True)
class Console:
    """The application.

    Parameters
    ----------
    office
        What answers can use.
    aside
        Where they are worked out.
    clock
        Tells the present instant.
    """

    office: Office
    aside: Aside
    clock: Callable[[], datetime]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request that came through the gate."""
        call: Call = scope[CALL]
        path = scope["path"].removeprefix(ROOT) or "/"
        if path.startswith("/static/"):
            await answer(send, _static(path.removeprefix("/static/"), scope["method"]))
            return
        visit = None
        try:
            visit = await self._visit(scope, call)
            reply = await self._answered(scope["method"], path, visit, call)
        except Exception as error:  # whatever it was, a person gets a page
            reply = self._wrong(error, visit, call)
        await answer(send, reply)

    async def _visit(self, scope: Scope, call: Call) -> Visit:
        cookies = _cookies(call.headers.get(b"cookie", b""))
        now = micros(self.clock())
        named = cookies.get(_name("session", self.office.secure), "")
        session = await self.aside.do(lambda: self._session(named, now)) if named else None
        if session is not None:
            call.caller = Caller(f"user:{session.user.name}", frozenset(), None, session.user.name)
        form = _fields(await call.body()) if scope["method"] == "POST" else {}
        query = _fields(scope["query_string"])
        before = cookies.get(_name("form", self.office.secure), "")
        address = (scope.get("client") or ("",))[0]
        return Visit(now, {}, query, form, session, named if session is not None else before, address, monotonic())

    def _session(self, identifier: str, now: int) -> Session | None:
        with self.office.store.view() as view:
            found = find_session(view, identifier, now)
        if found is not None and found.stale:
            with self.office.store.write() as tx:
                note_seen(tx, found, now)
        return found

    async def _answered(self, method: str, path: str, visit: Visit, call: Call) -> Reply:
        here = places(path)
        chosen = next(((place, found) for place, found in here if place.method == ("GET" if method == "HEAD" else method)), None)
        if chosen is None:
            raise _unknown(visit, bool(here))
        place, found = chosen
        if place.roles is not None and visit.session is None:
            back = "" if place.method == "POST" or path == "/" else f"&to={quote(path)}"
            return _redirect(f"/sign-in?said={'ended' if visit.query or visit.form else 'please'}{back}")
        _must_reach(place, visit)
        if place.method == "POST":
            _must_be_ours(visit, call)
        visit = replace(visit, path=found)
        done = await self.aside.do(lambda: ANSWERS[place.does](self.office, visit))
        return self._reply(done, visit)

    def _reply(self, done: Answer, visit: Visit) -> Reply:
        if isinstance(done, Sent):
            said = f"{'&' if '?' in done.to else '?'}said={done.said}" if done.said else ""
            return _redirect(done.to + said, self._set(done.cookie))
        cookie, visitor = self._set(done.cookie), visit
        if visit.session is None and not visit.cookie:
            entropy = self.office.entropy(ENTROPY).hex()
            cookie, visitor = _cookie("form", entropy, self.office.secure, None), replace(visit, cookie=entropy)
        return _page(done, visitor, cookie)

    def _set(self, cookie: str | None) -> dict[str, str]:
        return {} if cookie is None else _cookie("session", cookie, self.office.secure, ABSOLUTE if cookie else 0)

    def _wrong(self, error: Exception, visit: Visit | None, call: Call) -> Reply:
        status, words = _told(error)
        if status == 500:
            journal.broke(call.trace, error)
        return _page(Shown("wrong", {"words": words}, status), visit, {"retry-after": "1"} if status in (429, 503) else {})


def _unknown(visit: Visit, other_method: bool) -> WrongError:
    """Say that an address is not there; who has not signed in does not learn that."""
    if visit.session is None:
        return WrongError(401, "Please sign in first.")
    return WrongError(405 if other_method else 404, "There is no such page.")


def _must_reach(place: Place, visit: Visit) -> None:
    if place.roles is not None and visit.role not in place.roles:
        raise WrongError(403, f"This is not for the role {visit.role.value}.")


def _must_be_ours(visit: Visit, call: Call) -> None:
    """Refuse a form that was not made here for this session: another site may have sent it."""
    site = call.headers.get(b"sec-fetch-site", b"same-origin")
    given = visit.form.get("form", "")
    if (
        site not in (b"same-origin", b"none")
        or not visit.cookie
        or not hmac.compare_digest(given.encode(), form_token(visit.cookie).encode())
    ):
        raise WrongError(403, "The form was not made for this session. Go back, load the page anew and send it again; nothing was done.")


def _told(error: Exception) -> tuple[int, str]:
    match error:
        case WrongError():
            return error.status, error.words
        case RefusalError():
            words = {413: "That was too much text.", 408: "The form did not arrive in time."}
            return error.status, words.get(error.status, "The form cannot be read.")
        case FullError():
            return 429, "Too many pages are asked for at once. Try again in a moment."
        case LateError():
            return 503, "It took too long. Try again in a moment; look first whether what you sent was done."
        case OperationalError() if is_busy(error):
            return 503, "The store is busy. Try again in a moment; nothing was done."
        case _:
            return 500, "Something is wrong here. Tell whoever runs it the time and the page; nothing was done."


def _page(shown: Shown, visit: Visit | None, headers: dict[str, str]) -> Reply:
    said = NOTICES.get(visit.query.get("said", ""), "") if visit is not None else ""
    form = form_token(visit.cookie) if visit is not None and visit.cookie else ""
    content = {"visit": visit, "said": said, "form": form, "status": shown.status, **shown.content}
    body = render(shown.template, content).encode()
    return Reply(body, shown.status, HTML, {"content-security-policy": POLICY, "cross-origin-opener-policy": "same-origin", **headers})


def _redirect(to: str, headers: dict[str, str] | None = None) -> Reply:
    return Reply(b"", 303, HTML, {"location": ROOT + to, **(headers or {})})


def _static(name: str, method: str) -> Reply:
    found = asset(name) if method in ("GET", "HEAD") else None
    if found is None:
        return Reply(b"", 404, b"text/plain")
    return Reply(found[0], 200, found[1].encode(), {"cache-control": _FOREVER, "etag": f'"{found[2]}"'})


def _fields(text: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(text.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise WrongError(400, "The form cannot be read.") from None


def _cookies(header: bytes) -> dict[str, str]:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(header.decode("latin-1"))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def _name(what: str, secure: bool) -> str:
    # The prefix makes browsers refuse the cookie from other hosts and over plain HTTP.
    return f"{'__Host-' if secure else ''}touchstone-{what}"


def _cookie(what: str, value: str, secure: bool, lasts: int | None) -> dict[str, str]:
    age = "" if lasts is None else f"; Max-Age={lasts // SECOND}"
    return {"set-cookie": f"{_name(what, secure)}={value}; Path=/; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}{age}"}
