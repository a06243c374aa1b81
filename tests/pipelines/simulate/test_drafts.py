"""Drafts say nothing where nothing was said, and claims are filed when growth says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.simulate.drafts import ABUSIVE, OPTIONAL, RING, abusive_rate, draft, filing_times
from pipelines.simulate.frames import NEVER
from pipelines.simulate.market import DAY
from tests.pipelines.simulate.conftest import Trade


@given(st.sets(st.sampled_from([*OPTIONAL, "entity", "ceiling"])))
def test_what_a_draft_does_not_say_is_never_and_what_it_says_is_kept(said: set[str]) -> None:
    given_ = {name: np.array([4, 5]) for name in ("customer", "product", "ordered", "incident", "filed", *said)}
    frame = draft(RING, ABUSIVE, given_)
    assert (frame.dtypes == "int64").all() and (frame["scheme"] == RING).all() and (frame["truth"] == ABUSIVE).all()
    assert all(frame[name].tolist() == [4, 5] for name in given_)
    assert all((frame[name] == NEVER).all() for name in {*OPTIONAL, "entity"} - said)
    assert "ceiling" in said or (frame["ceiling"] == 0).all()


def test_claims_are_filed_within_the_horizon_in_proportion_to_growth(trade: Trade) -> None:
    days = int(np.ceil(trade.horizon.days))
    growth = np.where(np.arange(days) < days // 3, 0.0, np.where(np.arange(days) < 2 * days // 3, 1.0, 3.0))
    filed = filing_times(20_000, trade.horizon, growth, np.random.default_rng(0))
    assert (trade.horizon.start <= filed).all() and (filed < trade.horizon.end).all()
    third = np.histogram((filed - trade.horizon.start) / DAY, bins=[0, days // 3, 2 * days // 3, days])[0] / 20_000
    assert third[0] == 0, "nothing is filed on days without growth"
    assert third[1:] == pytest.approx([0.25, 0.75], abs=0.02)


def test_the_share_of_abuse_has_the_mean_and_the_yearly_growth_asked_for(trade: Trade) -> None:
    rate = abusive_rate(trade.horizon, trade.market)
    assert rate.mean() == pytest.approx(trade.market.abusive_share)
    assert rate[365] / rate[0] == pytest.approx(trade.market.drift_per_year ** (365 / 365.25))
