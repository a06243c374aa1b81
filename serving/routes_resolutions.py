"""The routes by which seller, insurer, customers and the marketplace resolve claims; who speaks for whom comes from the key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.exc import OperationalError

from serving.aside import Aside
from serving.asked import claim_of, cursor_of, opened, read, read_query
from serving.call import Call, Reply
from serving.instants import micros
from serving.party_look import case_of, page_of
from serving.party_messages import About, Accepted, Appealed, CaseListing, Countered, Insured, Proven, Rejected, Repaid, Ruled, Verb
from serving.party_work import AmountError, NotYoursError, Speaker, UnsayableError, say
from serving.problem import RefusalError
from serving.refusals import BusyError, Violation
from serving.repeated import once
from serving.routes_claims import idempotency_key
from serving.simulated_clock import Now
from serving.store import Store, is_busy


@dataclass(frozen=True)
class ResolutionRoutes:
    """What the routes need.

    Parameters
    ----------
    store
        Holds the proceedings.
    aside
        Does the work.
    now
        Tells the present instant.
    """

    store: Store
    aside: Aside
    now: Now

    async def list_resolutions(self, call: Call) -> Reply:
        """List the claims that concern you, page by page in order of their identity. A seller hears only of claims that may be valid."""
        asked, speaker = read_query(CaseListing, call), _speaker(call)
        after = opened(asked.cursor)

        def work() -> bytes:
            with _told(), self.store.view() as tx:
                page = page_of(tx, speaker, asked, after)
            return page.model_copy(update={"next_cursor": cursor_of(page.next_cursor)}).model_dump_json().encode()

        return Reply(await self.aside.do(work))

    async def get_resolution(self, call: Call) -> Reply:
        """Return a claim that concerns you as it stands now, with what you may say and until when."""
        claim_id, speaker, now = claim_of(call), _speaker(call), micros(self.now(call))

        def work() -> bytes:
            with _told(), self.store.view() as tx:
                return case_of(tx, speaker, claim_id, now).model_dump_json().encode()

        return Reply(await self.aside.do(work))

    async def accept_claim(self, call: Call) -> Reply:
        """Pay all that is due: the claimant where the claim was presented to you, else the marketplace that has paid."""
        return await self._say(call, Verb.ACCEPT, Accepted)

    async def counter_claim(self, call: Call) -> Reply:
        """Pay a part and contest the rest; the marketplace pays the claimant in full and demands the rest of the seller."""
        return await self._say(call, Verb.COUNTER, Countered)

    async def reject_claim(self, call: Call) -> Reply:
        """Pay nothing, and say why. The marketplace may step in, pay the claimant and demand it back; a seller may appeal then."""
        return await self._say(call, Verb.REJECT, Rejected)

    async def insure_claim(self, call: Call) -> Reply:
        """Prove your insurance and name your insurer, who may see and answer your claims from then on."""
        return await self._say(call, Verb.INSURE, Insured)

    async def appeal_claim(self, call: Call) -> Reply:
        """Appeal, as a seller against a demand or for a customer against a denial, within 30 days."""
        return await self._say(call, Verb.APPEAL, Appealed)

    async def prove_claim(self, call: Call) -> Reply:
        """Bring the proof that was asked for. A denial for want of proof is reopened by it; one for abuse is not, it must be appealed."""
        return await self._say(call, Verb.PROVE, Proven)

    async def repay_claim(self, call: Call) -> Reply:
        """Pay back, for a customer whose claim turned out to be abusive; a part is taken as well."""
        return await self._say(call, Verb.REPAY, Repaid)

    async def rule_claim(self, call: Call) -> Reply:
        """Rule on an appeal or on a seller's evidence, tell that abuse has come to light, or cover a demand from what was withheld."""
        return await self._say(call, Verb.RULE, Ruled)

    async def _say(self, call: Call, verb: Verb, model: type[About]) -> Reply:
        body = await call.json()
        asked, speaker, now, key = read(model, body), _speaker(call), micros(self.now(call)), idempotency_key(call)
        name = f"{speaker.party.value}:{speaker.name}"

        def work() -> bytes:
            with _told():
                return once(
                    self.store,
                    name,
                    key,
                    verb.value.encode() + b"\0" + body,
                    now,
                    lambda tx: say(tx, speaker, verb, asked, now).model_dump_json().encode(),
                )

        return Reply(await self.aside.do(work))


def _speaker(call: Call) -> Speaker:
    found = Speaker.of(call.caller)
    if found is None:
        held = ", ".join(sorted(call.caller.scopes)) or "nothing"
        raise RefusalError(403, Violation("authorization", "a key that speaks for exactly one party", f"one for {held}"))
    return found


@contextmanager
def _told() -> Iterator[None]:
    """Say to the caller what was refused; of a claim that is not theirs they learn nothing."""
    try:
        yield
    except NotYoursError:
        raise RefusalError(404, Violation("claim_id", "a claim that concerns you", "none")) from None
    except UnsayableError as error:
        may = ", ".join(verb.value for verb in error.may) or "nothing"
        found = Violation("claim_id", f"a claim on which you may {error.verb.value} now", f"one on which you may {may}")
        raise RefusalError(409, found) from None
    except AmountError as error:
        raise RefusalError(422, Violation("amount_cents", error.expected, str(error.cents))) from None
    except OperationalError as error:
        raise (BusyError() if is_busy(error) else error) from error
