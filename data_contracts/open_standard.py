"""A contract as an Open Data Contract Standard document, for catalogues and partners that do not run this code.

The golden files in ``data_contracts/odcs/`` are these documents; a test holds them equal, so that a change of a row model
shows its consequence in review. Rules over several columns or tables are stated as SQL that counts the rows breaking them.

References
----------
Bitol, *Open Data Contract Standard* v3.1.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from data_contracts.contract import Column, Contract, Reference

STANDARD = "v3.1.0"
"""The version of the standard the documents follow."""

VERSION = "0.1.0"
"""The version of our contracts; raise it when a row model changes its meaning."""

_LOGICAL = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean", "instant": "timestamp"}


def export(contract: Contract) -> dict[str, Any]:
    """Return the document of a contract as plain dictionaries and lists.

    Examples
    --------
    >>> from data_contracts import SELLERS
    >>> document = export(SELLERS)
    >>> document["kind"], document["apiVersion"], document["schema"][0]["properties"][0]["name"]
    ('DataContract', 'v3.1.0', 'seller_id')
    """
    return {
        "apiVersion": STANDARD,
        "kind": "DataContract",
        "id": f"touchstone.{contract.name}",
        "name": contract.name,
        "version": VERSION,
        "status": "active",
        "domain": "marketplace-claims",
        "description": {"purpose": contract.description},
        "schema": [_table(contract)],
        "customProperties": [
            {"property": "eventTime", "value": contract.event_time},
            {"property": "knownAt", "value": contract.known_at},
        ],
    }


def to_yaml(contract: Contract) -> str:
    """Return the document of a contract as YAML text: the content of its golden file."""
    return yaml.safe_dump(export(contract), sort_keys=False, allow_unicode=True, width=120)


def _table(contract: Contract) -> dict[str, Any]:
    rules = list(_rules(contract))
    return {
        "id": contract.name,
        "name": contract.name,
        "physicalName": contract.name,
        "logicalType": "object",
        "physicalType": "parquet",
        "description": contract.description,
        "properties": [_property(column, contract) for column in contract.columns],
    } | ({"quality": rules} if rules else {})


def _property(column: Column, contract: Contract) -> dict[str, Any]:
    is_key = column.name == contract.key
    found: dict[str, Any] = {
        "id": column.name,
        "name": column.name,
        "logicalType": _LOGICAL[column.kind],
        "physicalType": str(column.arrow.type),
        "description": column.description,
        "required": not column.nullable,
        "unique": is_key,
    }
    if is_key:
        found |= {"primaryKey": True, "primaryKeyPosition": 1}
    if options := dict(_options(column)):
        found["logicalTypeOptions"] = options
    if links := [_link(rule) for rule in contract.references if rule.column == column.name]:
        found["relationships"] = links
    if column.choices:
        found["quality"] = [
            {"type": "library", "metric": "invalidValues", "arguments": {"validValues": list(column.choices)}, "mustBe": 0, "unit": "rows"}
        ]
    return found


def _options(column: Column) -> Iterator[tuple[str, Any]]:
    bounds = {
        "minimum": column.ge,
        "maximum": column.le,
        "minLength": column.min_length,
        "maxLength": column.max_length,
        "pattern": column.pattern,
    }
    yield from ((name, bound) for name, bound in bounds.items() if bound is not None)
    if column.kind == "instant":
        yield from (("timezone", True), ("defaultTimezone", "UTC"))


def _link(rule: Reference) -> dict[str, str]:
    return {"type": "foreignKey", "to": f"{rule.table}.odcs.yaml#schema/{rule.table}/properties/{rule.column}"}


def _rules(contract: Contract) -> Iterator[dict[str, Any]]:
    here = contract.name
    for order in contract.orderings:
        yield _sql(f"{order.earlier} ≤ {order.later}", f"SELECT count(*) FROM {here} WHERE {order.earlier} > {order.later}")
    present = {column.name for column in contract.columns}
    for rule in contract.references:
        joined = f"SELECT count(*) FROM {here} AS a LEFT JOIN {rule.table} AS b ON a.{rule.column} = b.{rule.column} WHERE "
        yield _sql(f"{rule.column} names a row of {rule.table}", joined + f"a.{rule.column} IS NOT NULL AND b.{rule.column} IS NULL")
        for name in (n for n in rule.agree if n in present):
            yield _sql(f"{name} is that of the row of {rule.table}", joined + f"a.{name} <> b.{name}")
        for own, theirs in ((o, t) for o, t in rule.not_before if o in present):
            yield _sql(f"{own} is not before {theirs} of {rule.table}", joined + f"a.{own} < b.{theirs}")


def _sql(description: str, query: str) -> dict[str, Any]:
    return {"type": "sql", "description": description, "query": query, "mustBe": 0, "unit": "rows"}
