"""The report: one page that needs nothing else, says what was decided, and trusts no text it shows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from data_contracts import Action
from models.policy import default_policy
from models.review import TIERS
from pipelines.home import Home
from pipelines.lake import Lake
from pipelines.report import report
from serving.store import Store
from tests.pipelines.conftest import Market, Played

AS_OF = datetime(2025, 9, 2, tzinfo=UTC)
TITLES = [
    "What is claimed, month by month",
    "How good the probabilities are",
    "What decisions cost",
    "Harm without an expert, at most",
    "Who bore the money",
    "The experts' queue",
    "What the champion looks at",
    "Ten example claims",
]
HOSTILE = "<script>alert('x')</script><img src=http://evil.example/a.png onerror=\"x\">&amp;"


class Page(HTMLParser):
    """Gathers tags with their attributes, headings, and the cells of every table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.text = ""
        self._within: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._within.append(tag)
        if tag == "h2":
            self.headings.append("")
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        self.text += data
        if "h2" in self._within:
            self.headings[-1] += data
        if {"td", "th"} & set(self._within):
            self.tables[-1][-1][-1] += data


def self_contained(text: str) -> bool:
    links = [value for _, attributes in Page(text).tags for name, value in attributes.items() if name in ("src", "href", "srcset", "data")]
    tags = {tag for tag, _ in Page(text).tags}
    outside = re.search(r"https?://|//\w+\.|@import|url\(", text)
    return all((value or "").startswith("data:") for value in links) and not tags & {"link", "script", "iframe", "object"} and not outside


@pytest.fixture(scope="module")
def page(played: Played) -> Page:
    return Page((played.market.home.reports / "report.html").read_text(encoding="utf-8"))


def test_the_page_needs_no_other_file_and_no_network(played: Played) -> None:
    text = (played.market.home.reports / "report.html").read_text(encoding="utf-8")
    assert self_contained(text)
    assert not self_contained(text.replace("<main>", '<main><img src="a.png">'))


def test_every_section_is_there_with_pictures_that_say_what_they_show(page: Page) -> None:
    assert page.headings == TITLES
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) >= 7
    assert all(attributes["alt"] for attributes in pictures)


def test_exactly_ten_examples_show_every_kind_of_decision_with_reasons_for_both_sides(page: Page, played: Played) -> None:
    head, *rows = page.tables[-1]
    assert len(rows) == 10 and len({row[0] for row in rows}) == 10
    with Store(played.market.home.store_url) as store:
        decisions = store.read("decisions")
    assert {row[5] for row in rows} == set(decisions["action"])
    told = dict(zip(decisions["claim_id"], decisions["claimant_reason"], strict=True))
    for row in rows:
        claim = next(claim for claim in told if row[0].startswith(claim))
        assert row[head.index("told to the claimant")] == told[claim]
        looked_at = row[5] in (*TIERS, "DENY_UNSUBSTANTIATED", "DENY_ABUSIVE")
        assert row[head.index("for the investigator")].startswith("not asked for") is not looked_at


def test_the_page_counts_what_the_store_holds(page: Page, played: Played) -> None:
    assert f"{played.summary['claims_decided']:,} claims decided" in page.text
    assert f"{played.summary['auc_abusive']:.3f}" in page.text


def test_a_home_without_truth_shows_the_labels_known_instead(played: Played, tmp_path: Path) -> None:
    market = played.market.copy(tmp_path / "home")
    with Store(market.home.store_url) as store:
        path = report(market.home, AS_OF, default_policy(), store, Lake(market.home.root).tables())
    text = path.read_text(encoding="utf-8")
    assert Page(text).headings == TITLES and self_contained(text)
    assert "labels known so far" in text and "AUC, abusive against the rest" not in text


def test_before_the_first_decision_the_remedy_is_named_and_no_page_written(market: Market) -> None:
    with Store(market.home.store_url) as store, pytest.raises(ValueError, match="run touchstone score first"):
        report(market.home, AS_OF, default_policy(), store, Lake(market.home.root).tables())
    assert not (market.home.reports / "report.html").exists()


def hostile(home: Home, decisions: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Put markup into every text that a decision or a claim can bring to the page."""
    tables = Lake(home.root).tables()
    ids = HOSTILE + decisions["claim_id"]
    texts = dict.fromkeys(("reasons", "claimant_reason", "bundle", "policy"), HOSTILE)
    claims = tables["claims"].assign(claim_id=HOSTILE + tables["claims"]["claim_id"], kind=HOSTILE, narrative=HOSTILE)
    return decisions.assign(claim_id=ids, **texts), {**tables, "claims": claims}


def test_text_from_outside_stays_text(played: Played, tmp_path: Path) -> None:
    market = played.market.copy(tmp_path / "home")
    with Store(market.home.store_url) as store:
        decisions, tables = hostile(market.home, store.read("decisions"))
    (market.home.root / "store.db").unlink()
    with Store(market.home.store_url) as store:
        store.record_decisions(decisions)
        text = report(market.home, AS_OF, default_policy(), store, tables).read_text(encoding="utf-8")
    found = Page(text)
    assert "script" not in {tag for tag, _ in found.tags}
    assert all((attributes.get("src") or "data:").startswith("data:") for _, attributes in found.tags)
    assert not any(name.startswith("on") for _, attributes in found.tags for name in attributes)
    assert found.tables[-1][1][0].startswith(HOSTILE)


def test_few_decisions_still_make_a_page(market: Market) -> None:
    from pipelines.score import score

    live = market.simulation.live_from
    while not score(market.home, live, default_policy(), market.simulation.live_from).decided:
        live += timedelta(days=1)
    with Store(market.home.store_url) as store:
        path = report(market.home, live, default_policy(), store, Lake(market.home.root).tables())
        decided = len(store.read("decisions"))
    rows = Page(path.read_text(encoding="utf-8")).tables[-1][1:]
    assert len(rows) == min(10, decided)
    assert {row[5] for row in rows} <= {action.value for action in Action}
