"""The graph of what is shared, against a plain search, and drawn so that everything has a place of its own."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st

from serving.console.look_links import HEIGHT, MOST_PEOPLE, SHARED, WIDTH, graph_of
from serving.console.records import Row


class Town:
    """A source that knows some claims."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    def rows(self, table: str, column: str, values: Collection[str], before: int, most: int) -> list[Row]:
        return [row for row in self._rows if row[column] in values and row["filed_at"] < before][:most]

    def latest(self, before: int, most: int) -> list[Row]:
        return []


def row(number: int, customer: int, things: tuple[int, int, int, int], filed_at: int = 1) -> Row:
    held = {column: f"{column}-{thing}" for column, thing in zip(SHARED, things, strict=True)}
    return {"claim_id": f"C{number}", "customer_id": f"K{customer}", "seller_id": "S1", "filed_at": filed_at, "amount_cents": 100, **held}


THINGS = st.tuples(*[st.integers(0, 5)] * 4)
TOWNS = st.lists(st.tuples(st.integers(0, 6), THINGS), min_size=1, max_size=25).map(
    lambda drawn: [row(number, customer, things) for number, (customer, things) in enumerate(drawn)]
)


@given(TOWNS)
def test_whoever_shares_something_with_the_claimant_is_found_with_what_they_share(rows: list[Row]) -> None:
    claim = rows[0]
    graph = graph_of(Town(rows), claim, 9)
    mine = {(column, one[column]) for one in rows if one["customer_id"] == claim["customer_id"] for column in SHARED}
    theirs: dict[str, set[tuple[str, str]]] = {}
    for one in rows:
        shared = {(column, one[column]) for column in SHARED} & mine
        if one["customer_id"] != claim["customer_id"] and shared:
            theirs.setdefault(one["customer_id"], set()).update(shared)
    drawn = len({label for label in (node.label for node in graph.nodes) if not label.startswith(("claimant", "customer"))})
    if drawn == len(mine):  # nothing was left out of the picture
        assert sorted(len(person.shares) for person in graph.people) == sorted(map(len, theirs.values()))
    assert len(graph.people) + graph.left_out == len(theirs)


@given(TOWNS)
def test_everything_has_a_place_of_its_own_within_the_picture(rows: list[Row]) -> None:
    graph = graph_of(Town(rows), rows[0], 9)
    spots = [(node.x, node.y) for node in graph.nodes]
    assert len(set(spots)) == len(spots) and all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in spots)
    assert all((edge.x1, edge.y1) in spots and (edge.x2, edge.y2) in spots for edge in graph.edges)
    assert graph.span[0] <= min(y for _, y in spots) and graph.span[0] + graph.span[1] >= max(y for _, y in spots)


def test_nobody_is_named_and_of_many_those_who_share_most_are_drawn() -> None:
    rows = [row(0, 0, (0, 0, 0, 0))] + [row(k, k, (0, k if k > 5 else 0, k, k)) for k in range(1, MOST_PEOPLE + 9)]
    graph = graph_of(Town(rows), rows[0], 9)
    assert len(graph.people) == MOST_PEOPLE and graph.left_out == 8
    assert sum(len(person.shares) == 2 for person in graph.people) == 5
    words = " ".join(node.label + node.words for node in graph.nodes) + " ".join(person.label for person in graph.people)
    assert not any(one["customer_id"] in words or one["device_id"] in words for one in rows)


def test_what_is_filed_later_is_not_known_yet() -> None:
    rows = [row(0, 0, (0, 0, 0, 0)), row(1, 1, (0, 1, 1, 1), filed_at=9)]
    assert graph_of(Town(rows), rows[0], 9).people == () and len(graph_of(Town(rows), rows[0], 10).people) == 1
