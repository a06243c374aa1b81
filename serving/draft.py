"""From a claim to its decision before anything is written: what is known of it, its features, its price.

Drafts are made in a transaction that only reads, so that several processes work side by side; whoever writes checks that what a draft
was made from still holds, and makes it anew where it does not. Most drafts hold: a feature row as of an instant that the history
has passed can never change again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from data_contracts import CLAIMS
from data_contracts.decisions import Decision
from features.history import Floats
from features.online import Read
from models.review import Capacity
from models.scorer import Seen
from serving.decided import day_of
from serving.decider import Decider, Walks
from serving.instants import micros
from serving.known import RESOLVED, STANDING, broken_references, differing, named
from serving.reading import Around, Asked, Reading
from serving.refusals import ConflictError, InvalidClaimError, Violation, shown
from serving.standing import is_insured


@dataclass(frozen=True, slots=True)
class Look:
    """A claim that was looked at and has no decision yet.

    Parameters
    ----------
    asked
        The claim.
    read
        Its features.
    insured
        Whether its seller is known to be insured and compliant.
    is_known
        Whether the store knows the claim already.
    seen
        Waits for what the trees say.
    old
        An earlier draft that holds as long as the experts' capacity does.
    """

    asked: Asked
    read: Read
    insured: bool
    is_known: bool
    seen: Callable[[], Seen]
    old: Draft | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A decision that is not written yet, and what it was made from."""

    look: Look
    decision: Decision
    seen: Seen
    capacity: Capacity
    watermark: int
    decider: Decider

    @property
    def asked(self) -> Asked:
        """The claim."""
        return self.look.asked

    @property
    def vector(self) -> Floats:
        """Its features."""
        return self.look.read.vector

    def holds_vector(self, watermark: int) -> bool:
        """Tell whether the features are still those of the claim: nothing can have become known before its filing since."""
        return watermark == self.watermark or self.asked.values["filed_at"] <= self.watermark + 1


Answer = bytes | Exception
"""What became of a claim: the answer as it goes out, or why there is none."""


def look(
    reading: Reading, group: Sequence[Asked], decider: Decider, now: datetime, skew: timedelta, before: Mapping[int, Draft]
) -> tuple[dict[int, Look], dict[int, Answer]]:
    """Find each claim's answer, or look at it; trees are walked while features are read.

    Parameters
    ----------
    reading
        What the transaction knows.
    group
        Claims, no two of them with the same identity or key.
    decider
        Decides those that are new.
    now
        The present instant.
    skew
        How far in the future a claim may have been filed.
    before
        Drafts made earlier, by place; what still holds of them is used.

    Returns
    -------
    tuple
        By place: claims that wait for their decision, and what the others are answered. A claim that fails fails alone.
    """
    around = Around.of(reading.driver, group)
    looks: dict[int, Look] = {}
    answers: dict[int, Answer] = {}
    new: list[Asked] = []
    for asked in group:
        try:
            first = answered(asked, around)
            if first is None:
                _must_be_sound(asked, around, now, skew)
                new.append(asked)
            else:
                answers[asked.place] = first
        except Exception as error:  # whatever it is concerns this claim alone
            answers[asked.place] = error
    kept = {place: draft for place, draft in before.items() if draft.holds_vector(reading.watermark)}
    reads = {place: draft.look.read for place, draft in kept.items()} | _read(reading, [one for one in new if one.place not in kept])
    walks = Walks(decider)
    for asked in new:
        read = reads[asked.place]
        if isinstance(read, Exception):
            answers[asked.place] = read
        else:
            looks[asked.place] = _looked(asked, read, around, walks, kept.get(asked.place))
    walks.begin()
    return looks, answers


def _read(reading: Reading, group: Sequence[Asked]) -> dict[int, Read | Exception]:
    """Read the features of claims together, by place; where that fails each alone, so that it fails alone."""
    try:
        return {one.place: read for one, read in zip(group, reading.history.read_many([one.values for one in group]), strict=True)}
    except Exception as error:  # whatever it is concerns one of them
        if len(group) == 1:
            return {group[0].place: error}
    return {place: read for one in group for place, read in _read(reading, [one]).items()}


def settle(reading: Reading, looks: Mapping[int, Look], decider: Decider, now: datetime) -> dict[int, Draft]:
    """Draft decisions: claims are priced together, and go one after the other to experts where there is a place left.

    Parameters
    ----------
    reading
        What the transaction knows; what the drafts take of the experts' day is counted there.
    looks
        Of :func:`look`, by place.
    decider
        The same as there.
    now
        The present instant.

    Returns
    -------
    dict
        Drafts, by place.
    """
    if not looks:
        return {}
    seen = [one.seen() for one in looks.values()]
    claims = [vars(one.asked.claim) for one in looks.values()]
    priced = decider.scorer.price(seen, claims, [one.insured for one in looks.values()])
    drafts = {}
    for (place, one), mine, price, claim in zip(looks.items(), seen, priced, claims, strict=True):
        decided_at = max(now, one.asked.claim.filed_at)
        day = day_of(micros(decided_at))
        left = reading.capacity_on(day)
        if one.old is not None and enough(one.old.capacity) == enough(left):
            decision = one.old.decision
        else:
            decision = decider.scorer.decide(mine, price, claim, left, decided_at)
        reading.took(decision, day)
        drafts[place] = Draft(one, decision, mine, left, reading.watermark, decider)
    return drafts


def answered(asked: Asked, around: Around) -> bytes | None:
    """Return the first answer to a claim, ``None`` if it is new.

    Raises
    ------
    ConflictError
        If its key came with another claim, another claim was received under its identity, or others resolved it.
    """
    claim_id = asked.claim.claim_id
    under_key = around.keys.get(asked.key) if asked.key is not None else None
    if under_key is not None and under_key != (claim_id, asked.print):
        told = Violation("Idempotency-Key", "a key that is new, or the claim it came with first", shown(asked.key))
        raise ConflictError(f"claim {claim_id}", [told])
    held = around.rows.get(named("claims", claim_id))
    if held is not None and held.print != asked.print:
        first = "the value received first under this claim_id"
        names = differing(CLAIMS, held.print, asked.print)
        raise ConflictError(f"claim {claim_id}", [Violation(name, first, shown(getattr(asked.claim, name))) for name in names])
    answer = around.answers.get(claim_id)
    if answer is None and named(RESOLVED, claim_id) in around.rows:
        raise ConflictError(f"claim {claim_id}", [Violation("claim_id", "a claim that nobody has resolved yet", shown(claim_id))])
    return answer


def _looked(asked: Asked, read: Read, around: Around, walks: Walks, old: Draft | None) -> Look:
    claim = asked.claim
    standing = around.rows.get(named(STANDING, claim.seller_id))
    insured = standing is not None and is_insured(standing.held, asked.values["filed_at"])
    is_known = named("claims", claim.claim_id) in around.rows
    if old is not None and old.look.insured == insured and old.decider is walks.decider:
        return Look(asked, read, insured, is_known, lambda: old.seen, old)
    return Look(asked, read, insured, is_known, walks.add(read.vector))


def enough(left: Capacity) -> tuple[int, int]:
    """Return what of a capacity can matter to one claim: a place at the desk, one more if the audit takes one, an investigation."""
    return min(left.desk, 2), min(left.investigations, 1)


def _must_be_sound(asked: Asked, around: Around, now: datetime, skew: timedelta) -> None:
    violations = broken_references(CLAIMS, vars(asked.claim), around.rows)
    latest = now + skew
    for name in ("filed_at", "recorded_at"):
        at = getattr(asked.claim, name)
        if at is not None and at > latest:
            violations.append(Violation(name, f"a time not after {now.isoformat()}", shown(at)))
    if violations:
        raise InvalidClaimError(f"claim {asked.claim.claim_id}", violations)
