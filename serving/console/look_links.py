"""Who shares a device, an address, a means of payment or a telephone with a claimant: as a picture and in words.

The claimant stands in the middle, what they filed with around them, and whoever filed with the same outside. People and things
have names for the page only ("customer 2", "device 1"): the picture is about what is shared, not about who is who.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import atan2, cos, pi, sin

from serving.console.records import Records, Row

SHARED: Mapping[str, str] = {"device_id": "device", "address_id": "address", "payment_id": "payment", "phone_id": "telephone"}
"""Column of a claim → what it is."""

MOST_CLAIMS = 400
"""Claims looked at on either step."""

MOST_PEOPLE = 14
"""People drawn; of more, those who share most."""

MOST_THINGS = 12
"""Things drawn; of more, those that are shared."""

WIDTH, HEIGHT = 640.0, 400.0
_INNER, _OUTER = 0.24, 0.42  # radii as shares of the width and, flattened, of the height


@dataclass(frozen=True)
class Node:
    """A person or a thing in the picture."""

    key: str
    kind: str
    label: str
    x: float
    y: float
    words: str


@dataclass(frozen=True)
class Edge:
    """A line between two places; ``shared`` where it leads to somebody else."""

    x1: float
    y1: float
    x2: float
    y2: float
    shared: bool


@dataclass(frozen=True)
class Linked:
    """Somebody who shares something with the claimant: their name here, what they share, their claims and those against the same seller."""

    label: str
    shares: tuple[str, ...]
    claims: int
    same_seller: int
    claimed_cents: int


@dataclass(frozen=True)
class Graph:
    """The picture and what it shows in words; ``left_out`` people share something and are not drawn; ``span`` is its top and height."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    people: tuple[Linked, ...]
    left_out: int
    span: tuple[float, float]


def graph_of(records: Records, claim: Row, now: int) -> Graph:
    """Return who shares what with the claimant, as known at an instant (microseconds UTC)."""
    me = claim["customer_id"]
    own = {claim["claim_id"]: claim} | {row["claim_id"]: row for row in records.rows("claims", "customer_id", [me], now, MOST_CLAIMS)}
    things: dict[tuple[str, str], set[str]] = {}
    for column in SHARED:
        for value in sorted({row[column] for row in own.values()}):
            things[column, value] = set()
    theirs: dict[str, dict[str, Row]] = {}
    for column in SHARED:
        values = sorted(value for kind, value in things if kind == column)
        for row in records.rows("claims", column, values, now, MOST_CLAIMS):
            if row["customer_id"] != me:
                things[column, row[column]].add(row["customer_id"])
                theirs.setdefault(row["customer_id"], {})[row["claim_id"]] = row
    shares = {who: [thing for thing, people in things.items() if who in people] for who in theirs}
    drawn = sorted(theirs, key=lambda who: (-len(shares[who]), -len(theirs[who]), who))[:MOST_PEOPLE]
    return _drawn(claim, list(things), {who: shares[who] for who in drawn}, theirs, len(theirs) - len(drawn))


def _drawn(
    claim: Row, things: list[tuple[str, str]], shares: dict[str, list[tuple[str, str]]], theirs: dict[str, dict[str, Row]], left_out: int
) -> Graph:
    used = {thing for some in shares.values() for thing in some}
    kept = sorted(things, key=lambda thing: thing not in used)[:MOST_THINGS]
    kept = [thing for thing in things if thing in kept]  # in order of kind: what is shared is not all on one side
    labels = _numbered(kept)
    angles = {thing: 2 * pi * place / len(kept) - pi / 2 for place, thing in enumerate(kept)}
    nodes = [Node("me", "me", "claimant", WIDTH / 2, HEIGHT / 2, "the claimant")]
    edges, at = [], {}
    for thing, angle in angles.items():
        x, y = at[thing] = _place(angle, _INNER)
        words = f"{labels[thing]}, {'shared' if thing in used else 'shared with nobody'}"
        nodes.append(Node(labels[thing], "shared" if thing in used else "own", labels[thing], x, y, words))
        edges.append(Edge(WIDTH / 2, HEIGHT / 2, x, y, thing in used))
    people = []
    around = _apart({who: _middle([angles[thing] for thing in shares[who] if thing in angles]) for who in shares})
    for number, (who, angle) in enumerate(around.items(), 1):
        x, y = _place(angle, _OUTER)
        person = _person(f"customer {number}", claim, [labels[thing] for thing in shares[who] if thing in labels], theirs[who])
        nodes.append(Node(person.label, "other", person.label, x, y, f"{person.label} shares {', '.join(person.shares)}"))
        edges += [Edge(*at[thing], x, y, True) for thing in shares[who] if thing in at]
        people.append(person)
    top, bottom = min(node.y for node in nodes) - 34, max(node.y for node in nodes) + 34
    return Graph(tuple(nodes), tuple(edges), tuple(people), left_out, (top, bottom - top))


def _person(label: str, claim: Row, shares: list[str], rows: dict[str, Row]) -> Linked:
    same = sum(row["seller_id"] == claim["seller_id"] for row in rows.values())
    return Linked(label, tuple(shares), len(rows), same, sum(row["amount_cents"] for row in rows.values()))


def _numbered(things: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Name things by their kind, and by a number where there are several of it."""
    named: dict[tuple[str, str], str] = {}
    for column, kind in SHARED.items():
        some = [thing for thing in things if thing[0] == column]
        named |= {thing: kind if len(some) == 1 else f"{kind} {number}" for number, thing in enumerate(some, 1)}
    return named


def _middle(angles: list[float]) -> float:
    """Return the direction between some directions; upwards where there are none."""
    return atan2(sum(map(sin, angles)), sum(map(cos, angles))) if angles else -pi / 2


def _apart(wanted: dict[str, float]) -> dict[str, float]:
    """Return directions near those wanted, in their order around the circle, none closer to the next than all of them allow."""
    order = sorted(wanted, key=lambda who: (wanted[who], who))
    step = min(0.62, 2 * pi / max(1, len(order)))
    angles = [wanted[who] for who in order]
    for _ in range(60):
        for k in range(len(order) - 1):
            lacks = step - (angles[k + 1] - angles[k])
            if lacks > 0:
                angles[k], angles[k + 1] = angles[k] - lacks / 2, angles[k + 1] + lacks / 2
    return dict(zip(order, angles, strict=True))


def _place(angle: float, radius: float) -> tuple[float, float]:
    return round(WIDTH * (0.5 + radius * cos(angle)), 1), round(HEIGHT * (0.5 + radius * sin(angle)), 1)
