"""A single claim becomes history: one row behind each of its logs, all of them in one go.

What :mod:`features.online_writing`, :mod:`features.online_link_logs` and :mod:`features.online_duplicates` do for many events
at once, grouped and sorted, is for one claim a list of rows, some seventy, each behind a log of its own. They are gathered as
plain numbers and laid behind their logs by one compiled call, which takes a tenth of the time. That what is read afterwards is
the same either way is a law that the tests check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from features import online_link_logs, online_writing
from features.history import NEVER
from features.links import GRAPHS
from features.online_contents import Told
from features.online_duplicates import DuplicatePlan, tell
from features.online_links import LinkPlan
from features.online_logs import ONCE, Layout, Log
from features.online_rows import Rows, key_of, packed, shelves_of
from features.online_sources import CLAIMS, RESOLUTIONS
from features.pages import END, FIRST, RAW, SUM, Key, Pages, Row, append_each
from features.sources import SELECTIONS
from features.spec import ENTITIES, Selection

_COUNTED = ((SUM,) * 2, (1, 0))
_SELF = (RAW,) * len(ENTITIES)


@dataclass(frozen=True, eq=False)
class _Line:
    """A log of the windows that a claim may add a row to, and which row's first meeting each column tells."""

    log: Log
    number: int
    kinds: tuple[int, ...]
    meetings: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class SinglePlan:
    """Which logs of the windows a claim feeds, prepared once."""

    lines: tuple[_Line, ...]
    shelves: dict[tuple[str, ...], bytes]
    selections: dict[str, Selection]

    @classmethod
    def of(cls, layout: Layout, sources: Mapping[str, Selection]) -> SinglePlan:
        """Prepare the logs of a layout."""
        known = {**SELECTIONS, **sources}
        fed = {log.source: known[log.source] for log in layout.logs if log.source in known and known[log.source].table == "claims"}
        fed |= {log.source: SELECTIONS["claims"] for log in layout.logs if log.source == "sightings"}
        lines = tuple(
            _Line(
                log,
                number,
                tuple(kind for kind, _ in log.columns),
                tuple(layout.meeting(log, name[5:]) if name.startswith("seen:") else number for _, name in log.columns),
            )
            for number, log in enumerate(layout.logs)
            if log.source in fed
        )
        return cls(lines, {line.log.by: shelves_of(line.log.by) for line in lines}, fed)


@dataclass(frozen=True, eq=False)
class Claim:
    """A claim about to become history.

    Parameters
    ----------
    rows
        The claim, as the only row of the table ``claims``.
    at
        The instant from which it is known.
    codes
        Its identifiers, those that are there.
    told
        By kind of content what reading the claim found out of it.
    """

    rows: Rows
    at: int
    codes: dict[str, int]
    told: Mapping[str, Told] = field(default_factory=dict)


def write(claim: Claim, plan: SinglePlan, links: LinkPlan, duplicates: DuplicatePlan, pages: Pages) -> bool:
    """Add a claim to all logs; whoever appends has seen that it is known after everything in them.

    Parameters
    ----------
    claim
        The claim.
    plan, links, duplicates
        How the families are laid out.
    pages
        Where logs are kept.

    Returns
    -------
    bool
        Whether it was added: a claim for which resolutions wait brings more than its own row, and is left to the general way.
    """
    name = claim.rows.codes("claims", "claim_id")[0].item()
    if pages.latest([key_of(RESOLUTIONS, (name,))], [END]) != [None]:
        return False
    kept = tuple(claim.codes.get(entity, -1) for entity in ENTITIES)
    added: list[Row] = [(key_of(CLAIMS, (name,)), _SELF, kept), *_of_windows(claim, plan, pages)]
    for graph in links.graphs:
        added += _of_graph(claim, graph, links.rules.hub_customers, pages)
    if links.graphs:
        added += _of_people(claim)
    for kind in duplicates.kinds:
        added += tell(kind, claim.rows, claim.codes.get("customer_id", -1), claim.at, claim.told.get(kind.name), pages)
    append_each(pages, added, claim.at)
    return True


def _of_windows(claim: Claim, plan: SinglePlan, pages: Pages) -> list[Row]:
    """Return the rows of the windows' logs."""
    rows, codes = claim.rows, claim.codes
    found: list[Row] = []
    chosen = {name for name, selection in plan.selections.items() if _selected(rows, selection)}
    parts = packed(codes)
    held = {by: prefix + b"".join([parts[name] for name in by]) for by, prefix in plan.shelves.items() if parts.keys() >= set(by)}
    keys: dict[int, Key] = {}
    for line in plan.lines:
        log = line.log
        if log.by in held and log.source in chosen and (not log.own or _value(rows, codes, log, log.own) != NEVER):
            keys[line.number] = (held[log.by], line.number)
    once = [line.number for line in plan.lines if line.number in keys and line.kinds == (SUM,) and line.log.columns[0][1] == ONCE]
    met = pages.latest([keys[number] for number in once], [END] * len(once))
    first = {number: page is None for number, page in zip(once, met, strict=True)}
    for line in plan.lines:
        if line.number not in keys:
            continue
        columns = zip(line.log.columns, line.meetings, strict=True)
        values = tuple([_column(claim, line, kind, name, first.get(meeting, False)) for (kind, name), meeting in columns])
        if NEVER in values:
            online_writing.must_be_whole(line.log, np.array([values], dtype=np.int64))
        if line.log.dense or any(values):
            found.append((keys[line.number], line.kinds, values))
    return found


def _selected(rows: Rows, selection: Selection) -> bool:
    """Tell whether the claim is one of those that a source selects."""
    return selection.column is None or rows.tables["claims"].get(selection.column, (None,))[0] in selection.values


def _column(claim: Claim, line: _Line, kind: int, name: str, first: bool) -> int:
    """Return what the claim adds to a column; ``first`` if it is the first to meet what the column tells of."""
    if name == ONCE or name.startswith("seen:"):
        return int(first)
    return claim.at if kind == FIRST else _value(claim.rows, claim.codes, line.log, name)


def _value(rows: Rows, codes: Mapping[str, int], log: Log, name: str) -> int:
    """Read what the claim adds to a column; nothing where it lacks it."""
    if name in ENTITIES:
        return codes.get(name, -1) if name in rows.tables["claims"] else 0
    return int(rows.numbers("claims", name)[0]) if rows.has(f"claims.{name}") else (NEVER if name == log.own else 0)


def _of_people(claim: Claim) -> list[Row]:
    """Return the rows that say who claimed, and on what."""
    customer, product = claim.codes.get("customer_id", -1), claim.codes.get("product_id", -1)
    found: list[Row] = []
    if customer >= 0:
        found.append((key_of(online_link_logs.OWN, (customer,)), *_COUNTED))
    if product >= 0:
        found.append((key_of(online_link_logs.CLAIMANTS, (product,)), (RAW,), (customer,)))
    return found


def _of_graph(claim: Claim, graph: str, hub: int, pages: Pages) -> list[Row]:
    """Return the rows of a graph: whom the customer's entities had met, and the totals of his component."""
    customer, logs = claim.codes.get("customer_id", -1), online_link_logs
    found: list[Row] = []
    if customer < 0:
        return found
    named = [(kind, claim.codes[name]) for kind, name in enumerate(GRAPHS[graph][1]) if claim.codes.get(name, -1) >= 0]
    keys = [key_of(logs.met_log(graph, kind), (code,)) for kind, code in named]
    others: list[int] = []
    linked = key_of(logs.log_of(graph, logs.LINKED), (customer,))
    for key, entity, page in zip(keys, named, pages.latest(keys, [END] * len(keys)), strict=True):
        met = [] if page is None else memoryview(page).cast("q")[3::2].tolist()
        if len(met) > hub or customer in met:
            continue
        found.append((key, (RAW,), (customer,)))
        if len(met) < hub:
            found.append((linked, (RAW, RAW), entity))
            others += met[-1:]
    return [*found, *_of_component(claim.at, graph, customer, others, pages)]


def _of_component(at: int, graph: str, customer: int, others: Sequence[int], pages: Pages) -> list[Row]:
    """Return the row of the component's totals; where components merge, the general way is gone, and nothing is left to write."""
    logs = online_link_logs
    people = [customer, *others]
    held = pages.latest([key_of(logs.log_of(graph, logs.COMPONENT), (one,)) for one in people], [END] * len(people))
    roots = {one if page is None else memoryview(page).cast("q")[-1] for one, page in zip(people, held, strict=True)}
    if len(roots) > 1:
        n = len(others)
        edges = (np.full(n, at), np.full(n, customer), np.array(others, dtype=np.int64))
        claimed = (np.array([at]), np.array([customer]), np.array([1]))
        logs.write_components(graph, edges, claimed, (edges[0][:0],) * 3, pages, False)
        return []
    key = key_of(logs.log_of(graph, logs.TOTALS), tuple(roots))
    (page,) = pages.latest([key], [END])
    customers, claims, abusive = (1, 0, 0) if page is None else memoryview(page).cast("q")[-3:]
    return [(key, (RAW,) * 3, (customers, claims + 1, abusive))]
