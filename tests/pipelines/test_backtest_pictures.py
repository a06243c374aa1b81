"""A backtest's pictures say what their tables say."""

from __future__ import annotations

import numpy as np

from models.bands import band_names, reliability_by_band
from pipelines import backtest_pictures
from pipelines.pictures import as_data_uri


def test_bands_of_dollars_are_named_as_they_are_and_never_read_as_formulas() -> None:
    rng = np.random.default_rng(0)
    labels, proba = np.array(["valid", "abusive"])[rng.integers(0, 2, 500)], rng.dirichlet((1, 1, 1), 500)
    figure = backtest_pictures.gaps(reliability_by_band(labels, proba, np.ones(500), rng.integers(1_000, 200_000, 500)))
    assert as_data_uri(figure)
    ticks = figure.axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == band_names() and not any(tick.get_parse_math() for tick in ticks)
