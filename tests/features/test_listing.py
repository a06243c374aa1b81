"""The page of features is what the catalogue says, whole and readable."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.catalog import CATALOG, Catalog
from features.entry import Entry
from features.listing import definition, page
from features.sources import SOURCES
from features.spec import ALL, Aggregate, Computed, Difference, Feature, Ratio, Selection, Window

PAGE = Path(__file__).parents[2] / "docs" / "features.md"
COUNT = Aggregate("claims", ("customer_id", "seller_id"), "count", ALL)


def length(facts: object) -> np.ndarray:
    return np.zeros(0)


def test_the_page_is_the_catalogue() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(CATALOG), "write it anew: python -m features.listing > docs/features.md"


def test_every_feature_has_one_row_with_everything_people_need_to_know_of_it() -> None:
    rows = [line for line in page(CATALOG).splitlines() if line.startswith("| `") and line.count(" | ") == 5]
    for row, entry in zip(sorted(rows), sorted(CATALOG, key=lambda e: f"| `{e.name}` |"), strict=True):
        name, meaning, unit, _, computed, reason = row.removeprefix("| ").removesuffix(" |").split(" | ")
        assert (name, meaning, unit, reason) == (f"`{entry.name}`", entry.meaning, entry.unit, entry.reason)
        assert computed == definition(entry.feature)


def test_every_source_is_explained_and_only_those_in_use() -> None:
    everything = Catalog(tuple(Entry(Aggregate(s, ("seller_id",), "count", ALL), s, "count", 0, "amount", s) for s in SOURCES))
    assert all(f"\n| `{source}` | " in page(everything) for source in SOURCES)
    assert "| `recalls` |" not in page(Catalog(everything.entries[:1]))


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        (COUNT, "number of `claims` by customer and seller, ever before"),
        (Ratio(COUNT, Difference(COUNT, COUNT)), f"({definition(COUNT)}) ÷ (({definition(COUNT)}) − ({definition(COUNT)}))"),
        (
            Aggregate("standing.abusive", ("seller_id",), "rate", Window(30, 7, "right"), among="examined"),
            "share of `standing.abusive` among `standing.examined` by seller, 30 days up to 7 days before, right ends included",
        ),
        (Computed("length", (), length), f"by `{__name__}.length`"),
        (CATALOG["claim_hour"].feature, "`features.from_claim` from the time of filing"),
    ],
)
def test_a_definition_is_said_in_words(feature: Feature, words: str) -> None:
    assert definition(feature) == words


def test_a_users_source_and_a_bar_in_a_text_stay_inside_their_cells() -> None:
    entry = Entry(Aggregate("calls", ("customer_id",), "count", ALL), "calls | letters", "count", 1, "claim_form", "calls")
    text = page(Catalog((entry,), {"calls": Selection("claims", "filed_at", "channel", ("phone", "app"))}))
    assert "| `calls` | rows of `claims` whose `channel` is `phone` or `app`, known at `filed_at` |" in text
    assert "| calls \\| letters | count | more speaks for abuse |" in text
