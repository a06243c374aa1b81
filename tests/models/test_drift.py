"""Drift: indices by their closed forms, false alarms within their bound, growth that is natural stays quiet, damage is named."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from models.drift import DriftSettings, adjusted, binned, cut_points, drift, kolmogorov_smirnov, movement, stability_index

VALUES = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-100, 100) | st.sampled_from([0.0, 1.0, math.nan]))
COUNTS = st.integers(2, 12).flatmap(lambda n: st.tuples(*(hnp.arrays(np.int64, n, elements=st.integers(0, 10_000)) for _ in range(2))))


@given(VALUES, VALUES, st.integers(2, 12))
def test_every_value_is_counted_once_in_the_bin_between_its_edges_and_missing_ones_last(
    reference: np.ndarray, values: np.ndarray, bins: int
) -> None:
    cuts = cut_points(reference, bins)
    assert len(cuts) <= bins and (np.diff(cuts) > 0).all()
    edges = [-math.inf, *cuts, math.inf]
    slow = [sum(low < v <= high for v in values) for low, high in itertools.pairwise(edges)]
    assert binned(values, cuts).tolist() == [*slow, int(np.isnan(values).sum())]


@given(COUNTS)
def test_the_index_is_the_textbook_sum_with_half_a_claim_in_every_bin(counts: tuple[np.ndarray, np.ndarray]) -> None:
    pairs = [(a + 0.5, b + 0.5) for a, b in zip(*counts, strict=True) if a + b > 0]
    assume(len(pairs) > 1)
    first, second = (sum(pair[k] for pair in pairs) for k in (0, 1))
    slow = sum((b / second - a / first) * math.log((b / second) / (a / first)) for a, b in pairs)
    assert stability_index(*counts) == pytest.approx(slow, abs=1e-12)
    assert stability_index(*counts) >= 0
    assert stability_index(*counts[::-1]) == pytest.approx(stability_index(*counts))


@given(VALUES, VALUES)
def test_the_distance_of_distributions_is_that_of_scipy(first: np.ndarray, second: np.ndarray) -> None:
    known = [values[~np.isnan(values)] for values in (first, second)]
    found = kolmogorov_smirnov(first, second)
    if min(map(len, known)) == 0:
        assert math.isnan(found)
    else:
        with np.errstate(divide="ignore"):  # of its p-value, for samples of one
            assert found == pytest.approx(stats.ks_2samp(*known, method="asymp").statistic, abs=1e-12)


@given(hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1)))
def test_adjusted_p_values_select_what_the_step_up_procedure_selects(p: np.ndarray) -> None:
    for q in (0.01, 0.05, 0.2, 0.7):
        ordered = np.sort(p)
        passing = [k for k, value in enumerate(ordered, start=1) if value <= q * k / len(p) * (1 + 1e-12)]
        largest = ordered[passing[-1] - 1] if passing else -1.0
        assert ((adjusted(p) <= q * (1 + 1e-12)) == (p <= largest)).all()


def test_without_drift_the_index_is_on_average_what_chance_gives() -> None:
    rng = np.random.default_rng(0)
    ratios = [movement(rng.normal(size=600), rng.normal(size=220)).ratio for _ in range(400)]
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.08)


def test_rare_values_are_judged_by_chance_as_well() -> None:
    rng = np.random.default_rng(1)
    ratios = [movement(*(rng.poisson(0.03, n).astype(float) for n in (600, 220))).ratio for _ in range(600)]
    assert np.mean(ratios) < 1.3


def world(rng: np.random.Generator, claims: int, at: float = 0.0, growth: float = 0.0) -> pd.DataFrame:
    """Some features of claims filed around a day: noise, a rare count, a share with gaps, one that grows with time."""
    share = rng.beta(2, 5, claims)
    return pd.DataFrame(
        {
            **{f"noise_{k}": rng.normal(size=claims) for k in range(10)},
            "rare": rng.poisson(0.05, claims).astype(float),
            "share": np.where(rng.random(claims) < 0.4, np.nan, share),
            "grows": rng.gamma(3.0, 1.0, claims) + growth * at,
            "constant": np.zeros(claims),
        }
    )


def windows(rng: np.random.Generator, growth: float = 0.0, apart: float = 8.0) -> tuple[pd.DataFrame, pd.DataFrame, list]:
    """Reference at week 0, current some weeks later, quiet pairs before the reference as far apart."""
    quiet = [(world(rng, 600, -k * 4 - apart, growth), world(rng, 220, -k * 4, growth)) for k in range(6)]
    return world(rng, 600, 0.0, growth), world(rng, 220, apart, growth), quiet


def test_an_alarm_without_drift_is_no_more_frequent_than_stated() -> None:
    alarms = 0
    for seed in range(60):
        found = drift(*windows(np.random.default_rng(seed)), DriftSettings(false_discovery=0.05, moderate=0.0))
        alarms += bool((found["level"] != "quiet").any())
    assert alarms <= stats.binom.isf(0.001, 60, 0.05)


def test_growth_that_goes_on_as_before_is_quiet_and_growth_beyond_it_is_not() -> None:
    rng = np.random.default_rng(3)
    reference, current, quiet = windows(rng, growth=0.08)
    found = drift(reference, current, quiet).set_index("feature")
    assert found.loc["grows", "psi"] > 0.25  # "large", and ordinary
    assert (found["level"] == "quiet").all()
    leap = current.assign(grows=current["grows"] + 12)
    assert drift(reference, leap, quiet)["feature"][0] == "grows"
    assert drift(reference, leap, quiet)["level"][0] == "large"


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("noise_3", lambda frame: frame.assign(noise_3=np.nan)),
        ("noise_3", lambda frame: frame.drop(columns="noise_3")),
        ("noise_7", lambda frame: frame.assign(noise_7=frame["noise_7"] * 100)),
        ("constant", lambda frame: frame.assign(constant=1.0)),
        ("rare", lambda frame: frame.assign(rare=frame["rare"] + (np.arange(len(frame)) % 3 == 0))),
        ("share", lambda frame: frame.assign(share=frame["share"].fillna(0.0))),
    ],
)
def test_damage_is_named_and_nothing_else_is(name: str, damage: object) -> None:
    reference, current, quiet = windows(np.random.default_rng(5))
    found = drift(reference, damage(current), quiet)  # type: ignore[operator]
    assert found.loc[found["level"] != "quiet", "feature"].tolist() == [name]


def test_a_cluster_that_quiet_time_never_saw_is_not_drift_by_itself() -> None:
    """A recall: twenty claims on one product, where no quiet pair knew any. The other features tell how claims cluster."""
    rng = np.random.default_rng(7)
    lumps = [world(rng, n).loc[rng.integers(0, n // 3, n)] for n in (600, 220)]
    quiet = [tuple(world(rng, n).loc[rng.integers(0, n // 3, n)] for n in (600, 220)) for _ in range(6)]
    reference, current = (frame.reset_index(drop=True) for frame in lumps)
    burst = current.assign(constant=(np.arange(220) < 20).astype(float))
    row = drift(reference, burst, quiet).set_index("feature").loc["constant"]  # type: ignore[arg-type]
    alone = stats.chi2.sf(row["psi"] / (1 / 600 + 1 / 220), 1)
    assert alone < 1e-4 < 1e-3 < row["p"]
    assert row["level"] == "quiet"


def test_the_order_of_rows_and_columns_changes_nothing() -> None:
    reference, current, quiet = windows(np.random.default_rng(9))
    once = drift(reference, current, quiet)
    turned = drift(reference.iloc[::-1, ::-1], current.sample(frac=1, random_state=0), [(b.iloc[::-1], c) for b, c in quiet])
    pd.testing.assert_frame_equal(once.sort_values("feature", ignore_index=True), turned.sort_values("feature", ignore_index=True))


def test_a_comparison_without_claims_or_without_quiet_time_is_refused() -> None:
    reference, current, quiet = windows(np.random.default_rng(2))
    for call in ((reference, current, []), (reference, current[:0], quiet), (reference, current, [(reference, current[:0])])):
        with pytest.raises(ValueError, match="expected claims in both windows and at least one quiet pair"):
            drift(*call)
    with pytest.raises(ValueError, match="expected bins ≥ 2"):
        DriftSettings(moderate=0.5, large=0.2)
