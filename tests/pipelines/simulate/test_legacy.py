"""Labels of the legacy process come late, partly, with their propensity, and never for live claims."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipelines.simulate.drafts import ABUSIVE, HONEST
from pipelines.simulate.frames import NEVER
from pipelines.simulate.legacy import AUDIT, AUTOMATIC, DESK, INVESTIGATION, REVEALED, Evidence, resolve
from pipelines.simulate.market import DAY
from pipelines.simulate.world import draw_world
from tests.pipelines.simulate.conftest import Trade

COUNT = 6_000


@pytest.fixture(scope="module")
def drafts(trade: Trade) -> pd.DataFrame:
    """Claims of every truth in the order of filing; one in fifty made a ring move on a week after it was filed."""
    rng = np.random.default_rng(1)
    filed = np.sort(rng.integers(trade.horizon.start, trade.horizon.end, COUNT))
    truth = rng.choice(3, COUNT, p=(0.6, 0.2, 0.2))
    denial = np.where((truth == ABUSIVE) & (rng.random(COUNT) < 0.1), filed + 7 * DAY, NEVER)
    return pd.DataFrame({"truth": truth, "scheme": HONEST, "filed": filed, "denial": denial})


@pytest.fixture(scope="module")
def rows(drafts: pd.DataFrame, trade: Trade) -> pd.DataFrame:
    """The resolutions of these claims with what is said of each claim."""
    rng = np.random.default_rng(2)
    evidence = Evidence(
        amount=rng.integers(100, 500_000, COUNT),
        lag=rng.integers(0, 80 * DAY, COUNT),
        account_age=rng.integers(0, 900 * DAY, COUNT),
        earlier_claims=rng.integers(0, 2, COUNT),
        receipt=rng.random(COUNT) < 0.6,
        dated=rng.random(COUNT) < 0.6,
    )
    world = draw_world(drafts, trade.sellers, rng.integers(0, len(trade.sellers), COUNT), trade.market, rng)
    found = resolve(drafts, evidence, world, trade.horizon, trade.market, rng)
    said = drafts.assign(amount=evidence.amount).iloc[found["claim"]].reset_index(drop=True)
    return pd.concat([found, said], axis=1)


def test_no_live_claim_is_resolved_and_nothing_is_known_before_it_is_resolved_or_resolved_before_it_is_filed(
    rows: pd.DataFrame, trade: Trade
) -> None:
    assert (rows["filed"] < trade.horizon.live_from).all()
    assert (rows["filed"] < rows["resolved"]).all()
    assert (rows["resolved"] <= rows["known"]).all()
    assert rows["known"].is_monotonic_increasing and rows["known"].iloc[-1] < trade.horizon.end


def test_an_unexamined_claim_has_no_label_and_is_paid_in_full(rows: pd.DataFrame) -> None:
    automatic = rows["source"] == AUTOMATIC
    assert ((rows["label"] == NEVER) == automatic).all()
    assert (rows["outcome"][automatic] == 0).all()
    assert (rows["paid"] == np.where(rows["outcome"] == 0, rows["amount"], 0)).all()


def test_propensity_is_one_where_the_rules_chose_and_the_audits_where_chance_did(rows: pd.DataFrame, trade: Trade) -> None:
    chosen = rows["source"].isin([DESK, INVESTIGATION, REVEALED])
    chance = rows["source"].isin([AUDIT, AUTOMATIC])
    assert (rows["propensity"][chosen] == 1.0).all()
    assert (rows["propensity"][chance] == trade.market.audit_propensity).all()
    assert (rows["source"][chance] == AUDIT).mean() == pytest.approx(trade.market.audit_propensity, abs=0.02)
    burnt = rows["denial"] != NEVER
    assert burnt.any() and chosen[burnt].all()


def test_the_denial_that_made_a_ring_move_on_is_final_and_known_when_the_ring_learns_of_it(rows: pd.DataFrame) -> None:
    burnt = rows[rows["denial"] != NEVER]
    assert burnt["claim"].is_unique, "nobody cures it or appeals"
    assert (burnt["label"] == ABUSIVE).all() and (burnt["paid"] == 0).all()
    assert (burnt["known"] == burnt["denial"]).all()
