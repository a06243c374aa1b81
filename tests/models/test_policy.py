"""The policy file: every mistake is named, and the hash is of the values alone."""

from __future__ import annotations

from importlib.resources import files

import pytest

from models.policy import Policy, PolicyError, default_policy

TEXT = files("models").joinpath("policy.toml").read_text(encoding="utf-8")


def test_the_shipped_policy_stays_inside_the_brackets_of_the_domain() -> None:
    policy = default_policy()
    assert 2_500 <= policy.desk.fee_cents <= 7_500
    assert 20 <= policy.desk.minutes <= 45
    assert 8 <= policy.desk.cases <= 16
    assert policy.investigation.fee_cents == 250_000
    assert policy.recovery.absorb_limit_cents == 100_000
    accuracy = [sum(tier.confusion[k][k] for k in range(3)) / 3 for tier in policy.tiers]
    assert 0.8 < accuracy[0] < accuracy[1]


def test_comments_and_spacing_leave_the_hash_and_a_price_changes_it() -> None:
    policy = Policy.parse(TEXT)
    assert Policy.parse("# more words\n\n" + TEXT.replace("  #", "      #")).hash == policy.hash
    other = Policy.parse(TEXT.replace("fee_cents = 6_000", "fee_cents = 6_001"))
    assert other.hash != policy.hash
    assert other.identifier != policy.identifier


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("minutes = 30", "minutes = 30\nminuets = 3", r"policy\.desk\.minuets: unknown key; expected fee_cents"),
        ("version =", 'colour = "red"\nversion =', r"policy\.colour: unknown key"),
        ("forged_share = 0.70", "", r"policy\.evidence\.forged_share: missing"),
        ("forged_share = 0.70", 'forged_share = "much"', r"policy\.evidence\.forged_share: expected a number, found 'much'"),
        ("fee_cents = 6_000", "fee_cents = 60.5", r"policy\.desk\.fee_cents: expected an integer, found 60\.5"),
        ("fee_cents = 6_000", "fee_cents = true", r"policy\.desk\.fee_cents: expected an integer, found True"),
        ("fee_cents = 6_000", "fee_cents = -1", r"policy\.desk\.fee_cents: expected 0 or more, found -1"),
        ("forged_share = 0.70", "forged_share = 1.7", r"policy\.evidence\.forged_share: expected a share between 0 and 1, found 1\.7"),
        ("rate = 0.02", "rate = 0.0", r"policy\.audit\.rate: expected between 0\.001 and 1"),
        ("accusation_multiple = 10.0", "accusation_multiple = 2.0", r"accusation_multiple: expected 5 to 20, found 2\.0"),
        ("[0.925, 0.060, 0.015]", "[0.925, 0.060, 0.115]", r"policy\.desk\.confusion: expected rows of probabilities that sum to 1"),
        ("[0.925, 0.060, 0.015]", "[0.90, 0.10]", r"policy\.desk\.confusion: expected three rows of three numbers"),
        ("minutes = 30", "minutes = 0", r"policy\.desk: expected minutes and days of at least 1"),
        ("[denial]\nhandling_cents = 300", "denial = 3", r"policy\.denial"),
        ("[denial]", "[denial", "expected TOML"),
    ],
)
def test_a_mistake_is_an_error_that_names_its_key(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(PolicyError, match=message):
        Policy.parse(TEXT.replace(old, new))


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.parse(TEXT.replace("cases = 12", "case = 12"))
    assert "policy.desk.case: unknown" in str(caught.value)
    assert "policy.desk.cases: missing" in str(caught.value)
