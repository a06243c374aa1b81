"""One claim on its way: its messages and clocks in order of time, each turned into an event, its money and its verdict.

Pure functions over frozen values: the same case and the same messages give the same steps, however often a run is
repeated. Reading and writing is :mod:`pipelines.resolve`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from data_contracts import Action, Label
from data_contracts.resolutions import AnswerKind, Outcome, Source
from serving.case import APPLIED, NOTED, Advance, Case, Conclude, Message, Receipt, Resolved, Step, as_found, event_at_once, event_of
from serving.entries import moved
from serving.ledger import PAY, Account, Posting
from serving.resolution import Event, TransitionError, Verdict, deadline, follow


def take(case: Case, event: Event, at: int, given_cents: int = 0, found: tuple[Label, ...] = ()) -> tuple[Case, Step]:
    """Take one declared arrow: the case after it, and the step to be written down.

    Parameters
    ----------
    case
        The case as it stands.
    event
        What happened.
    at
        When, microseconds UTC; not before the case's last event.
    given_cents
        Money that came with it.
    found
        What experts found, if that is the event; all of it counts together.

    Raises
    ------
    TransitionError
        If the state does not know the event, or the event is before the last one.
    """
    arrow = follow(case.state, event)
    if at < case.last_at:
        raise TransitionError(f"{case.claim_id}: expected an event at or after {case.last_at}, found {event.value} at {at}")
    seq, balances, postings = case.seq + 1, dict(case.balances), []
    for entry in arrow.entries:
        lines = moved(entry, case, balances, given_cents)
        if lines:
            step = PAY if lines.get(Account.CUSTOMER, 0) > 0 else f"{entry.value}.{seq}"
            postings.append(Posting(case.claim_id, step, at, tuple(lines.items())))
            balances = {a: cents for a in balances.keys() | lines.keys() if (cents := balances.get(a, 0) + lines.get(a, 0))}
    resolved = _resolved(case, arrow.verdict, seq, at)
    stays = arrow.to is case.state
    after = replace(
        case,
        state=arrow.to,
        seq=seq,
        since=case.since if stays else at,
        last_at=at,
        deadline=case.deadline if stays else deadline(arrow.to, at),
        paid_at=at if any(p.step == PAY for p in postings) else case.paid_at,
        outcome=resolved.outcome if resolved else case.outcome,
        balances=balances,
        found=case.standing(found) if found else case.found,
        findings=found,
        escalated=case.escalated or event is Event.ESCALATED,
    )
    return after, Step(seq, at, arrow, tuple(postings), resolved)


def _resolved(case: Case, verdict: Verdict | None, seq: int, at: int) -> Resolved | None:
    if verdict is None:
        return None
    source = verdict.source or case.reviewer
    # What follows from a chosen examination carries its logged probability; what came to light on its own was chosen by nobody.
    examined = case.action in (Action.DESK, Action.INVESTIGATE) and source is not Source.REVEALED
    propensity = case.propensity if examined or source is Source.AUTOMATIC else 1.0
    paid = case.amount_cents if verdict.outcome is Outcome.PAID else 0
    return Resolved(f"{case.claim_id}.{seq}", at, source, verdict.outcome, verdict.label or case.found, propensity, paid)


Respond = Callable[[Case], Iterable[Message]]
"""Asks the parties: what they will say to a case as it stands, and when."""

Compliant = Callable[[str, int], bool]
"""Tells of a seller and an instant whether the seller followed the policies then."""


def advance(
    case: Case,
    inbox: Iterable[Message],
    seen: Iterable[str],
    as_of: int,
    respond: Respond,
    compliant: Compliant,
    conclude: Conclude = as_found,
) -> Advance:
    """Move a case forward until nothing more happens by ``as_of``.

    Messages and the clock are taken in order of time; a message that arrives at the very deadline is in time. One that the
    state does not know is kept with the reason; a finding or revelation that comes too late to matter still gives its label.

    Parameters
    ----------
    case
        The case as it stands.
    inbox
        Messages not yet taken.
    seen
        Keys of the messages taken in earlier runs.
    as_of
        Up to when, microseconds UTC, inclusive.
    respond
        What the parties will say to the case in its present state; messages already seen are ignored.
    compliant
        The standing of sellers.
    conclude
        What is done after an expert's finding.

    Returns
    -------
    Advance
        The case as it stands at ``as_of``, with every step, receipt, fee and late label on the way.
    """
    way = _Way(case, {m.message_id: m for m in inbox}, set(seen))
    while True:
        event = event_at_once(way.case, conclude)
        if event is not None:
            way.step(event, way.case.last_at)
            continue
        message = way.next_message(respond)
        at = max(message.at, way.case.last_at) if message else None
        clock = way.case.deadline
        if clock is not None and (at is None or clock < at):
            if clock > as_of:
                break
            way.step(Event.DEADLINE, clock)
        elif message is None or at is None or at > as_of:
            break
        else:
            way.receive(message, at, compliant)
    return Advance(way.case, tuple(way.steps), tuple(way.receipts), tuple(way.fees), tuple(way.noted))


class _Way:
    """Collects what happens to one case during :func:`advance`."""

    def __init__(self, case: Case, waiting: dict[str, Message], seen: set[str]) -> None:
        self.case = case
        self.waiting = waiting
        self.seen = seen
        self.steps: list[Step] = []
        self.receipts: list[Receipt] = []
        self.fees: list[Posting] = []
        self.noted: list[Resolved] = []

    def next_message(self, respond: Respond) -> Message | None:
        """Return the earliest message not yet taken; among equals the one with the smaller key."""
        said = [m for m in (*self.waiting.values(), *respond(self.case)) if m.message_id not in self.seen]
        return min(said, key=lambda m: (max(m.at, self.case.last_at), m.message_id), default=None)

    def step(self, event: Event, at: int, given_cents: int = 0, found: tuple[Label, ...] = ()) -> None:
        self.case, step = take(self.case, event, at, given_cents, found)
        self.steps.append(step)

    def receive(self, message: Message, at: int, compliant: Compliant) -> None:
        self.seen.add(message.message_id)
        if message.party is None and message.amount_cents:
            fee = ((Account.EXPERTS, message.amount_cents), (Account.EXPERT_FEES, -message.amount_cents))
            self.fees.append(Posting(self.case.claim_id, f"fee.{message.message_id}", at, fee))
        if not message.counts:
            self.receipts.append(Receipt(message, NOTED, self.case.seq, at))
            return
        try:
            event = event_of(self.case, message, compliant(self.case.seller_id, at))
            self.step(event, at, message.amount_cents, (*message.earlier, message.says) if isinstance(message.says, Label) else ())
        except TransitionError as refusal:
            self.receipts.append(Receipt(message, f"not applicable in {refusal}", self.case.seq, at))
            self.note(message, at)
        else:
            self.receipts.append(Receipt(message, APPLIED, self.case.seq, at))

    def note(self, message: Message, at: int) -> None:
        """Keep the label of a finding or revelation that can no longer change the outcome."""
        case = self.case
        if case.outcome is None or not (isinstance(message.says, Label) or message.says is AnswerKind.ABUSE_REVEALED):
            return
        found = message.says if isinstance(message.says, Label) else None
        verdict = Verdict(None, case.outcome, found) if found else Verdict(Source.REVEALED, case.outcome, Label.ABUSIVE)
        resolved = _resolved(case, verdict, case.seq, at)
        if resolved is not None:
            self.noted.append(replace(resolved, resolution_id=f"{case.claim_id}.{case.seq}.{len(self.seen)}"))
