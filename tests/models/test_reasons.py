"""Reasons are exact for the investigator and give nothing away to the claimant."""

from __future__ import annotations

import math
import re
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts import Action
from features.catalog import CATALOG
from features.entry import Group
from models.inputs import Feature, Inputs
from models.reasons import INVESTIGATOR_LIMIT, MAY_BE_NAMED, claimant_reasons, investigator_reason, investigator_reasons
from models.reference import Reference, Usual
from models.training import Trained
from tests.models.synthetic import Sample
from tests.strategies import MANY

NEEDED = {"has_receipt": "receipt", "has_dated_photo": "dated photograph", "has_medical_record": "medical record"}


def test_what_the_groups_are_told_to_weigh_sums_to_the_log_odds_of_abuse(trained: Trained, data: Sample) -> None:
    classifier = trained.bundle.classifier
    contributions, base = classifier.contributions(data.matrix)
    margin = classifier.abusive.margin(classifier.inputs.encode(data.matrix))
    told = investigator_reasons(data.matrix, contributions, classifier.inputs, most=3)
    weighed = [dict(code.split(":")[0].split() for code in text.split("; ") if code) for text in told]
    assert set().union(*weighed) == {"history", "evidence", "claim"}
    # Each weight is rounded to two places, and one that rounds to nothing is left out.
    np.testing.assert_allclose([sum(map(float, groups.values())) for groups in weighed], margin - base, atol=3 * 0.0051)


def test_the_strongest_group_comes_first_with_the_value_of_its_strongest_feature(trained: Trained, data: Sample) -> None:
    row = data.matrix.iloc[[int(data.matrix["risk"].to_numpy().argmax())]]
    contributions, _ = trained.bundle.classifier.contributions(row)
    (text,) = investigator_reasons(row, contributions, trained.bundle.inputs)
    codes = text.split("; ")
    assert codes[0].startswith("history +")
    assert f"[risk={row['risk'].item():.4g}]" in codes[0]
    sizes = [abs(float(code.split()[1].rstrip(":"))) for code in codes]
    assert sizes == sorted(sizes, reverse=True)


def test_what_speaks_against_abuse_is_told_by_its_meaning_not_by_its_accusation() -> None:
    inputs = Inputs((Feature("n", 1, "history", "many claims", "claims so far"),))
    frame = pd.DataFrame({"n": [0.0, 9.0]})
    low, high = investigator_reasons(frame, np.array([[-1.0], [1.0]]), inputs)
    assert low == "history -1.00: claims so far [n=0]"
    assert high == "history +1.00: many claims [n=9]"


def test_a_missing_value_and_a_category_are_shown_and_semicolons_stay_separators() -> None:
    inputs = Inputs((Feature("a", 0, "one", "first; only"), Feature("c", 0, "two", "", "", ("x",))))
    frame = pd.DataFrame({"a": [np.nan], "c": ["x"]})
    assert investigator_reasons(frame, np.array([[2.0, 1.0]]), inputs) == ["one +2.00: first, only [a=nothing]; two +1.00: c [c=x]"]


def test_whole_numbers_are_shown_in_full_and_others_to_four_digits() -> None:
    inputs = Inputs((Feature("n", 0, "one", "n"),))
    texts = investigator_reasons(pd.DataFrame({"n": [123456789.0, 22.71918775]}), np.ones((2, 1)), inputs)
    assert texts == ["one +1.00: n [n=123456789]", "one +1.00: n [n=22.72]"]


def test_the_text_never_exceeds_the_contract_and_is_cut_between_codes() -> None:
    inputs = Inputs(tuple(Feature(f"f{i}", 0, f"group{i}", "word " * 60) for i in range(20)))
    frame = pd.DataFrame(np.ones((1, 20)), columns=list(inputs.names))
    (text,) = investigator_reasons(frame, np.full((1, 20), 0.5), inputs, most=20)
    assert 1000 < len(text) <= INVESTIGATOR_LIMIT
    assert all(code.endswith("=1]") for code in text.split("; "))


def claims(kind: str, receipt: bool, photo: bool, medical: bool) -> pd.DataFrame:
    return pd.DataFrame(
        {"kind": [kind], "has_receipt": [receipt], "has_dated_photo": [photo], "has_medical_record": [medical], "amount_cents": [90_000]}
    )


@pytest.mark.parametrize("action", ["REQUEST_EVIDENCE", "DENY_UNSUBSTANTIATED"])
@pytest.mark.parametrize("kind", ["property", "injury"])
@pytest.mark.parametrize("receipt", [True, False])
@pytest.mark.parametrize("photo", [True, False])
@pytest.mark.parametrize("medical", [True, False])
def test_a_curable_answer_names_exactly_the_documents_that_are_missing(
    action: str, kind: str, receipt: bool, photo: bool, medical: bool
) -> None:
    (text,) = claimant_reasons(np.array([action]), claims(kind, receipt, photo, medical))
    missing = {"has_receipt": not receipt, "has_dated_photo": not photo, "has_medical_record": kind == "injury" and not medical}
    for column, word in NEEDED.items():
        assert (word in text) == missing[column]
    if not any(missing.values()):
        assert "further documents" in text


def test_the_claimant_of_an_accusation_or_a_review_learns_nothing_about_why() -> None:
    texts = {
        action: {
            claimant_reasons(np.array([action]), claims(kind, *flags))[0]
            for kind in ("property", "injury")
            for flags in ((True,) * 3, (False,) * 3)
        }
        for action in ("PAY", "DENY_ABUSIVE", "DESK", "INVESTIGATE")
    }
    assert all(len(variants) == 1 for variants in texts.values())
    assert texts["DESK"] == texts["INVESTIGATE"]


def test_every_action_has_a_text_within_the_contract_that_names_no_feature_and_no_score() -> None:
    for action in Action:
        (text,) = claimant_reasons(np.array([action.value]), claims("injury", False, False, False))
        assert 0 < len(text) <= 500
        assert not any(word in text.lower() for word in ("score", "risk", "device", "fraud", "abus", "probab", "threshold", "suspic"))


def test_claims_of_another_source_without_these_columns_are_answered_in_general_terms() -> None:
    (text,) = claimant_reasons(np.array(["REQUEST_EVIDENCE"]), pd.DataFrame({"claim_id": ["C"]}))
    assert "further documents" in text


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        ("cents", 123456.0, "$1,234.56"),
        ("log dollars", math.log(950), "$950.00"),
        ("share", 0.5, "50 %"),
        ("flag", 1.0, "yes"),
        ("days", 3.0, "3 days"),
        ("ratio", 1.5, "1.5 ×"),
        ("count", 4.0, "4"),
    ],
)
def test_values_are_shown_in_their_unit(unit: str, value: float, shown: str) -> None:
    inputs = Inputs((Feature("n", 0, "one", "was {value}", unit=unit),))
    assert investigator_reasons(pd.DataFrame({"n": [value]}), np.ones((1, 1)), inputs) == [f"one +1.00: was {shown} [n={shown}]"]


def test_an_unusual_value_is_compared_and_a_usual_one_is_not() -> None:
    inputs = Inputs((Feature("n", 0, "one", "n"), Feature("m", 0, "two", "m")))
    reference = Reference({"n": Usual((0.0, 1.0), (0.97, 1.0), 1.0), "m": Usual((1.0, 2.0, 3.0, 4.0, 5.0), (0.2, 0.4, 0.6, 0.8, 1.0), 1.0)})
    frame = pd.DataFrame({"n": [4.0, 0.0], "m": [6.0, 3.0]})
    rare, usual = investigator_reasons(frame, np.ones((2, 2)), inputs, reference=reference)
    assert rare == "one +1.00: n [n=4, 97 % of claims have 0]; two +1.00: m [m=6, more than 100 % of claims]"
    assert usual == "one +1.00: n [n=0]; two +1.00: m [m=3]"


def test_comparisons_add_words_and_change_no_contribution(trained: Trained, data: Sample) -> None:
    contributions, _ = trained.bundle.classifier.contributions(data.matrix)
    plain = investigator_reasons(data.matrix, contributions, trained.bundle.inputs)
    told = investigator_reasons(data.matrix, contributions, trained.bundle.inputs, reference=trained.bundle.reference)
    assert [re.sub(r", [^;\]]*claims[^;\]]*", "", text) for text in told] == plain
    assert 0 < sum("of claims" in text for text in told) < len(told)


def test_the_strongest_feature_of_a_group_is_the_one_a_slow_reader_finds(trained: Trained, data: Sample) -> None:
    contributions, _ = trained.bundle.classifier.contributions(data.matrix)
    features = trained.bundle.inputs.features
    for row, text in enumerate(investigator_reasons(data.matrix, contributions, trained.bundle.inputs)):
        for code in text.split("; ") if text else []:
            group, share = code.split(":")[0].rsplit(" ", 1)
            members = [i for i, feature in enumerate(features) if feature.group == group]
            strongest = max(members, key=lambda i: np.sign(float(share)) * contributions[row, i])
            assert f"[{features[strongest].name}=" in code


def test_only_groups_that_a_claimant_can_cure_may_be_named_to_them() -> None:
    assert set(MAY_BE_NAMED) <= set(get_args(Group))
    words = ("receipt", "dated_photo", "medical_record")
    read = {entry.group for entry in CATALOG if any(word in entry.name for word in words)}
    assert read == set(MAY_BE_NAMED)


def test_the_claimant_hears_the_same_whatever_the_model_thinks_of_them(trained: Trained, data: Sample) -> None:
    """Everything but action, kind and documents may change: amounts, times, identities, features, scores."""
    filed = data.claims.assign(amount_cents=1, customer_id="X", filed_at=data.claims["filed_at"].iloc[0])
    actions = np.array(list(Action) * len(filed))[: len(filed)]
    assert claimant_reasons(actions, filed) == claimant_reasons(actions, data.claims)


@MANY
@given(st.data())
def test_the_reasons_of_many_claims_are_those_of_each_by_itself(data: st.DataObject) -> None:
    groups = data.draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=7))
    inputs = Inputs(
        tuple(Feature(f"f{k}", 0, group, "{value} of", "means", unit="share" if k % 2 else "") for k, group in enumerate(groups))
    )
    shares = st.sampled_from([0.0, -0.0, 0.004, 0.1, -0.1, 0.30000000000000004, -1.25, 7.0])
    values = st.sampled_from([float("nan"), 0.0, 1.0, 2.5, -3.0])
    rows = data.draw(st.integers(0, 5))
    of_rows = st.lists(st.lists(shares, min_size=len(groups), max_size=len(groups)), min_size=rows, max_size=rows)
    contributions = np.array(data.draw(of_rows)).reshape(rows, len(groups))
    matrix = pd.DataFrame({name: data.draw(st.lists(values, min_size=rows, max_size=rows)) for name in inputs.names}, dtype="float64")
    most, usual = data.draw(st.integers(0, 4)), Reference({"f0": Usual((0.0, 1.0), (0.97, 1.0), 1.0)})
    found = investigator_reasons(matrix, contributions, inputs, most, usual)
    alone = [
        investigator_reason(lambda place, row=row: matrix.iloc[row, place], contributions[row], inputs, most, usual)  # type: ignore[misc]
        for row in range(rows)
    ]
    assert found == alone
