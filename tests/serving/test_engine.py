"""The engine's laws: what the batch would say, written down first, once."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from data_contracts import CLAIMS, DECISIONS, Action
from data_contracts.check import check
from features.matrix import build_matrix
from models.policy import Policy
from models.review import Capacity
from models.rules import Rule, Rules
from models.scorer import probabilities, score_claims
from serving import engine as module
from serving.engine import ConflictError, Engine, InvalidClaimError
from serving.standing import Standing
from serving.store import Store
from tests.serving.homes import POLICY, Small, claim, store_at
from tests.strategies import FEW, marketplaces


def test_decided_one_by_one_claims_have_the_features_and_probabilities_of_the_batch_to_the_last_bit(market: Small, tmp_path: Path) -> None:
    live = market.live.head(14)
    batch = build_matrix(market.tables, live)
    expected = probabilities(market.bundle, batch)
    with store_at(tmp_path) as store:
        engine = market.engine(store)
        for row in range(len(live)):
            assert_frame_equal(engine.features(live.iloc[[row]]), batch.iloc[[row]], check_exact=True)
            found = engine.score(claim(live, row), market.now)
            assert (found.p_valid, found.p_unsubstantiated, found.p_abusive) == tuple(expected.iloc[row])
        decided = store.read("decisions").set_index("claim_id").loc[live["claim_id"]].reset_index()
    assert decided["reasons"].tolist() == _batch_decisions(market, live)["reasons"].tolist()


def test_without_bounds_on_capacity_every_decision_equals_the_batch(market: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "capacity_left", lambda *_: Capacity(99, 99))
    live = market.live.head(8)
    expected = _batch_decisions(market, live)
    with store_at(tmp_path) as store:
        engine = market.engine(store)
        for row in range(len(live)):
            engine.score(claim(live, row), market.now)
        found = store.read("decisions").set_index("claim_id").loc[live["claim_id"]].reset_index()
    assert_frame_equal(found, expected[found.columns], check_exact=True)


def _batch_decisions(market: Small, claims: pd.DataFrame) -> pd.DataFrame:
    insured = Standing(market.tables["seller_events"]).insured(claims["seller_id"], claims["filed_at"])
    return score_claims(market.bundle, POLICY, build_matrix(market.tables, claims), claims, insured, Capacity(99, 99), market.now)


@FEW
@given(marketplaces(), st.integers(0, 10_000))
def test_a_claim_sent_as_json_has_the_row_of_the_batch_whatever_the_marketplace(
    market: Small, tables: dict[str, pd.DataFrame], draw: int
) -> None:
    claims = tables["claims"]
    row = draw % len(claims)
    earlier = {**tables, "claims": claims[claims["filed_at"] < claims["filed_at"].iloc[row]].reset_index(drop=True)}
    received = check(pd.DataFrame([claim(claims, row).model_dump(mode="json")]), CLAIMS)
    with Store("sqlite://") as store:
        found = market.engine(store, earlier).features(received.accepted)
    assert_frame_equal(found, build_matrix(tables).iloc[[row]], check_exact=True)


def test_a_claim_that_was_decided_is_history_for_the_next_and_only_once(market: Small, tmp_path: Path) -> None:
    first = claim(market.live)
    later = first.filed_at + timedelta(days=1)
    second = first.model_copy(update={"claim_id": "C-again", "filed_at": later})
    asked = check(pd.DataFrame([second.model_dump(mode="json")]), CLAIMS).accepted
    with store_at(tmp_path) as store:
        engine = market.engine(store)
        before = engine.features(asked)["claims_count_customer_30d"].iloc[0]
        engine.score(first, market.now)
        assert engine.features(asked)["claims_count_customer_30d"].iloc[0] == before + 1
        engine.score(first, market.now)
        assert engine.features(asked)["claims_count_customer_30d"].iloc[0] == before + 1


def test_the_same_claim_again_gets_its_first_decision_whenever_it_comes(market: Small, tmp_path: Path) -> None:
    asked = claim(market.live)
    with store_at(tmp_path) as store:
        first = market.engine(store).score(asked, market.now)
        again = market.engine(store).score(asked, market.now + timedelta(days=9))
        assert again == first and again.model_dump_json() == first.model_dump_json()
        assert len(store.read("decisions")) == len(store.read("claims")) == 1


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
        assert engine.decision(found.claim_id) == found
        assert (engine._tables["claims"]["claim_id"] == found.claim_id).sum() == 1


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
        assert market.engine(store).score(asked, asked.filed_at - timedelta(seconds=30)).decided_at == asked.filed_at


def test_experts_get_no_more_cases_than_their_day_allows_and_each_has_its_case(market: Small, tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        engine = Engine(market.bundle, _tight(), market.past, store)
        for row in range(12):
            engine.score(claim(market.live, row), market.now)
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
        monkeypatch.setattr(module, "add_decisions", die)
        with pytest.raises(KeyboardInterrupt):
            engine.score(asked, market.now)
        assert store.read("claims").empty
        monkeypatch.undo()
        assert engine.score(asked, market.now).claim_id == asked.claim_id


def test_called_from_many_threads_each_claim_is_decided_once(market: Small, tmp_path: Path) -> None:
    answers: list[str] = []
    with store_at(tmp_path) as store:
        engines = [market.engine(store), market.engine(store)]  # two engines stand for two processes

        def ask(place: int) -> None:
            answers.append(engines[place % 2].score(claim(market.live, place // 4), market.now).model_dump_json())

        threads = [threading.Thread(target=ask, args=(place,)) for place in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(store.read("decisions")) == len(store.read("claims")) == 4
    assert len(answers) == 16 and len(set(answers)) == 4


def test_warming_up_writes_nothing(market: Small, tmp_path: Path) -> None:
    with store_at(tmp_path) as store:
        engine = market.engine(store)
        engine.warm_up()
        assert store.read("decisions").empty and engine.reachable()
        assert engine.versions()["bundle"] == market.bundle.hash
        assert engine.decision("unknown") is None
    assert np.isfinite(market.bundle.predict_proba(engine.features(market.live.head(1)))).all()


def test_rules_speak_in_the_answer_to_every_claim(market: Small, tmp_path: Path) -> None:
    rules = Rules("1", (Rule("everyone", "desk", datetime(2024, 1, 1, tzinfo=UTC), "", "true", "desk"),))
    with store_at(tmp_path) as store:
        engine = Engine(market.bundle, POLICY, market.past, store, rules=rules)
        found = engine.score(claim(market.live), market.now)
        assert found.action in ("DESK", "INVESTIGATE")
        assert json.loads(found.rules or "") == {"rules": rules.identifier, "verdicts": {"everyone": "hit"}}
        assert engine.versions()["rules"] == rules.identifier
        assert engine.decision(found.claim_id) == found
