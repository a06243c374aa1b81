"""The external API of cases over the real application, on both databases: what an expert can do, see, and cannot."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import httpx
import pandas as pd
import pytest

from models.quality_checks import Checks, draw
from serving import audit, queue
from serving.app import Outside, create_app
from serving.auth import Scope, anyone
from serving.casefile import CaseFile, Filed, Opinion
from serving.engine import Engine
from serving.expert_work import LEASES, MOST_HELD
from serving.instants import DAY, micros
from serving.keys import ENTROPY, Keyring, make
from serving.queue import MEANT_FOR, Tier
from serving.store import Store, add_claims
from tests.serving.asking import Asking
from tests.serving.cases import town
from tests.serving.homes import POLICY, Small
from tests.serving.test_app import Client, problem

TOWN = town(480, seed=3, weeks=1)
EXPERT, BOTH = (Scope.EXPERT,), (Scope.EXPERT, Scope.INVESTIGATOR)
PEOPLE = {"ann": EXPERT, "bob": EXPERT, "zoe": BOTH, "ann-again": EXPERT, "reader": (Scope.READ,)}
PRIVATE = ("customer_id", "order_id", "device_id", "address_id", "payment_id", "phone_id", "photo_hash")


class Office(Asking):
    """What experts do and see."""

    def do(self, who: str, verb: str, key: str | None = None, /, **asked: Any) -> httpx.Response:
        return self.ask(who, "POST", f"/v1/cases:{verb}", key, json=asked)

    def leased(self, who: str, tier: str = "desk", limit: int = 1) -> list[dict[str, Any]]:
        found = self.do(who, "lease", tier=tier, limit=limit)
        assert found.status_code == 200, found.text
        return list(found.json()["cases"])

    def listed(self, who: str, status: str = "held", tier: str = "desk", limit: int = 100) -> list[str]:
        cases: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            query = f"/v1/cases?status={status}&tier={tier}&limit={limit}" + (f"&cursor={cursor}" if cursor else "")
            page = self.ask(who, "GET", query).json()
            cases += [case["claim_id"] for case in page["cases"]]
            assert len(page["cases"]) == limit or page["next_cursor"] is None
            cursor = page["next_cursor"]
        return cases


def hold(case: dict[str, Any]) -> dict[str, Any]:
    return {"claim_id": case["claim_id"], "token": case["token"]}


FOUND = {"label": "abusive", "minutes": 31, "rationale": "The receipt is of another product."}


@pytest.fixture
def office(store_url: str, market: Small) -> Iterator[Office]:
    start = TOWN.decisions["decided_at"].max().to_pydatetime() + timedelta(hours=1)
    made = {
        who: make(bytes([n]) * ENTROPY, who.removesuffix("-again"), scopes, micros(start)) for n, (who, scopes) in enumerate(PEOPLE.items())
    }
    kept = {key.key_id: key for _, key in made.values()}
    with Store(store_url, "NORMAL") as store:
        with store.write() as tx:
            add_claims(tx, TOWN.claims)
        store.record_decisions(TOWN.decisions)
        here = Office(store, None, {who: text for who, (text, _) in made.items()}, start)  # type: ignore[arg-type]
        ring = Keyring(lambda: kept, lambda: micros(here.now))
        recognise = lambda credential: anyone(credential, (ring,))  # noqa: E731
        here.client = Client(create_app(Engine(market.bundle, POLICY, store), lambda: here.now, Outside(recognise)))
        yield here


def test_a_case_is_leased_read_answered_and_paid_as_the_policy_says(office: Office) -> None:
    (case,) = office.leased("ann")
    assert office.ask("ann", "GET", f"/v1/cases/{case['claim_id']}").json() == case
    assert office.listed("ann") == [case["claim_id"]] and case["token"] == 1
    kept = office.do("ann", "answer", **hold(case), **FOUND)
    assert kept.status_code == 200 and kept.json()["fee_cents"] == POLICY.desk.fee_cents
    (row,) = office.store.read("expert_answers").to_dict("records")
    assert (row["expert"], row["label"], row["rationale"]) == ("ann", "abusive", FOUND["rationale"])
    assert office.listed("ann") == [] and office.listed("ann", "answered") == [case["claim_id"]]
    with office.store.view() as tx:
        assert audit.verify(tx).broken == ""
    told = office.store.read("audit_log").query("kind == 'case'")
    assert told["subject"].tolist() == [case["claim_id"]] * 2 and b'"expert": "ann"' in told["body"].iloc[1]


def test_the_same_answer_again_changes_nothing_and_another_one_is_a_conflict(office: Office) -> None:
    (case,) = office.leased("ann")
    first = office.do("ann", "answer", **hold(case), **FOUND)
    office.now += timedelta(days=30)
    assert office.do("ann", "answer", **hold(case), **FOUND).content == first.content
    for who, changed in (("ann", {"label": "valid"}), ("bob", {})):
        refused = office.do(who, "answer", **hold(case), **FOUND | changed)
        assert list(problem(refused, 409)) == ["token"] and "ann" not in refused.text
    assert len(office.store.read("expert_answers")) == 1


def test_a_second_opinion_is_somebody_elses_and_both_are_kept(office: Office) -> None:
    (case,) = office.leased("ann")
    office.do("ann", "answer", **hold(case), **FOUND)
    with office.store.write() as tx:
        queue.reopen(tx, case["claim_id"], micros(office.now) + DAY, micros(office.now))  # the most urgent of all
    assert case["claim_id"] not in office.listed("ann", "waiting")
    (again,) = office.leased("bob")
    assert (again["claim_id"], again["token"]) == (case["claim_id"], 2)
    assert office.do("bob", "answer", **hold(again), **FOUND | {"label": "valid"}).status_code == 200
    assert office.store.read("expert_answers").sort_values("token")["label"].tolist() == ["abusive", "valid"]


def test_a_file_holds_what_is_listed_and_never_says_who_the_claimant_is(office: Office) -> None:
    whole = TOWN.claims.set_index("claim_id")
    cases = office.leased("ann", limit=20) + office.leased("zoe", "investigation", limit=20)
    assert {case["tier"] for case in cases} == {"desk", "investigation"}
    for case in cases:
        assert set(case) == set(CaseFile.model_fields) and set(case["filed"]) == set(Filed.model_fields)
        assert not set(case["filed"]) & set(PRIVATE)
        said = {str(value) for value in case["filed"].values()}
        assert not said & {str(whole.loc[case["claim_id"], name]) for name in PRIVATE}
        assert (
            case["filed"]["narrative"] == "the kettle burst"
            and case["filed"]["amount_cents"] == whole.loc[case["claim_id"], "amount_cents"]
        )


def test_the_models_opinion_is_hidden_on_the_blind_slice_and_shown_elsewhere(office: Office) -> None:
    cases = office.leased("ann", limit=20) + office.leased("ann", limit=20)
    hidden = draw(Checks(), pd.Series([case["claim_id"] for case in cases])).hidden.tolist()
    assert 0 < sum(hidden) < len(hidden)
    assert [case["opinion"] is None for case in cases] == hidden
    assert all(set(case["opinion"]) == set(Opinion.model_fields) for case in cases if case["opinion"] is not None)
    blind = next(case for case, is_hidden in zip(cases, hidden, strict=True) if is_hidden)
    assert office.ask("ann", "GET", f"/v1/cases/{blind['claim_id']}").json()["opinion"] is None
    assert problem(office.ask("ann", "GET", f"/v1/decisions/{blind['claim_id']}"), 403)


def test_who_the_expert_is_comes_from_the_key_and_survives_its_exchange(office: Office) -> None:
    (case,) = office.leased("ann")
    assert list(problem(office.do("bob", "answer", **hold(case), **FOUND, expert="ann"), 422)) == ["expert"]
    assert problem(office.ask("bob", "GET", f"/v1/cases/{case['claim_id']}"), 404)
    assert office.listed("ann-again") == [case["claim_id"]] and office.listed("bob") == []
    assert office.do("ann-again", "answer", **hold(case), **FOUND).status_code == 200


def test_investigations_are_for_investigators_alone(office: Office) -> None:
    assert problem(office.do("ann", "lease", tier="investigation"), 403)
    assert problem(office.ask("ann", "GET", "/v1/cases?status=waiting&tier=investigation"), 403)
    (case,) = office.leased("ann")
    assert office.do("ann", "escalate", **hold(case), rationale="Three claims, one photograph.").status_code == 200
    assert problem(office.do("ann", "answer", **hold(case), **FOUND), 409)
    assert case["claim_id"] in office.listed("zoe", "waiting", "investigation")
    file = next(one for one in office.leased("zoe", "investigation", 20) if one["claim_id"] == case["claim_id"])
    assert datetime.fromisoformat(file["due_at"]) == office.now + timedelta(days=75)
    assert problem(office.do("zoe", "escalate", **hold(file), rationale="x"), 409)
    kept = office.do("zoe", "answer", **hold(file), **FOUND).json()
    assert kept["fee_cents"] == POLICY.investigation.fee_cents


def test_a_request_under_the_same_key_is_done_once_and_answered_again(office: Office) -> None:
    first = office.do("ann", "lease", "K", limit=2)
    assert len(first.json()["cases"]) == 2
    assert office.do("ann", "lease", "K", limit=2).content == first.content
    assert len(office.listed("ann")) == 2
    assert list(problem(office.do("ann", "lease", "K", limit=3), 409)) == ["Idempotency-Key"]
    case = first.json()["cases"][0]
    assert office.do("ann", "release", "L", **hold(case)).status_code == 200
    assert problem(office.do("ann", "renew", "L", **hold(case)), 409)  # the same body at another address
    assert office.do("bob", "lease", "K", limit=1).status_code == 200
    assert problem(office.do("ann", "answer", "M", **hold(case), **FOUND), 409)  # given back: nothing is kept under the key
    (mine,) = office.leased("ann")
    assert office.do("ann", "answer", "M", **hold(mine), **FOUND).status_code == 200


def test_the_same_key_at_once_leases_once(office: Office) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: office.do("ann", "lease", "K", limit=3).content, range(4)))
    assert len(set(answers)) == 1 and len(office.listed("ann")) == 3


def test_pages_hold_every_case_once_in_order_however_long_they_are(office: Office) -> None:
    waiting = office.store.read("cases").query("tier == 'desk'")["claim_id"].tolist()
    for limit in (7, 100):
        assert office.listed("ann", "waiting", limit=limit) == waiting


def test_a_wrong_question_about_lists_is_named(office: Office) -> None:
    for query in ("cursor=!", "cursor=ICAg", "limit=0", "limit=101", "status=all", "tier=x", "expert=bob"):
        assert list(problem(office.ask("ann", "GET", f"/v1/cases?{query}"), 422)) == [query.partition("=")[0]]


def test_nobody_holds_more_than_they_may(office: Office) -> None:
    for _ in range(1 + MOST_HELD // 20):
        office.leased("ann", limit=20)
    assert len(office.listed("ann")) == MOST_HELD < len(office.store.read("cases").query("tier == 'desk'"))
    assert office.leased("ann") == [] and len(office.leased("bob")) == 1


def test_a_lease_that_ended_is_somebody_elses_and_one_that_was_renewed_is_not(office: Office) -> None:
    lost, kept = office.leased("ann", limit=2)
    office.now += timedelta(microseconds=LEASES[Tier.DESK] - 1)
    renewed = office.do("ann", "renew", **hold(kept))
    assert datetime.fromisoformat(renewed.json()["expires_at"]) == office.now + timedelta(microseconds=LEASES[Tier.DESK])
    office.now += timedelta(microseconds=1)
    assert problem(office.do("ann", "answer", **hold(lost), **FOUND), 409) and problem(office.do("ann", "renew", **hold(lost)), 409)
    assert lost["claim_id"] in office.listed("bob", "waiting") and kept["claim_id"] not in office.listed("bob", "waiting")
    assert office.do("ann", "answer", **hold(kept), **FOUND).status_code == 200


def test_a_case_that_is_handed_over_is_offered_to_the_colleague_alone_until_that_is_stale(office: Office) -> None:
    (case,) = office.leased("ann")
    assert problem(office.do("ann", "release", **hold(case), to="ann"), 409)
    assert office.do("ann", "release", **hold(case), to="bob").status_code == 200
    assert case["claim_id"] not in office.listed("ann", "waiting") + office.listed("zoe", "waiting")
    office.now += timedelta(microseconds=MEANT_FOR - 1)
    assert office.leased("bob")[0]["claim_id"] == case["claim_id"]


def test_who_declares_a_tie_gives_up_every_case_of_that_party_and_is_offered_none(office: Office) -> None:
    cases = office.leased("ann", limit=20) + office.leased("ann", limit=20)
    seller = TOWN.claims.set_index("claim_id")["seller_id"]
    theirs = max((seller[case["claim_id"]] for case in cases), key=[seller[case["claim_id"]] for case in cases].count)
    mine = [case for case in cases if seller[case["claim_id"]] == theirs]
    assert len(mine) > 1
    told = office.do("ann", "recuse", **hold(mine[0]), tied_to="seller").json()
    assert told["cases"] == sorted(case["claim_id"] for case in mine)
    assert not {seller[claim] for claim in office.listed("ann", "waiting") + office.listed("ann")} & {theirs}
    assert set(told["cases"]) <= set(office.listed("bob", "waiting"))
    assert problem(office.ask("ann", "GET", f"/v1/cases/{mine[1]['claim_id']}"), 404)


WRONG: tuple[tuple[str, Any], ...] = (
    *(("token", 0), ("token", True), ("label", "guilty"), ("rationale", ""), ("rationale", "\0"), ("minutes", -1)),
    *(("minutes", "31"), ("fee_cents", 9), ("claim_id", "a b")),
)


def test_every_wrong_field_of_an_answer_is_named(office: Office) -> None:
    for field, value in WRONG:
        assert list(problem(office.do("ann", "answer", **{"claim_id": "C1", "token": 1} | FOUND | {field: value}), 422)) == [field]


def test_what_is_no_json_or_no_case_is_told_apart(office: Office) -> None:
    headers = {"authorization": f"Bearer {office.keys['ann']}"}
    kind = {"content-type": "application/json"}
    assert problem(office.client.post("/v1/cases:lease", content=b"{", headers=headers | kind), 400)
    assert problem(office.client.post("/v1/cases:lease", content=b"{}", headers=headers | {"content-type": "text/plain"}), 415)
    assert problem(office.do("ann", "answer", claim_id="nowhere", token=1, **FOUND), 404)
    assert problem(office.ask("ann", "GET", "/v1/cases/no%20case"), 422)
