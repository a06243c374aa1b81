"""The declared policy: every price, share, fee and capacity a decision depends on, read from one TOML text.

A policy is data with a version and a hash; both are stored with each decision. Nothing else in the project holds a price.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cached_property
from importlib.resources import files
from typing import Any

import numpy as np

from data_contracts import LABELS, Label
from data_contracts.resolutions import Source


class PolicyError(ValueError):
    """A policy text that cannot be used: an unknown or missing key, or a value out of range."""


@dataclass(frozen=True)
class Recovery:
    """What comes back of a payment, and from whom.

    Parameters
    ----------
    absorb_limit_cents
        Up to this amount nothing is asked back from an insured, compliant seller.
    absorbed_share, seller_share
        Expected share recovered within that rule, and outside it.
    """

    absorb_limit_cents: int
    absorbed_share: float
    seller_share: float


@dataclass(frozen=True)
class Wrongful:
    """What it costs to deny a claim that is valid.

    Parameters
    ----------
    customer_value_cents
        Future margin lost with the customer.
    appeal_rate, appeal_cents
        How often an appeal follows, and what handling it costs.
    late_payment_share, unpaid_share
        Shares of the amount: interest on what is paid late; what the customer never gets although it was owed.
    accusation_multiple
        How many times worse it is to call the claim abusive, 5 to 20.
    corrected_share
        Share of wrongful findings that proof or an appeal puts right, so that the label which is learned from is right after all.
    """

    customer_value_cents: int
    appeal_rate: float
    appeal_cents: int
    late_payment_share: float
    unpaid_share: float
    accusation_multiple: float
    corrected_share: float


@dataclass(frozen=True)
class Evidence:
    """What follows a request for evidence.

    Parameters
    ----------
    handling_cents, friction_cents
        Reading the answer; the honest customer's effort and waiting.
    valid_dropout_share, forged_share
        Honest customers who give up; abusers who satisfy the request.
    """

    handling_cents: int
    friction_cents: int
    valid_dropout_share: float
    forged_share: float


@dataclass(frozen=True)
class Unsubstantiated:
    """Claims without proof: the share of the amount not owed, and the relative harm of accusing the claimant."""

    unowed_share: float
    accused_share: float


@dataclass(frozen=True)
class Abusive:
    """Abusers: the price of not naming one, and the share paid after all when only proof was asked for."""

    repeat_cents: int
    curable_leak_share: float


@dataclass(frozen=True)
class Denial:
    """A rightful denial: its handling."""

    handling_cents: int


@dataclass(frozen=True)
class Audit:
    """The random audit: its rate, in [0.001, 1], the seed of the draw, and the share of the desk's errors that remains in it."""

    rate: float
    seed: str
    error_share: float


@dataclass(frozen=True)
class Harm:
    """The bounds on what is done without an expert.

    Parameters
    ----------
    accused_share
        Largest share of claims that are not abusive which may be called abusive automatically.
    confidence
        Probability with which the labels must show that, in [0.5, 1).
    leaked_share
        Largest share of the dollars paid automatically that may go to claims that are not valid; 1: reported, not enforced.
    mistaken_valid_share, mistaken_unsubstantiated_share, mistaken_abusive_share
        Of the claims of each class, the largest share that may be settled automatically as if they were of another class
        (:mod:`models.sets`); 1: reported, not enforced.
    """

    accused_share: float
    confidence: float
    leaked_share: float = 1.0
    mistaken_valid_share: float = 1.0
    mistaken_unsubstantiated_share: float = 1.0
    mistaken_abusive_share: float = 1.0

    @property
    def mistaken_shares(self) -> tuple[float, float, float]:
        """The three shares in the order of ``LABELS``."""
        return self.mistaken_valid_share, self.mistaken_unsubstantiated_share, self.mistaken_abusive_share


@dataclass(frozen=True)
class Tier:
    """One kind of external expert.

    Parameters
    ----------
    fee_cents, delay_cents
        Price of one case, and of the waiting it causes.
    minutes
        Working time of one case.
    cases, days, experts
        Capacity: each expert does ``cases`` per ``days``.
    confusion
        P(answer | truth), three rows of three.
    """

    fee_cents: int
    delay_cents: int
    minutes: int
    cases: int
    days: int
    experts: int
    confusion: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Policy:
    """Everything a decision is priced with.

    Examples
    --------
    >>> policy = default_policy()
    >>> policy.audit.rate, policy.desk.fee_cents
    (0.02, 6000)
    >>> policy.identifier.startswith(policy.version + "-")
    True
    """

    version: str
    recovery: Recovery
    wrongful: Wrongful
    evidence: Evidence
    unsubstantiated: Unsubstantiated
    abusive: Abusive
    denial: Denial
    harm: Harm
    audit: Audit
    desk: Tier
    investigation: Tier

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Read a policy from TOML.

        Raises
        ------
        PolicyError
            Naming every key that is unknown, missing, of a wrong type or out of range.
        """
        try:
            found = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise PolicyError(f"policy: expected TOML, found {error}") from error
        problems: list[str] = []
        policy: Policy | None = _build(cls, found, "policy", problems)
        if policy is not None and not problems:
            problems = _out_of_range(policy)
        if policy is None or problems:
            raise PolicyError("; ".join(problems))
        return policy

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the values; comments, order and spacing of the file do not count."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def identifier(self) -> str:
        """Version and the first twelve digits of the hash, as decisions record it."""
        return f"{self.version}-{self.hash[:12]}"

    @property
    def tiers(self) -> tuple[Tier, Tier]:
        """Desk and investigation, in this order everywhere."""
        return self.desk, self.investigation


def label_confusions(policy: Policy) -> dict[str, np.ndarray]:
    """Return P(label | truth) by source of the label, as it stands once proof and appeals have put right what they will.

    Only claimants who were wronged appeal or bring proof with success, so only the errors on valid claims shrink. A label that came by
    proof or appeal rests on an examination and is judged like the desk's.

    >>> label_confusions(default_policy())["audit"].round(3).tolist()[0]
    [0.994, 0.005, 0.001]
    """
    certain = np.eye(len(LABELS))

    def settled(confusion: np.ndarray) -> np.ndarray:
        remaining = np.where(np.array(LABELS) == Label.VALID.value, 1 - policy.wrongful.corrected_share, 1.0)[:, None]
        errs: np.ndarray = certain + remaining * (confusion - certain)
        return errs

    desk = np.array(policy.desk.confusion)
    audit = settled(certain + policy.audit.error_share * (desk - certain))
    investigation = settled(np.array(policy.investigation.confusion))
    examined = {Source.AUDIT.value: audit, Source.INVESTIGATION.value: investigation}
    return examined | dict.fromkeys((Source.DESK.value, Source.EVIDENCE.value, Source.APPEAL.value), settled(desk))


def default_policy() -> Policy:
    """Return the policy shipped with the package, ``models/policy.toml``."""
    return Policy.parse(files("models").joinpath("policy.toml").read_text(encoding="utf-8"))


_PARTS = (Recovery, Wrongful, Evidence, Unsubstantiated, Abusive, Denial, Harm, Audit, Tier)
_TABLES: dict[str, type] = {kind.__name__: kind for kind in _PARTS}


def _build(kind: type, found: dict[str, Any], where: str, problems: list[str]) -> Any:
    """Build a dataclass from a table, noting every unknown, missing and mistyped key; ``None`` if it cannot be built."""
    expected = {f.name: str(f.type) for f in fields(kind)}
    before = len(problems)
    problems += [f"{where}.{key}: unknown key; expected {', '.join(expected)}" for key in found if key not in expected]
    problems += [f"{where}.{f.name}: missing; add it" for f in fields(kind) if f.name not in found and f.default is MISSING]
    values = {key: _value(expected[key], found[key], f"{where}.{key}", problems) for key in expected if key in found}
    return kind(**values) if len(problems) == before else None


def _value(kind: str, found: Any, where: str, problems: list[str]) -> Any:
    if kind in _TABLES:
        if isinstance(found, dict):
            return _build(_TABLES[kind], found, where, problems)
        problems.append(f"{where}: expected a table, found {found!r}")
        return None
    if kind.startswith("tuple"):
        shaped = isinstance(found, list) and all(isinstance(row, list) and len(row) == len(LABELS) for row in found)
        if shaped and len(found) == len(LABELS) and all(isinstance(v, int | float) for row in found for v in row):
            return tuple(tuple(float(v) for v in row) for row in found)
        problems.append(f"{where}: expected three rows of three numbers, found {found!r}")
        return None
    good, words = {"int": ((int,), "an integer"), "float": ((int, float), "a number"), "str": ((str,), "text")}[kind]
    if not isinstance(found, good) or isinstance(found, bool):
        problems.append(f"{where}: expected {words}, found {found!r}")
        return None
    return float(found) if kind == "float" else found


def _out_of_range(policy: Policy) -> list[str]:
    problems = []
    for table in fields(policy):
        part = getattr(policy, table.name)
        for item in fields(part) if table.name != "version" else ():
            value = getattr(part, item.name)
            if (item.name.endswith("_share") or item.name.endswith("_rate")) and not 0 <= value <= 1:
                problems.append(f"policy.{table.name}.{item.name}: expected a share between 0 and 1, found {value}")
            if item.type == "int" and value < 0:
                problems.append(f"policy.{table.name}.{item.name}: expected 0 or more, found {value}")
    if not 0.001 <= policy.audit.rate <= 1:
        problems.append(f"policy.audit.rate: expected between 0.001 and 1, so that weights stay finite, found {policy.audit.rate}")
    if not 0.5 <= policy.harm.confidence < 1:
        problems.append(f"policy.harm.confidence: expected 0.5 or more and below 1, found {policy.harm.confidence}")
    if not policy.harm.leaked_share > 0:
        problems.append(
            f"policy.harm.leaked_share: expected above 0, as no label can show that nothing leaks, found {policy.harm.leaked_share}"
        )
    if not 5 <= policy.wrongful.accusation_multiple <= 20:
        problems.append(f"policy.wrongful.accusation_multiple: expected 5 to 20, found {policy.wrongful.accusation_multiple}")
    for name, tier in (("desk", policy.desk), ("investigation", policy.investigation)):
        rows = np.array(tier.confusion)
        if (rows < 0).any() or not np.allclose(rows.sum(axis=1), 1.0, atol=1e-9):
            problems.append(f"policy.{name}.confusion: expected rows of probabilities that sum to 1, found {tier.confusion}")
        if min(tier.minutes, tier.days) < 1:
            problems.append(f"policy.{name}: expected minutes and days of at least 1, found {tier.minutes} and {tier.days}")
    return problems
