"""The queue as a page: every case once, in the order in which it is worked, and nobody's secrets."""

from __future__ import annotations

import re
from datetime import timedelta

import pandas as pd

from models.quality_checks import Checks, draw
from serving.clocks import alarms
from serving.console.look_queue import PAGE
from serving.expert_work import MOST_HELD
from serving.instants import micros
from tests.serving.console.houses import WHY, House, Visitor, lease


def listed(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/console/cases/([^"]+)"', page)


def walked(visitor: Visitor, query: str) -> list[str]:
    """The cases of a list on all its pages."""
    found, number = [], 1
    while some := listed(visitor.get(f"/queue?{query}&page={number}").text):
        found += some
        number += 1
    return found


def test_the_queue_shows_each_case_once_in_as_many_pages_as_it_takes(shown: House) -> None:
    cases = pd.DataFrame(shown.rows("cases"))
    aude = shown.visitor("aude")
    everything = walked(aude, "state=all")
    assert sorted(everything) == sorted(cases["claim_id"]) and len(everything) > PAGE
    for tier in ("desk", "investigation"):
        assert sorted(walked(aude, f"state=all&tier={tier}")) == sorted(cases.loc[cases["tier"] == tier, "claim_id"])
    assert walked(aude, "state=all&find=K") == [one for one in everything if one.startswith("K")]
    assert walked(aude, "state=all&find=%25") == walked(aude, "state=answered") == []


def test_the_clock_filters_find_what_the_alarms_ring_for(shown: House) -> None:
    aude = shown.visitor("aude")
    with shown.store.view() as view:
        ringing = [alarm for alarm in alarms(view, micros(shown.now)) if alarm.met_at is None]
    late = {alarm.claim_id for alarm in ringing if alarm.level.value == "breach"}
    soon = {alarm.claim_id for alarm in ringing if alarm.level.value == "warning"}
    assert late and soon
    assert set(walked(aude, "state=all&clock=breach")) == late
    assert set(walked(aude, "state=all&clock=warning")) == soon - late


def test_what_is_urgent_comes_first_then_the_most_valuable_and_answered_cases_last(house: House) -> None:
    ann = house.visitor("ann")
    for claim_id in house.taken("ann", limit=3):
        ann.send(f"/cases/{claim_id}/answer", token=lease(ann.get(f"/cases/{claim_id}").text), label="valid", minutes="3", rationale=WHY)
    cases = pd.DataFrame(house.rows("cases")).set_index("claim_id")
    order = cases.loc[walked(house.visitor("olga"), "state=all")]
    urgent = (order["due_at"] <= pd.Timestamp(house.now + timedelta(days=5))) & (order["state"] != "answered")
    assert urgent.is_monotonic_decreasing and order.loc[urgent, "due_at"].is_monotonic_increasing
    waits = order[~urgent & (order["state"] != "answered")]
    assert waits["priority"].is_monotonic_decreasing and len(waits) > 10
    assert order["state"].tolist()[-3:] == ["answered"] * 3


def test_an_expert_sees_what_they_hold_and_of_the_rest_how_much_waits(house: House) -> None:
    mine, theirs = house.taken("ann", limit=4), house.taken("bob", limit=4)
    page = house.visitor("ann").get("/queue").text
    assert sorted(listed(page)) == sorted(mine) and not any(claim_id in page for claim_id in theirs)
    assert f"You hold 4 cases of at most {MOST_HELD}." in page and "Investigations" not in page
    assert "Investigations" in house.visitor("zoe").get("/queue").text


def test_values_of_cases_judged_blind_are_hidden_from_everybody_while_they_wait(shown: House) -> None:
    cases = [row["claim_id"] for row in shown.rows("cases")]
    drawn = {claim_id for claim_id, blind in zip(cases, draw(Checks(), pd.Series(cases)).hidden, strict=True) if blind}
    visitor = shown.visitor("adam")
    pages = "".join(visitor.get(f"/queue?state=all&page={number}").text for number in range(1, 2 + len(cases) // PAGE))
    rows = {listed(row)[0]: "judged blind" in row for row in pages.split("<tr>") if listed(row)}
    assert {claim_id for claim_id, blind in rows.items() if blind} == drawn != set()
