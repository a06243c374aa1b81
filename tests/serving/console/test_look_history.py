"""The history of a claim: everything that was known, nothing that was not, picture and table alike."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd

from pipelines.lake import Lake
from pipelines.lake_records import LakeRecords
from serving.console.look_history import LANE, LANES, LEFT, RIGHT, TOP, WIDTH, Timeline, history_of
from serving.console.records import BothRecords, StoreRecords
from serving.instants import DAY, micros
from tests.serving.console.houses import House


def told(house: House, claim_id: str, at: int, sees_answers: bool = True) -> Timeline:
    records = BothRecords(StoreRecords(house.store), LakeRecords(Lake(house.market.home.root)))
    claim = records.rows("claims", "claim_id", [claim_id], 2**60, 1)[0]
    row = house.store.read("cases").set_index("claim_id", drop=False).loc[claim_id]
    case = row.copy()
    for name in ("opened_at", "acknowledged_at"):
        case[name] = None if pd.isna(row[name]) else micros(row[name].to_pydatetime())
    with house.store.view() as view:
        return history_of(view, records, claim, case, at, sees_answers)


def live(house: House) -> list[str]:
    return [row["claim_id"] for row in house.rows("cases") if row["claim_id"].startswith("K")]


def test_the_future_changes_nothing_of_the_past(shown: House) -> None:
    now = micros(shown.now)
    for claim_id in live(shown)[:4]:
        whole = told(shown, claim_id, now).happenings
        for days in (30, 90, 200):
            past = told(shown, claim_id, now - days * DAY).happenings
            assert all(one.at <= now - days * DAY for one in past)
            expected = [one for one in whole if one.at < now - days * DAY]
            assert [(one.at, one.lane, one.amount_cents) for one in past if one.at < now - days * DAY] == [
                (one.at, one.lane, one.amount_cents) for one in expected
            ]


def test_orders_returns_and_claims_are_those_of_the_tables(shown: House) -> None:
    now, tables = micros(shown.now), shown.market.tables
    for claim_id in live(shown)[:4]:
        claim = tables["claims"].set_index("claim_id").loc[claim_id]
        found = told(shown, claim_id, now).happenings
        orders = tables["orders"]
        others = (orders["customer_id"] == claim["customer_id"]) & (orders["order_id"] != claim["order_id"])
        assert sum(one.words == "another order" for one in found) == int(others.sum())
        returns = int((tables["returns"]["customer_id"] == claim["customer_id"]).sum())
        assert sum(one.kind == "return" for one in found) == returns
        filed = tables["claims"]
        same = (filed["customer_id"] == claim["customer_id"]) & (filed["claim_id"] != claim_id)
        assert sum(one.words.startswith("another claim") for one in found) == int(same.sum())


def test_every_dot_is_within_its_lane_and_every_recent_happening_in_a_dot(shown: House) -> None:
    for claim_id in live(shown)[:4]:
        timeline = told(shown, claim_id, micros(shown.now))
        middles = {TOP + LANE * (place + 0.5) for place in range(len(LANES))}
        assert all(LEFT - 6 <= dot.x <= WIDTH - RIGHT + 6 and dot.y in middles for dot in timeline.dots)
        assert {dot.kind for dot in timeline.dots} <= {one.kind for one in timeline.happenings}
        assert [one.at for one in timeline.happenings] == sorted((one.at for one in timeline.happenings), reverse=True)
        assert len({x for x, _ in timeline.marks}) == len(timeline.marks) > 0


def test_what_experts_found_is_told_to_those_who_oversee_alone(house: House) -> None:
    claim_id = house.taken("ann", limit=1)[0]
    house.now += timedelta(hours=1)
    words = {sees: " ".join(one.words for one in told(house, claim_id, micros(house.now), sees).happenings) for sees in (True, False)}
    assert "taken up by an expert" in words[True] and "taken up by an expert" not in words[False]
