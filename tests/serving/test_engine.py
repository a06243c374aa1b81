"""The engine's laws: what the batch would say, written down first, once."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from data_contracts import CLAIMS, CONTRACTS, DECISIONS, Action
from data_contracts.check import check
from data_contracts.claims import Claim
from data_contracts.decisions import Decision
from features.matrix import build_matrix
from models.policy import Policy
from models.review import Capacity
from models.rules import Rule, Rules
from models.scorer import score_claims
from pipelines.simulate import simulate
from serving import audit, claimed
from serving.engine import ConflictError, InvalidClaimError
from serving.filling import FILLED_FROM
from serving.received import received_events
from serving.standing import Standing
from serving.store import Store
from tests.serving.homes import POLICY, Small, claim, store_at

UNBOUNDED = replace(POLICY, desk=replace(POLICY.desk, cases=99), investigation=replace(POLICY.investigation, cases=99 * 99))


def answer(found: bytes) -> Decision:
    return Decision.model_validate_json(found)


def told(market: Small, store: Store) -> dict[str, pd.DataFrame]:
    """What a batch reads afterwards: the lake with the claims that were received, as they were recorded."""
    return {**market.past, "claims": pd.concat([market.past["claims"], store.read("claims")], ignore_index=True)}


def test_decided_one_by_one_claims_have_the_features_and_decisions_of_the_batch_to_the_last_bit(market: Small, tmp_path: Path) -> None:
    live = market.live.head(14)
    with store_at(tmp_path) as store:
        engine = market.engine(store, policy=UNBOUNDED)
        for row in range(len(live)):
            engine.score(claim(live, row), market.now)
        tables = told(market, store)
        matrix = build_matrix(tables, live)
        for row in range(len(live)):
            assert_frame_equal(engine.features(live.iloc[[row]]), matrix.iloc[[row]], check_exact=True)
        found = store.read("decisions").set_index("claim_id").loc[live["claim_id"]].reset_index()
    insured = Standing(tables["seller_events"]).insured(live["seller_id"], live["filed_at"])
    expected = score_claims(market.bundle, UNBOUNDED, matrix, live, insured, Capacity(99, 99), market.now)
    assert_frame_equal(found, expected[found.columns], check_exact=True)


@pytest.mark.parametrize("together", [1, 5])
def test_claims_that_come_together_are_decided_as_the_batch_would_afterwards(market: Small, tmp_path: Path, together: int) -> None:
    """Filed within seconds, by customers who share everything: none of a group may see another one."""
    first = claim(market.live)
    claims = [first.model_copy(update={"claim_id": f"C{i}", "filed_at": market.now - timedelta(seconds=9 - i)}) for i in range(10)]
    with store_at(tmp_path) as store:
        engine = market.engine(store, sample=1.0)
        for start in range(0, 10, together):
            engine.score_many(claims[start : start + together], market.now)
        tables = told(market, store)
        received = store.read("claims")
        expected = build_matrix(tables, received)
        kept = store.read("parity_samples")
    found = np.array([np.frombuffer(vector) for vector in kept["vector"]])
    assert kept["claim_id"].tolist() == received["claim_id"].tolist()
    np.testing.assert_array_equal(found, expected.to_numpy())
    seen = expected["claims_count_customer_30d"].to_numpy()
    assert (np.diff(seen) > 0).sum() == 10 // together - 1


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_the_order_of_arrival_every_decision_saw_the_row_of_the_batch(market: Small, seed: int) -> None:
    """The last third of a marketplace arrives event by event, each up to half a day late, claims in groups among them."""
    tables = simulate(orders=900, claims=120, seed=seed, dirt=0.0).tables
    rng = np.random.default_rng(seed)
    cut = tables["claims"]["filed_at"].quantile(0.6)
    lake = {name: frame[frame[CONTRACTS[name].known_at] < cut] for name, frame in tables.items() if name in FILLED_FROM}
    on_its_way = lake["orders"]["delivered_at"] >= cut
    late_ones = bodies(lake["orders"].loc[on_its_way, ["order_id", "delivered_at"]])
    arrivals = [(pd.Timestamp(row["delivered_at"]), "deliveries", row) for row in late_ones]
    lake["orders"] = lake["orders"].assign(delivered_at=lake["orders"]["delivered_at"].mask(on_its_way))
    for name in FILLED_FROM:
        for row in bodies(tables[name].drop(lake[name].index)):
            known = pd.Timestamp(row[CONTRACTS[name].known_at])
            late = 0.5 * rng.random() if name in ("orders", "returns", "claims", "seller_events") else 0.0
            delivered = row.pop("delivered_at", None)
            arrivals.append((known + pd.Timedelta(days=late), name, row | ({"delivered_at": None} if name == "orders" else {})))
            if delivered is not None:
                told = {"order_id": row["order_id"], "delivered_at": delivered}
                arrivals.append((pd.Timestamp(delivered) + pd.Timedelta(days=late), "deliveries", told))
    arrivals.sort(key=lambda arrival: arrival[0])
    answers: list[object] = []
    with Store("sqlite://") as store:
        engine = market.engine(store, lake, sample=1.0, side_by_side=seed == 2)
        for name, group in groupby(arrivals, key=lambda arrival: arrival[1]):
            came = list(group)
            now = came[-1][0].ceil("us").to_pydatetime()
            if name == "claims":
                answers += engine.score_many([Claim.model_validate(row) for _, _, row in came], now)
            else:
                answers += engine.receive(name, [row for _, _, row in came], now)
        exported = {name: exported_to(store, name, frame) for name, frame in lake.items()}
        expected = build_matrix(exported, store.read("claims"))
        rows = np.array([np.frombuffer(vector) for vector in store.read("parity_samples")["vector"]])
    taken = [not isinstance(one, Exception) for one in answers]
    assert np.mean(taken) > 0.8 and len(rows) > 20
    np.testing.assert_array_equal(rows, expected.to_numpy())


def bodies(frame: pd.DataFrame) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", date_format="iso", date_unit="us"))
    return found


def exported_to(store: Store, name: str, lake: pd.DataFrame) -> pd.DataFrame:
    """A table of the lake after an export."""
    new = store.read("claims") if name == "claims" else received_events(store, name)
    whole = pd.concat([lake, new], ignore_index=True)
    if name == "orders":
        delivered = received_events(store, "deliveries").set_index("order_id")["delivered_at"]
        whole["delivered_at"] = whole["order_id"].map(delivered).fillna(whole["delivered_at"])
    return whole


def test_a_claim_that_was_decided_is_history_for_the_next_and_only_once(market: Small, tmp_path: Path) -> None:
    first = claim(market.live, filed_at=f"{market.now - timedelta(hours=3):%Y-%m-%dT%H:%M:%SZ}")
    second = first.model_copy(update={"claim_id": "C-again", "filed_at": first.filed_at + timedelta(hours=1)})
    asked = check(pd.DataFrame([second.model_dump(mode="json")]), CLAIMS).accepted
    with store_at(tmp_path) as store:
        engine = market.engine(store)
        before = engine.features(asked)["claims_count_customer_30d"].iloc[0]
        engine.score(first, market.now)
        assert engine.features(asked)["claims_count_customer_30d"].iloc[0] == before + 1
        engine.score(first, market.now)
        assert engine.features(asked)["claims_count_customer_30d"].iloc[0] == before + 1


def test_the_same_claim_again_gets_its_first_answer_byte_for_byte_whenever_it_comes(market: Small, store_url: str) -> None:
    asked = claim(market.live)
    with Store(store_url, "NORMAL") as store:
        first = market.engine(store).score(asked, market.now, "k")
        again = market.engine(store).score(asked, market.now + timedelta(days=9))
        assert again == first == market.engine(store).decision(asked.claim_id)
        assert len(store.read("decisions")) == len(store.read("claims")) == 1
        kept = Claim.model_validate_json(market.engine(store).claim(asked.claim_id) or b"")
        assert kept.model_copy(update={"recorded_at": None}) == asked


@pytest.mark.parametrize("side_by_side", [False, True])
def test_a_key_names_one_claim_for_ever(market: Small, tmp_path: Path, side_by_side: bool) -> None:
    asked, other = claim(market.live), claim(market.live, 1)
    with store_at(tmp_path) as store:
        engine = market.engine(store, side_by_side=side_by_side)
        first = engine.score(asked, market.now, "k1")
        assert engine.score(asked, market.now, "k1") == first == engine.score(asked, market.now, "k2") == engine.score(asked, market.now)
        again = ((other, "k1"), (asked.model_copy(update={"amount_cents": 5}), "k1"), (other, "k2"))
        for claim_, key in again:
            with pytest.raises(ConflictError) as refused:
                engine.score(claim_, market.now, key)
            assert [v.field for v in refused.value.violations] == ["Idempotency-Key"]
        together = engine.score_many([claim(market.live, 2), claim(market.live, 3)], market.now, ["k3", "k3"])
        assert isinstance(together[0], bytes) and isinstance(together[1], ConflictError)
        assert len(store.read("decisions")) == 2


def test_a_claim_that_fails_leaves_those_beside_it_alone(market: Small, tmp_path: Path) -> None:
    good, bad = claim(market.live), claim(market.live, 1, order_id="none")
    with store_at(tmp_path) as store:
        engine = market.engine(store)
        found = engine.score_many([good, bad, good, claim(market.live, 2)], market.now)
        assert isinstance(found[1], InvalidClaimError) and found[0] == found[2] and isinstance(found[3], bytes)
        assert len(store.read("decisions")) == 2
        assert engine.counters() | {"decided": 2, "repeated": 1, "refused": 1} == engine.counters()


@pytest.mark.parametrize("known_to", ["store", "lake"])
def test_another_claim_under_the_same_identity_is_refused_naming_what_differs(market: Small, tmp_path: Path, known_to: str) -> None:
    asked = claim(market.live)
    other = asked.model_copy(update={"amount_cents": asked.amount_cents + 1, "has_receipt": not asked.has_receipt})
    with store_at(tmp_path) as store:
        engine = market.engine(store, market.tables if known_to == "lake" else market.past)
        if known_to == "store":
            engine.score(asked, market.now)
        before = store.read("decisions")
        with pytest.raises(ConflictError) as refused:
            engine.score(other, market.now)
        assert [v.field for v in refused.value.violations] == ["amount_cents", "has_receipt"]
        assert_frame_equal(store.read("decisions"), before)


def test_a_claim_of_the_lake_is_decided_once_and_is_history_once(market: Small, tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        engine = market.engine(store, market.tables)
        asked = market.live.iloc[[3]]
        before = engine.features(asked)
        found = engine.score(claim(market.live, 3), market.now)
        assert_frame_equal(engine.features(asked), before)
        assert engine.decision(answer(found).claim_id) == found
        later = asked.assign(claim_id="C-later", filed_at=asked["filed_at"] + timedelta(days=1), incident_at=asked["filed_at"])
        everything = {**market.tables, "claims": pd.concat([market.tables["claims"], later])}
        assert_frame_equal(engine.features(later), build_matrix(everything, later), check_exact=True)


def test_a_claim_that_others_resolved_is_not_decided_again(market: Small, tmp_path: Path) -> None:
    claims = market.tables["claims"]
    old = claims[claims["claim_id"].isin(market.tables["resolutions"]["claim_id"])]
    with store_at(tmp_path) as store, pytest.raises(ConflictError, match="expected a claim that nobody has resolved yet"):
        market.engine(store).score(claim(old), market.now)


def test_what_does_not_fit_the_known_tables_is_refused_with_every_reason_and_nothing_is_written(market: Small, tmp_path: Path) -> None:
    asked = claim(market.live)
    others = market.tables["customers"]["customer_id"]
    someone = others[others != asked.customer_id].iloc[0]
    wrong = asked.model_copy(update={"customer_id": someone, "seller_id": "nobody", "filed_at": market.now + timedelta(seconds=61)})
    with store_at(tmp_path) as store:
        with pytest.raises(InvalidClaimError) as refused:
            market.engine(store).score(wrong, market.now)
        told = {(v.field, v.expected.split(" ")[0]): v for v in refused.value.violations}
        assert {field for field, _ in told} == {"customer_id", "seller_id", "filed_at"}
        assert any(v.expected == "a row of sellers" and v.found == "'nobody'" for v in refused.value.violations)
        assert store.read("claims").empty and store.read("decisions").empty


def test_harm_before_delivery_is_refused(market: Small, tmp_path: Path) -> None:
    asked = claim(market.live)
    early = asked.model_copy(update={"incident_at": asked.incident_at - timedelta(days=2000)})
    with store_at(tmp_path) as store, pytest.raises(InvalidClaimError, match="incident_at: expected not before delivered_at of orders"):
        market.engine(store).score(early, market.now)


def test_a_caller_whose_clock_is_a_little_ahead_is_answered_as_of_the_filing(market: Small, tmp_path: Path) -> None:
    asked = claim(market.live)
    with store_at(tmp_path) as store:
        found = market.engine(store).score(asked, asked.filed_at - timedelta(seconds=30))
        assert answer(found).decided_at == asked.filed_at


def test_experts_get_no_more_cases_than_their_day_allows_and_each_has_its_case(market: Small, tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        engine = market.engine(store, policy=_tight())
        for row in range(6):
            engine.score(claim(market.live, row), market.now)
        engine.score_many([claim(market.live, row) for row in range(6, 12)], market.now)
        decisions, cases = store.read("decisions"), store.read("cases")
    sent = decisions[decisions["action"].isin([Action.DESK.value, Action.INVESTIGATE.value])]
    by_value = sent[sent["route"] == "value_of_review"]
    assert (by_value["action"] == "DESK").sum() <= 2 and len(sent) > 0
    assert set(cases["claim_id"]) == set(sent["claim_id"])
    assert check(decisions, DECISIONS).quarantined.empty


def _tight() -> Policy:
    return replace(POLICY, desk=replace(POLICY.desk, cases=2, days=1, experts=1))


def test_a_crash_before_the_commit_leaves_nothing(market: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> int:
        raise KeyboardInterrupt

    asked = claim(market.live)
    with store_at(tmp_path) as store:
        engine = market.engine(store)
        pages = store.read("history_shelves")
        monkeypatch.setattr(claimed, "Written", die)
        with pytest.raises(KeyboardInterrupt):
            engine.score(asked, market.now)
        assert store.read("claims").empty and store.read("decisions").empty
        assert_frame_equal(store.read("history_shelves"), pages)
        monkeypatch.undo()
        assert answer(engine.score(asked, market.now)).claim_id == asked.claim_id


@pytest.mark.parametrize("side_by_side", [False, True])
def test_of_many_at_once_each_claim_is_decided_once_whichever_engine_is_asked(market: Small, store_url: str, side_by_side: bool) -> None:
    answers: list[bytes] = []
    with Store(store_url, "NORMAL") as store:
        engines = [market.engine(store, side_by_side=side_by_side, sample=1.0) for _ in range(2)]  # two engines stand for two processes

        def ask(place: int) -> None:
            claims = [claim(market.live, (place + step) % 5) for step in range(3)]
            answers.extend(one for one in engines[place % 2].score_many(claims, market.now) if isinstance(one, bytes))

        threads = [threading.Thread(target=ask, args=(place,)) for place in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(store.read("decisions")) == len(store.read("claims")) == 5
        assert sum(engine.counters()["decided"] for engine in engines) == 5
        with store.view() as tx:
            assert audit.verify(tx).broken == ""
        expected = build_matrix(told(market, store), store.read("claims"))
        rows = np.array([np.frombuffer(vector) for vector in store.read("parity_samples")["vector"]])
    np.testing.assert_array_equal(rows, expected.to_numpy())
    assert len(answers) == 30 and len(set(answers)) == 5


def test_rules_speak_in_the_answer_to_every_claim(market: Small, tmp_path: Path) -> None:
    rules = Rules("1", (Rule("everyone", "desk", datetime(2024, 1, 1, tzinfo=UTC), "", "true", "desk"),))
    with store_at(tmp_path) as store:
        engine = market.engine(store, rules=rules)
        body = engine.score(claim(market.live), market.now)
        found = answer(body)
        assert found.action in ("DESK", "INVESTIGATE")
        assert json.loads(found.rules or "") == {"rules": rules.identifier, "verdicts": {"everyone": "hit"}}
        assert engine.versions()["rules"] == rules.identifier
        assert engine.decision(found.claim_id) == body
