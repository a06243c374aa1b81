"""What a party to a claim does by the API, each in one transaction: look, pay, contest, prove, appeal, rule.

Who speaks is the key: a seller's key bears the seller's identity, an insurer's the name under which sellers name it, so nobody speaks for
another. What is said becomes an answer in the inbox, judged against where the claim stands *now* (:mod:`serving.present`), and is carried
out by the next ``touchstone resolve``; a deadline is kept by the instant at which it was said. Silence needs no request: clocks run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, select

from data_contracts.resolutions import AnswerKind, Party
from serving import audit
from serving.auth import Caller, Scope
from serving.case import Case, Message, due_cents, event_of
from serving.driver import Driver
from serving.instants import moment
from serving.party_messages import About, Countered, Insured, Repaid, Ruled, Ruling, Said, Verb
from serving.party_stage import PRESENTED
from serving.present import present
from serving.proceedings import hold
from serving.resolution import Event, State, TransitionError, follow
from serving.schema import ANSWERS_TABLE, CASE_EVENTS, PROCEEDINGS
from serving.schema_parties import SELLER_INSURERS, STATEMENTS

PARTY = "party"
"""Kind of entry of the audit log: what a party said."""

SPEAKS = {Scope.SELLER: Party.SELLER, Scope.INSURER: Party.INSURER, Scope.CUSTOMERS: Party.CUSTOMER, Scope.RULINGS: Party.MARKETPLACE}
"""For whom a key speaks; customers' words come by the marketplace's own service, which knows them."""


class NotYoursError(ValueError):
    """No such claim, or none that concerns the party."""


class UnsayableError(ValueError):
    """Nothing that this party may say about the claim as it stands; ``may`` is what it could say."""

    def __init__(self, verb: Verb, may: list[Verb], stage: str) -> None:
        super().__init__(f"{verb.value}: expected one of {', '.join(may) or 'nothing'} of a claim {stage}")
        self.verb, self.may, self.stage = verb, may, stage


class AmountError(ValueError):
    """An amount that does not fit what is said; ``expected`` is one that would, ``cents`` what was given."""

    def __init__(self, expected: str, cents: int) -> None:
        super().__init__(f"amount_cents: expected {expected}, found {cents}")
        self.expected, self.cents = expected, cents


@dataclass(frozen=True)
class Speaker:
    """Who speaks: for whom, and under which name."""

    party: Party
    name: str

    @classmethod
    def of(cls, caller: Caller) -> Speaker | None:
        """Return for whom a caller speaks; ``None`` unless it is exactly one party. ``admin`` speaks for nobody.

        >>> Speaker.of(Caller("0a1b", frozenset({Scope.SELLER}), None, "S001")).name
        'S001'
        >>> Speaker.of(Caller("0a1b", frozenset({Scope.ADMIN}))) is None
        True
        """
        parties = [party for scope, party in SPEAKS.items() if scope in caller.scopes]
        return cls(parties[0], caller.person) if len(parties) == 1 else None

    def sees(self) -> ColumnElement[bool]:
        """Return the condition, on a row of the proceedings, that the claim concerns the speaker."""
        if self.party in (Party.CUSTOMER, Party.MARKETPLACE):
            return PROCEEDINGS.c.claim_id == PROCEEDINGS.c.claim_id
        known = exists().where(CASE_EVENTS.c.claim_id == PROCEEDINGS.c.claim_id, CASE_EVENTS.c.to_state.in_([s.value for s in PRESENTED]))
        if self.party is Party.SELLER:
            return (PROCEEDINGS.c.seller_id == self.name) & known
        covered = select(SELLER_INSURERS.c.seller_id).where(SELLER_INSURERS.c.insurer == self.name)
        return PROCEEDINGS.c.seller_id.in_(covered) & known


_PAYS = {
    (Party.SELLER, True): AnswerKind.SELLER_PAYS,
    (Party.SELLER, False): AnswerKind.REIMBURSED,
    (Party.INSURER, True): AnswerKind.INSURER_PAYS,
    (Party.INSURER, False): AnswerKind.INSURER_PAYS,
}
_REJECTS = {Party.SELLER: AnswerKind.SELLER_REJECTS, Party.INSURER: AnswerKind.INSURER_REJECTS}
_SAYS: Mapping[Verb, tuple[frozenset[Party], AnswerKind]] = {
    Verb.INSURE: (frozenset({Party.SELLER}), AnswerKind.INSURANCE_PROOF),
    Verb.APPEAL: (frozenset({Party.SELLER, Party.CUSTOMER}), AnswerKind.APPEAL),
    Verb.PROVE: (frozenset({Party.CUSTOMER}), AnswerKind.EVIDENCE_PROVIDED),
    Verb.REPAY: (frozenset({Party.CUSTOMER}), AnswerKind.REIMBURSED),
}


def kind_of(verb: Verb, party: Party, case: Case, ruling: Ruling | None = None) -> AnswerKind | None:
    """Return what a verb amounts to as an answer of a party to a case; ``None`` if it is not the party's to say."""
    if verb in (Verb.ACCEPT, Verb.COUNTER):
        return _PAYS.get((party, case.state is State.PRESENTED))
    if verb is Verb.REJECT:
        return _REJECTS.get(party)
    if verb is Verb.RULE:
        kind = AnswerKind.REIMBURSED if ruling is Ruling.WITHHELD else AnswerKind(ruling.value) if ruling else None
        return kind if party is Party.MARKETPLACE else None
    parties, found = _SAYS[verb]
    return found if party in parties else None


def whole_cents(party: Party, case: Case) -> int:
    """Return what a party could pay on a case as it stands, in cents: 0 where nothing is asked of it."""
    kind = AnswerKind.REIMBURSED if party in (Party.CUSTOMER, Party.MARKETPLACE) else _PAYS[party, case.state is State.PRESENTED]
    if not _knows(case, Message("", case.last_at, party, kind, 1)):
        return 0
    return due_cents(case, Event.CLAIMANT_REPAYS if party is Party.CUSTOMER else Event.REIMBURSED)


def may_say(party: Party, case: Case) -> list[Verb]:
    """Return what a party may say about a case as it stands."""

    def possible(verb: Verb) -> bool:
        rulings = list(Ruling) if verb is Verb.RULE else [None]
        kinds = [kind_of(verb, party, case, ruling) for ruling in rulings]
        return any(kind is not None and _knows(case, Message("", case.last_at, party, kind, 1)) for kind in kinds)

    return [verb for verb in Verb if possible(verb)]


def _knows(case: Case, message: Message) -> bool:
    try:
        follow(case.state, event_of(case, message, compliant=True))
    except TransitionError:
        return False
    return True


def say(tx: Connection, speaker: Speaker, verb: Verb, asked: About, now: int) -> Said:
    """Keep what a party says.

    Parameters
    ----------
    tx
        A write transaction.
    speaker
        Who says it.
    verb, asked
        What.
    now
        The present instant, microseconds UTC.

    Raises
    ------
    NotYoursError
        If the claim does not concern the speaker.
    UnsayableError
        If the claim as it stands does not know such a thing from them.
    AmountError
        If a part is not less than the whole, or money comes with a ruling that is about none.
    """
    hold(tx, [asked.claim_id])
    row = tx.execute(select(PROCEEDINGS.c.seller_id).where(PROCEEDINGS.c.claim_id == asked.claim_id, speaker.sees())).first()
    if row is None:
        raise NotYoursError(f"claim {asked.claim_id}: expected one that concerns {speaker.party.value} {speaker.name}, found none")
    case = present(tx, asked.claim_id, now)
    kind = kind_of(verb, speaker.party, case, asked.ruling if isinstance(asked, Ruled) else None)
    cents = _cents(speaker, verb, asked, case)
    if kind is None or not _knows(case, Message("", now, speaker.party, kind, cents)):
        raise UnsayableError(verb, may_say(speaker.party, case), case.state.value)
    number = 1 + tx.execute(select(func.count()).select_from(ANSWERS_TABLE).where(ANSWERS_TABLE.c.claim_id == asked.claim_id)).scalar_one()
    answer_id = f"{asked.claim_id}.said.{number}"
    answer = {"claim_id": asked.claim_id, "party": speaker.party.value, "kind": kind.value, "amount_cents": cents, "answered_at": now}
    tx.execute(insert(ANSWERS_TABLE).values(answer_id=answer_id, **answer))
    _keep(tx, speaker, verb, asked, answer_id, now)
    if isinstance(asked, Insured):
        _name_insurer(tx, row.seller_id, asked, now)
    return Said(answer_id=answer_id, claim_id=asked.claim_id, kind=kind.value, amount_cents=cents, said_at=moment(now))


def _cents(speaker: Speaker, verb: Verb, asked: About, case: Case) -> int:
    whole = whole_cents(speaker.party, case)
    if verb is Verb.ACCEPT:
        return whole
    if isinstance(asked, Countered):
        if 0 < whole <= asked.amount_cents:
            raise AmountError(f"less than the {whole} that are due; else accept", asked.amount_cents)
        return asked.amount_cents
    if isinstance(asked, Ruled) and (asked.ruling is Ruling.WITHHELD) != (asked.amount_cents > 0):
        raise AmountError("what was withheld with the ruling withheld, and 0 with any other", asked.amount_cents)
    return min(asked.amount_cents, whole) if isinstance(asked, Repaid | Ruled) else 0


def _keep(tx: Connection, speaker: Speaker, verb: Verb, asked: About, answer_id: str, now: int) -> None:
    """Write down the words, beside the answer and in the audit log."""
    body = asked.model_dump_json()
    told = {"claim_id": asked.claim_id, "party": speaker.party.value, "speaker": speaker.name, "verb": verb.value}
    tx.execute(insert(STATEMENTS).values(answer_id=answer_id, body=body, said_at=now, **told))
    entry = json.dumps({**told, "answer_id": answer_id, "body": json.loads(body)}, sort_keys=True).encode()
    audit.append(Driver(tx), [audit.Entry(PARTY, asked.claim_id, now, entry)])


def _name_insurer(tx: Connection, seller_id: str, asked: Insured, now: int) -> None:
    named = SELLER_INSURERS.c
    tx.execute(delete(SELLER_INSURERS).where(named.seller_id == seller_id, named.insurer == asked.insurer))
    tx.execute(insert(SELLER_INSURERS).values(seller_id=seller_id, insurer=asked.insurer, policy_number=asked.policy_number, named_at=now))
