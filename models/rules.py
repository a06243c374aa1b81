"""Rules beside the model: a versioned file of expressions over features, each with an owner, and a verdict of each on every decision.

A rule holds what people know and the model cannot have learned: a limit of authority, a threat seen yesterday, a feed not to be trusted. It
can make an outcome stricter and nothing else (:mod:`models.rule_effects`). Its verdict is ``hit``, ``no hit``, ``snoozed`` (it would
have hit, and was silenced for this customer, seller or other entity until a date) or ``error``. An error has the rule's effect
like a hit: what could not be decided never lets a claim through.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from data_contracts import CLAIMS
from models.rule_effects import EFFECTS
from models.rule_expressions import UNDECIDED, ExpressionError, columns_of, features_of
from models.rule_expressions import evaluate as answers_of

HIT, NO_HIT, SNOOZED, ERROR = "hit", "no hit", "snoozed", "error"
"""The verdicts of a rule."""

VERDICTS = (NO_HIT, HIT, ERROR)
"""What an expression's answer means where nobody snoozed the rule: 0, 1, and :data:`~models.rule_expressions.UNDECIDED`, the last."""

ENTITIES: tuple[str, ...] = tuple(column.name for column in CLAIMS.columns if column.name.endswith("_id"))
"""Columns of a claim by which a rule can be snoozed."""

MOST_RULES = 100
"""Rules in one file; all their verdicts must fit into a decision."""

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_KEYS = {"id": str, "owner": str, "since": datetime, "description": str, "when": str, "effect": str}
_SNOOZE_KEYS = {"column": str, "entity": str, "until": datetime, "why": str}
_KINDS = {str: "text", datetime: "a date such as 2025-01-01"}


class RulesError(ValueError):
    """A rules file that cannot be used; the message names every fault."""


@dataclass(frozen=True)
class Snooze:
    """A rule is silent about one entity until an instant.

    Parameters
    ----------
    column, entity
        Such as ``customer_id`` and the customer's.
    until
        From then on the rule speaks again.
    why
        Who decided it, for which reason.
    """

    column: str
    entity: str
    until: datetime
    why: str


@dataclass(frozen=True)
class Rule:
    """One rule.

    Parameters
    ----------
    id
        Stable: verdicts of years are compared by it.
    owner
        Who answers for it.
    since
        From then on it is in force.
    description
        What it is for.
    when
        The expression, :mod:`models.rule_expressions`.
    effect
        One of :data:`models.rule_effects.EFFECTS`.
    snoozes
        Entities about which it is silent for a time.
    """

    id: str
    owner: str
    since: datetime
    description: str
    when: str
    effect: str
    snoozes: tuple[Snooze, ...] = ()


@dataclass(frozen=True)
class Rules:
    """A rules file.

    Parameters
    ----------
    version
        As the file states it.
    rules
        In the order of the file, which means nothing.

    Examples
    --------
    >>> text = '''version = "1"
    ... [[rule]]
    ... id = "many-claims"
    ... owner = "desk"
    ... since = 2025-01-01
    ... description = "A look at whoever claims a fourth time in a month."
    ... when = "claims_count_customer_30d >= 3"
    ... effect = "desk"
    ... '''
    >>> rules = Rules.parse(text, ["claims_count_customer_30d"])
    >>> rules.rules[0].effect, rules.identifier[:2]
    ('desk', '1-')
    """

    version: str
    rules: tuple[Rule, ...] = ()

    @classmethod
    def parse(cls, text: str, features: Collection[str]) -> Rules:
        """Read rules from TOML.

        Parameters
        ----------
        text
            ``version`` and a table ``[[rule]]`` per rule, with tables ``[[rule.snooze]]`` where wanted.
        features
            The features that expressions may read.

        Raises
        ------
        RulesError
            Naming every fault: keys, types, an unknown feature or effect, an identity that occurs twice, an expression that is not allowed.
        """
        try:
            found = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RulesError(f"rules: expected TOML, found {error}") from error
        faults = [f"rules.{key}: unknown key; expected version, rule" for key in found if key not in {"version", "rule"}]
        if not isinstance(found.get("version"), str):
            faults.append(f"rules.version: expected text, found {found.get('version')!r}")
        tables = found.get("rule", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables) or len(tables) > MOST_RULES:
            raise RulesError("; ".join([*faults, f"rules.rule: expected at most {MOST_RULES} tables [[rule]], found {_brief(tables)}"]))
        rules = [_rule(table, place, features, faults) for place, table in enumerate(tables, start=1)]
        ids = [str(table.get("id")) for table in tables]
        faults += [
            f"rule {name}: expected every id once, found it {ids.count(name)} times"
            for name in sorted({i for i in ids if ids.count(i) > 1})
        ]
        if faults:
            raise RulesError("; ".join(faults))
        return cls(found["version"], tuple(rule for rule in rules if rule))

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the values; comments and spacing of the file do not count."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True, default=datetime.isoformat).encode()).hexdigest()

    @property
    def identifier(self) -> str:
        """Version and the first twelve digits of the hash, as decisions record it."""
        return f"{self.version}-{self.hash[:12]}"

    def in_force(self, at: datetime) -> tuple[Rule, ...]:
        """Return the rules in force at an instant."""
        return tuple(rule for rule in self.rules if rule.since <= at)


def example_rules(features: Collection[str]) -> Rules:
    """Return the rules shipped with the package, ``models/rules.toml``: examples to begin with, in force only where they are asked for."""
    return Rules.parse(files("models").joinpath("rules.toml").read_text(encoding="utf-8"), features)


def evaluate(rules: Rules, matrix: pd.DataFrame, claims: pd.DataFrame, at: datetime) -> pd.DataFrame:
    """Return the verdict of every rule in force on every claim.

    Parameters
    ----------
    rules
        The rules.
    matrix
        Feature rows, index ``claim_id`` in the order of ``claims``. A rule over a feature that is not there has an error on every claim.
    claims
        The claims; of these only identities that snoozes name are read.
    at
        The instant of the decision: which rules are in force, which snoozes are over.

    Returns
    -------
    DataFrame
        Index of the matrix, one column per rule in force, values :data:`HIT`, :data:`NO_HIT`, :data:`SNOOZED` or :data:`ERROR`.

    Examples
    --------
    >>> at, start = datetime(2025, 2, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    >>> snooze = Snooze("customer_id", "B", datetime(2025, 3, 1, tzinfo=UTC), "checked by hand")
    >>> rules = Rules("1", (Rule("many", "desk", start, "", "n > 2", "desk", (snooze,)),))
    >>> matrix = pd.DataFrame({"n": [4.0, 4.0, 0.0, float("nan")]}, index=["C1", "C2", "C3", "C4"])
    >>> evaluate(rules, matrix, pd.DataFrame({"customer_id": ["A", "B", "B", "B"]}), at)["many"].tolist()
    ['hit', 'snoozed', 'no hit', 'error']
    """
    active = rules.in_force(at)
    known = frozenset(str(name) for name in matrix.columns)
    able = {rule.id: rule.when for rule in active if known.issuperset(columns_of(rule.when))}
    answers = answers_of(able, matrix)
    unable = np.full(len(matrix), UNDECIDED, dtype=np.int8)
    columns = {rule.id: _verdicts(rule, answers.get(rule.id, unable), claims, at) for rule in active}
    return pd.DataFrame(columns, index=matrix.index)


def strictest(rules: Rules, verdicts: pd.DataFrame) -> np.ndarray:
    """Return the place in ``EFFECTS`` of the strictest effect on each claim, -1 for none, int64, shape (claims,)."""
    place = {rule.id: EFFECTS.index(rule.effect) for rule in rules.rules}
    found = np.full(len(verdicts), -1, dtype=np.int64)
    for name in verdicts.columns:
        spoke = verdicts[name].isin((HIT, ERROR)).to_numpy()
        found[spoke] = np.maximum(found[spoke], place[str(name)])
    return found


def recorded(rules: Rules, verdicts: pd.DataFrame) -> list[str]:
    """Return the verdicts as decisions keep them: per claim a JSON object with the file's identifier and every rule's verdict."""
    ids = [str(name) for name in verdicts.columns]
    rows = list(zip(*(verdicts[name].tolist() for name in verdicts.columns), strict=True)) if ids else [()] * len(verdicts)
    texts = {row: recorded_one(rules, dict(zip(ids, row, strict=True))) for row in set(rows)}
    return [texts[row] for row in rows]


def recorded_one(rules: Rules, verdicts: Mapping[str, str]) -> str:
    """Return the verdicts on one claim, by rule, as :func:`recorded` does."""
    return json.dumps({"rules": rules.identifier, "verdicts": dict(verdicts)}, separators=(",", ":"))


def _verdicts(rule: Rule, answers: np.ndarray, claims: pd.DataFrame, at: datetime) -> np.ndarray:
    verdicts: np.ndarray = np.array(VERDICTS, dtype=object)[answers]
    for snooze in rule.snoozes:
        if at < snooze.until and snooze.column in claims:
            silent = (claims[snooze.column] == snooze.entity).to_numpy(dtype=bool)
            verdicts[silent & (verdicts == HIT)] = SNOOZED
    return verdicts


def _rule(table: dict[str, Any], place: int, features: Collection[str], faults: list[str]) -> Rule | None:
    where = f"rule {table['id']}" if isinstance(table.get("id"), str) else f"rule number {place}"
    before = len(faults)
    values = _values({k: v for k, v in table.items() if k != "snooze"}, _KEYS, where, faults)
    snoozes = table.get("snooze", [])
    if not isinstance(snoozes, list):
        faults.append(f"{where}.snooze: expected tables [[rule.snooze]], found {_brief(snoozes)}")
        snoozes = []
    silent = [_values(dict(s), _SNOOZE_KEYS, f"{where}.snooze {k}", faults) for k, s in enumerate(snoozes, start=1)]
    faults += [
        f"{where}.snooze: expected a column of {', '.join(ENTITIES)}, found {s['column']!r}"
        for s in silent
        if s.get("column") not in (None, *ENTITIES)
    ]
    if "id" in values and not _ID.fullmatch(values["id"]):
        faults.append(f"{where}.id: expected up to 64 small letters, digits and hyphens, found {values['id']!r}")
    if values.get("effect") not in (None, *EFFECTS):
        faults.append(f"{where}.effect: expected one of {', '.join(EFFECTS)}, found {values['effect']!r}")
    if "when" in values:
        try:
            features_of(values["when"], features)
        except ExpressionError as error:
            faults.append(f"{where}.when: {error}")
    return Rule(**values, snoozes=tuple(Snooze(**s) for s in silent)) if len(faults) == before else None


def _values(table: dict[str, Any], keys: dict[str, type], where: str, faults: list[str]) -> dict[str, Any]:
    faults += [f"{where}.{key}: unknown key; expected {', '.join(keys)}" for key in table if key not in keys]
    faults += [f"{where}.{key}: missing; add it" for key in keys if key not in table]
    values: dict[str, Any] = {}
    for key, kind in keys.items():
        value = _instant(table[key]) if kind is datetime and key in table else table.get(key)
        if isinstance(value, kind):
            values[key] = value
        elif key in table:
            faults.append(f"{where}.{key}: expected {_KINDS[kind]}, found {_brief(table[key])}")
    return values


def _instant(value: Any) -> datetime | None:
    """Read a TOML date as its midnight in UTC, an instant without a zone as UTC."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return datetime(value.year, value.month, value.day, tzinfo=UTC) if hasattr(value, "year") else None


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "…"
