"""The vocabulary of a contract: a row model, its key, its times, its references.

A table is defined once, as a pydantic row model. Everything else that needs to know what a row means (the Arrow schema
of the lake, the Great Expectations suite, the request body of the endpoint, the Open Data Contract file, the check of
ten million rows) is derived from that model through :class:`Contract` and :class:`Column`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

import annotated_types
import pyarrow as pa
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator
from pydantic.fields import FieldInfo

CAP_CENTS = 100_000_000
"""No amount of money in any table is above $1,000,000, the programme's cap (published seller policy)."""

Kind = Literal["string", "integer", "number", "boolean", "instant"]

_ARROW: dict[str, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "instant": pa.timestamp("us", tz="UTC"),
}
_PANDAS = {"string": "str", "integer": "int64", "number": "float64", "boolean": "bool", "instant": "datetime64[us, UTC]"}
_PANDAS_NULLABLE = _PANDAS | {"integer": "Int64", "boolean": "boolean"}


def _must_be_utc(value: datetime) -> datetime:
    if value.utcoffset() != timedelta(0):
        raise ValueError("expected a time in UTC (offset +00:00)")
    return value


WRITTEN_INSTANT = r"\d{4}-\d{2}-\d{2}[T ].*(?:Z|[+-]00:?00)"
"""How text must look to be read as a moment: date, time, UTC. A bare number of seconds or milliseconds is not one."""


def _must_be_written_out(value: Any) -> Any:
    if isinstance(value, datetime) or (isinstance(value, str) and re.fullmatch(WRITTEN_INSTANT, value)):
        return value
    raise ValueError(f"expected a time in UTC such as 2025-03-01T12:00:00Z, found {value!r}")


Instant = Annotated[AwareDatetime, BeforeValidator(_must_be_written_out), AfterValidator(_must_be_utc)]
"""A moment in UTC, kept to the microsecond."""

Recorded = Annotated[Instant | None, Field(description="when the marketplace's own system learned of it, if later; empty: at once")]
"""The arrival of a row that came late; a file in which nothing came late may leave the column out."""

Identifier = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$")]
"""A key: 1 to 64 letters, digits and ``_ . : -``."""

Cents = Annotated[int, Field(ge=0, le=CAP_CENTS)]
"""Money in integer cents, from 0 to the programme's cap."""

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
"""A number between 0 and 1."""

PerceptualHash = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""A 64-bit perceptual hash of a photograph, 16 lower-case hexadecimal digits."""


class ContractError(ValueError):
    """A table, file or row that cannot be read by its contract at all.

    Single bad rows never raise: they are quarantined (see :mod:`data_contracts.check`).
    """


@dataclass(frozen=True)
class Ordering:
    """Two instants of one row that must be in order: ``earlier`` ≤ ``later``; a missing one is not judged."""

    earlier: str
    later: str


@dataclass(frozen=True)
class Reference:
    """A column that must name a row of another table.

    Parameters
    ----------
    column
        The referring column of this table.
    table
        The table referred to; the key there has the same name as ``column``.
    agree
        Columns that must hold the same value here and there.
    not_before
        Pairs (column here, column there): the instant here must not be before the instant there.
    """

    column: str
    table: str
    agree: tuple[str, ...] = ()
    not_before: tuple[tuple[str, str], ...] = ()


class Row(BaseModel):
    """One row of a table. Subclasses state fields and the class variables below; that is the whole contract."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key_column: ClassVar[str]
    event_column: ClassVar[str]
    known_column: ClassVar[str]
    references: ClassVar[tuple[Reference, ...]] = ()
    orderings: ClassVar[tuple[Ordering, ...]] = ()

    @model_validator(mode="after")
    def _times_in_order(self) -> Self:
        for rule in type(self).orderings:
            early, late = getattr(self, rule.earlier), getattr(self, rule.later)
            if early is not None and late is not None and early > late:
                raise ValueError(f"expected {rule.earlier} ≤ {rule.later}, found {early.isoformat()} > {late.isoformat()}")
        return self


@dataclass(frozen=True)
class Column:
    """What one field of a row model allows, in a form that works on whole columns.

    A column is ``optional`` where the model gives it a default: a file may then leave it out altogether, and is read as if
    it were there and empty.

    >>> from data_contracts import CLAIMS
    >>> CLAIMS.column("amount_cents").expected
    'an integer between 1 and 100000000'
    """

    name: str
    kind: Kind
    nullable: bool
    description: str
    optional: bool = False
    choices: tuple[str, ...] = ()
    ge: float | None = None
    le: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None

    @classmethod
    def of(cls, name: str, field: FieldInfo) -> Column:
        """Read the rules of a pydantic field; ``TypeError`` for a type that no table may use."""
        inner, nullable = _without_none(field.annotation)
        metadata = list(field.metadata)
        while get_origin(inner) is Annotated:
            inner, *extra = get_args(inner)
            metadata += extra
        kind, choices = _kind_of(name, inner)
        column = cls(name, kind, nullable, field.description or "", not field.is_required(), choices)
        return replace(column, **dict(_bounds(metadata)))

    @property
    def arrow(self) -> pa.Field:
        """The Arrow field of this column."""
        return pa.field(self.name, _ARROW[self.kind], nullable=self.nullable)

    @property
    def pandas(self) -> str:
        """The pandas type of this column in an accepted frame."""
        return (_PANDAS_NULLABLE if self.nullable else _PANDAS)[self.kind]

    @property
    def expected(self) -> str:
        """What a value must be, in plain words, for error messages and documents."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        words = {
            "string": "text",
            "integer": "an integer",
            "number": "a number",
            "boolean": "true or false",
            "instant": "a time in UTC such as 2025-03-01T12:00:00Z",
        }[self.kind]
        if self.ge is not None and self.le is not None:
            words += f" between {self.ge:g} and {self.le:g}" if self.kind == "number" else f" between {self.ge} and {self.le}"
        elif self.ge is not None:
            words += f" of at least {self.ge}"
        if self.pattern is not None:
            words += f" matching {self.pattern}"
        if self.max_length is not None:
            words += f" of {self.min_length or 0} to {self.max_length} characters"
        return words


@dataclass(frozen=True)
class Contract:
    """A table's name and row model, with everything derived from them.

    >>> from data_contracts import CLAIMS
    >>> CLAIMS.key, CLAIMS.event_time
    ('claim_id', 'filed_at')
    """

    name: str
    model: type[Row]

    @property
    def description(self) -> str:
        """The first sentence of the row model's docstring."""
        return (self.model.__doc__ or "").strip().splitlines()[0]

    @property
    def key(self) -> str:
        """The column that names a row."""
        return self.model.key_column

    @property
    def event_time(self) -> str:
        """When the fact happened."""
        return self.model.event_column

    @property
    def known_at(self) -> str:
        """When the marketplace learned the fact: features and labels may use it only after this instant."""
        return self.model.known_column

    @property
    def references(self) -> tuple[Reference, ...]:
        """The tables this one refers to."""
        return self.model.references

    @property
    def orderings(self) -> tuple[Ordering, ...]:
        """The pairs of instants that must be in order."""
        return self.model.orderings

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns in the order of the model's fields."""
        return tuple(Column.of(name, field) for name, field in self.model.model_fields.items())

    @cached_property
    def arrow(self) -> pa.Schema:
        """The Arrow schema of the lake's table."""
        return pa.schema([column.arrow for column in self.columns])

    def column(self, name: str) -> Column:
        """Return one column; ``KeyError`` if the contract has none of that name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name!r}")

    def adapted(self, absent: tuple[str, ...] = (), extra: dict[str, tuple[Any, FieldInfo]] | None = None) -> Contract:
        """Return the contract of a source that lacks some columns and brings others.

        Parameters
        ----------
        absent
            Columns that the source cannot provide; rules that need one of them are dropped with it.
        extra
            Additional fields as pydantic's ``create_model`` takes them, by name.
        """
        unknown = set(absent) - set(self.model.model_fields)
        if unknown or self.key in absent or self.event_time in absent:
            raise ContractError(
                f"{self.name}: cannot leave out {sorted(unknown or set(absent) & {self.key, self.event_time})}: "
                "expected optional columns of the contract, never its key or event time"
            )
        kept = {n: (f.annotation, f) for n, f in self.model.model_fields.items() if n not in absent}
        model = create_model(f"{self.model.__name__}Adapted", __base__=Row, **(kept | (extra or {})))
        model.__doc__ = self.model.__doc__
        model.key_column, model.event_column, model.known_column = self.key, self.event_time, self.known_at
        model.orderings = tuple(o for o in self.orderings if not {o.earlier, o.later} & set(absent))
        model.references = tuple(r for r in self.references if r.column not in absent)
        return Contract(self.name, model)


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, UnionType):
        inner = [a for a in get_args(annotation) if a is not type(None)]
        if len(inner) == 1:
            return inner[0], True
    return annotation, False


def _kind_of(name: str, inner: Any) -> tuple[Kind, tuple[str, ...]]:
    if isinstance(inner, type) and issubclass(inner, StrEnum):
        return "string", tuple(member.value for member in inner)
    kinds: dict[Any, Kind] = {
        str: "string",
        bool: "boolean",
        int: "integer",
        float: "number",
        datetime: "instant",
        AwareDatetime: "instant",
    }
    if inner not in kinds:
        raise TypeError(f"{name}: a contract's column is text, integer, number, boolean, instant or an enum, not {inner!r}")
    return kinds[inner], ()


def _bounds(metadata: list[Any]) -> Iterator[tuple[str, Any]]:
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from _bounds(list(item.metadata))
        elif isinstance(item, annotated_types.Ge):
            yield "ge", item.ge
        elif isinstance(item, annotated_types.Le):
            yield "le", item.le
        elif isinstance(item, annotated_types.MinLen):
            yield "min_length", item.min_length
        elif isinstance(item, annotated_types.MaxLen):
            yield "max_length", item.max_length
        elif getattr(item, "pattern", None) is not None:
            yield "pattern", item.pattern
        elif isinstance(item, annotated_types.BaseMetadata):
            raise TypeError(f"expected ge, le, min_length, max_length or pattern, found {item!r}: state the rule in one of these forms")
