"""Pictures: real PNG files inside a page, drawn from any numbers the report can have."""

from __future__ import annotations

import base64
import struct
import zlib

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from data_contracts import LABELS
from features.catalog import CATALOG
from pipelines import pictures

RNG = np.random.default_rng(0)
PROBA, ONE = RNG.dirichlet((1, 1, 1), 50), np.ones(50)
TRUTH = np.array(LABELS, dtype=object)[RNG.integers(0, 3, 50)]
CURVE = pd.DataFrame({"predicted": [0.1, 0.7], "observed": [0.2, 0.6], "count": [10, 5]})
NONE = np.array([np.nan, np.nan])

FIGURES = {
    "class mix": pictures.class_mix(["2025-01", "2025-02"], {label: np.array([0.2, 0.4]) for label in LABELS}),
    "class mix with gaps": pictures.class_mix(["2025-01", "2025-02"], dict.fromkeys(LABELS, NONE), dict.fromkeys(LABELS, NONE)),
    "precision and recall": pictures.precision_recall(TRUTH, PROBA, ONE),
    "reliability": pictures.reliability(dict.fromkeys(LABELS, CURVE)),
    "cost by capacity": pictures.cost_by_capacity(np.array([0, 1, 2]), np.array([300.0, 200.0, 200.0]), 1),
    "money": pictures.bars({"seller": 12345.0, "insurer": 0.0, "receivable": -500.0}),
    "gain": pictures.bars({"claims_count_customer_30d": 0.00012}, money=False),
    "ages": pictures.ages({"answered": np.array([0.5, 3.0, 40.0]), "waiting": np.array([1.0])}, 10.0),
    "ages of nobody waiting": pictures.ages({"answered": np.array([2.0]), "waiting": np.array([])}, 0.0),
}


def png(uri: str) -> bytes:
    kind, _, content = uri.partition(",")
    assert kind == "data:image/png;base64"
    return base64.b64decode(content, validate=True)


@pytest.mark.parametrize("name", FIGURES)
def test_every_picture_becomes_a_complete_png(name: str) -> None:
    content = png(pictures.as_data_uri(FIGURES[name]))
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    place, chunks = 8, []
    while place < len(content):
        (size,) = struct.unpack(">I", content[place : place + 4])
        body = content[place + 4 : place + 8 + size]
        assert struct.unpack(">I", content[place + 8 + size : place + 12 + size]) == (zlib.crc32(body),)
        chunks.append(body[:4])
        place += 12 + size
    assert (chunks[0], chunks[-1]) == (b"IHDR", b"IEND")
    width, height = struct.unpack(">II", content[16:24])
    assert width > 200 and height > 80


def test_the_same_figures_give_the_same_bytes_and_no_version_of_any_library() -> None:
    once, again = (png(pictures.as_data_uri(pictures.bars({"a": 1.0, "b": 2.0}))) for _ in range(2))
    assert once == again
    assert b"matplotlib" not in once.lower()


def test_a_class_that_never_or_always_happens_is_left_out_of_precision_and_recall() -> None:
    figure = pictures.precision_recall(np.array(["valid", "abusive"] * 25, dtype=object), PROBA, ONE)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["valid", "abusive"]


def test_only_one_class_at_all_still_gives_a_picture() -> None:
    assert png(pictures.as_data_uri(pictures.precision_recall(np.full(50, "valid", dtype=object), PROBA, ONE)))


def test_bars_are_named_from_the_top_and_written_in_dollars() -> None:
    axes = pictures.bars({"first": 123456.0, "second": 100.0}).axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["second", "first"]
    assert [text.get_text() for text in axes.texts] == ["$1", "$1,235"]


def test_pictures_never_enter_the_state_of_the_drawing_library() -> None:
    assert all(type(figure) is Figure for figure in FIGURES.values())
    assert plt.get_fignums() == []


def test_the_longest_name_of_a_feature_leaves_room_for_its_bar() -> None:
    names = sorted(CATALOG.names, key=len)[-5:]
    figure = pictures.bars(dict(zip(names, range(1, 6), strict=True)), money=False)
    pictures.as_data_uri(figure)  # a bar without room would be a warning, and warnings are errors
    assert figure.axes[0].get_position().width > 0.2
