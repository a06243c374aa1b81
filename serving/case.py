"""The nouns of casework: a case, the messages it gets, and what a message means for the state it is in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from data_contracts import LABELS, Action, Label, Route
from data_contracts.resolutions import AnswerKind, Outcome, Party, Source
from serving.ledger import Account, Posting
from serving.resolution import LIMIT_CENTS, Event, State, Transition, TransitionError

APPLIED = "applied"
"""The disposition of a message that moved its case."""

NOTED = "noted"
"""The disposition of a finding that moves nothing by itself: it counts with a later one, or measures an expert."""


class Deed(StrEnum):
    """What is done with a case by experts beside answering it."""

    ESCALATED = "escalated"


@dataclass(frozen=True)
class Message:
    """An answer of a party, or what an expert found or did.

    Parameters
    ----------
    message_id
        Unique name, the key of the answer.
    at
        When it arrived, microseconds UTC.
    party
        Who says it; ``None`` for an expert.
    says
        The kind of answer, the label that the expert found, or what was done with the case.
    amount_cents
        Money paid with it; an expert's fee.
    earlier
        What other experts found before, where several looked and count together.
    counts
        Whether the claim is judged by it. A finding that waits for another one, or that measures an expert on a case whose truth
        is known, is paid for and moves nothing by itself.
    """

    message_id: str
    at: int
    party: Party | None
    says: AnswerKind | Label | Deed
    amount_cents: int = 0
    earlier: tuple[Label, ...] = ()
    counts: bool = True


@dataclass(frozen=True)
class Case:
    """A claim, its decision, and where it stands (times in microseconds UTC, money in cents).

    ``proba`` are the decision's probabilities in the order of the labels; ``found`` is what stands of what experts found in time to be
    acted on, ``findings`` all of that as long as it is being judged; ``escalated`` cases went from the desk to the investigators.
    """

    claim_id: str
    customer_id: str
    seller_id: str
    product_id: str
    amount_cents: int
    action: Action
    automatic_action: Action
    route: Route
    propensity: float
    opened_at: int
    state: State
    seq: int
    since: int
    last_at: int
    deadline: int | None
    paid_at: int | None
    outcome: Outcome | None
    balances: Mapping[Account, int]
    proba: tuple[float, float, float] = (1.0, 0.0, 0.0)
    found: Label | None = None
    findings: tuple[Label, ...] = ()
    escalated: bool = False

    def owed(self, account: Account) -> int:
        """Return what is still to come back on a receivable, in cents."""
        return -self.balances.get(account, 0)

    @property
    def tier(self) -> Action:
        """Whose errors a finding has: those of the investigators, from the beginning or since it was escalated, or of the desk."""
        return Action.INVESTIGATE if self.escalated or self.action is Action.INVESTIGATE else Action.DESK

    @property
    def reviewer(self) -> Source:
        """How an expert's finding is to be labelled: an audit is not a sample that the policy chose."""
        if self.route is Route.AUDIT:
            return Source.AUDIT
        return Source.INVESTIGATION if self.tier is Action.INVESTIGATE else Source.DESK

    def standing(self, findings: tuple[Label, ...]) -> Label:
        """Return the label that stands where experts found these: the most frequent, and among equals what the model holds likelier.

        Raises
        ------
        ValueError
            Without any finding.
        """
        return max(findings, key=lambda label: (findings.count(label), self.proba[LABELS.index(label.value)]))


@dataclass(frozen=True)
class Resolved:
    """A verdict, ready to become a row of the resolutions (``at`` in microseconds UTC, ``paid_cents`` approved for payment)."""

    resolution_id: str
    at: int
    source: Source
    outcome: Outcome
    label: Label | None
    propensity: float
    paid_cents: int


@dataclass(frozen=True)
class Step:
    """One event of a case: the arrow taken, when, the postings, and the verdict if there is one."""

    seq: int
    at: int
    transition: Transition
    postings: tuple[Posting, ...]
    resolved: Resolved | None


@dataclass(frozen=True)
class Receipt:
    """How a message was taken."""

    message: Message
    disposition: str
    seq: int
    at: int


@dataclass(frozen=True)
class Advance:
    """What happened to a case: where it stands now and everything to be written down."""

    case: Case
    steps: tuple[Step, ...]
    receipts: tuple[Receipt, ...]
    fees: tuple[Posting, ...]
    noted: tuple[Resolved, ...]


Conclude = Callable[[Case, Label], Action]
"""Decides what is done once experts have found something: one of the four automatic actions, from ``case.findings`` and what stands."""

_DECIDED = {
    Action.PAY: Event.DECIDED_PAY,
    Action.REQUEST_EVIDENCE: Event.DECIDED_REQUEST_EVIDENCE,
    Action.DENY_UNSUBSTANTIATED: Event.DECIDED_DENY_UNSUBSTANTIATED,
    Action.DENY_ABUSIVE: Event.DECIDED_DENY_ABUSIVE,
    Action.DESK: Event.SENT_TO_DESK,
    Action.INVESTIGATE: Event.SENT_TO_INVESTIGATION,
}
_FOUND = {Label.VALID: Event.FOUND_VALID, Label.UNSUBSTANTIATED: Event.FOUND_UNSUBSTANTIATED, Label.ABUSIVE: Event.FOUND_ABUSIVE}
_IN_PART = {
    Event.SELLER_PAYS: Event.SELLER_PAYS_IN_PART,
    Event.INSURER_PAYS: Event.INSURER_PAYS_IN_PART,
    Event.REIMBURSED: Event.REIMBURSED_IN_PART,
    Event.CLAIMANT_REPAYS: Event.CLAIMANT_REPAYS_IN_PART,
}


MAY_SAY: Mapping[Party, frozenset[AnswerKind]] = {
    Party.CUSTOMER: frozenset({AnswerKind.EVIDENCE_PROVIDED, AnswerKind.APPEAL, AnswerKind.REIMBURSED}),
    Party.SELLER: frozenset(
        {
            AnswerKind.EVIDENCE_REFUTES,
            AnswerKind.SELLER_PAYS,
            AnswerKind.SELLER_REJECTS,
            AnswerKind.INSURANCE_PROOF,
            AnswerKind.REIMBURSED,
            AnswerKind.APPEAL,
        }
    ),
    Party.INSURER: frozenset({AnswerKind.INSURER_PAYS, AnswerKind.INSURER_REJECTS}),
    Party.MARKETPLACE: frozenset(
        {
            AnswerKind.EVIDENCE_REFUTES,
            AnswerKind.REIMBURSED,
            AnswerKind.APPEAL_GRANTED,
            AnswerKind.APPEAL_REFUSED,
            AnswerKind.ABUSE_REVEALED,
        }
    ),
}
"""Who may say what: a ruling is the marketplace's, and nobody pays with another's money."""

_TAKEN_AT_ITS_WORD = {Label.VALID: Action.PAY, Label.UNSUBSTANTIATED: Action.DENY_UNSUBSTANTIATED, Label.ABUSIVE: Action.DENY_ABUSIVE}


def as_found(_: Case, label: Label) -> Action:
    """Conclude from a finding what it says, as if experts never erred (where no prices are at hand)."""
    return _TAKEN_AT_ITS_WORD[label]


def event_at_once(case: Case, conclude: Conclude = as_found) -> Event | None:
    """Return the event that follows without waiting, or ``None`` where the case waits for somebody or a clock."""
    if case.state is State.EXAMINED and case.found is not None:
        return _DECIDED[conclude(case, case.found)]
    if case.state is State.FILED:
        return _DECIDED[case.action if case.seq == 0 else case.automatic_action]
    if case.state in (State.APPROVED, State.REINSTATED):
        return Event.WITHIN_LIMIT if case.amount_cents <= LIMIT_CENTS else Event.ABOVE_LIMIT
    return None


def event_of(case: Case, message: Message, compliant: bool) -> Event:
    """Return what a message means for a case.

    Parameters
    ----------
    case
        The case as it stands.
    message
        What was said.
    compliant
        Whether the seller's standing allows the marketplace to accept a proof of insurance now.

    Raises
    ------
    TransitionError
        If the party cannot say such a thing at all.
    """
    says, party = message.says, message.party
    if isinstance(says, Label):
        return _FOUND[says]
    if isinstance(says, Deed):
        return Event.ESCALATED
    if party is None or says not in MAY_SAY[party]:
        may = ", ".join(sorted(p.value for p, kinds in MAY_SAY.items() if says in kinds))
        raise TransitionError(f"{says.value}: expected from {may}, found {party.value if party else 'an expert'}")
    if says is AnswerKind.INSURANCE_PROOF:
        return Event.INSURANCE_PROVEN if compliant else Event.PROOF_INSUFFICIENT
    if says is AnswerKind.APPEAL:
        return Event.CLAIMANT_APPEALS if party is Party.CUSTOMER else Event.SELLER_APPEALS
    whole = Event.CLAIMANT_REPAYS if says is AnswerKind.REIMBURSED and party is Party.CUSTOMER else Event(says.value)
    return _IN_PART[whole] if whole in _IN_PART and message.amount_cents < due_cents(case, whole) else whole


def due_cents(case: Case, event: Event) -> int:
    """Return the amount that makes a payment complete, in cents."""
    if event is Event.CLAIMANT_REPAYS:
        return case.owed(Account.RECEIVABLE_FROM_CUSTOMER)
    if case.state is State.PRESENTED:
        return case.amount_cents
    return case.owed(Account.RECEIVABLE_FROM_SELLER) + case.owed(Account.ADVANCED)
