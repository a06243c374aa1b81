"""Nobody claims more than the cap, inventors stay below what they know, and only harm that was suffered is owed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.contract import CAP_CENTS
from pipelines.simulate.amounts import Amounts, draw_amounts
from pipelines.simulate.drafts import ABUSIVE, CARELESS, FABRICATION, HONEST, PADDING, RING, UNSUBSTANTIATED, VALID
from pipelines.simulate.market import Market

KINDS = ((VALID, HONEST), (UNSUBSTANTIATED, CARELESS), (ABUSIVE, PADDING), (ABUSIVE, FABRICATION), (ABUSIVE, RING))


def drawn(count: int, seed: int, kinds: tuple[tuple[int, int], ...] = KINDS, market: Market = Market()) -> tuple[pd.DataFrame, Amounts]:  # noqa: B008 - frozen
    rng = np.random.default_rng(seed)
    truth, scheme = np.array(kinds)[rng.integers(0, len(kinds), count)].T
    drafts = pd.DataFrame({"truth": truth, "scheme": scheme, "ceiling": rng.choice([0, 30_000, 100_000], count)})
    return drafts, draw_amounts(drafts, rng.integers(400, 600_000, count), market, rng)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 200), st.sampled_from([0.0, 0.003, 1.0]))
def test_amounts_are_between_a_dollar_and_the_cap_and_owed_only_for_harm_suffered(seed: int, count: int, fires: float) -> None:
    drafts, amounts = drawn(count, seed, market=Market(fire_share=fires))
    assert (amounts.claimed >= 100).all() and (amounts.claimed <= CAP_CENTS).all()
    padded, valid = drafts["scheme"].to_numpy() == PADDING, drafts["truth"].to_numpy() == VALID
    invented = (drafts["truth"].to_numpy() == ABUSIVE) & ~padded
    assert (amounts.owed[valid] == amounts.claimed[valid]).all()
    assert (amounts.owed[padded] < amounts.claimed[padded]).all() and (amounts.owed[padded] > 0).all()
    assert (amounts.owed[~valid & ~padded] == 0).all() and (amounts.harm[invented] == 0).all()
    assert (amounts.owed <= amounts.harm).all()


def test_inventors_who_know_a_threshold_stay_below_it() -> None:
    drafts, amounts = drawn(5_000, 1, ((ABUSIVE, FABRICATION), (ABUSIVE, RING)))
    ceiling = drafts["ceiling"].to_numpy()
    assert (amounts.claimed[ceiling > 0] < ceiling[ceiling > 0]).all()
    assert (amounts.claimed[ceiling == 0] > 100_000).any()


def test_about_four_in_five_honest_claims_are_below_a_thousand_dollars_and_dear_things_do_dear_harm() -> None:
    rng, count = np.random.default_rng(2), 20_000
    drafts = pd.DataFrame({"truth": np.full(count, VALID), "scheme": HONEST, "ceiling": 0})
    price = np.exp(rng.normal(8.0, 1.0, count)).astype(np.int64)
    amounts = draw_amounts(drafts, price, Market(), rng)
    assert 0.78 < (amounts.claimed < 100_000).mean() < 0.86
    assert np.corrcoef(np.log(price), np.log(amounts.claimed))[0, 1] == pytest.approx(Market().price_correlation, abs=0.06)
    assert amounts.injury.mean() == pytest.approx(Market().injury_share, abs=0.01)
