"""Decisions against the simulator's hidden truth: the only verb, beside the simulated counterparties, that may read it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.facts import Tables
from models.evaluation import PROBABILITIES, Costs, Quality, costs, quality
from models.policy import Policy
from pipelines.home import Home
from pipelines.past import Readable
from pipelines.simulate.sealed import read_truth
from serving.second_looks import Why
from serving.standing import Standing


@dataclass(frozen=True)
class Evaluation:
    """Quality and costs of the decisions in the store.

    Parameters
    ----------
    claims
        Decided claims whose truth is known.
    quality
        Of the probabilities.
    costs
        Under four ways of deciding.
    truth, proba
        True classes, shape (claims,), and probabilities, shape (claims, 3), for pictures.
    """

    claims: int
    quality: Quality
    costs: Costs
    truth: np.ndarray
    proba: np.ndarray


def evaluate(home: Home, policy: Policy, store: Readable, tables: Tables, seed: int = 0) -> Evaluation:
    """Judge every decision of the store, or of its past (:class:`pipelines.past.Past`), against the truth; ``ValueError`` without any."""
    decided = store.read("decisions")
    if decided.empty:
        raise ValueError("expected decided claims to judge, found none by then; run touchstone score first")
    decisions = decided.merge(read_truth(home.root)[["claim_id", "truth"]], on="claim_id", validate="one_to_one")
    filed = tables["claims"][["claim_id", "customer_id", "seller_id", "filed_at", "amount_cents"]]
    rows = decisions.merge(filed, on="claim_id", validate="one_to_one")
    truth, proba = rows["truth"].to_numpy(dtype=object), rows[PROBABILITIES].to_numpy()
    insured = Standing(tables["seller_events"]).insured(rows["seller_id"], rows["filed_at"])
    answers = store.read("expert_answers").sort_values(["answered_at", "answer_id"])
    gold = answers["answer_id"].isin(gold_answers(answers, store.read("second_looks")))
    measuring = int(answers.loc[gold, "fee_cents"].sum())
    priced = costs(policy, rows, answers[~gold], truth, rows["amount_cents"].to_numpy(), insured, measuring)
    judged = quality(truth, proba, rows["customer_id"].to_numpy(), np.random.default_rng(seed))
    return Evaluation(len(rows), judged, priced, truth, proba)


def true_classes(home: Home) -> pd.Series:
    """Return the true class of every simulated claim, indexed by ``claim_id``: for a judgement after everything is decided."""
    classes: pd.Series = read_truth(home.root).set_index("claim_id")["truth"]
    return classes


def gold_answers(answers: pd.DataFrame, looks: pd.DataFrame) -> set[str]:
    """Return the keys of the answers that measured their experts on cases of known truth: what was asked for last before them was gold."""
    asked = answers[["answer_id", "claim_id", "token"]].merge(looks[["claim_id", "token", "why"]], on="claim_id", suffixes=("", "_asked"))
    last = asked[asked["token_asked"] < asked["token"]].sort_values("token_asked").drop_duplicates("answer_id", keep="last")
    return set(last.loc[last["why"] == Why.GOLD.value, "answer_id"])
