"""The one road: contract-true decisions, the same for one row as for many."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data_contracts import DECISIONS
from data_contracts.check import check
from models.policy import default_policy
from models.review import Capacity
from models.risk import NEVER, Guarantee
from models.scorer import probabilities, score_claims
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


def test_a_claim_that_may_not_be_accused_is_worth_a_look_all_the_more(trained: Trained, data: Sample) -> None:
    silent = replace(trained.bundle, guarantee=Guarantee(NEVER, 0.01, 0.95, 0, 0.0, 0.0))
    free, bound = (
        score_claims(bundle, POLICY, data.matrix, data.claims, insured(data), MANY, AT, most_reasons=0)
        for bundle in (trained.bundle, silent)
    )
    assert (bound["review_value_cents"] >= free["review_value_cents"]).all()
