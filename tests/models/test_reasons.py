"""Reasons are exact for the investigator and give nothing away to the claimant."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data_contracts import Action
from models.inputs import Feature, Inputs
from models.reasons import INVESTIGATOR_LIMIT, claimant_reasons, group_contributions, investigator_reasons
from models.training import Trained
from tests.models.synthetic import Sample

NEEDED = {"has_receipt": "receipt", "has_dated_photo": "dated photograph", "has_medical_record": "medical record"}


def test_groups_still_sum_to_the_log_odds_of_abuse(trained: Trained, data: Sample) -> None:
    classifier = trained.bundle.classifier
    contributions, base = classifier.contributions(data.matrix)
    grouped = group_contributions(contributions, classifier.inputs)
    margin = classifier.abusive.margin(classifier.inputs.encode(data.matrix))
    assert list(grouped.columns) == ["history", "evidence", "claim"]
    np.testing.assert_allclose(grouped.sum(axis=1) + base, margin, atol=1e-9)


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
