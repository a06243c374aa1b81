"""The external API of resolutions over a real application, on both databases: what a party can say, see, and cannot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from data_contracts.resolutions import Party
from pipelines import resolve
from pipelines.parties import SimulatedParties
from serving import audit
from serving.instants import micros
from serving.party_look import case_of
from serving.party_messages import About, Accepted, Appealed, Countered, Insured, Proven, Rejected, Repaid, Verb
from serving.party_work import NotYoursError, Speaker, UnsayableError, say
from serving.store import Store
from tests.serving.cases import START, WEEK
from tests.serving.court import DECIDED, INSURER, JUDGE, ROOT, SERVICE, TOWN, Court, court_over, insure_all, sellers
from tests.serving.test_app import problem

DONE = START + 60 * WEEK
TICK = timedelta(microseconds=1)
WHY = {"grounds": "no_defect", "rationale": "Our laboratory found no defect."}
BODIES: dict[str, dict[str, Any]] = {
    "accept": {},
    "counter": {"amount_cents": 1} | WHY,
    "reject": WHY,
    "insure": {"insurer": INSURER, "policy_number": "P-7"},
    "appeal": {"rationale": "It was not us."},
    "prove": {"evidence": ["receipt"]},
    "repay": {"amount_cents": 100},
    "rule": {"ruling": "abuse_revealed", "rationale": "Confessed."},
}
"""A body for every verb."""

ASKED: dict[Verb, type[About]] = {
    Verb.ACCEPT: Accepted,
    Verb.COUNTER: Countered,
    Verb.REJECT: Rejected,
    Verb.INSURE: Insured,
    Verb.APPEAL: Appealed,
    Verb.PROVE: Proven,
    Verb.REPAY: Repaid,
}


@pytest.fixture
def court(store_url: str) -> Iterator[Court]:
    with court_over(store_url) as court:
        yield court


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Court]:
    """The same on SQLite alone, for what no database changes."""
    with court_over(f"sqlite:///{tmp_path / 'store.sqlite'}") as court:
        yield court


def same_words(court: Court, row: Any) -> httpx.Response:
    """Say by the API what a row of answers says."""
    if row.kind in ("appeal_granted", "appeal_refused", "evidence_refutes", "abuse_revealed"):
        return court.say(JUDGE, "rule", row.claim_id, row.answer_id, ruling=row.kind, rationale="Seen.")
    if row.party == "customer":
        verb, body = {
            "evidence_provided": ("prove", {"evidence": ["receipt", "order"]}),
            "appeal": ("appeal", BODIES["appeal"]),
            "reimbursed": ("repay", {"amount_cents": row.amount_cents}),
        }[row.kind]
        return court.say(SERVICE, verb, row.claim_id, row.answer_id, **body)
    if row.party == "marketplace":
        return court.say(JUDGE, "rule", row.claim_id, row.answer_id, ruling="withheld", amount_cents=row.amount_cents, rationale="Kept.")
    who = INSURER if row.party == "insurer" else TOWN.claims.set_index("claim_id")["seller_id"][row.claim_id]
    verbs = {"seller_rejects": "reject", "insurer_rejects": "reject", "insurance_proof": "insure", "appeal": "appeal"}
    verb = verbs.get(row.kind, "accept")
    return court.say(who, verb, row.claim_id, row.answer_id, **BODIES[verb])


def test_what_is_said_by_the_api_ends_in_the_same_states_and_money_as_the_same_answers_from_a_file(court: Court) -> None:
    with Store("sqlite://") as filed:
        filed.record_decisions(TOWN.decisions)
        resolve.run(filed, TOWN.tables, DONE, SimulatedParties(TOWN.world))
        answers = filed.read("answers").sort_values(["answered_at", "answer_id"])
        applied = filed.read("receipts").query("disposition == 'applied'")
        wanted = {name: filed.read(name) for name in ("case_events", "ledger", "proceedings")}
    insure_all(court.store, INSURER)
    taken = 0
    for row in answers.itertuples():
        court.carried(row.answered_at - pd.Timedelta(1, "us"))
        court.now = row.answered_at.to_pydatetime()
        told = same_words(court, row)
        assert told.status_code in (200, 404, 409), told.text
        taken += told.status_code == 200
    court.carried(DONE)
    assert taken == len(applied) > 60
    for name, frame in wanted.items():
        assert_frame_equal(court.store.read(name), frame)
    with court.store.view() as tx:
        assert audit.verify(tx).broken == ""
    assert len(court.store.read("audit_log").query("kind == 'party'")) == taken


def test_nobody_speaks_for_another_nor_learns_that_there_is_something_to_speak_of(court: Court) -> None:
    court.carried(DECIDED)
    case = court.standing("presented").iloc[0]
    theirs, seller = case["claim_id"], case["seller_id"]
    stranger = next(other for other in sellers() if other != seller)
    for who in (stranger, INSURER):
        unknown = court.ask(who, "GET", "/v1/resolutions/nothing")
        assert problem(unknown, 404) == problem(court.ask(who, "GET", f"/v1/resolutions/{theirs}"), 404)
        for verb in ("accept", "counter", "reject"):
            assert problem(court.say(who, verb, theirs, **BODIES[verb]), 404) == problem(
                court.say(who, verb, "nothing", **BODIES[verb]), 404
            )
        assert theirs not in [one["claim_id"] for one in court.listed(who)]
    assert list(problem(court.say(stranger, "accept", theirs, seller_id=seller), 422)) == ["seller_id"]
    for verb, body in BODIES.items():
        assert problem(court.say(ROOT, verb, theirs, **body), 403), verb
    assert problem(court.ask(ROOT, "GET", "/v1/resolutions"), 403)
    assert court.store.read("answers").empty and court.store.read("statements").empty
    assert court.say(seller, "accept", theirs).json()["amount_cents"] == case["amount_cents"]


VERBS_OF = {
    "S000": {"accept", "counter", "reject", "insure", "appeal"},
    INSURER: {"accept", "counter", "reject"},
    SERVICE: {"appeal", "prove", "repay"},
    JUDGE: {"rule"},
}


@pytest.mark.parametrize("who", VERBS_OF)
def test_a_verb_that_is_another_partys_is_refused_at_the_door(lite: Court, who: str) -> None:
    for verb, body in BODIES.items():
        assert lite.say(who, verb, "nothing", **body).status_code == (404 if verb in VERBS_OF[who] else 403), verb


def test_a_seller_hears_of_a_claim_when_it_may_be_valid_and_never_why_it_is_not(court: Court) -> None:
    parties = SimulatedParties(TOWN.world)
    for week in (3, 5, 8, 13, 30):
        court.carried(START + week * WEEK, parties)
        events = court.store.read("case_events")
        known = set(events[events["to_state"].isin(["proof_awaited", "presented", "reimbursement_demanded"])]["claim_id"])
        rows = court.store.read("proceedings")
        for seller in sellers()[:6]:
            mine = set(rows[rows["seller_id"] == seller]["claim_id"])
            heard = [*court.listed(seller), *court.listed(seller, "closed")]
            assert {one["claim_id"] for one in heard} == mine & known
            told = "".join(court.ask(seller, "GET", f"/v1/resolutions/{one['claim_id']}").text for one in heard) + str(heard)
            assert not [word for word in ("denied", "abus", "appealed_", "claimed_back", "customer", "K1", "proba") if word in told]


def test_an_insurer_sees_the_claims_of_sellers_who_named_it_and_no_others(court: Court) -> None:
    court.carried(DECIDED)
    case = court.standing("proof_awaited").iloc[0]
    assert court.listed(INSURER) == []
    assert court.say(case["seller_id"], "insure", case["claim_id"], **BODIES["insure"]).status_code == 200
    assert court.listed(INSURER) == court.listed(case["seller_id"]) != [] and court.listed("I-2") == []
    assert court.look(INSURER, case["claim_id"])["may"] == ["accept", "counter", "reject"]


def test_a_call_that_is_repeated_is_answered_byte_for_byte_and_said_once(court: Court) -> None:
    court.carried(DECIDED)
    case = court.standing("presented").iloc[0]
    seller, claim = case["seller_id"], case["claim_id"]
    first = court.say(seller, "reject", claim, "K", **WHY)
    assert first.status_code == 200
    court.now += timedelta(hours=5)
    assert court.say(seller, "reject", claim, "K", **WHY).content == first.content
    court.carried(court.now + timedelta(days=1))
    assert court.say(seller, "reject", claim, "K", **WHY).content == first.content
    assert list(problem(court.say(seller, "reject", claim, "K", **WHY | {"grounds": "misuse"}), 409)) == ["Idempotency-Key"]
    assert problem(court.say(seller, "reject", claim, "L", **WHY), 409)  # said and carried out: there is nothing more to reject
    assert len(court.store.read("answers")) == len(court.store.read("statements")) == 1
    assert court.look(seller, claim)["said"][0]["effect"] == "applied"


def test_two_answers_at_once_are_one_and_a_refusal(court: Court) -> None:
    court.carried(DECIDED)
    case = court.standing("presented").iloc[0]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda n: court.say(case["seller_id"], "accept", case["claim_id"], str(n)).status_code, range(4)))
    assert sorted(told) == [200, 409, 409, 409]
    assert len(court.store.read("answers")) == 1


def test_a_deadline_is_kept_to_the_microsecond_whenever_the_cases_are_carried_forward(court: Court) -> None:
    court.carried(DECIDED)
    first, second = (row for _, row in court.standing("presented").sort_values("deadline").head(2).iterrows())
    court.now = first["deadline"].to_pydatetime()
    assert court.say(first["seller_id"], "accept", first["claim_id"]).json()["kind"] == "seller_pays"
    court.now = second["deadline"].to_pydatetime() + TICK
    late = court.look(second["seller_id"], second["claim_id"])
    assert late["stage"] == "reimbursement_demanded"  # nobody has carried it forward, and yet the clock has run
    assert problem(court.say(second["seller_id"], "reject", second["claim_id"], **WHY), 409)
    paid = court.say(second["seller_id"], "accept", second["claim_id"])
    assert paid.json()["kind"] == "reimbursed"
    court.carried(court.now + timedelta(days=1))
    assert set(court.standing("settled")["claim_id"]) >= {first["claim_id"], second["claim_id"]}


def test_a_part_is_paid_by_the_seller_and_the_rest_is_demanded(court: Court) -> None:
    court.carried(DECIDED)
    case = court.standing("presented").iloc[0]
    seller, claim, whole = case["seller_id"], case["claim_id"], int(case["amount_cents"])
    for cents in (whole, whole + 1):
        assert problem(court.say(seller, "counter", claim, **WHY | {"amount_cents": cents}), 422) == {"amount_cents": str(cents)}
    assert court.say(seller, "counter", claim, **WHY | {"amount_cents": whole - 300}).status_code == 200
    assert court.look(seller, claim)["due_cents"] == 300
    court.carried(court.now + timedelta(days=1))
    lines = court.store.read("ledger").query("claim_id == @claim").groupby("account")["amount_cents"].sum()
    assert lines[lines != 0].to_dict() == {"customer": whole, "seller": 300 - whole, "receivable_from_seller": -300}
    assert court.say(seller, "accept", claim).json()["amount_cents"] == 300


def test_a_denial_for_want_of_proof_is_reopened_by_proof_and_one_for_abuse_must_be_appealed(court: Court) -> None:
    court.carried(DECIDED)
    gap, accused = court.standing("denied_unsubstantiated").iloc[0], court.standing("denied_abusive").iloc[0]
    assert court.look(SERVICE, gap["claim_id"])["may"] == ["appeal", "prove"]
    assert court.look(SERVICE, accused["claim_id"])["may"] == ["appeal"]
    assert problem(court.say(SERVICE, "prove", accused["claim_id"], **BODIES["prove"]), 409)
    assert court.say(SERVICE, "prove", gap["claim_id"], **BODIES["prove"]).status_code == 200
    assert court.say(SERVICE, "appeal", accused["claim_id"], **BODIES["appeal"]).status_code == 200
    court.now += timedelta(days=3)
    assert court.say(JUDGE, "rule", accused["claim_id"], ruling="appeal_granted", rationale="A twin.").status_code == 200
    court.carried(court.now + timedelta(days=1))
    paid = court.store.read("ledger").query("account == 'customer'").set_index("claim_id")["amount_cents"]
    assert {gap["claim_id"], accused["claim_id"]} <= set(paid.index) | set(court.standing("presented")["claim_id"])


def would_take(court: Court, who: Speaker, verb: Verb, claim_id: str) -> bool:
    asked = ASKED[verb].model_validate_json(json.dumps({"claim_id": claim_id, **BODIES[verb]}))
    with court.store.write() as tx:
        aside = tx.begin_nested()
        try:
            say(tx, who, verb, asked, micros(court.now))
        except UnsayableError:
            return False
        finally:
            aside.rollback()
    return True


def test_what_may_be_said_is_exactly_what_is_taken(lite: Court) -> None:
    parties, seen = SimulatedParties(TOWN.world), set()
    insure_all(lite.store, INSURER)
    for week in (3, 5, 9, 14):
        lite.carried(START + week * WEEK, parties)
        for state, rows in lite.store.read("proceedings").groupby("state"):
            if state in seen:
                continue
            seen.add(state)
            case = rows.iloc[0]
            names = {Party.CUSTOMER: SERVICE, Party.SELLER: case["seller_id"], Party.INSURER: INSURER}
            for who in (Speaker(party, name) for party, name in names.items()):
                with lite.store.view() as tx:
                    try:
                        may = case_of(tx, who, case["claim_id"], micros(lite.now)).may
                    except NotYoursError:
                        continue
                taken = [verb for verb in ASKED if would_take(lite, who, verb, case["claim_id"])]
                assert may == taken, (state, who)
    assert len(seen) > 12


def test_pages_hold_every_claim_once_in_order_however_long_they_are(lite: Court) -> None:
    lite.carried(DECIDED + 3 * WEEK)
    rows = lite.store.read("proceedings")
    everything = sorted(rows["claim_id"])
    for limit in (7, 100):
        pages = [[one["claim_id"] for one in lite.listed(JUDGE, status, limit)] for status in ("open", "closed")]
        assert sorted(pages[0] + pages[1]) == everything and all(page == sorted(page) for page in pages)
        assert set(pages[1]) == set(rows[rows["state"].isin(["settled", "closed"])]["claim_id"])


WRONG: tuple[tuple[str, str, Any], ...] = (
    *(("counter", "amount_cents", cents) for cents in (0, -1, "5", 1.5, None)),
    *(("reject", "grounds", "mood"), ("reject", "rationale", ""), ("reject", "rationale", "\0"), ("reject", "claim_id", "a b")),
    *(("insure", "insurer", "a b"), ("insure", "policy_number", ""), ("accept", "amount_cents", 5)),
)


def test_every_wrong_field_is_named(lite: Court) -> None:
    for verb, field, value in WRONG:
        assert list(
            problem(
                lite.say("S000", verb, "C1", **BODIES[verb] | {field: value})
                if field != "claim_id"
                else lite.ask("S000", "POST", f"/v1/resolutions:{verb}", json=BODIES[verb] | {field: value}),
                422,
            )
        ) == [field]
    for query in ("cursor=!", "limit=0", "limit=101", "status=all", "seller_id=S001"):
        assert list(problem(lite.ask("S000", "GET", f"/v1/resolutions?{query}"), 422)) == [query.partition("=")[0]]
    lite.carried(DECIDED)
    claim = lite.standing("presented").iloc[0]["claim_id"]
    for ruling, cents in (("withheld", 0), ("appeal_granted", 5)):
        told = lite.say(JUDGE, "rule", claim, ruling=ruling, amount_cents=cents, rationale="x")
        assert problem(told, 422) == {"amount_cents": str(cents)}
