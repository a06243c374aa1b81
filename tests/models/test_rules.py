"""Rules: files judged whole, verdicts of every kind, and in the one road a rule never loosens anything."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts import DECISIONS
from data_contracts.check import check
from features.catalog import CATALOG
from models.policy import default_policy
from models.review import Capacity
from models.rule_effects import EFFECTS, STRICTNESS
from models.rules import ERROR, HIT, NO_HIT, SNOOZED, Rule, Rules, RulesError, Snooze, evaluate, example_rules, recorded, strictest
from models.scorer import score_claims
from models.training import Trained
from tests.models.synthetic import START, Sample

POLICY = default_policy()
SINCE = datetime(2025, 1, 1, tzinfo=UTC)
AT = (START + pd.Timedelta(days=400)).to_pydatetime()
ROWS = 300
FEW = Capacity(desk=40, investigations=1)

GOOD = """
version = "1"

[[rule]]
id = "risky"
owner = "desk"
since = 2025-01-01
description = "Much risk."
when = "risk > 1"
effect = "desk"

[[rule.snooze]]
column = "customer_id"
entity = "U3"
until = 2026-03-01
why = "Looked at by hand, A. Clerk."
"""


def rule(when: str, effect: str = "desk", name: str = "r", since: datetime = SINCE, snoozes: tuple[Snooze, ...] = ()) -> Rule:
    return Rule(name, "desk", since, "", when, effect, snoozes)


def scored(trained: Trained, data: Sample, rules: Rules | None, capacity: Capacity = FEW) -> pd.DataFrame:
    insured = np.arange(ROWS) % 3 > 0
    return score_claims(trained.bundle, POLICY, data.matrix[:ROWS], data.claims[:ROWS], insured, capacity, AT, most_reasons=0, rules=rules)


def test_a_file_is_read_into_values_and_its_hash_is_of_these() -> None:
    rules = Rules.parse(GOOD, ["risk"])
    assert rules.rules[0].snoozes[0].until == datetime(2026, 3, 1, tzinfo=UTC)
    assert Rules.parse("# a remark\n" + GOOD.replace("\n\n", "\n\n\n"), ["risk"]).hash == rules.hash
    assert Rules.parse(GOOD.replace("risk > 1", "risk > 2"), ["risk"]).hash != rules.hash


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('version = "1"', "", "rules.version: expected text, found None"),
        ("risk > 1", "rsk > 1", "rule risky.when: expected features of the catalogue, found 'rsk'"),
        ("risk > 1", "risk +", "rule risky.when: expected an expression, found syntax error"),
        ('effect = "desk"', 'effect = "deny"', "rule risky.effect: expected one of request_evidence, forbid_payment, desk, investigate"),
        ('effect = "desk"', "effect = 3", "rule risky.effect: expected text, found 3"),
        ('owner = "desk"', "", "rule risky.owner: missing; add it"),
        ("since = 2025-01-01", 'since = "soon"', "rule risky.since: expected a date such as 2025-01-01, found 'soon'"),
        ('id = "risky"', 'id = "Risky!"', "rule Risky!.id: expected up to 64 small letters"),
        ('owner = "desk"', 'owner = "desk"\nprice = 3', "rule risky.price: unknown key"),
        ('column = "customer_id"', 'column = "amount_cents"', "rule risky.snooze: expected a column of claim_id, order_id, customer_id"),
        ("until = 2026-03-01", "", "rule risky.snooze 1.until: missing; add it"),
        ("[[rule]]", "[rule]", "rules.rule: expected at most 100 tables"),
        ("[[rule]]", "[[rule", "rules: expected TOML"),
    ],
)
def test_every_fault_is_named(old: str, new: str, says: str) -> None:
    with pytest.raises(RulesError, match="rule") as error:
        Rules.parse(GOOD.replace(old, new, 1), ["risk"])
    assert says in str(error.value)


def test_all_faults_are_named_at_once_and_an_id_occurs_once() -> None:
    twice = GOOD + GOOD.replace('version = "1"', "").replace("risk > 1", "nothing > 1")
    with pytest.raises(RulesError) as error:
        Rules.parse(twice.replace('owner = "desk"', "", 1), ["risk"])
    assert all(part in str(error.value) for part in ("rule risky: expected every id once, found it 2 times", "owner: missing", "'nothing'"))


def test_the_shipped_examples_fit_the_catalogue() -> None:
    rules = example_rules(CATALOG.names)
    assert len(rules.rules) >= 3
    assert {r.effect for r in rules.rules} <= set(EFFECTS)


def test_verdicts_are_hit_no_hit_snoozed_or_error() -> None:
    matrix = pd.DataFrame({"n": [5.0, 5.0, 1.0, np.nan, np.nan]}, index=list("vwxyz"))
    claims = pd.DataFrame({"claim_id": list("vwxyz"), "customer_id": ["A", "B", "B", "A", "B"]})
    snooze = Snooze("customer_id", "B", AT + timedelta(days=1), "")
    rules = Rules(
        "1", (rule("n > 2", snoozes=(snooze,)), rule("m > 2", name="feed-lost"), rule("n > 2", name="later", since=AT + timedelta(1)))
    )
    found = evaluate(rules, matrix, claims, AT)
    # An error is never silenced: nobody knows what the rule would have said.
    assert found["r"].tolist() == [HIT, SNOOZED, NO_HIT, ERROR, ERROR]
    assert found["feed-lost"].tolist() == [ERROR] * 5
    assert list(found.columns) == ["r", "feed-lost"]
    assert evaluate(rules, matrix, claims, AT + timedelta(days=1))["r"].tolist() == [HIT, HIT, NO_HIT, ERROR, ERROR]
    assert strictest(rules, found[["r"]]).tolist() == [2, -1, -1, 2, 2]
    assert json.loads(recorded(rules, found)[1]) == {"rules": rules.identifier, "verdicts": {"r": SNOOZED, "feed-lost": ERROR}}


def test_without_rules_nothing_changes_and_nothing_is_recorded(trained: Trained, data: Sample) -> None:
    none, empty = scored(trained, data, None), scored(trained, data, Rules("1"))
    assert none["rules"].isna().all()
    assert set(empty["rules"]) == {recorded(Rules("1"), pd.DataFrame(index=[0]))[0]}
    pd.testing.assert_frame_equal(none.drop(columns="rules"), empty.drop(columns="rules"))


CONDITIONS = st.sampled_from(["risk > 1", "risk < -0.5", "proof > 0", "coalesce(proof, 9) > 1", "idle / 0 > 1", "lost > 1", "true"])
RULES = st.lists(st.tuples(CONDITIONS, st.sampled_from(EFFECTS)), max_size=4)


@settings(max_examples=20)
@given(rules=RULES, more=RULES, capacity=st.sampled_from([Capacity(0, 0), FEW, Capacity(5000, 50)]))
def test_more_rules_never_loosen_the_outcome_of_any_claim(
    trained: Trained, data: Sample, rules: list[tuple[str, str]], more: list[tuple[str, str]], capacity: Capacity
) -> None:
    few = tuple(rule(when, effect, f"r{k}") for k, (when, effect) in enumerate(rules))
    extra = tuple(rule(when, effect, f"m{k}") for k, (when, effect) in enumerate(more))
    before, after = (scored(trained, data, Rules("1", some), capacity) for some in (few, few + extra))
    for column in ("action", "automatic_action"):
        levels = [frame[column].map(STRICTNESS.index) for frame in (before, after)]
        assert (levels[1] >= levels[0]).all()
    assert len(check(after, DECISIONS).accepted) == len(after)
    sent = after["action"].isin(["DESK", "INVESTIGATE"])
    # Whoever a rule or a value sends is sent for certain; all others have the audit's chance.
    assert (after.loc[sent & (after["route"] != "audit"), "propensity"] == 1).all()
    assert (after.loc[~sent | (after["route"] == "audit"), "propensity"] == POLICY.audit.rate).all()
    changed = after["route"] == "rule"
    assert (after.loc[changed, "action"] != scored(trained, data, None, capacity).loc[changed, "automatic_action"]).all()


def test_a_claim_that_a_rule_would_send_anyway_is_no_random_draw(trained: Trained, data: Sample) -> None:
    plain, forced = scored(trained, data, None), scored(trained, data, Rules("1", (rule("true"),)))
    drawn = plain["route"] == "audit"
    assert drawn.any()
    assert set(forced.loc[drawn, "route"]) == {"rule"}
    assert (forced["propensity"] == 1).all()
    pd.testing.assert_series_equal(
        plain.loc[plain["route"] == "value_of_review", "action"], forced.loc[plain["route"] == "value_of_review", "action"]
    )


def test_a_rule_in_error_acts_like_a_hit(trained: Trained, data: Sample) -> None:
    broken = scored(trained, data, Rules("1", (rule("lost > 3", "forbid_payment"),)))
    assert not set(broken["action"]) & {"PAY", "REQUEST_EVIDENCE"}
    # And if no expert answers in time, nobody is paid without proof.
    assert "PAY" not in set(broken["automatic_action"])
    assert all(json.loads(text)["verdicts"] == {"r": ERROR} for text in broken["rules"])
