"""Performance before labels: expectations equal what happens on average, and the audit contradicts wrong probabilities only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import roc_auc_score

from data_contracts import LABELS
from models.costs import realised_cost
from models.decision import audited, decide
from models.evaluation import PROBABILITIES
from models.policy import default_policy
from models.unlabelled import MEASURES, AuditCheck, Judged, check_by_audit, estimated, examined_weights, expected_auc, performance

POLICY = default_policy()
CERTAIN: dict[str, np.ndarray] = {}
N = 3_000


@given(
    st.integers(2, 25).flatmap(
        lambda n: st.tuples(
            hnp.arrays(np.float64, n, elements=st.sampled_from([0.1, 0.2, 0.5, 0.9])),
            hnp.arrays(np.float64, n, elements=st.floats(0, 1)),
            hnp.arrays(np.float64, n, elements=st.floats(0.1, 50)),
        )
    )
)
def test_the_expected_ranking_is_the_sum_over_all_pairs(rows: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    score, chance, weight = rows
    pairs = [(i, j) for i in range(len(score)) for j in range(len(score)) if i != j]
    mass = {(i, j): weight[i] * chance[i] * weight[j] * (1 - chance[j]) for i, j in pairs}
    assume(sum(mass.values()) > 1e-3)
    won = sum(m * ((score[i] > score[j]) + 0.5 * (score[i] == score[j])) for (i, j), m in mass.items())
    assert expected_auc(score, chance, weight) == pytest.approx(won / sum(mass.values()), abs=1e-9)


def test_with_certain_classes_the_expected_ranking_is_the_ranking() -> None:
    rng = np.random.default_rng(0)
    hit, score, weight = rng.random(500) < 0.2, rng.random(500).round(2), rng.uniform(1, 50, 500)
    assert expected_auc(score, hit.astype(float), weight) == pytest.approx(roc_auc_score(hit, score, sample_weight=weight))


def decided(seed: int, claims: int = N) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Claims decided by the policy: the riskiest are reviewed, the audit draws among the others."""
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet((2.0, 0.7, 0.35), claims)
    amount = np.clip(np.exp(rng.normal(10.2, 1.2, claims)), 100, 1e8).astype("int64")
    insured = rng.random(claims) < 0.6
    automatic = decide(POLICY, proba, amount, insured)["automatic_action"].to_numpy(dtype=object)
    ids = pd.Series([f"C{seed}-{i}" for i in range(claims)])
    by_value = proba[:, 2] > 0.35
    drawn = audited(POLICY.audit, ids) & ~by_value
    frame = pd.DataFrame(
        {
            "claim_id": ids,
            "action": np.where(by_value | drawn, "DESK", automatic),
            "automatic_action": automatic,
            "route": np.where(by_value, "value_of_review", np.where(drawn, "audit", "automatic")),
            "propensity": np.where(by_value, 1.0, POLICY.audit.rate),
            **dict(zip(PROBABILITIES, proba.T, strict=True)),
        }
    )
    return frame, amount, insured


def truths(proba: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.array(LABELS, dtype=object)[(proba.cumsum(axis=1) < rng.random((len(proba), 1))).sum(axis=1).clip(0, 2)]


def certainly(judged: Judged, truth: np.ndarray) -> Judged:
    return Judged(np.eye(3)[pd.Index(LABELS).get_indexer(truth)], judged.score, judged.stopped, judged.costs, judged.weights)


def test_the_estimate_is_what_happens_on_average_where_probabilities_are_right() -> None:
    rows, amount, insured = decided(0)
    judged, rng = estimated(POLICY, rows, amount, insured), np.random.default_rng(1)
    happened = [performance(certainly(judged, truths(rows[PROBABILITIES].to_numpy(), rng))) for _ in range(60)]
    for name, value in performance(judged).items():
        seen = np.array([measures[name] for measures in happened])
        assert abs(seen.mean() - value) < 4 * seen.std() / np.sqrt(60) + 1e-3 * abs(value), name


def test_with_known_classes_the_measures_are_counted() -> None:
    rows, amount, insured = decided(2, 400)
    truth = truths(rows[PROBABILITIES].to_numpy(), np.random.default_rng(0))
    found = performance(certainly(estimated(POLICY, rows, amount, insured), truth))
    stopped = (rows["route"] == "value_of_review") | (rows["automatic_action"] == "DENY_ABUSIVE")
    assert found["share_abusive"] == pytest.approx((truth == "abusive").mean())
    assert found["precision"] == pytest.approx((truth[stopped] == "abusive").mean())
    assert found["recall"] == pytest.approx(stopped[truth == "abusive"].mean())
    assert found["cost_cents"] == pytest.approx(realised_cost(POLICY, rows["automatic_action"].to_numpy(), truth, amount, insured).mean())


def checked(seed: int, shown: np.ndarray | None = None) -> AuditCheck | None:
    """Let experts answer truthfully; ``shown`` are the probabilities the decision was based on, where they are wrong."""
    rows, amount, insured = decided(seed)
    rng = np.random.default_rng(seed)
    truth = pd.Series(truths(rows[PROBABILITIES].to_numpy(), rng), index=rows["claim_id"])
    if shown is not None:
        rows = rows.assign(**dict(zip(PROBABILITIES, (rows[PROBABILITIES].to_numpy() @ shown).T, strict=True)))
    labels = truth[(rows["action"] == "DESK").to_numpy()]
    groups = np.arange(len(rows))
    return check_by_audit(POLICY, rows, labels, CERTAIN, amount, insured, groups, rng, draws=1000)


def test_right_probabilities_are_hardly_ever_contradicted() -> None:
    found = [checked(seed) for seed in range(12)]
    assert all(check is not None for check in found)
    assert sum(bool(check.contradicted) for check in found if check) <= 1


def test_wrong_probabilities_are_contradicted() -> None:
    understated = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.6, 0.0, 0.4]])
    found = [checked(seed, understated) for seed in range(3)]
    assert all(check is not None and "precision" in check.contradicted for check in found)


def test_too_few_answers_are_no_check_and_too_little_abuse_gives_no_interval() -> None:
    rows, amount, insured = decided(4)
    nobody = pd.Series(dtype=object)
    assert check_by_audit(POLICY, rows, nobody, CERTAIN, amount, insured, np.arange(N), np.random.default_rng(0)) is None
    found = checked(4)
    assert found is not None
    assert found.inside("auc") is None and found.inside("share_abusive") is not None
    assert set(found.estimate) == set(found.found) == set(found.chance) == set(MEASURES)


def test_the_estimate_is_of_what_experts_would_state() -> None:
    rows, amount, insured = decided(6)
    labels = pd.Series("valid", index=rows.loc[rows["action"] == "DESK", "claim_id"])
    deaf = {"audit": np.array([[1.0, 0, 0]] * 3), "desk": np.array([[1.0, 0, 0]] * 3)}
    found = check_by_audit(POLICY, rows, labels, deaf, amount, insured, np.arange(N), np.random.default_rng(0), draws=200)
    assert found is not None
    assert found.estimate["share_abusive"] == 0 and not found.contradicted


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.floats(0.01, 1), st.booleans()), min_size=1, max_size=40))
def test_examined_claims_stand_for_all_claims_of_their_stratum(rows: list[tuple[str, float, bool]]) -> None:
    stratum, propensity, examined = (np.array(column) for column in zip(*rows, strict=True))
    weights = examined_weights(stratum, propensity, examined)
    assert (weights[~examined] == 0).all()
    for name in set(stratum):
        answered = bool(examined[stratum == name].any())
        assert weights[stratum == name].sum() == pytest.approx((stratum == name).sum() if answered else 0)
