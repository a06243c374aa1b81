"""The draws that measure experts: repeatable, and each apart from the others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.quality_checks import Checks, draw, golden

IDS = pd.Series([f"C{i}" for i in range(20_000)])


def test_each_is_drawn_at_its_rate_and_apart_from_the_others() -> None:
    checks, drawn = Checks(), draw(Checks(), IDS)
    for name in ("overlap", "hidden"):
        assert getattr(drawn, name).mean() == pytest.approx(getattr(checks, name), abs=0.01)
    assert (drawn.overlap & drawn.hidden).mean() == pytest.approx(checks.overlap * checks.hidden, abs=0.003)


def test_a_case_is_drawn_alike_whoever_is_beside_it_and_whenever_it_is_asked() -> None:
    whole, part = draw(Checks(), IDS), draw(Checks(), IDS[500:600])
    np.testing.assert_array_equal(part.hidden, whole.hidden[500:600])


def test_another_seed_draws_others() -> None:
    assert (draw(Checks(seed="a"), IDS).overlap != draw(Checks(seed="b"), IDS).overlap).any()
    assert golden(Checks(seed="a"), IDS[:50].tolist()) != golden(Checks(seed="b"), IDS[:50].tolist())


def test_who_is_gold_comes_by_lot_and_in_the_same_order_whoever_else_is_a_candidate() -> None:
    everybody, some = golden(Checks(), IDS[:200].tolist()), golden(Checks(), IDS[150:50:-1].tolist())
    assert sorted(everybody) == sorted(IDS[:200]) and everybody != IDS[:200].tolist()
    assert some == [claim for claim in everybody if claim in set(some)]


def test_a_share_above_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"checks\.gold: expected"):
        Checks(gold=1.5)
