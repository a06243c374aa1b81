"""The catalogue as a page for people: every feature with its meaning, unit, direction, definition and reason, by group.

The page ``docs/features.md`` is this module's output for the shipped catalogue, and a test holds the two equal. To write it
anew: ``python -m features.listing > docs/features.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import get_args

from features.catalog import CATALOG, Catalog
from features.entry import Entry, Group
from features.sources import SELECTIONS
from features.spec import Aggregate, Computed, Direct, Feature, Ratio, Selection, Window

_DERIVED = {
    "sightings": "every time a customer was seen with a device, address, means of payment or telephone, by an order or a claim",
    "standing": "what each resolution changed: whether its claim stands as examined, abusive, unsubstantiated, paid or denied; cents paid",
    "findings": "the instants at which a claim came to stand as abusive",
    "denials": "the instants at which a claim came to stand as denied",
    "seller_standing": "changes of whether a seller is insured and of whether a violation of policy is open",
}

_DIRECTIONS = {1: "more speaks for abuse", -1: "more speaks against abuse", 0: "either way"}

_MODULES = {"claim": "from_claim", "links": "links", "duplicates": "duplicates"}

_HOWS = {
    "count": "number of {on}",
    "sum": "sum of {on}",
    "mean": "mean of {on}",
    "min": "smallest {on}",
    "max": "largest {on}",
    "last": "latest {on}",
    "rate": "share of {on}",
    "since_first": "days since the first of {on}",
    "since_last": "days since the latest of {on}",
    "first_seen": "first meetings with values of {on}",
    "distinct": "distinct values of {on}",
}

_INTRODUCTION = """\
# Features

What Touchstone computes of a claim, as of the instant of its filing: {count} features. This page is written by
`python -m features.listing > docs/features.md` from the catalogue in `features/catalog.py`; a test holds the two equal. The same list
for machines is `features/catalog.json`.

A windowed feature is *on* a source of events, *by* one or several keys of the claim, over a window that ends before filing: an event
at the very instant of filing is never seen. An event counts from the instant at which the marketplace learned of it. Sums and
counts over nothing are 0; everything else is undefined then, and so is a feature whose key the claim lacks.
`probes` are the claims asked about.

The direction is a constraint on what models may learn, given only where there is no honest exception. The reason is what
an investigator reads when the feature speaks for abuse.

## Sources
"""


def page(catalog: Catalog) -> str:
    """Return the page of a catalogue, Markdown.

    Examples
    --------
    >>> text = page(CATALOG.without("links", "duplicates"))
    >>> "| `claims_count_customer_30d` | the customer's claims in the last 30 days | count | either way |" in text
    True
    """
    lines = [_INTRODUCTION.format(count=len(catalog)), "| source | what it holds |", "|---|---|"]
    used = {part.source for entry in catalog for part in _leaves(entry.feature)}
    lines += [f"| `{name}` | {text} |" for name, text in _sources(catalog) if name in used]
    for group in get_args(Group):
        entries = [entry for entry in catalog if entry.group == group]
        if entries:
            lines += ["", f"## {group.replace('_', ' ').capitalize()}", "", *_table(entries)]
    return "\n".join(lines) + "\n"


def definition(feature: Feature) -> str:
    """Say in words how a feature is computed.

    Examples
    --------
    >>> definition(CATALOG["claims_count_per_orders_count_customer_all"].feature)
    '(number of `claims` by customer, ever before) ÷ (number of `orders` by customer, ever before)'
    """
    if isinstance(feature, Aggregate):
        among = "" if feature.among is None else f" among `{feature.source}.{feature.among}`"
        keys = " and ".join(key.removesuffix("_id") for key in feature.by)
        return f"{_HOWS[feature.how].format(on=f'`{feature.on}`')}{among} by {keys}, {_span(feature.over)}"
    if isinstance(feature, Direct):
        return f"`features.{_MODULES[feature.family]}` from {', '.join(f'`{need}`' for need in feature.needs) or 'the time of filing'}"
    if isinstance(feature, Computed):
        return f"by `{feature.where}`"
    sign = "÷" if isinstance(feature, Ratio) else "−"
    return f" {sign} ".join(f"({definition(operand)})" for operand in feature.operands)


def _span(window: Window) -> str:
    span = "ever before" if window.days is None else f"{window.days} days"
    lag = f" up to {window.lag_days} days before" if window.lag_days else ""
    return span + lag + ("" if window.closed == "left" else f", {window.closed} ends included")


def _leaves(feature: Feature) -> Iterator[Aggregate]:
    if isinstance(feature, Aggregate):
        yield feature
    elif not isinstance(feature, Direct | Computed):
        for operand in feature.operands:
            yield from _leaves(operand)


def _sources(catalog: Catalog) -> Iterator[tuple[str, str]]:
    for name, selection in (SELECTIONS | dict(catalog.sources)).items():
        yield name, _selected(selection)
    yield from _DERIVED.items()


def _selected(selection: Selection) -> str:
    only = f" whose `{selection.column}` is {' or '.join(f'`{value}`' for value in selection.values)}" if selection.column else ""
    return f"rows of `{selection.table}`{only}, known at `{selection.at}`"


def _table(entries: list[Entry]) -> Iterator[str]:
    yield "| feature | meaning | unit | direction | computed | reason |"
    yield "|---|---|---|---|---|---|"
    for entry in entries:
        cells = (
            f"`{entry.name}`",
            entry.meaning,
            entry.unit,
            _DIRECTIONS[entry.direction],
            definition(entry.feature),
            entry.reason,
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(page(CATALOG))
