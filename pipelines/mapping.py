"""How the columns of a foreign claims file become contract fields: read from a TOML file, strict about what it does not know.

A mapping accounts for everything twice: every field of the contract is mapped, constant or declared absent, and every
column of the file is used or declared ignored. What is left over on either side is an error, never a silent loss.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping as Dictionary
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field

from data_contracts import CLAIMS, LABELS, RESOLUTIONS, Contract, ContractError
from data_contracts.resolutions import Source

LABEL = "label"
"""The name under which a label travels through the check; it becomes a row of the resolutions afterwards."""

Unit = Literal["dollars", "cents"]
Kind = Literal["numeric", "categorical"]
Part = Literal["year", "month", "day", "weekday", "day_number"]


@dataclass(frozen=True)
class FieldRule:
    """How one contract field is made; exactly one of ``source`` and ``constant``.

    Parameters
    ----------
    source
        The file's column.
    constant
        The same text in every row.
    template
        Text with one ``{}`` for the value, for identifiers such as ``"T{}"``.
    format
        How a date is written (``strftime`` codes); it is taken as midnight UTC. ISO 8601 in UTC needs none.
    unit
        For money: ``"dollars"`` are rounded to the nearest cent, ``"cents"`` are taken as they are.
    values
        Translation, value by value; any other value is quarantined.
    optional
        A row without the value is kept (the contract of this source then allows it to be missing).
    image
        For ``photo_hash``: the column holds paths of picture files, beside the claims file unless absolute; their perceptual
        hashes are taken.
    """

    source: str = ""
    constant: str = ""
    template: str = ""
    format: str = ""
    unit: Unit | None = None
    values: Dictionary[str, str] = field(default_factory=dict)
    optional: bool = False
    image: bool = False


@dataclass(frozen=True)
class ExtraRule:
    """A column the contract lacks, kept as a feature.

    Parameters
    ----------
    source
        The file's column; by default the extra's own name.
    type
        ``"numeric"`` or ``"categorical"``.
    missing
        Values that mean *not known*, such as ``"-1"``.
    part, format
        For a date: which part of it is the feature, and how the date is written. ``day_number`` counts days since 1970.
    meaning
        In plain words.
    """

    source: str = ""
    type: Kind = "numeric"
    missing: tuple[str, ...] = ()
    part: Part | None = None
    format: str = ""
    meaning: str = ""


@dataclass(frozen=True)
class LabelRule:
    """Where labels come from.

    Parameters
    ----------
    source
        The file's column. An empty value is an unlabelled claim; a value not listed below is quarantined.
    values
        The file's value → ``valid``, ``unsubstantiated`` or ``abusive`` (two or all three).
    delay_days
        Days from filing until the label was known, as far as one can tell; the file seldom says.
    how
        A source of the contract ``resolutions``, such as ``investigation``.
    propensity
        Probability with which such a claim was examined; 1 where all were.
    """

    source: str
    values: Dictionary[str, str]
    delay_days: float
    how: str = "investigation"
    propensity: float = 1.0


@dataclass(frozen=True)
class Mapping:
    """A source of claims.

    Parameters
    ----------
    name
        Of the source, a word.
    fields
        Contract fields by name.
    absent
        Contract fields that the source cannot provide.
    extras
        Extra features by name.
    label
        Where labels come from; none without it.
    ignore
        Columns of the file that are not used.
    """

    name: str
    fields: Dictionary[str, FieldRule]
    absent: tuple[str, ...] = ()
    extras: Dictionary[str, ExtraRule] = field(default_factory=dict)
    label: LabelRule | None = None
    ignore: tuple[str, ...] = ()

    @property
    def sources(self) -> frozenset[str]:
        """The file's columns that are read; the label's apart, which a file of open claims may lack."""
        named = [rule.source for rule in self.fields.values()] + [rule.source for rule in self.extras.values()]
        return frozenset(name for name in named if name)

    @property
    def claims(self) -> Contract:
        """The claims contract of this source: without what is absent, with the extras."""
        return CLAIMS.adapted(self.absent, self._changed())

    @property
    def intake(self) -> Contract:
        """The claims contract plus the label, as one row of the file is judged."""
        if self.label is None:
            return self.claims
        enumeration: Any = StrEnum
        classes = enumeration("FileLabel", [(name.upper(), name) for name in LABELS if name in self.label.values.values()])
        return CLAIMS.adapted(self.absent, self._changed() | {LABEL: (classes | None, Field(description="the class found"))})

    @property
    def resolutions(self) -> Contract:
        """The resolutions contract of this source: what was paid is not known."""
        keys = [name for name in ("customer_id", "seller_id", "product_id") if name in self.absent]
        return RESOLUTIONS.adapted((*keys, "paid_cents"))

    def _changed(self) -> dict[str, tuple[Any, Any]]:
        """Return the fields that the contract of this source has otherwise: optional ones, and extras."""
        found = {}
        for name in (n for n, rule in self.fields.items() if rule.optional):
            original = CLAIMS.model.model_fields[name]
            found[name] = (original.rebuild_annotation() | None, Field(description=original.description))
        return found | {name: _extra_field(rule) for name, rule in self.extras.items()}


def _extra_field(rule: ExtraRule) -> tuple[Any, Any]:
    description = rule.meaning or f"{rule.source}, as the source gives it"
    return (float | None if rule.type == "numeric" else str | None), Field(description=description)


def load(path: Path) -> Mapping:
    """Read a mapping.

    Raises
    ------
    ContractError
        If the file is not TOML, a table holds an unknown key or a value of the wrong type, a contract field is neither
        mapped nor absent, or a class is not one of the three.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ContractError(f"{path}: expected a mapping in TOML, found {error}") from error
    try:
        return parse(found)
    except (ContractError, TypeError, AttributeError) as error:  # the latter two: a value of a type that its rule cannot use
        raise ContractError(f"{path}: {error}") from error


def parse(found: Dictionary[str, Any]) -> Mapping:
    """Build a mapping from what a TOML file holds; see :func:`load`."""
    top = _of(Mapping, found, "mapping")
    rules = {name: _of(FieldRule, table, f"fields.{name}") for name, table in top["fields"].items()}
    extras = {
        name: _of(ExtraRule, {"source": name} | ({"type": t} if isinstance(t, str) else dict(t)), f"extras.{name}")
        for name, t in top.get("extras", {}).items()
    }
    label = LabelRule(**_of(LabelRule, top["label"], "label")) if "label" in top else None
    unsaid = [c.name for c in CLAIMS.columns if c.optional and c.name not in rules]
    mapping = Mapping(
        name=str(top["name"]),
        fields={name: FieldRule(**table) for name, table in rules.items()},
        absent=tuple(dict.fromkeys((*top.get("absent", ()), *unsaid))),
        extras={name: ExtraRule(**(table | {"missing": tuple(table.get("missing", ()))})) for name, table in extras.items()},
        label=label,
        ignore=tuple(top.get("ignore", ())),
    )
    trouble = [*_trouble(mapping)]
    if trouble:
        raise ContractError("; ".join(trouble))
    return mapping


def _of(noun: type, table: Any, where: str) -> dict[str, Any]:
    """Return a table whose keys are all fields of a dataclass."""
    known = [f.name for f in fields(noun)]
    if not isinstance(table, dict):
        raise ContractError(f"{where}: expected a table with {', '.join(known)}, found {table!r}")
    unknown = [name for name in table if name not in known]
    needed = [f.name for f in fields(noun) if f.default is MISSING and f.default_factory is MISSING and f.name not in table]
    if unknown or needed:
        what = f"found {', '.join(unknown)}" if unknown else f"found no {', '.join(needed)}"
        raise ContractError(f"{where}: expected the keys {', '.join(known)}, {what}")
    return dict(table)


def _trouble(mapping: Mapping) -> list[str]:
    names = [column.name for column in CLAIMS.columns]
    found = [] if re.fullmatch(r"[A-Za-z0-9_-]+", mapping.name) else [f"name: expected a word, found {mapping.name!r}"]
    found += [f"{n}: expected a field of claims ({', '.join(names)})" for n in (*mapping.fields, *mapping.absent) if n not in names]
    found += [
        f"{name}: expected it either under fields or in absent, found {'both' if name in mapping.absent else 'neither'}"
        for name in names
        if (name in mapping.fields) == (name in mapping.absent)
    ]
    return found + _rule_trouble(mapping, names) + (_label_trouble(mapping.label) if mapping.label else [])


def _rule_trouble(mapping: Mapping, names: list[str]) -> list[str]:
    found = []
    for name, rule in mapping.fields.items():
        if bool(rule.source) == bool(rule.constant):
            found.append(f"fields.{name}: expected either source or constant")
        if rule.unit is not None and rule.unit not in get_args(Unit):
            found.append(f"fields.{name}.unit: expected one of {', '.join(get_args(Unit))}, found {rule.unit!r}")
        if rule.template and rule.template.count("{}") != 1:
            found.append(f"fields.{name}.template: expected text with one {{}}, found {rule.template!r}")
        if rule.image and (name != "photo_hash" or not rule.source):
            found.append(f"fields.{name}.image: expected it only for photo_hash, with a source that holds paths of pictures")
    for name, extra in mapping.extras.items():
        if name in (*names, LABEL):
            found.append(f"extras.{name}: expected a name that the contract does not use; give the column as source")
        if extra.type not in get_args(Kind):
            found.append(f"extras.{name}.type: expected one of {', '.join(get_args(Kind))}, found {extra.type!r}")
        if extra.part is not None and extra.part not in get_args(Part):
            found.append(f"extras.{name}.part: expected one of {', '.join(get_args(Part))}, found {extra.part!r}")
    return found


def _label_trouble(rule: LabelRule) -> list[str]:
    found = []
    strange = sorted(set(rule.values.values()) - set(LABELS))
    if strange or len(set(rule.values.values())) < 2:
        found.append(f"label.values: expected two or three of the classes {', '.join(LABELS)}, found {', '.join(rule.values.values())}")
    if rule.how not in {source.value for source in Source}:
        found.append(f"label.how: expected a source of resolutions ({', '.join(source.value for source in Source)}), found {rule.how!r}")
    if not rule.delay_days > 0:
        found.append(f"label.delay_days: expected more than 0, found {rule.delay_days}")
    if not 0 < rule.propensity <= 1:
        found.append(f"label.propensity: expected a probability above 0, found {rule.propensity}")
    return found
