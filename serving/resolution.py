"""The states of a claim from filed to closed: one declared table of transitions, and the clock of every waiting state.

Pure: no clock is read, nothing is stored, no money moves here. A transition *names* the ledger entries it causes and the
verdict it brings; :mod:`serving.casework` carries them out. The rules are the announcement's nine points and the published
seller policy; clocks marked *chosen* are this project's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from data_contracts import Label
from data_contracts.resolutions import Outcome, Source
from serving.instants import DAY

LIMIT_CENTS = 100_000
"""Up to $1,000 the customer is paid first and the seller is asked afterwards."""


class TransitionError(ValueError):
    """An event that the state a claim is in does not know."""


class State(StrEnum):
    """Where a claim stands."""

    FILED = "filed"
    UNDER_REVIEW = "under_review"
    UNDER_INVESTIGATION = "under_investigation"
    EXAMINED = "examined"
    EVIDENCE_REQUESTED = "evidence_requested"
    PROOF_REQUESTED = "proof_requested"
    APPROVED = "approved"
    PROOF_AWAITED = "proof_awaited"
    PRESENTED = "presented"
    REIMBURSEMENT_DEMANDED = "reimbursement_demanded"
    SELLER_APPEALED = "seller_appealed"
    WITHHOLDING = "withholding"
    DENIED_UNSUBSTANTIATED = "denied_unsubstantiated"
    DENIED_ABUSIVE = "denied_abusive"
    APPEALED_UNSUBSTANTIATED = "appealed_unsubstantiated"
    APPEALED_ABUSIVE = "appealed_abusive"
    REINSTATED = "reinstated"
    SETTLED = "settled"
    CLAIMED_BACK = "claimed_back"
    CLOSED = "closed"


class Event(StrEnum):
    """What can happen to a claim."""

    DECIDED_PAY = "decided_pay"
    DECIDED_REQUEST_EVIDENCE = "decided_request_evidence"
    DECIDED_DENY_UNSUBSTANTIATED = "decided_deny_unsubstantiated"
    DECIDED_DENY_ABUSIVE = "decided_deny_abusive"
    SENT_TO_DESK = "sent_to_desk"
    SENT_TO_INVESTIGATION = "sent_to_investigation"
    ESCALATED = "escalated"
    FOUND_VALID = "found_valid"
    FOUND_UNSUBSTANTIATED = "found_unsubstantiated"
    FOUND_ABUSIVE = "found_abusive"
    WITHIN_LIMIT = "within_limit"
    ABOVE_LIMIT = "above_limit"
    EVIDENCE_PROVIDED = "evidence_provided"
    EVIDENCE_REFUTES = "evidence_refutes"
    SELLER_PAYS = "seller_pays"
    SELLER_PAYS_IN_PART = "seller_pays_in_part"
    SELLER_REJECTS = "seller_rejects"
    INSURER_PAYS = "insurer_pays"
    INSURER_PAYS_IN_PART = "insurer_pays_in_part"
    INSURER_REJECTS = "insurer_rejects"
    INSURANCE_PROVEN = "insurance_proven"
    PROOF_INSUFFICIENT = "proof_insufficient"
    REIMBURSED = "reimbursed"
    REIMBURSED_IN_PART = "reimbursed_in_part"
    CLAIMANT_REPAYS = "claimant_repays"
    CLAIMANT_REPAYS_IN_PART = "claimant_repays_in_part"
    SELLER_APPEALS = "seller_appeals"
    CLAIMANT_APPEALS = "claimant_appeals"
    APPEAL_GRANTED = "appeal_granted"
    APPEAL_REFUSED = "appeal_refused"
    ABUSE_REVEALED = "abuse_revealed"
    DEADLINE = "deadline"


class Entry(StrEnum):
    """What a transition does to the ledger; the amounts follow from the claim and its balances."""

    ADVANCE = "advance"
    STEP_IN = "step_in"
    SELLER_PAYS_CLAIMANT = "seller_pays_claimant"
    INSURER_PAYS_CLAIMANT = "insurer_pays_claimant"
    ABSORB = "absorb"
    DEMAND = "demand"
    RECOVER_FROM_SELLER = "recover_from_seller"
    RECOVER_FROM_INSURER = "recover_from_insurer"
    CLAIM_BACK = "claim_back"
    RECOVER_FROM_CUSTOMER = "recover_from_customer"
    WRITE_OFF = "write_off"


@dataclass(frozen=True)
class Verdict:
    """What becomes known with a transition: a row of the resolutions.

    ``source`` is empty where it is whoever examined the case (desk, investigation or audit). ``label`` is empty where nobody examined
    it, and where the finding of the expert is the label: the finding is then kept with the case (``case.found``).
    """

    source: Source | None
    outcome: Outcome
    label: Label | None


@dataclass(frozen=True)
class Transition:
    """One arrow: in ``state``, on ``event``, go to ``to``, write ``entries`` to the ledger, announce ``verdict``."""

    state: State
    event: Event
    to: State
    entries: tuple[Entry, ...] = ()
    verdict: Verdict | None = None


INSTANT = (State.FILED, State.EXAMINED, State.APPROVED, State.REINSTATED)
"""States in which nothing is waited for: the next event follows at the same instant."""

FINAL = (State.CLOSED,)
"""States without a way out."""

RESOLVED = (State.SETTLED, State.CLOSED)
"""States in which the money is settled: ``settled`` is only watched for abuse that comes to light."""

DEADLINES: dict[State, int] = {
    State.UNDER_REVIEW: 40 * DAY,
    State.UNDER_INVESTIGATION: 75 * DAY,
    State.EVIDENCE_REQUESTED: 30 * DAY,
    State.PROOF_REQUESTED: 30 * DAY,
    State.PROOF_AWAITED: 7 * DAY,
    State.PRESENTED: 7 * DAY,
    State.REIMBURSEMENT_DEMANDED: 30 * DAY,
    State.SELLER_APPEALED: 30 * DAY,
    State.WITHHOLDING: 60 * DAY,
    State.DENIED_UNSUBSTANTIATED: 30 * DAY,
    State.DENIED_ABUSIVE: 30 * DAY,
    State.APPEALED_UNSUBSTANTIATED: 30 * DAY,
    State.APPEALED_ABUSIVE: 30 * DAY,
    State.SETTLED: 180 * DAY,
    State.CLAIMED_BACK: 60 * DAY,
}
"""How long each waiting state waits, in microseconds. Published: 7 days of proof, 30 days of the seller's appeal. *Chosen*: the rest."""

_PAID_UNSEEN = Verdict(Source.AUTOMATIC, Outcome.PAID, None)
_FOUND_VALID = Verdict(None, Outcome.PAID, Label.VALID)
_EXAMINED_PAID = Verdict(None, Outcome.PAID, None)
_EXAMINED_UNPROVEN = Verdict(None, Outcome.DENIED_UNSUBSTANTIATED, None)
_EXAMINED_ABUSIVE = Verdict(None, Outcome.DENIED_ABUSIVE, None)
_PROVEN = Verdict(Source.EVIDENCE, Outcome.PAID, Label.VALID)
_PROVEN_LATE = Verdict(Source.EVIDENCE, Outcome.PAID, None)
_UNPROVEN = Verdict(Source.EVIDENCE, Outcome.DENIED_UNSUBSTANTIATED, Label.UNSUBSTANTIATED)
_STILL_UNPROVEN = Verdict(Source.EVIDENCE, Outcome.DENIED_UNSUBSTANTIATED, None)
_REFUTED_AFTER_PAYMENT = Verdict(Source.EVIDENCE, Outcome.PAID, Label.UNSUBSTANTIATED)
_REVEALED_AFTER_PAYMENT = Verdict(Source.REVEALED, Outcome.PAID, Label.ABUSIVE)
_REVEALED_IN_TIME = Verdict(Source.REVEALED, Outcome.DENIED_ABUSIVE, Label.ABUSIVE)
_APPEAL_GRANTED = Verdict(Source.APPEAL, Outcome.PAID, Label.VALID)


def _findings(state: State) -> tuple[Transition, ...]:
    """List the arrows of a review: whatever was found, what it means for the claim is decided at once."""
    found = (Event.FOUND_VALID, Event.FOUND_UNSUBSTANTIATED, Event.FOUND_ABUSIVE)
    return (
        *(Transition(state, event, State.EXAMINED) for event in found),
        Transition(state, Event.ABUSE_REVEALED, State.DENIED_ABUSIVE, (), _REVEALED_IN_TIME),
    )


def _recoveries(state: State) -> tuple[Transition, ...]:
    """List the arrows of the states in which the seller owes the marketplace money."""
    return (
        Transition(state, Event.REIMBURSED, State.SETTLED, (Entry.RECOVER_FROM_SELLER,)),
        Transition(state, Event.REIMBURSED_IN_PART, state, (Entry.RECOVER_FROM_SELLER,)),
        Transition(state, Event.INSURER_PAYS, State.SETTLED, (Entry.RECOVER_FROM_INSURER,)),
        Transition(state, Event.INSURER_PAYS_IN_PART, state, (Entry.RECOVER_FROM_INSURER,)),
        Transition(state, Event.INSURER_REJECTS, state),
        Transition(state, Event.ABUSE_REVEALED, State.CLAIMED_BACK, (Entry.CLAIM_BACK,), _REVEALED_AFTER_PAYMENT),
    )


def _appeal(state: State, outcome: Outcome, label: Label) -> tuple[Transition, ...]:
    return (
        Transition(state, Event.APPEAL_GRANTED, State.REINSTATED, (), _APPEAL_GRANTED),
        Transition(state, Event.APPEAL_REFUSED, State.CLOSED, (), Verdict(Source.APPEAL, outcome, label)),
        Transition(state, Event.DEADLINE, State.CLOSED),
    )


TRANSITIONS: tuple[Transition, ...] = (
    Transition(State.FILED, Event.DECIDED_PAY, State.APPROVED, (), _PAID_UNSEEN),
    Transition(State.FILED, Event.DECIDED_REQUEST_EVIDENCE, State.EVIDENCE_REQUESTED),
    Transition(
        State.FILED,
        Event.DECIDED_DENY_UNSUBSTANTIATED,
        State.DENIED_UNSUBSTANTIATED,
        (),
        Verdict(Source.AUTOMATIC, Outcome.DENIED_UNSUBSTANTIATED, None),
    ),
    Transition(State.FILED, Event.DECIDED_DENY_ABUSIVE, State.DENIED_ABUSIVE, (), Verdict(Source.AUTOMATIC, Outcome.DENIED_ABUSIVE, None)),
    Transition(State.FILED, Event.SENT_TO_DESK, State.UNDER_REVIEW),
    Transition(State.FILED, Event.SENT_TO_INVESTIGATION, State.UNDER_INVESTIGATION),
    # No expert answered in time: back to filed, where the automatic action is taken.
    *_findings(State.UNDER_REVIEW),
    Transition(State.UNDER_REVIEW, Event.ESCALATED, State.UNDER_INVESTIGATION),
    Transition(State.UNDER_REVIEW, Event.DEADLINE, State.FILED),
    *_findings(State.UNDER_INVESTIGATION),
    Transition(State.UNDER_INVESTIGATION, Event.DEADLINE, State.FILED),
    # Priced again with the finding: an expert may err, so a finding of abuse alone need not suffice to accuse.
    Transition(State.EXAMINED, Event.DECIDED_PAY, State.APPROVED, (), _EXAMINED_PAID),
    Transition(State.EXAMINED, Event.DECIDED_REQUEST_EVIDENCE, State.PROOF_REQUESTED, (), _EXAMINED_UNPROVEN),
    Transition(State.EXAMINED, Event.DECIDED_DENY_UNSUBSTANTIATED, State.PROOF_REQUESTED, (), _EXAMINED_UNPROVEN),
    Transition(State.EXAMINED, Event.DECIDED_DENY_ABUSIVE, State.DENIED_ABUSIVE, (), _EXAMINED_ABUSIVE),
    *_findings(State.EVIDENCE_REQUESTED),
    Transition(State.EVIDENCE_REQUESTED, Event.EVIDENCE_PROVIDED, State.APPROVED, (), _PROVEN),
    Transition(State.EVIDENCE_REQUESTED, Event.DEADLINE, State.DENIED_UNSUBSTANTIATED, (), _UNPROVEN),
    # An expert has examined the claim as filed: proof that comes now is paid, yet the label stays what the expert found.
    Transition(State.PROOF_REQUESTED, Event.EVIDENCE_PROVIDED, State.APPROVED, (), _PROVEN_LATE),
    Transition(State.PROOF_REQUESTED, Event.ABUSE_REVEALED, State.DENIED_ABUSIVE, (), _REVEALED_IN_TIME),
    Transition(State.PROOF_REQUESTED, Event.DEADLINE, State.DENIED_UNSUBSTANTIATED, (), _STILL_UNPROVEN),
    Transition(State.APPROVED, Event.WITHIN_LIMIT, State.PROOF_AWAITED, (Entry.ADVANCE,)),
    Transition(State.APPROVED, Event.ABOVE_LIMIT, State.PRESENTED),
    Transition(State.PROOF_AWAITED, Event.INSURANCE_PROVEN, State.SETTLED, (Entry.ABSORB,)),
    Transition(State.PROOF_AWAITED, Event.PROOF_INSUFFICIENT, State.REIMBURSEMENT_DEMANDED, (Entry.DEMAND,)),
    Transition(State.PROOF_AWAITED, Event.EVIDENCE_REFUTES, State.SETTLED, (Entry.ABSORB,), _REFUTED_AFTER_PAYMENT),
    Transition(State.PROOF_AWAITED, Event.REIMBURSED, State.SETTLED, (Entry.DEMAND, Entry.RECOVER_FROM_SELLER)),
    Transition(State.PROOF_AWAITED, Event.REIMBURSED_IN_PART, State.REIMBURSEMENT_DEMANDED, (Entry.DEMAND, Entry.RECOVER_FROM_SELLER)),
    Transition(State.PROOF_AWAITED, Event.INSURER_PAYS, State.SETTLED, (Entry.DEMAND, Entry.RECOVER_FROM_INSURER)),
    Transition(State.PROOF_AWAITED, Event.INSURER_PAYS_IN_PART, State.REIMBURSEMENT_DEMANDED, (Entry.DEMAND, Entry.RECOVER_FROM_INSURER)),
    Transition(State.PROOF_AWAITED, Event.INSURER_REJECTS, State.PROOF_AWAITED),
    Transition(State.PROOF_AWAITED, Event.ABUSE_REVEALED, State.CLAIMED_BACK, (Entry.CLAIM_BACK,), _REVEALED_AFTER_PAYMENT),
    Transition(State.PROOF_AWAITED, Event.DEADLINE, State.REIMBURSEMENT_DEMANDED, (Entry.DEMAND,)),
    Transition(State.PRESENTED, Event.SELLER_PAYS, State.SETTLED, (Entry.SELLER_PAYS_CLAIMANT,)),
    Transition(State.PRESENTED, Event.SELLER_PAYS_IN_PART, State.REIMBURSEMENT_DEMANDED, (Entry.SELLER_PAYS_CLAIMANT,)),
    Transition(State.PRESENTED, Event.SELLER_REJECTS, State.REIMBURSEMENT_DEMANDED, (Entry.STEP_IN,)),
    Transition(State.PRESENTED, Event.INSURER_PAYS, State.SETTLED, (Entry.INSURER_PAYS_CLAIMANT,)),
    Transition(State.PRESENTED, Event.INSURER_PAYS_IN_PART, State.REIMBURSEMENT_DEMANDED, (Entry.INSURER_PAYS_CLAIMANT,)),
    Transition(State.PRESENTED, Event.INSURER_REJECTS, State.PRESENTED),
    Transition(State.PRESENTED, Event.EVIDENCE_REFUTES, State.DENIED_UNSUBSTANTIATED, (), _UNPROVEN),
    Transition(State.PRESENTED, Event.ABUSE_REVEALED, State.DENIED_ABUSIVE, (), _REVEALED_IN_TIME),
    Transition(State.PRESENTED, Event.DEADLINE, State.REIMBURSEMENT_DEMANDED, (Entry.STEP_IN,)),
    *_recoveries(State.REIMBURSEMENT_DEMANDED),
    Transition(State.REIMBURSEMENT_DEMANDED, Event.SELLER_APPEALS, State.SELLER_APPEALED),
    Transition(State.REIMBURSEMENT_DEMANDED, Event.DEADLINE, State.WITHHOLDING),
    *_recoveries(State.SELLER_APPEALED),
    Transition(State.SELLER_APPEALED, Event.APPEAL_GRANTED, State.SETTLED, (Entry.ABSORB,)),
    Transition(State.SELLER_APPEALED, Event.APPEAL_REFUSED, State.WITHHOLDING),
    Transition(State.SELLER_APPEALED, Event.DEADLINE, State.WITHHOLDING),
    *_recoveries(State.WITHHOLDING),
    Transition(State.WITHHOLDING, Event.DEADLINE, State.SETTLED, (Entry.WRITE_OFF,)),
    # A denial for want of proof is curable; a denial for abuse is not, it must be appealed.
    Transition(State.DENIED_UNSUBSTANTIATED, Event.EVIDENCE_PROVIDED, State.APPROVED, (), _PROVEN),
    Transition(State.DENIED_UNSUBSTANTIATED, Event.FOUND_VALID, State.APPROVED, (), _FOUND_VALID),
    Transition(State.DENIED_UNSUBSTANTIATED, Event.CLAIMANT_APPEALS, State.APPEALED_UNSUBSTANTIATED),
    Transition(State.DENIED_UNSUBSTANTIATED, Event.ABUSE_REVEALED, State.DENIED_ABUSIVE, (), _REVEALED_IN_TIME),
    Transition(State.DENIED_UNSUBSTANTIATED, Event.DEADLINE, State.CLOSED),
    Transition(State.DENIED_ABUSIVE, Event.FOUND_VALID, State.APPROVED, (), _FOUND_VALID),
    Transition(State.DENIED_ABUSIVE, Event.CLAIMANT_APPEALS, State.APPEALED_ABUSIVE),
    Transition(State.DENIED_ABUSIVE, Event.DEADLINE, State.CLOSED),
    *_appeal(State.APPEALED_UNSUBSTANTIATED, Outcome.DENIED_UNSUBSTANTIATED, Label.UNSUBSTANTIATED),
    *_appeal(State.APPEALED_ABUSIVE, Outcome.DENIED_ABUSIVE, Label.ABUSIVE),
    Transition(State.REINSTATED, Event.WITHIN_LIMIT, State.PROOF_AWAITED, (Entry.ADVANCE,)),
    Transition(State.REINSTATED, Event.ABOVE_LIMIT, State.REIMBURSEMENT_DEMANDED, (Entry.STEP_IN,)),
    Transition(State.SETTLED, Event.ABUSE_REVEALED, State.CLAIMED_BACK, (Entry.CLAIM_BACK,), _REVEALED_AFTER_PAYMENT),
    Transition(State.SETTLED, Event.DEADLINE, State.CLOSED),
    Transition(State.CLAIMED_BACK, Event.CLAIMANT_REPAYS, State.CLOSED, (Entry.RECOVER_FROM_CUSTOMER,)),
    Transition(State.CLAIMED_BACK, Event.CLAIMANT_REPAYS_IN_PART, State.CLAIMED_BACK, (Entry.RECOVER_FROM_CUSTOMER,)),
    Transition(State.CLAIMED_BACK, Event.DEADLINE, State.CLOSED, (Entry.WRITE_OFF,)),
)
"""Every arrow there is."""

_BY_PAIR = {(t.state, t.event): t for t in TRANSITIONS}


def follow(state: State, event: Event) -> Transition:
    """Return the declared transition of a state on an event.

    Raises
    ------
    TransitionError
        If the state does not know the event; the message lists those it knows.

    Examples
    --------
    >>> follow(State.PROOF_AWAITED, Event.DEADLINE).to.value
    'reimbursement_demanded'
    >>> follow(State.CLOSED, Event.REIMBURSED)
    Traceback (most recent call last):
        ...
    serving.resolution.TransitionError: closed: expected no further event, found reimbursed
    """
    found = _BY_PAIR.get((state, event))
    if found is None:
        known = ", ".join(t.event.value for t in TRANSITIONS if t.state is state)
        raise TransitionError(f"{state.value}: expected {'one of ' + known if known else 'no further event'}, found {event.value}")
    return found


def deadline(state: State, since: int) -> int | None:
    """Return when the clock of a state entered at ``since`` (microseconds) runs out; ``None`` where nothing is waited for."""
    return since + DEADLINES[state] if state in DEADLINES else None


def mermaid() -> str:
    """Return the whole table as a Mermaid state diagram, one arrow from a state to another: ``docs/life.md`` shows it.

    >>> mermaid().splitlines()[1].strip()
    '[*] --> filed'
    """
    arrows: dict[tuple[str, str], list[str]] = {}
    for t in TRANSITIONS:
        clock = f" after {DEADLINES[t.state] // DAY} days" if t.event is Event.DEADLINE else ""
        money = f" ({', '.join(entry.value for entry in t.entries)})" if t.entries else ""
        arrows.setdefault((t.state.value, t.to.value), []).append(f"{t.event.value}{clock}{money}")
    lines = ["stateDiagram-v2", f"    [*] --> {State.FILED.value}"]
    lines += [f"    {state} --> {to}: {'<br>'.join(told)}" for (state, to), told in arrows.items()]
    return "\n".join([*lines, *(f"    {state.value} --> [*]" for state in FINAL)])
