"""Evaluation: decisions of a whole demo against the truth, which is recomputed here claim by claim."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from data_contracts import LABELS
from models.costs import AUTOMATIC, cost_matrix
from models.policy import default_policy
from pipelines.evaluate import Evaluation, evaluate, gold_answers
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.simulate.sealed import read_truth
from serving.standing import Standing
from serving.store import Store
from tests.pipelines.conftest import Played

POLICY = default_policy()


@pytest.fixture(scope="module")
def judged(played: Played) -> Evaluation:
    with Store(played.market.home.store_url) as store:
        return evaluate(played.market.home, POLICY, store, Lake(played.market.home.root).tables())


def test_every_decision_is_judged_once_against_its_own_truth(played: Played, judged: Evaluation) -> None:
    with Store(played.market.home.store_url) as store:
        decisions = store.read("decisions")
    truth = read_truth(played.market.home.root).set_index("claim_id")["truth"].loc[decisions["claim_id"]]
    assert judged.claims == len(decisions) == played.summary["claims_decided"]
    assert sorted(judged.truth) == sorted(truth)
    assert judged.quality.auc_abusive.estimate == pytest.approx(roc_auc_score(truth == "abusive", decisions["p_abusive"]))
    assert np.allclose(judged.proba.sum(axis=1), 1.0)


def test_the_costs_are_the_sums_over_claims_and_perfect_knowledge_costs_least(played: Played, judged: Evaluation) -> None:
    tables = Lake(played.market.home.root).tables(["claims", "seller_events"])
    with Store(played.market.home.store_url) as store:
        rows = store.read("decisions").merge(tables["claims"], on="claim_id")
    truth = read_truth(played.market.home.root).set_index("claim_id")["truth"]
    insured = Standing(tables["seller_events"]).insured(rows["seller_id"], rows["filed_at"])
    pay = model = perfect = 0
    for place, row in enumerate(rows.itertuples()):
        prices = cost_matrix(POLICY, np.array([row.amount_cents]), insured[place : place + 1])[0][:, LABELS.index(truth[row.claim_id])]
        pay, model, perfect = pay + prices[0], model + prices[AUTOMATIC.index(row.automatic_action)], perfect + prices.min()
    assert (judged.costs.pay_everything, judged.costs.model, judged.costs.perfect) == (pay, model, perfect)
    assert judged.costs.perfect <= min(judged.costs.pay_everything, judged.costs.model, judged.costs.model_experts)


def test_the_summary_of_the_demo_is_this_evaluation(played: Played, judged: Evaluation) -> None:
    found = {name: played.summary[f"cost_{name}"] for name in ("pay_everything", "model", "model_experts", "perfect")}
    assert found == vars(judged.costs)
    assert played.summary["auc_abusive"] == judged.quality.auc_abusive.estimate
    assert played.summary["ece_interval"] == [judged.quality.ece.low, judged.quality.ece.high]


def test_answers_to_gold_cases_are_told_from_all_others() -> None:
    answers = pd.DataFrame({"answer_id": list("abcde"), "claim_id": ["C", "C", "C", "D", "D"], "token": [1, 2, 4, 1, 2]})
    looks = pd.DataFrame({"claim_id": ["C", "C", "D"], "token": [1, 2, 1], "why": ["drawn", "gold", "bought"]})
    assert gold_answers(answers, looks) == {"c"} and gold_answers(answers, looks.iloc[:0]) == set()


def test_without_the_sealed_truth_there_is_no_judgement(played: Played, tmp_path: Path) -> None:
    shutil.copy(played.market.home.root / "store.db", tmp_path / "store.db")
    home = Home(tmp_path)
    with Store(home.store_url) as store, pytest.raises(FileNotFoundError, match="run `touchstone simulate` first"):
        evaluate(home, POLICY, store, Lake(played.market.home.root).tables(["claims", "seller_events"]))


def test_an_evaluation_writes_nothing(played: Played) -> None:
    def files() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in played.market.home.root.rglob("*.parquet")}

    before = files()
    with Store(played.market.home.store_url) as store:
        evaluate(played.market.home, POLICY, store, Lake(played.market.home.root).tables(), seed=1)
    assert files() == before and isinstance(before, dict) and pd.Index(before).size > 0
