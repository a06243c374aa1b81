"""The targets of the domain, each measured on several seeds with a tolerance of its sampling error (about four standard errors)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipelines.simulate import Simulated

START = pd.Timestamp("2024-01-01", tz="UTC")
LIVE = pd.Timestamp("2025-04-01", tz="UTC")


@pytest.fixture(scope="module")
def claims(markets: list[Simulated]) -> pd.DataFrame:
    """All claims of all marketplaces with their truth and the price of their order."""
    frames = []
    for number, simulated in enumerate(markets):
        frame = simulated.tables["claims"].merge(simulated.truth, on="claim_id", validate="one_to_one")
        orders = simulated.tables["orders"][["order_id", "amount_cents"]].rename(columns={"amount_cents": "order_cents"})
        frames.append(frame.merge(orders, on="order_id", validate="many_to_one").assign(market=number))
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def resolutions(markets: list[Simulated]) -> pd.DataFrame:
    """All resolutions of all marketplaces with the truth of their claims."""
    frames = []
    for number, simulated in enumerate(markets):
        frame = simulated.tables["resolutions"].merge(simulated.truth[["claim_id", "truth"]], on="claim_id", validate="many_to_one")
        frames.append(frame.assign(market=number, claim_id=frame["claim_id"] + f"-{number}"))
    return pd.concat(frames, ignore_index=True)


def test_truth_is_two_thirds_valid_a_quarter_without_proof_and_a_tenth_abusive(claims: pd.DataFrame) -> None:
    mix = claims.groupby("market")["truth"].value_counts(normalize=True).unstack()  # noqa: PD010
    assert mix["valid"].to_numpy() == pytest.approx(0.66, abs=0.01)
    assert mix["unsubstantiated"].to_numpy() == pytest.approx(0.24, abs=0.01)
    assert mix["abusive"].to_numpy() == pytest.approx(0.10, abs=0.005)


def test_abuse_is_two_thirds_padding_a_fifth_lone_and_an_eighth_organised(claims: pd.DataFrame) -> None:
    scheme = claims.loc[claims["truth"] == "abusive", "scheme"].value_counts(normalize=True)
    assert scheme["padding"] == pytest.approx(0.65, abs=0.02)
    assert scheme["fabrication"] == pytest.approx(0.22, abs=0.02)
    assert scheme[["ring", "collusion", "sabotage"]].sum() == pytest.approx(0.13, abs=0.02)
    assert (scheme[["ring", "collusion", "sabotage"]] > 0.01).all()


def test_abuse_grows_by_seven_tenths_in_a_year(claims: pd.DataFrame) -> None:
    years = (claims["filed_at"] - START) / pd.Timedelta(days=365.25)
    share = (claims["truth"] == "abusive").groupby(np.floor(years * 6).clip(upper=8)).mean()
    middle = (share.index.to_numpy() + 0.5) / 6
    weights = np.sqrt(share.to_numpy() * 2_000)
    slope = np.polyfit(middle, np.log(share.to_numpy()), 1, w=weights)[0]
    assert np.exp(slope) == pytest.approx(1.7, abs=0.35)


def test_amounts_have_the_medians_the_thousand_dollar_share_and_the_cap(claims: pd.DataFrame) -> None:
    median = claims.groupby("kind")["amount_cents"].median() / 100
    assert median["property"] == pytest.approx(260, rel=0.08)
    assert median["injury"] / median["property"] == pytest.approx(1.5, rel=0.2)
    below = (claims["amount_cents"] < 100_000).groupby(claims["market"]).mean()
    error = 3 * np.sqrt(0.16 / 4_000)
    assert 0.80 <= below.mean() <= 0.84
    assert below.between(0.80 - error, 0.84 + error).all()
    assert claims["amount_cents"].between(1, 100_000_000).all()
    assert (claims["amount_cents"] > 1_000_000).mean() == pytest.approx(0.012, abs=0.008), "claims over $10,000"


def test_abusers_bunch_just_below_a_thousand_dollars(claims: pd.DataFrame) -> None:
    bunched = claims["amount_cents"].between(85_000, 99_999).groupby(claims["truth"] == "abusive").mean()
    assert bunched[True] > 5 * bunched[False]


def test_losses_are_full_for_valid_partial_for_padded_and_nothing_for_other_claims(claims: pd.DataFrame) -> None:
    valid, padded = claims["truth"] == "valid", claims["scheme"] == "padding"
    assert (claims.loc[valid, "loss_cents"] == claims.loc[valid, "amount_cents"]).all()
    assert (claims.loc[padded, "loss_cents"] < claims.loc[padded, "amount_cents"]).all()
    assert (claims.loc[padded, "loss_cents"] > 0).all()
    assert (claims.loc[~valid & ~padded, "loss_cents"] == 0).all()


def test_claims_filed_within_a_week_are_a_fifth_more_often_abusive(claims: pd.DataFrame) -> None:
    quick = claims["filed_at"] - claims["incident_at"] < pd.Timedelta(days=7)
    abusive = claims["truth"] == "abusive"
    assert abusive[quick].mean() / abusive[~quick].mean() == pytest.approx(1.2, abs=0.25)


def test_orders_over_a_thousand_dollars_are_somewhat_more_often_abusive(claims: pd.DataFrame) -> None:
    dear = claims["order_cents"] > 100_000
    abusive = claims["truth"] == "abusive"
    ratio = abusive[dear].mean() / abusive[~dear].mean()
    error = 4 / np.sqrt(abusive[dear].sum())
    assert 1.0 - error < ratio < 1.33 * (1 + error)


def test_bursts_are_honest_unrelated_and_end_in_recalls(claims: pd.DataFrame, markets: list[Simulated]) -> None:
    burst = claims[claims["is_defect_burst"]]
    assert (burst["truth"] == "valid").all()
    assert len(burst) / len(claims) == pytest.approx(0.06, abs=0.01)
    assert burst.groupby(["market", "entity"])["product_id"].nunique().max() == 1
    assert burst.groupby(["market", "entity"]).size().max() >= 20
    assert burst.groupby(["market", "entity"])["device_id"].nunique().sum() > 0.95 * len(burst)
    for number, simulated in enumerate(markets):
        events = simulated.tables["seller_events"]
        recalled = set(events.loc[events["kind"] == "recall", "product_id"])
        products = set(burst.loc[burst["market"] == number, "product_id"])
        assert products & recalled and recalled - products, "some bursts are recalled, some recalls had no burst"


def test_rings_share_devices_and_rotate_them(claims: pd.DataFrame) -> None:
    ring = claims[claims["scheme"] == "ring"].groupby(["market", "entity"]).filter(lambda group: len(group) >= 10)
    by_ring = ring.groupby(["market", "entity"])
    assert (by_ring["device_id"].nunique() < by_ring["device_id"].size()).all(), "devices are shared"
    days = (by_ring["filed_at"].max() - by_ring["filed_at"].min()).dt.days
    assert by_ring["device_id"].nunique()[days > 100].mean() > 4, "and replaced"
    assert (ring["amount_cents"] < 100_000).all()


def test_saboteurs_attack_one_seller_and_colluders_stay_with_theirs(claims: pd.DataFrame) -> None:
    for scheme in ("sabotage", "collusion"):
        group = claims[claims["scheme"] == scheme].groupby(["market", "entity"])
        assert group["seller_id"].nunique().max() == 1


def test_abusers_return_more(markets: list[Simulated]) -> None:
    ratios = []
    for simulated in markets:
        truth = simulated.truth.assign(customer_id=simulated.tables["claims"]["customer_id"])
        abusers = truth.loc[truth["truth"] == "abusive", "customer_id"].unique()
        orders = simulated.tables["orders"]
        returned = orders["order_id"].isin(simulated.tables["returns"]["order_id"])
        is_abuser = orders["customer_id"].isin(abusers)
        ratios.append(returned[is_abuser].mean() / returned[~is_abuser].mean())
    assert 1.1 < np.mean(ratios) < 2.0


def test_claims_without_proof_have_less_evidence_shorter_accounts_and_come_later(claims: pd.DataFrame) -> None:
    by_truth = claims.assign(words=claims["narrative"].str.split().str.len(), lag=claims["filed_at"] - claims["incident_at"])
    mean = by_truth.groupby("truth")[["has_receipt", "has_dated_photo", "words"]].mean()
    ratio = mean.loc["unsubstantiated"] / mean.loc["valid"]
    assert ratio["has_receipt"] < 0.7 and ratio["has_dated_photo"] < 0.7 and ratio["words"] < 0.93
    lag = by_truth.groupby("truth")["lag"].median()
    assert lag["unsubstantiated"] > 1.2 * lag["valid"]


def test_honest_accounts_rarely_repeat_each_other_and_copied_ones_do(claims: pd.DataFrame) -> None:
    one = claims[(claims["market"] == 0) & (claims["truth"] == "valid")]["narrative"].head(600)
    shingles = [set(zip(w, w[1:], w[2:], strict=False)) for w in (text.lower().split() for text in one)]
    likeness = np.array([len(a & b) / max(1, len(a | b)) for i, a in enumerate(shingles) for b in shingles[:i]])
    assert (likeness > 0.5).mean() < 0.001
    assert likeness.mean() < 0.05


def test_legacy_resolves_only_what_was_filed_before_live_and_an_unreviewed_claim_has_no_label(
    resolutions: pd.DataFrame, markets: list[Simulated]
) -> None:
    for simulated in markets:
        filed = simulated.tables["claims"].set_index("claim_id")["filed_at"]
        assert (filed.loc[simulated.tables["resolutions"]["claim_id"]] < LIVE).all()
    automatic = resolutions["source"] == "automatic"
    assert resolutions.loc[automatic, "label"].isna().all()
    assert resolutions.loc[~automatic, "label"].notna().all()
    assert (resolutions["known_at"] > LIVE).any()


def test_the_desk_sees_a_fifth_and_the_audit_eight_percent_of_the_rest_at_its_logged_propensity(resolutions: pd.DataFrame) -> None:
    first = resolutions[resolutions["source"].isin(["automatic", "desk", "investigation", "audit"])]
    desk = first["source"].isin(["desk", "investigation"])
    assert 0.18 <= desk.mean() <= 0.25
    rest = first[~desk]
    assert (rest["source"] == "audit").mean() == pytest.approx(0.08, abs=0.01)
    assert (rest["propensity"] == 0.08).all() and (first.loc[desk, "propensity"] == 1.0).all()


def test_answers_take_as_long_as_they_take(resolutions: pd.DataFrame, markets: list[Simulated]) -> None:
    filed = pd.concat([m.tables["claims"].set_index(m.tables["claims"]["claim_id"] + f"-{i}")["filed_at"] for i, m in enumerate(markets)])
    days = (resolutions["resolved_at"] - pd.DatetimeIndex(filed.loc[resolutions["claim_id"]])) / pd.Timedelta(days=1)
    # The claim whose denial made a ring move on is resolved when the ring learns of it, at the earliest after three days.
    desk = days[resolutions["source"] == "desk"]
    assert desk.between(2, 10).mean() > 0.98
    assert days[resolutions["source"] == "audit"].between(2, 10).all()
    assert days[resolutions["source"] == "investigation"].between(14, 45).mean() > 0.98
    assert days[resolutions["source"] == "revealed"].min() > 40


def test_desk_labels_are_right_seven_times_in_eight_and_careful_examinations_more_often(resolutions: pd.DataFrame) -> None:
    right = (resolutions["label"] == resolutions["truth"]).groupby(resolutions["source"]).mean()
    assert right["desk"] == pytest.approx(0.875, abs=0.025)
    assert right["audit"] == pytest.approx(0.94, abs=0.03)
    assert right["investigation"] > right["desk"] + 0.03


def test_about_a_third_of_true_abuse_is_ever_observed(resolutions: pd.DataFrame) -> None:
    abusive = resolutions[resolutions["truth"] == "abusive"]
    assert (abusive["label"] == "abusive").groupby(abusive["claim_id"]).any().mean() == pytest.approx(0.32, abs=0.06)


def test_appeals_reverse_between_a_twentieth_and_a_seventh_of_denials(resolutions: pd.DataFrame) -> None:
    denied = resolutions["source"].isin(["desk", "investigation", "audit"]) & (resolutions["outcome"] != "paid")
    reversed_ = (resolutions["source"] == "appeal").sum() / denied.sum()
    assert 0.05 <= reversed_ <= 0.15


def test_labels_weighted_by_inverse_propensity_have_nearly_the_true_mix(resolutions: pd.DataFrame) -> None:
    first = resolutions[resolutions["source"].isin(["automatic", "desk", "investigation", "audit"])]
    examined = first[first["label"].notna()]
    found = (1 / examined["propensity"]).groupby(examined["label"]).sum()
    found /= found.sum()
    true = first["truth"].value_counts(normalize=True)
    error = 4 * np.sqrt(12.5 * 0.22 / len(first))
    for label in true.index:
        assert found[label] == pytest.approx(true[label], abs=0.01 + error), label


def test_the_world_is_kinder_to_the_honest(markets: list[Simulated]) -> None:
    world = pd.concat([simulated.world for simulated in markets])
    by_truth = world.groupby("truth")
    cures = by_truth["cures"].mean()
    assert cures["valid"] > 0.8 and cures["unsubstantiated"] == pytest.approx(0.35, abs=0.03) and cures["abusive"] < 0.15
    refuted = world["seller_response"].eq("evidence_refutes").groupby(world["truth"]).mean()
    assert refuted["valid"] < 0.05 < refuted["unsubstantiated"] < refuted["abusive"]
    assert not world.loc[world["truth"] != "abusive", "revealed_if_paid"].any()
    assert (world["proof_days"].dropna() <= 7).mean() > 0.85
