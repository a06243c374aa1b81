"""The simulated external firm: who works there, how fast, how skilled, and how an expert comes to a finding.

Follows the generator of OpenL2D, extended to three classes: whether an expert errs depends on the truth, on how difficult
the case is, on the expert's own skill, and on the model's score shown with the case (automation bias). Whatever is drawn
belongs to (seed, expert, day) or (seed, case, lease) for ever, so asking again never gives another answer.

References
----------
Alves et al., *A benchmarking framework and dataset for learning to defer in human–AI decision-making* (OpenL2D).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from data_contracts import LABELS, Label
from serving.casefile import CaseFile
from serving.instants import DAY, SECOND, micros, weekday
from serving.queue import MINUTES, Tier

PRIOR = (0.66, 0.24, 0.10)
"""Share of each class among all claims: a model's probability is shown to an expert as more or less than this."""

DESK_ERRORS = ((0.925, 0.060, 0.015), (0.120, 0.850, 0.030), (0.130, 0.100, 0.770))
"""Average confusion of a desk expert (*chosen*, about 87 % right on the cases they see): row the truth, column the finding."""


HOURS = (10 * 3600 * SECOND, 17 * 3600 * SECOND)
"""When experts answer, after midnight UTC: the day's cases are taken before, leases prolonged afterwards."""


@dataclass(frozen=True)
class Expert:
    """One expert.

    Parameters
    ----------
    name
        Identifier, also the holder of leases.
    tier
        Desk or investigation.
    cases_per_day
        Mean daily caseload; a day's number is normal with a standard deviation of a fifth of it.
    skill
        Log-odds against each error, relative to the tier's average expert: positive errs less.
    bias
        Log-odds towards a class per unit by which the model's probability exceeds its prior (automation bias).
    """

    name: str
    tier: Tier
    cases_per_day: float
    skill: float
    bias: float


@dataclass(frozen=True)
class Firm:
    """The firm and its ways.

    Parameters
    ----------
    experts
        The people.
    errors
        Average confusion of a desk expert, both axes in the order of ``LABELS``.
    investigation_share
        An investigator's errors as a share of a desk expert's.
    difficulty_slope
        Log-odds of an error per unit of difficulty (0 to 1, mean one half).
    absence, no_show
        Share of working days on which an expert is away; share of leased cases that are never answered.
    forgets, contradicts
        Share of leases that are not prolonged in time; share of answers that another one follows.
    days
        Shortest and longest time from lease to answer, by tier.
    """

    experts: tuple[Expert, ...]
    errors: tuple[tuple[float, float, float], ...] = DESK_ERRORS
    investigation_share: float = 1 / 3
    difficulty_slope: float = 1.5
    absence: float = 0.08
    no_show: float = 0.02
    forgets: float = 0.01
    contradicts: float = 0.005
    days: tuple[tuple[Tier, tuple[float, float]], ...] = ((Tier.DESK, (2.0, 10.0)), (Tier.INVESTIGATION, (14.0, 45.0)))

    def __post_init__(self) -> None:
        for name in ("absence", "no_show", "forgets", "contradicts"):
            if not 0 <= getattr(self, name) <= 1 or self.absence == 1:
                raise ValueError(f"firm.{name}: expected a share from 0 to 1, absence below 1, found {getattr(self, name)}")

    def confusion(self, expert: Expert) -> np.ndarray:
        """Return P(finding | truth) of an expert on a case of middling difficulty and no shown score, shape (3, 3), rows sum to 1."""
        return np.array([finding_probabilities(self, expert, Label(truth), 0.5, PRIOR) for truth in LABELS])


@dataclass(frozen=True)
class Finding:
    """What comes of one lease.

    Parameters
    ----------
    at
        When the expert answers, microseconds UTC, in working hours.
    label
        What they found.
    minutes
        How long it took.
    forgets
        Whether they forget to prolong the lease, so that the answer may come too late.
    contradicts
        What they say an hour after their answer, if they change their mind.
    """

    at: int
    label: Label
    minutes: int
    forgets: bool = False
    contradicts: Label | None = None


def hire(seed: int, desk: int = 2, investigators: int = 2) -> Firm:
    """Return a firm of experts whose speed, skill and automation bias are drawn from a seed.

    Parameters
    ----------
    seed
        Everything drawn depends on it alone.
    desk, investigators
        How many of each tier: a desk expert does 8 to 16 cases a day, an investigator about 17 a month.

    Examples
    --------
    >>> [expert.name for expert in hire(seed=1, desk=1, investigators=1).experts]
    ['desk-1', 'investigator-1']
    """
    rng = np.random.default_rng([seed, 17])
    people = []
    for number in range(1, desk + 1):
        pace, skill, bias = rng.uniform(8, 16), rng.normal(0, 0.4), max(0.0, rng.normal(1.0, 0.4))
        people.append(Expert(f"desk-{number}", Tier.DESK, pace, skill, bias))
    for number in range(1, investigators + 1):
        skill, bias = rng.normal(0, 0.3), max(0.0, rng.normal(0.5, 0.2))
        people.append(Expert(f"investigator-{number}", Tier.INVESTIGATION, 17 / 21, skill, bias))
    return Firm(tuple(people))


def caseload(firm: Firm, expert: Expert, day: int, seed: int) -> int:
    """Return how many cases an expert takes on a day (microseconds at midnight UTC): 0 at the weekend and when away."""
    rng = _chance(seed, expert.name, day)
    away, load, rounding = rng.random(), rng.normal(expert.cases_per_day, 0.2 * expert.cases_per_day), rng.random()
    if is_weekend(day) or away < firm.absence:
        return 0
    return int(max(0.0, load) + rounding)


def is_weekend(day: int) -> bool:
    """Tell whether nobody works on a day (microseconds at midnight UTC).

    >>> is_weekend(0), is_weekend(2 * DAY)  # 1970-01-01 was a Thursday
    (False, True)
    """
    return weekday(day) >= 5


def is_present(firm: Firm, expert: Expert, day: int, seed: int) -> bool:
    """Tell whether an expert works on a day (microseconds at midnight UTC)."""
    return not is_weekend(day) and _chance(seed, expert.name, day).random() >= firm.absence


def at_work(firm: Firm, expert: Expert, instant: int, seed: int) -> int:
    """Return when in working hours (:data:`HOURS`) an expert does what falls due at an instant, that day or the next at work."""
    day, rest = instant // DAY * DAY, instant % DAY
    while not is_present(firm, expert, day, seed):
        day += DAY
    begins, ends = HOURS
    return day + begins + round((ends - begins) * rest / DAY)


def finding_probabilities(firm: Firm, expert: Expert, truth: Label, difficulty: float, scores: tuple[float, float, float]) -> np.ndarray:
    """Return P(finding) of an expert on one case.

    Parameters
    ----------
    firm, expert
        Who examines.
    truth
        What the claim is.
    difficulty
        0 (plain) to 1 (hard).
    scores
        The model's probabilities as shown, in the order of ``LABELS``.

    Returns
    -------
    numpy.ndarray
        Shape (3,), sums to 1.

    Notes
    -----
    log-odds of finding *k* when the truth is *y*: log B[y, k] + [k ≠ y]·(slope·(difficulty − ½) − skill) + bias·(score[k] − prior[k]),
    with B the tier's average confusion.
    """
    row = LABELS.index(truth.value)
    average = np.array(firm.errors[row])
    wrong = np.arange(len(LABELS)) != row
    if expert.tier is Tier.INVESTIGATION:
        average = np.where(wrong, average * firm.investigation_share, 0.0)
        average[row] = 1.0 - average.sum()
    logits = np.log(average) + wrong * (firm.difficulty_slope * (difficulty - 0.5) - expert.skill)
    logits += expert.bias * (np.array(scores) - np.array(PRIOR))
    odds = np.exp(logits - logits.max())
    return np.asarray(odds / odds.sum())


def examine(firm: Firm, expert: Expert, held: CaseFile, truth: Label, difficulty: float, seed: int) -> Finding | None:
    """Return what the holder of a lease will find and when, or ``None`` for one who never answers.

    Depends on the arguments alone: the same lease gives the same finding whenever it is asked for. Whom no opinion is shown, none sways.
    """
    rng = _chance(seed, held.claim_id, held.token)
    stays_away, pace, effort, found, memory, doubt = rng.random(6)
    if stays_away < firm.no_show:
        return None
    shortest, longest = dict(firm.days)[expert.tier]
    at = at_work(firm, expert, micros(held.leased_at) + round((shortest + (longest - shortest) * pace) * DAY), seed)
    minutes = round(20 + 25 * effort) if expert.tier is Tier.DESK else round(MINUTES[Tier.INVESTIGATION] * (0.7 + 0.6 * effort))
    shown = PRIOR if held.opinion is None else (held.opinion.p_valid, held.opinion.p_unsubstantiated, held.opinion.p_abusive)
    chances = finding_probabilities(firm, expert, truth, difficulty, shown)
    place = int(np.searchsorted(np.cumsum(chances)[:-1], found, side="right"))
    second = Label(LABELS[(place + 1) % len(LABELS)]) if doubt < firm.contradicts else None
    return Finding(at, Label(LABELS[place]), minutes, memory < firm.forgets, second)


def _chance(seed: int, who: str, which: int) -> np.random.Generator:
    """Return the generator that belongs to one thing for ever."""
    digest = blake2b(f"{seed}:{who}:{which}".encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))
