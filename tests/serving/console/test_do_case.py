"""Deeds about cases: what the console does is what the API does, and nothing is written without a reason or a lease."""

from __future__ import annotations

from datetime import timedelta

import pandas as pd
import pytest

from models.quality_checks import Checks, draw
from serving import audit
from serving.console.do_case import MISSING
from serving.expert_work import LEASES
from serving.instants import micros
from serving.queue import MEANT_FOR, Tier
from serving.ties import Tie, TieKind, keep
from tests.serving.console.houses import WHY, House, Visitor, lease
from tests.serving.test_app import Client

FOUND = {"label": "abusive", "minutes": "31", "rationale": WHY}
TABLES = ("cases", "expert_answers", "assignments", "expert_ties")


def case_of(house: House, claim_id: str) -> dict[str, object]:
    return next(row for row in house.rows("cases") if row["claim_id"] == claim_id)


def held(house: House, name: str = "ann") -> tuple[Visitor, str, str]:
    """Somebody who holds a case: themselves, the case, its token."""
    visitor = house.visitor(name)
    found = visitor.send("/cases/take", tier="desk", limit="1")
    claim_id = found.headers["location"].removeprefix("/console/cases/").partition("?")[0]
    return visitor, claim_id, lease(visitor.get(f"/cases/{claim_id}").text)


def state(house: House) -> dict[str, list[dict[str, object]]]:
    return {table: house.store.read(table).astype("str").to_dict("records") for table in TABLES}


def api(house: House, verb: str, **asked: object) -> dict[str, object]:
    found = Client(house.app).request("POST", f"/v1/cases:{verb}", headers={"authorization": f"Bearer {house.key}"}, json=asked)
    assert found.status_code == 200, found.text
    return dict(found.json())


DEEDS = {
    "answer": (FOUND, {"label": "abusive", "minutes": 31, "rationale": WHY}),
    "escalate": ({"rationale": WHY}, {"rationale": WHY}),
    "renew": ({}, {}),
    "release": ({"to": "bob"}, {"to": "bob"}),
    "recuse": ({"tied_to": "seller"}, {"tied_to": "seller"}),
}


@pytest.mark.parametrize("verb", DEEDS)
def test_what_is_done_in_the_console_ends_as_the_same_done_by_the_api(house: House, twin: House, verb: str) -> None:
    visitor, claim_id, token = held(house)
    (case,) = api(twin, "lease", tier="desk", limit=1)["cases"]  # type: ignore[misc]
    assert (case["claim_id"], str(case["token"])) == (claim_id, token)
    for one in (house, twin):
        one.now += timedelta(hours=3)
    visitor = house.visitor("ann")
    form, asked = DEEDS[verb]
    assert visitor.send(f"/cases/{claim_id}/{verb}", token=token, **form).status_code == 303
    api(twin, verb, claim_id=claim_id, token=int(token), **asked)
    assert state(house) == state(twin)
    told = [{row["body"] for row in one.rows("audit_log") if row["kind"] == audit.CASE} for one in (house, twin)]
    assert told[0] == told[1] != set()


def test_evidence_is_requested_by_naming_what_is_missing(house: House) -> None:
    visitor, claim_id, token = held(house)
    path = f"/cases/{claim_id}/evidence"
    assert visitor.send(path, token=token, minutes="9", rationale=WHY).status_code == 422
    assert house.rows("expert_answers") == []
    found = visitor.send(path, token=token, minutes="9", rationale=WHY, receipt="1", photo="1")
    assert "asked for what is missing" in visitor.follow(found).text
    (row,) = house.rows("expert_answers")
    assert row["label"] == "unsubstantiated" and row["minutes"] == 9
    assert row["rationale"] == f"Evidence requested: {MISSING['receipt']}; {MISSING['photo']}. {WHY}"


def test_without_a_rationale_nothing_is_written(house: House) -> None:
    visitor, claim_id, token = held(house)
    before = state(house)
    for verb in ("answer", "escalate", "evidence"):
        for why in ("", "   ", "too short", " \r\n short \r\n "):
            found = visitor.send(f"/cases/{claim_id}/{verb}", token=token, **{**FOUND, "rationale": why, "receipt": "1"})
            assert found.status_code == 422 and "Say why" in found.text
    assert state(house) == before


def test_what_cannot_be_read_is_refused_naming_the_field(house: House) -> None:
    visitor, claim_id, token = held(house)
    wrong = [("label", "guilty"), ("label", ""), ("minutes", "soon"), ("minutes", "-1"), ("minutes", ""), ("rationale", "x" * 4_001)]
    for name, value in wrong:
        found = visitor.send(f"/cases/{claim_id}/answer", token=token, **FOUND | {name: value})
        assert found.status_code == 422 and f"Please look at {name} again" in found.text
    assert house.rows("expert_answers") == []


def test_who_holds_the_case_no_more_cannot_write(house: House) -> None:
    claim_id = house.taken("ann", limit=20)[-1]
    token = lease(house.visitor("ann").get(f"/cases/{claim_id}").text)
    house.now += timedelta(microseconds=LEASES[Tier.DESK])
    late = house.visitor("ann")
    assert late.get(f"/cases/{claim_id}").status_code == 404
    before = state(house)
    for verb, form in (("answer", FOUND), ("renew", {}), ("release", {}), ("escalate", {"rationale": WHY})):
        found = late.send(f"/cases/{claim_id}/{verb}", token=token, **form)
        assert found.status_code == 409 and "You do not hold this case any more" in found.text
    assert state(house) == before
    assert claim_id in house.taken("bob", limit=20)
    assert late.send(f"/cases/{claim_id}/answer", token="2", **FOUND).status_code in (404, 409)
    assert house.rows("expert_answers") == []


def test_a_case_is_nobody_elses_to_see_or_to_answer(house: House) -> None:
    _, claim_id, token = held(house)
    for name in ("bob", "zoe"):
        other = house.visitor(name)
        assert other.get(f"/cases/{claim_id}").status_code == 404
        assert other.send(f"/cases/{claim_id}/answer", token=token, **FOUND).status_code in (404, 409)
    assert house.rows("expert_answers") == []


def test_the_same_form_sent_twice_is_one_answer(house: House) -> None:
    visitor, claim_id, token = held(house)
    for _ in range(2):
        assert visitor.send(f"/cases/{claim_id}/answer", token=token, **FOUND).headers["location"] == "/console/queue?said=answered"
    assert len(house.rows("expert_answers")) == 1


def test_investigations_are_for_investigators(house: House) -> None:
    assert house.visitor("ann").send("/cases/take", tier="investigation", limit="1").status_code == 403
    found = house.visitor("zoe").send("/cases/take", tier="investigation", limit="1")
    assert found.status_code == 303 and {row["holder"] for row in house.rows("cases") if row["state"] == "leased"} == {"zoe"}


def test_an_escalated_case_is_the_investigators(house: House) -> None:
    visitor, claim_id, token = held(house)
    visitor.send(f"/cases/{claim_id}/escalate", token=token, rationale=WHY)
    assert case_of(house, claim_id)["tier"] == "investigation" and visitor.get(f"/cases/{claim_id}").status_code == 404


def test_operations_keep_a_case_for_an_expert_who_is_then_offered_it_first(house: House) -> None:
    olga = house.visitor("olga")
    waiting = [row["claim_id"] for row in house.rows("cases") if row["tier"] == "desk"]
    last = waiting[-1]
    said = olga.follow(olga.send(f"/cases/{last}/assign", to="bob")).text
    assert "kept for that expert" in said and "Kept for bob." in said
    assert last not in house.taken("ann", limit=20)
    entry = house.rows("audit_log")
    assert any(row["kind"] == "console" and row["subject"] == last and b'"to": "bob"' in row["body"] for row in entry)
    house.now += timedelta(microseconds=MEANT_FOR + 1)
    assert "Kept for bob." not in house.visitor("olga").get(f"/cases/{last}").text


def test_a_case_is_kept_for_experts_alone(house: House) -> None:
    olga, case = house.visitor("olga"), house.rows("cases")[0]["claim_id"]
    for to in ("", "nobody", "olga", "adam"):
        assert olga.send(f"/cases/{case}/assign", to=to).status_code == 422
    assert house.rows("assignments") == []


def test_a_case_in_hand_is_not_given_to_somebody_else(house: House) -> None:
    _, claim_id, _ = held(house)
    found = house.visitor("olga").send(f"/cases/{claim_id}/assign", to="bob")
    assert found.status_code == 409 and case_of(house, claim_id)["holder"] == "ann"


def test_a_second_opinion_is_asked_for_with_a_reason_and_the_first_answer_stays(house: House) -> None:
    ann, claim_id, token = held(house)
    olga = house.visitor("olga")
    path = f"/cases/{claim_id}/second-opinion"
    assert olga.send(path, rationale=WHY).status_code == 409
    ann.send(f"/cases/{claim_id}/answer", token=token, **FOUND)
    assert olga.send(path, rationale="").status_code == 422
    assert "waits for a second opinion" in olga.follow(olga.send(path, rationale=WHY)).text
    assert case_of(house, claim_id)["state"] == "open" and len(house.rows("expert_answers")) == 1
    assert claim_id not in house.taken("ann", limit=20) and claim_id in house.taken("bob", limit=20)


def test_a_conflict_of_interest_takes_back_every_case_of_that_party_and_hides_them(house: House) -> None:
    mine = {claim_id: case_of(house, claim_id)["seller_id"] for claim_id in house.taken("ann", limit=20)}
    seller = pd.Series(list(mine.values())).mode()[0]
    chosen = next(claim_id for claim_id, whose in mine.items() if whose == seller)
    ann = house.visitor("ann")
    said = ann.send(f"/cases/{chosen}/recuse", token=lease(ann.get(f"/cases/{chosen}").text), tied_to="seller")
    assert "not be shown a case of that party again" in ann.follow(said).text
    for row in house.rows("cases"):
        if row["seller_id"] == seller:
            assert row["holder"] != "ann" and ann.get(f"/cases/{row['claim_id']}").status_code == 404


def test_a_case_of_a_party_that_one_is_tied_to_is_to_nobody_there(house: House) -> None:
    row = next(row for row in house.rows("cases") if row["tier"] == "desk")
    with house.store.write() as tx:
        for name in ("olga", "aude", "adam"):
            keep(tx, Tie(name, TieKind.CUSTOMER, str(row["customer_id"])), micros(house.now))
    for name in ("olga", "aude", "adam"):
        visitor = house.visitor(name)
        assert visitor.get(f"/cases/{row['claim_id']}").status_code == 404
        assert row["claim_id"] not in visitor.get("/queue?state=all&find=" + str(row["claim_id"])).text.split("</form>")[-1]
    olga = house.visitor("olga")
    assert olga.send(f"/cases/{row['claim_id']}/assign", to="bob").status_code == 404
    assert olga.send(f"/cases/{row['claim_id']}/second-opinion", rationale=WHY).status_code == 404


def test_on_the_blind_slice_nobody_sees_what_the_model_thinks_while_an_answer_is_awaited(house: House) -> None:
    taken = [claim_id for _ in range(5) for claim_id in house.taken("ann", limit=20)]
    hidden = dict(zip(taken, draw(Checks(), pd.Series(taken)).hidden.tolist(), strict=True))
    decisions = house.store.read("decisions").set_index("claim_id")
    explained = [claim_id for claim_id in taken if decisions.loc[claim_id, "reasons"]]
    looked_at = [claim_id for claim_id in taken if hidden[claim_id]] + explained[:4]
    assert {True, False} == {hidden[claim_id] for claim_id in explained}
    ann, olga = house.visitor("ann"), house.visitor("olga")
    for claim_id in looked_at:
        blind = hidden[claim_id]
        for visitor in (ann, olga):
            page = visitor.get(f"/cases/{claim_id}").text
            assert ("drawn by lot" in page) is blind
            assert ('class="proba"' in page) is not blind
            reason = str(decisions.loc[claim_id, "reasons"]).partition(": ")[2].partition(" [")[0]
            if blind and reason:
                assert reason not in page
    blind = next(claim_id for claim_id, drawn in hidden.items() if drawn)
    ann.send(f"/cases/{blind}/answer", token=lease(ann.get(f"/cases/{blind}").text), **FOUND)
    assert 'class="proba"' in olga.get(f"/cases/{blind}").text
