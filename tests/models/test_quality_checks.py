"""The draws that measure experts: repeatable, and each apart from the others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.quality_checks import Checks, draw

IDS = pd.Series([f"C{i}" for i in range(20_000)])


def test_each_is_drawn_at_its_rate_and_apart_from_the_others() -> None:
    checks, drawn = Checks(), draw(Checks(), IDS)
    for name in ("gold", "overlap", "hidden"):
        assert getattr(drawn, name).mean() == pytest.approx(getattr(checks, name), abs=0.01)
    assert (drawn.gold & drawn.hidden).mean() == pytest.approx(checks.gold * checks.hidden, abs=0.003)


def test_a_case_is_drawn_alike_whoever_is_beside_it_and_whenever_it_is_asked() -> None:
    whole, part = draw(Checks(), IDS), draw(Checks(), IDS[500:600])
    np.testing.assert_array_equal(part.hidden, whole.hidden[500:600])


def test_another_seed_draws_others() -> None:
    assert (draw(Checks(seed="a"), IDS).gold != draw(Checks(seed="b"), IDS).gold).any()


def test_a_share_above_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"checks\.gold: expected"):
        Checks(gold=1.5)
