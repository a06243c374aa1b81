"""The parties of a claim behave better towards truer claims, and the same under the same seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from data_contracts import LABELS
from pipelines.simulate.drafts import ABUSIVE, CARELESS, COLLUSION, HONEST, PADDING, UNSUBSTANTIATED, VALID
from pipelines.simulate.frames import NEVER
from pipelines.simulate.market import DAY
from pipelines.simulate.world import draw_world, insured_at
from tests.pipelines.simulate.conftest import Trade

COUNT = 12_000


@pytest.fixture(scope="module")
def drafts(trade: Trade) -> pd.DataFrame:
    """As many claims of every truth, filed at any time."""
    kind = np.array([(VALID, HONEST), (UNSUBSTANTIATED, CARELESS), (ABUSIVE, PADDING)])[np.arange(COUNT) % 3]
    filed = np.random.default_rng(5).integers(trade.horizon.start, trade.horizon.end, COUNT)
    return pd.DataFrame({"truth": kind[:, 0], "scheme": kind[:, 1], "filed": filed})


@pytest.fixture(scope="module")
def seller(trade: Trade) -> np.ndarray:
    """The seller of each claim."""
    return np.random.default_rng(6).integers(0, len(trade.sellers), COUNT)


@pytest.fixture(scope="module")
def world(drafts: pd.DataFrame, seller: np.ndarray, trade: Trade) -> pd.DataFrame:
    """How the parties of these claims would behave."""
    return draw_world(drafts, trade.sellers, seller, trade.market, np.random.default_rng(7))


def test_the_falser_a_claim_the_less_is_paid_cured_or_won_and_the_more_is_rejected_or_refuted(
    world: pd.DataFrame, seller: np.ndarray, trade: Trade
) -> None:
    ordinary = world[~trade.sellers.rogue[seller]]
    by_truth = pd.DataFrame(
        {
            "paid": ordinary["seller_response"] == "pays",
            "cures": ordinary["cures"],
            "appeals": ordinary["appeals_if_denied"],
            "wins": ordinary["appeal_wins"],
            "refuted": ordinary["seller_response"] == "evidence_refutes",
            "resisted": ordinary["seller_response"].isin(["evidence_refutes", "rejects"]),
        }
    )
    share = by_truth.groupby(ordinary["truth"]).mean().loc[list(LABELS)]
    assert all(share[name].is_monotonic_decreasing for name in ("paid", "cures", "appeals", "wins"))
    assert all(share[name].is_monotonic_increasing for name in ("refuted", "resisted"))
    assert set(world.loc[world["revealed_if_paid"], "truth"]) == {"abusive"}


def test_insured_sellers_mostly_prove_it_within_a_week_and_nobody_proves_what_never_was(
    world: pd.DataFrame, drafts: pd.DataFrame, seller: np.ndarray, trade: Trade
) -> None:
    insured = insured_at(trade.sellers, seller, drafts["filed"].to_numpy())
    assert (world.loc[insured, "proof_days"] <= 7).mean() > 0.85
    claimed = insured | ((trade.sellers.insured_at[seller] != NEVER) & trade.sellers.forged[seller])
    assert world.loc[~claimed, "proof_days"].isna().all()
    assert (world["insurer_response"] == "none").to_numpy().tolist() == (~insured).tolist(), "only a real insurer answers"


def test_insurance_is_in_force_from_after_it_begins_until_it_lapses_unless_forged(trade: Trade) -> None:
    sellers, every = trade.sellers, np.arange(len(trade.sellers))
    rng = np.random.default_rng(8)
    at = rng.integers(trade.horizon.orders_from, trade.horizon.end, len(sellers))
    for number, found in enumerate(insured_at(sellers, every, at).tolist()):
        since, until = sellers.insured_at[number], sellers.lapsed_at[number]
        covered = since != NEVER and since < at[number] and (until == NEVER or at[number] < until)
        assert found == (covered and not sellers.forged[number])
    lapsed = every[sellers.lapsed_at != NEVER]
    assert not insured_at(sellers, lapsed, sellers.lapsed_at[lapsed] + DAY).any()


def test_the_world_is_the_same_under_the_same_seed_and_a_seller_in_league_nearly_always_pays(
    world: pd.DataFrame, drafts: pd.DataFrame, seller: np.ndarray, trade: Trade
) -> None:
    again = draw_world(drafts, trade.sellers, seller, trade.market, np.random.default_rng(7))
    pd.testing.assert_frame_equal(world, again)
    league = draw_world(drafts.assign(scheme=COLLUSION), trade.sellers, seller, trade.market, np.random.default_rng(7))
    assert (league["seller_response"] == "pays").mean() > 0.8
    assert world["difficulty"].between(0, 1).all()
    assert (world.filter(like="_days").min() >= 0).all()
