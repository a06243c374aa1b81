"""What is done with a case in the console: the very deeds of ``/v1/cases``, and two of operations.

An expert works through :class:`serving.expert_work.Desk`, so that leases, fencing tokens, conflicts of interest, fees and the audit log
are the same whichever way they come. A form carries the token of the lease it was made under: who holds the case no more cannot write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from serving import handover, second_looks
from serving.case_messages import Answered, Asked, Escalated, Given, Held, Recused, Wanted
from serving.console.deeds import note
from serving.console.look_access import must_see
from serving.console.roles import EXPERTS, tiers
from serving.console.users import find_user
from serving.console.visit import Answer, Office, Sent, Visit, WrongError
from serving.expert_work import Desk
from serving.queue import ConflictOfInterestError, QueueError, StaleLeaseError, UnknownCaseError
from serving.second_looks import Why

MISSING: Mapping[str, str] = {
    "receipt": "a receipt or a repair estimate",
    "photo": "a dated photograph of the damage",
    "medical": "a medical record",
    "other": "further documents that show the purchase, the damage and what it cost",
}
"""What a claimant can be asked for."""

Model = TypeVar("Model", bound=Asked)

_LOST = "You do not hold this case any more: the lease has ended, or the case was taken back. Nothing was written; take a case again."


def take_cases(office: Office, visit: Visit) -> Answer:
    """Lease the next cases of a tier."""
    asked = _read(Wanted, {"tier": visit.form.get("tier", ""), "limit": visit.form.get("limit", "1")})
    if asked.tier not in tiers(visit.role):
        raise WrongError(403, "Investigations are for investigators.")
    with _desk(office, visit) as desk:
        got = desk.lease(asked).cases
    if len(got) == 1:
        return Sent(f"/cases/{got[0].claim_id}", "taken")
    return Sent("/queue", "taken" if got else "nothing")


def answer_case(office: Office, visit: Visit) -> Answer:
    """Keep an expert's finding with its rationale."""
    told = {"label": visit.form.get("label", ""), "minutes": visit.form.get("minutes", ""), "rationale": _rationale(visit)}
    _under(office, visit, Answered, Desk.answer, told)
    return Sent("/queue", "answered")


def ask_for_evidence(office: Office, visit: Visit) -> Answer:
    """Find a claim unsubstantiated and name what is missing: a finding that can be cured."""
    missing = [words for name, words in MISSING.items() if visit.form.get(name)]
    if not missing:
        raise WrongError(422, "Say what is missing: tick at least one document. Nothing was written.")
    rationale = f"Evidence requested: {'; '.join(missing)}. {_rationale(visit)}"
    told = {"label": "unsubstantiated", "minutes": visit.form.get("minutes", ""), "rationale": rationale}
    _under(office, visit, Answered, Desk.answer, told)
    return Sent("/queue", "evidence")


def escalate_case(office: Office, visit: Visit) -> Answer:
    """Give a desk case to the investigators."""
    _under(office, visit, Escalated, Desk.escalate, {"rationale": _rationale(visit)})
    return Sent("/queue", "escalated")


def renew_case(office: Office, visit: Visit) -> Answer:
    """Prolong a lease."""
    _under(office, visit, Held, Desk.renew, {})
    return Sent(f"/cases/{visit.path['claim_id']}", "renewed")


def release_case(office: Office, visit: Visit) -> Answer:
    """Give a case back, or hand it to a colleague."""
    to = visit.form.get("to", "").strip()
    _under(office, visit, Given, Desk.release, {"to": to} if to else {})
    return Sent("/queue", "released")


def recuse_case(office: Office, visit: Visit) -> Answer:
    """Declare a conflict of interest."""
    _under(office, visit, Recused, Desk.recuse, {"tied_to": visit.form.get("tied_to", "")})
    return Sent("/queue", "recused")


def assign_case(office: Office, visit: Visit) -> Answer:
    """Keep a waiting case for a named expert."""
    claim_id, to = visit.path["claim_id"], visit.form.get("to", "").strip()
    with _told(), office.store.write() as tx:
        must_see(tx, visit, claim_id)
        user = find_user(tx, to)
        if user is None or user.role not in EXPERTS or user.disabled_at is not None:
            raise WrongError(422, "Choose an expert who can sign in. Nothing was written.")
        if not handover.assign(tx, {claim_id: to}, visit.now):
            raise WrongError(409, "The case does not wait any more, or that expert may not see it. Nothing was written.")
        note(tx, visit.name, "assign", claim_id, visit.now, to=to)
    return Sent(f"/cases/{claim_id}", "assigned")


def ask_for_second_opinion(office: Office, visit: Visit) -> Answer:
    """Open an answered case again for somebody else."""
    claim_id, why = visit.path["claim_id"], _rationale(visit)
    with _told(), office.store.write() as tx:
        must_see(tx, visit, claim_id)
        second_looks.ask(tx, claim_id, Why.ASKED, visit.now)
        note(tx, visit.name, "second opinion", claim_id, visit.now, rationale=why)
    return Sent(f"/cases/{claim_id}", "reopened")


def _under(office: Office, visit: Visit, model: type[Model], work: Callable[[Desk, Model], BaseModel], told: Mapping[str, str]) -> None:
    asked = _read(model, {"claim_id": visit.path["claim_id"], "token": visit.form.get("token", ""), **told})
    with _desk(office, visit) as desk:
        work(desk, asked)


@contextmanager
def _desk(office: Office, visit: Visit) -> Iterator[Desk]:
    with _told(), office.store.write() as tx:
        yield Desk(tx, visit.name, visit.now, office.policy, office.checks)


@contextmanager
def _told() -> Iterator[None]:
    """Say in words for people what the queue refused; a conflict of interest looks as if there were no such case."""
    try:
        yield
    except (UnknownCaseError, ConflictOfInterestError):
        raise WrongError(404, "There is no such case for you.") from None
    except StaleLeaseError:
        raise WrongError(409, _LOST) from None
    except QueueError as error:
        raise WrongError(409, f"{str(error).partition(': ')[2].capitalize()}. Nothing was written.") from None


def _read(model: type[Model], told: Mapping[str, Any]) -> Model:
    try:
        return model.model_validate_strings(told)
    except ValidationError as error:
        where = " and ".join(sorted({str(one["loc"][0]) for one in error.errors() if one["loc"]})) or "form"
        raise WrongError(422, f"Please look at {where} again: it is missing or cannot be used. Nothing was written.") from None


def _rationale(visit: Visit) -> str:
    words = visit.form.get("rationale", "").replace("\r\n", "\n").strip()
    if len(words) < 10:
        raise WrongError(422, "Say why, in at least ten characters: whoever decides and audits reads it. Nothing was written.")
    return words
