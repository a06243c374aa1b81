"""The routes by which an external expert works the queue; who the expert is comes from the key, never from the request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import BaseModel
from sqlalchemy.exc import OperationalError

from models.policy import Policy
from serving.aside import Aside
from serving.asked import Asked, claim_of, cursor_of, opened, read, read_query
from serving.auth import Caller, Scope
from serving.call import Call, Reply
from serving.case_messages import Answered, Escalated, Given, Held, Listing, Recused, Wanted
from serving.expert_work import Desk
from serving.instants import micros
from serving.problem import RefusalError
from serving.queue import ConflictOfInterestError, QueueError, StaleLeaseError, Tier, UnknownCaseError
from serving.refusals import BusyError, Violation, shown
from serving.repeated import once
from serving.routes_claims import idempotency_key
from serving.simulated_clock import Now
from serving.store import Store, is_busy

_HELD = Violation("token", "that of a lease which is yours and has not ended", "another one, or none")


@dataclass(frozen=True)
class CaseRoutes:
    """What the routes need.

    Parameters
    ----------
    store
        Holds the cases.
    policy
        Fees and minutes.
    aside
        Does the work.
    now
        Tells the present instant.
    """

    store: Store
    policy: Policy
    aside: Aside
    now: Now

    async def list_cases(self, call: Call) -> Reply:
        """List the cases that you hold, that you may lease, or that you have answered, page by page in order of their identity."""
        asked = read_query(Listing, call)
        _must_reach(call.caller, asked.tier)
        after = opened(asked.cursor)

        def work() -> bytes:
            with self._looking(call) as desk:
                page = desk.page(asked, after)
            return page.model_copy(update={"next_cursor": cursor_of(page.next_cursor)}).model_dump_json().encode()

        return Reply(await self.aside.do(work))

    async def get_case(self, call: Call) -> Reply:
        """Return the file of a case that you hold."""
        claim_id = claim_of(call)

        def work() -> bytes | None:
            with self._looking(call) as desk:
                found = desk.file(claim_id)
            return None if found is None else found.model_dump_json().encode()

        found = await self.aside.do(work)
        if found is None:
            raise RefusalError(404, Violation("claim_id", "a case that you hold", shown(claim_id)))
        return Reply(found)

    async def lease_cases(self, call: Call) -> Reply:
        """Lease the next cases for some days. Urgent ones come first, then those meant for you, then the most valuable per minute."""
        body = await call.json()
        asked = read(Wanted, body)
        _must_reach(call.caller, asked.tier)
        return await self._do(call, b"lease\0" + body, lambda desk: desk.lease(asked))

    async def renew_case(self, call: Call) -> Reply:
        """Prolong a lease under the same token."""
        return await self._under(call, Held, Desk.renew)

    async def answer_case(self, call: Call) -> Reply:
        """Say what you found. The same answer under the same token once more changes nothing; another one is a conflict."""
        return await self._under(call, Answered, Desk.answer)

    async def release_case(self, call: Call) -> Reply:
        """Give a case back unanswered, to whoever asks next or to a named colleague."""
        return await self._under(call, Given, Desk.release)

    async def escalate_case(self, call: Call) -> Reply:
        """Give a case of the desk to the investigators, who have as long as for a case of their own."""
        return await self._under(call, Escalated, Desk.escalate)

    async def recuse_case(self, call: Call) -> Reply:
        """Declare a conflict of interest: you are never shown a case of that customer or seller again."""
        return await self._under(call, Recused, Desk.recuse)

    async def _under(self, call: Call, model: type[Asked], work: Callable[[Desk, Asked], BaseModel]) -> Reply:
        body = await call.json()
        asked = read(model, body)
        # One key means one request: the same body at another address is another one.
        return await self._do(call, work.__name__.encode() + b"\0" + body, lambda desk: work(desk, asked))

    async def _do(self, call: Call, asked: bytes, work: Callable[[Desk], BaseModel]) -> Reply:
        key, expert, now = idempotency_key(call), call.caller.person, micros(self.now(call))
        store, policy = self.store, self.policy

        def done() -> bytes:
            with _told():
                return once(store, expert, key, asked, now, lambda tx: work(Desk(tx, expert, now, policy)).model_dump_json().encode())

        return Reply(await self.aside.do(done))

    @contextmanager
    def _looking(self, call: Call) -> Iterator[Desk]:
        with _told(), self.store.view() as tx:
            yield Desk(tx, call.caller.person, micros(self.now(call)), self.policy)


def _must_reach(caller: Caller, tier: Tier) -> None:
    if tier is Tier.INVESTIGATION and not caller.may(Scope.INVESTIGATOR):
        held = ", ".join(sorted(caller.scopes)) or "nothing"
        raise RefusalError(403, Violation("authorization", f"a key with the scope {Scope.INVESTIGATOR.value}", f"one for {held}"))


@contextmanager
def _told() -> Iterator[None]:
    """Say to the caller what the queue refused; who else holds a case is nobody's business."""
    try:
        yield
    except UnknownCaseError:
        raise RefusalError(404, Violation("claim_id", "a case of the queue", "none")) from None
    except (StaleLeaseError, ConflictOfInterestError) as error:
        found = _HELD if isinstance(error, StaleLeaseError) else Violation("expert", "one who may see the case", "one who may not")
        raise RefusalError(409, found) from None
    except QueueError as error:
        expected, _, found_words = str(error).partition(": expected ")[2].partition(", found ")
        raise RefusalError(409, Violation("claim_id", expected, found_words)) from None
    except OperationalError as error:
        raise (BusyError() if is_busy(error) else error) from error
