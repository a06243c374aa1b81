"""The one road: contract-true decisions, the same for one row as for many."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts import DECISIONS
from data_contracts.check import check
from data_contracts.decisions import Decision
from models.policy import default_policy
from models.review import Capacity
from models.risk import NEVER, Guarantee
from models.rules import Rule, Rules, Snooze
from models.scorer import Scorer, probabilities, score_claims
from models.training import Trained
from tests.models.synthetic import START, Sample

POLICY = default_policy()
AT = (START + pd.Timedelta(days=400)).to_pydatetime()
MANY = Capacity(desk=10_000, investigations=10_000)


def insured(data: Sample) -> np.ndarray:
    return np.arange(len(data.claims)) % 3 > 0


def scored(trained: Trained, data: Sample, capacity: Capacity = MANY, rows: slice = slice(None), most_reasons: int = 3) -> pd.DataFrame:
    return score_claims(
        trained.bundle, POLICY, data.matrix[rows], data.claims[rows], insured(data)[rows], capacity, AT, most_reasons=most_reasons
    )


def test_decisions_keep_their_contract_in_the_order_of_the_claims(trained: Trained, data: Sample) -> None:
    found = scored(trained, data)
    assert found.claim_id.tolist() == data.claims.claim_id.tolist()
    assert len(check(found, DECISIONS).accepted) == len(found)
    assert list(found.columns) == [column.name for column in DECISIONS.columns]
    assert set(found.bundle) == {trained.bundle.hash}
    assert set(found.policy) == {POLICY.identifier}


def test_one_row_alone_is_decided_to_the_last_bit_as_in_the_batch(trained: Trained, data: Sample) -> None:
    batch = scored(trained, data)
    for row in range(0, len(batch), 83):
        alone = scored(trained, data, rows=slice(row, row + 1))
        pd.testing.assert_frame_equal(alone, batch.iloc[[row]].reset_index(drop=True), check_exact=True)


def test_probabilities_are_those_of_the_decisions(trained: Trained, data: Sample) -> None:
    found = probabilities(trained.bundle, data.matrix)
    assert np.array_equal(found.to_numpy(), scored(trained, data, most_reasons=0)[["p_valid", "p_unsubstantiated", "p_abusive"]].to_numpy())
    assert found.index.equals(data.matrix.index)


def test_propensity_is_one_by_value_and_the_audit_rate_otherwise(trained: Trained, data: Sample) -> None:
    found = scored(trained, data, Capacity(desk=40, investigations=1), most_reasons=0)
    assert set(found.route) == {"automatic", "audit", "value_of_review"}
    assert (found.propensity[found.route == "value_of_review"] == 1.0).all()
    assert (found.propensity[found.route != "value_of_review"] == POLICY.audit.rate).all()
    assert (found.action[found.route == "audit"] == "DESK").all()
    assert (found.action == found.automatic_action)[found.route == "automatic"].all()
    assert found.action[found.route == "value_of_review"].isin(["DESK", "INVESTIGATE"]).all()
    assert (found.review_value_cents[found.route == "value_of_review"] > 0).all()


def test_reviews_and_audits_together_stay_within_the_desk_when_the_audit_fits(trained: Trained, data: Sample) -> None:
    found = scored(trained, data, Capacity(desk=60, investigations=2), most_reasons=0)
    assert (found.action == "DESK").sum() <= 60
    assert (found.action == "INVESTIGATE").sum() <= 2


def test_without_any_capacity_only_the_audit_is_reviewed(trained: Trained, data: Sample) -> None:
    found = scored(trained, data, Capacity(0, 0), most_reasons=0)
    assert set(found.route) == {"automatic", "audit"}


def test_more_capacity_never_costs_more_in_expectation(trained: Trained, data: Sample) -> None:
    totals = []
    for desk, investigations in ((0, 0), (30, 0), (60, 0), (60, 3), (500, 3), (5000, 50)):
        found = scored(trained, data, Capacity(desk, investigations), most_reasons=0)
        by_value = found.route == "value_of_review"
        totals.append(found.automatic_cost_cents.sum() - found.review_value_cents[by_value].sum())
    # Values are stored in whole cents: half a cent a claim.
    assert all(later <= earlier + len(data.claims) for earlier, later in itertools.pairwise(totals))
    assert totals[-1] < totals[0]


def test_no_claims_give_no_decisions_in_the_right_types(trained: Trained, data: Sample) -> None:
    none = scored(trained, data, rows=slice(0, 0))
    assert none.empty
    assert none.dtypes.to_dict() == scored(trained, data, rows=slice(0, 5)).dtypes.to_dict()


def test_rows_that_do_not_belong_to_the_claims_are_refused(trained: Trained, data: Sample) -> None:
    with pytest.raises(ValueError, match="expected row 0 of the matrix for claim 'C00001', found 'C00000'"):
        score_claims(trained.bundle, POLICY, data.matrix[:5], data.claims[1:6], np.ones(5, bool), MANY, AT)
    with pytest.raises(ValueError, match="expected one row per claim"):
        score_claims(trained.bundle, POLICY, data.matrix[:5], data.claims[:5], np.ones(4, bool), MANY, AT)


def test_inputs_are_left_as_they_were(trained: Trained, data: Sample) -> None:
    matrix, claims = data.matrix.copy(deep=True), data.claims.copy(deep=True)
    scored(trained, data)
    pd.testing.assert_frame_equal(matrix, data.matrix)
    pd.testing.assert_frame_equal(claims, data.claims)


def test_explaining_changes_nothing_but_the_reasons(trained: Trained, data: Sample) -> None:
    with_, without = scored(trained, data), scored(trained, data, most_reasons=0)
    assert (without.reasons == "").all()
    assert (with_.reasons != "").any()
    pd.testing.assert_frame_equal(with_.drop(columns="reasons"), without.drop(columns="reasons"))


@pytest.mark.parametrize("threshold", [0.0, 0.9, NEVER])
def test_nobody_below_the_certified_threshold_is_called_abusive_and_all_others_are_decided_as_before(
    trained: Trained, data: Sample, threshold: float
) -> None:
    # An accusation that costs no more than any wrongful denial, so that there are many for the guarantee to forbid.
    eager = replace(POLICY, wrongful=replace(POLICY.wrongful, accusation_multiple=1.0))
    promised = replace(trained.bundle, guarantee=Guarantee(threshold, 0.01, 0.95, 0, 0.0, 0.0))
    free, bound = (
        score_claims(bundle, eager, data.matrix, data.claims, insured(data), Capacity(0, 0), AT, most_reasons=0)
        for bundle in (trained.bundle, promised)
    )
    accused = free["automatic_action"] == "DENY_ABUSIVE"
    assert accused.sum() > 20
    allowed = free["p_abusive"] >= threshold
    assert not (bound["automatic_action"] == "DENY_ABUSIVE")[~allowed].any()
    same = ["automatic_action", "automatic_cost_cents", "action"]
    pd.testing.assert_frame_equal(free.loc[~accused | allowed, same], bound.loc[~accused | allowed, same])
    assert (bound["automatic_cost_cents"] >= free["automatic_cost_cents"]).all(), "abstaining never looks cheaper than it is"


def test_a_claim_that_may_well_be_valid_is_not_denied_but_asked_or_looked_at_and_all_others_are_decided_as_before(
    trained: Trained, data: Sample
) -> None:
    anybody = Guarantee(0.0, 0.01, 0.95, 0, 0.0, 0.0)
    free, bound = (
        score_claims(replace(trained.bundle, guarantee=promised), POLICY, data.matrix, data.claims, insured(data), MANY, AT, most_reasons=0)
        for promised in (anybody, replace(anybody, sets=(0.05, NEVER, NEVER)))
    )
    denied = free["automatic_action"].isin(["DENY_UNSUBSTANTIATED", "DENY_ABUSIVE"])
    held = free["p_valid"] >= 0.05
    assert (denied & held).sum() > 20
    assert set(bound.loc[held, "automatic_action"]) <= {"PAY", "REQUEST_EVIDENCE"}
    assert {"REQUEST_EVIDENCE", "DESK"} <= set(bound.loc[denied & held, "action"])
    same = ["automatic_action", "automatic_cost_cents"]
    pd.testing.assert_frame_equal(free.loc[~(denied & held), same], bound.loc[~(denied & held), same])


def test_a_claim_that_may_not_be_accused_is_worth_a_look_all_the_more(trained: Trained, data: Sample) -> None:
    silent = replace(trained.bundle, guarantee=Guarantee(NEVER, 0.01, 0.95, 0, 0.0, 0.0))
    free, bound = (
        score_claims(bundle, POLICY, data.matrix, data.claims, insured(data), MANY, AT, most_reasons=0)
        for bundle in (trained.bundle, silent)
    )
    assert (bound["review_value_cents"] >= free["review_value_cents"]).all()


RULES = Rules(
    "1",
    tuple(
        Rule(name, "desk", START.to_pydatetime(), "", when, effect, snoozes)
        for name, when, effect, snoozes in (
            ("risky", "risk > 1.2", "desk", (Snooze("customer_id", "U3", AT + pd.Timedelta(days=1), "checked by hand"),)),
            ("unproved", "proof < 0", "request_evidence", ()),
            ("proved", "proof > 1 AND risk > 0", "forbid_payment", ()),
            ("rare", "risk / (idle - idle) > 1 AND risk > 2.5", "investigate", ()),
            ("elsewhere", "rainfall > 1 AND false", "desk", ()),
        )
    ),
)
"""Rules that hit, are snoozed, are undecided (``proof`` has gaps), fail, and ask for what is not there."""

SOME = replace(RULES, rules=RULES.rules[:3])

ONE_CLAIM = st.fixed_dictionaries(
    {
        "row": st.integers(0, 1199),
        "capacity": st.builds(Capacity, st.sampled_from([0, 1, 2]), st.sampled_from([0, 1])),
        "insured": st.booleans(),
        "audit_rate": st.sampled_from([0.001, 0.05, 1.0]),
        "accusation_multiple": st.sampled_from([5.0, 20.0]),
        "threshold": st.sampled_from([None, 0.0, 0.6, NEVER]),
        "sets": st.sampled_from([None, (0.3, 0.1, 0.1), (0.2, NEVER, NEVER), (0.0, 0.0, 0.0)]),
        "rules": st.sampled_from(["none", "some", "all"]),
        "confusions": st.sampled_from([None, (np.eye(3), np.full((3, 3), 1 / 3))]),
        "most_reasons": st.integers(0, 5),
    }
)


@settings(max_examples=60, deadline=None)
@given(asked=ONE_CLAIM)
def test_one_vector_is_decided_to_the_last_bit_as_its_row_of_a_frame(trained: Trained, data: Sample, asked: dict[str, Any]) -> None:
    audit = replace(POLICY.audit, rate=asked["audit_rate"])
    wrongful = replace(POLICY.wrongful, accusation_multiple=asked["accusation_multiple"])
    policy = replace(POLICY, audit=audit, wrongful=wrongful)
    promised = None if asked["threshold"] is None else Guarantee(asked["threshold"], 0.01, 0.95, 0, 0.0, 0.0, sets=asked["sets"])
    bundle = replace(trained.bundle, guarantee=promised)
    rows = slice(asked["row"], asked["row"] + 1)
    matrix, claim, rules = data.matrix[rows], data.claims[rows], {"none": None, "some": SOME, "all": RULES}[asked["rules"]]
    rest = asked["confusions"], asked["most_reasons"]
    expected = score_claims(bundle, policy, matrix, claim, np.array([asked["insured"]]), asked["capacity"], AT, *rest, rules=rules)
    scorer = Scorer(bundle, policy, rules, None, *rest)
    vector = bundle.inputs.encode(matrix)[0]
    found = scorer.score_one(vector, claim.to_dict(orient="records")[0], asked["insured"], asked["capacity"], AT)
    as_frame = pd.DataFrame([found.model_dump(mode="python")]).astype(expected.dtypes.to_dict())
    pd.testing.assert_frame_equal(as_frame, expected, check_exact=True)


def test_a_claim_with_room_for_all_is_decided_as_in_any_batch(trained: Trained, data: Sample) -> None:
    batch = score_claims(trained.bundle, POLICY, data.matrix, data.claims, insured(data), MANY, AT, rules=SOME)
    scorer = Scorer(trained.bundle, POLICY, SOME)
    vectors, claims = trained.bundle.inputs.encode(data.matrix), data.claims.to_dict(orient="records")
    found = [scorer.score_one(vectors[i], claims[i], bool(insured(data)[i]), MANY, AT) for i in range(len(claims))]
    assert {one.route.value for one in found} == {"automatic", "audit", "value_of_review", "rule"}
    alone = pd.DataFrame([one.model_dump(mode="python") for one in found]).astype(batch.dtypes.to_dict())
    pd.testing.assert_frame_equal(alone, batch, check_exact=True)


def test_claims_that_are_taken_through_each_step_together_are_decided_as_each_alone(trained: Trained, data: Sample) -> None:
    scorer = Scorer(trained.bundle, POLICY, SOME)
    vectors, claims = trained.bundle.inputs.encode(data.matrix[:40]), data.claims[:40].to_dict(orient="records")
    sold_by_insured = insured(data)[:40].tolist()
    seen = scorer.see(vectors)
    priced = scorer.price(seen, claims, sold_by_insured)
    together = [scorer.decide(*each, MANY, AT) for each in zip(seen, priced, claims, strict=True)]
    asked = zip(vectors, claims, sold_by_insured, strict=True)
    assert together == [scorer.score_one(*each, MANY, AT) for each in asked]


def test_a_vector_may_hold_more_columns_than_the_model_reads_in_any_order(trained: Trained, data: Sample) -> None:
    names = trained.bundle.inputs.names
    vector = trained.bundle.inputs.encode(data.matrix[:1])[0]
    claim = data.claims.to_dict(orient="records")[0]
    plain = Scorer(trained.bundle, POLICY).score_one(vector, claim, True, MANY, AT)
    wider = Scorer(trained.bundle, POLICY, columns=["rainfall", *reversed(names)])
    assert wider.score_one(np.array([7.0, *vector[::-1]]), claim, True, MANY, AT) == plain
    assert Scorer(trained.bundle, POLICY).score_one(vector, claim, True, MANY, AT, explain=False) == plain.model_copy(
        update={"reasons": ""}
    )


def test_vectors_and_columns_that_do_not_fit_the_model_are_refused(trained: Trained, data: Sample) -> None:
    with pytest.raises(ValueError, match="expected the 4 inputs of the model, missing: proof, idle, channel"):
        Scorer(trained.bundle, POLICY, columns=["risk"])
    claim = data.claims.to_dict(orient="records")[0]
    with pytest.raises(ValueError, match=r"expected 4 numbers, found the shape \(3,\)"):
        Scorer(trained.bundle, POLICY).score_one(np.zeros(3), claim, True, MANY, AT)
    with pytest.raises(RuntimeError, match="decision on no claim! breaks its contract: claim_id"):
        Scorer(trained.bundle, POLICY).score_one(np.zeros(4), claim | {"claim_id": "no claim!"}, True, MANY, AT)


def test_threads_that_share_a_scorer_get_the_answers_they_would_get_alone(trained: Trained, data: Sample) -> None:
    scorer = Scorer(trained.bundle, POLICY, RULES)
    vectors, claims = trained.bundle.inputs.encode(data.matrix), data.claims.to_dict(orient="records")

    def answer(i: int) -> Decision:
        return scorer.score_one(vectors[i], claims[i], True, MANY, AT)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(answer, range(300)))
    assert together == [answer(i) for i in range(300)]
