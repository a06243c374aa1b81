"""What is said when a claim or an event is not taken: which field, what was expected there, what was found.

The words are those of the contract, whether a row model or a reference refused; nothing is written for what is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from data_contracts.contract import Contract

_SHOWN = 80


@dataclass(frozen=True)
class Violation:
    """One thing wrong with a request: which field, what was expected there, what was found (shortened)."""

    field: str
    expected: str
    found: str


class RefusedError(ValueError):
    """A claim or event that is not taken, and every reason for it; nothing was written.

    Parameters
    ----------
    subject
        What was refused, such as ``claim C1``.
    violations
        Every reason.
    """

    def __init__(self, subject: str, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        reasons = "; ".join(f"{v.field}: expected {v.expected}, found {v.found}" for v in self.violations)
        super().__init__(f"{subject}: {reasons}")


class InvalidClaimError(RefusedError):
    """The claim breaks a rule of its contract, or refers to something that is not known."""


class InvalidRowError(RefusedError):
    """The event breaks a rule of its contract, or refers to something that is not known."""


class ConflictError(RefusedError):
    """Something else was received first under this identity, or the claim was resolved before Touchstone decided anything."""


class BusyError(RuntimeError):
    """The store is held by others for so long that nothing was decided; the same request may be sent again.

    Parameters
    ----------
    retry_after_seconds
        When it is worth asking again.
    """

    def __init__(self, retry_after_seconds: int = 1) -> None:
        super().__init__(f"the store is busy: send it again in {retry_after_seconds} s; nothing was written")
        self.retry_after_seconds = retry_after_seconds


def violations_of(error: ValidationError, contract: Contract) -> list[Violation]:
    """Say in a contract's words what its row model found wrong with a row.

    >>> from data_contracts import SELLERS
    >>> try:
    ...     SELLERS.model.model_validate({"seller_id": "S1", "joined_at": "soon", "country": "US", "category": "home"})
    ... except ValidationError as error:
    ...     [violation.field for violation in violations_of(error, SELLERS)]
    ['joined_at']
    """
    return [_violation(found, contract) for found in error.errors(include_url=False)]


def _violation(error: Mapping[str, Any], contract: Contract) -> Violation:
    columns = {column.name: column for column in contract.columns}
    if not error["loc"]:
        return _of_the_whole(error, contract)
    name = str(error["loc"][0])
    if name not in columns:
        return Violation(name, f"one of the fields {', '.join(columns)}", "a field of another name")
    return Violation(name, columns[name].expected, "nothing" if error["type"] == "missing" else shown(error["input"]))


def _of_the_whole(error: Mapping[str, Any], contract: Contract) -> Violation:
    """Name the later field of two that are out of order; anything else concerns the row as such."""
    for rule in contract.orderings:
        expected = f"{rule.earlier} ≤ {rule.later}"
        if expected in error["msg"]:
            return Violation(rule.later, expected, str(error["msg"]).partition(", found ")[2])
    return Violation("row", f"an object with the fields of the contract {contract.name}", shown(error["input"]))


def shown(value: Any) -> str:
    """Return a value as error messages show it: text quoted, a moment written out, long ones cut.

    >>> shown("x"), shown(None), len(shown("x" * 5000))
    ("'x'", 'nothing', 81)
    """
    if value is None:
        return "nothing"
    text = value.isoformat() if isinstance(value, datetime) else ascii(str(value) if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
