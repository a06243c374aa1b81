"""The model card: page and Markdown say the same, every gate and slice is in it, and it needs no other file."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.baselines import BASELINES
from models.policy import default_policy
from models.promotion import Verdict, judge
from models.risk import NEVER, Guarantee
from models.shelf import Shelf
from pipelines import model_card
from pipelines import model_card_sections as sections
from pipelines.contest import Contest
from pipelines.home import Home
from tests.models.test_promotion import FIT, OPEN, case
from tests.pipelines.conftest import Market

AS_OF = datetime(2025, 8, 1, tzinfo=UTC)
POLICY = default_policy()
PROMISE = Guarantee(0.81, 0.01, 0.95, 1_234, 56.0, 0.0)


@pytest.fixture(scope="module")
def compared(small: Market) -> tuple[Contest, Verdict]:
    """A bundle with a guarantee beside one without, and opinions of which one is better."""
    bundle, found = Shelf(small.home.bundles).get("champion"), case(1200)
    opinions = (found.opinion(found.blind), found.opinion(found.knowing))
    verdict = judge(POLICY, found.later, *opinions, FIT, np.random.default_rng(0), OPEN, draws=40)
    contest = Contest(bundle, replace(bundle, guarantee=PROMISE), pd.DataFrame(index=range(1200)), pd.DataFrame(), found.later, opinions)
    return contest, verdict


@pytest.fixture(scope="module")
def card(compared: tuple[Contest, Verdict], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_card.write(Home(tmp_path_factory.mktemp("home")), AS_OF, POLICY, *compared)


def words(page: Path) -> str:
    """The text of a page without its marks."""
    return html.unescape(re.sub(r"<[^>]+>", " ", page.read_text()))


def test_page_and_markdown_name_every_gate_every_slice_and_every_hash(card: Path, compared: tuple[Contest, Verdict]) -> None:
    contest, verdict = compared
    bundle = contest.challenger
    expected = [gate.why for gate in verdict.gates] + [f"{one.attribute}: {one.name}" for one in verdict.slices]
    expected += [bundle.hash, bundle.catalog_hash, bundle.contract_hash, str(bundle.trained["data_hash"]), POLICY.identifier]
    expected += list(bundle.trained["calibration_losses"]) + list(bundle.trained["sources"])
    for text in (words(card), card.with_suffix(".md").read_text()):
        assert [one for one in expected if one not in text] == []


def test_the_card_has_a_place_for_everything_a_reader_must_know_in_both_files(card: Path) -> None:
    titles = re.findall(r"<h2>(.+?)</h2>", card.read_text())
    assert titles == re.findall(r"^## (.+)$", card.with_suffix(".md").read_text(), re.MULTILINE)
    assert titles == [
        "Purpose",
        "Verdict",
        "Results on later claims",
        "Money",
        "Slices",
        "Beside baselines",
        "Guarantee",
        "Harm without an expert, at most",
        "Data",
        "Time",
        "Model and parameters",
        "Limits",
        "Versions and hashes",
    ]


def test_the_page_needs_no_other_file_and_its_pictures_speak(card: Path) -> None:
    sources = re.findall(r'src="(.{20})', card.read_text())
    assert sources == ["data:image/png;base6"] * 3
    assert "http" not in re.sub(r'src="[^"]+"', "", card.read_text())
    assert all(len(alt) > 10 for alt in re.findall(r'alt="(.*?)"', card.read_text()))


def test_windows_and_folds_are_told_with_as_many_claims_as_the_manifest_counts(card: Path, compared: tuple[Contest, Verdict]) -> None:
    trained = compared[0].challenger.trained
    text = card.with_suffix(".md").read_text()
    rows = {row.split(" | ")[0].removeprefix("| "): row.split(" | ") for row in text.splitlines() if row.startswith("| ")}
    assert rows["judging"][3] == f"{trained['split']['judge']['rows']:,}"
    assert len([name for name in rows if name.startswith("fold ")]) == 2 * len(trained["folds"])
    for number, fold in enumerate(trained["folds"], 1):
        assert rows[f"fold {number}: scored"][3] == f"{fold['valid']['rows']:,}"


@pytest.mark.parametrize(
    ("promised", "says"),
    [
        (None, "carries none"),
        (PROMISE, "only from a probability of 0.810 on"),
        (replace(PROMISE, threshold=NEVER), "calls no claim abusive"),
    ],
)
def test_what_is_promised_about_accusations_is_said_and_what_is_not_as_well(
    compared: tuple[Contest, Verdict], promised: Guarantee | None, says: str
) -> None:
    contest = replace(compared[0], challenger=replace(compared[0].challenger, guarantee=promised))
    assert says in sections.guarantee(contest.challenger, POLICY).note


def test_the_card_names_the_classes_that_stand_in_the_way_of_an_automatic_action(compared: tuple[Contest, Verdict]) -> None:
    bundle = replace(compared[0].challenger, guarantee=replace(PROMISE, sets=(0.217, NEVER, NEVER)))
    bound = replace(POLICY, harm=replace(POLICY.harm, mistaken_valid_share=0.02))
    rows = dict(sections.guarantee(bundle, bound).rows)
    assert rows["not settled as if it were not valid, from P(valid) on; bound"] == "0.217; 2.0%"
    assert not any("P(abusive) on" in str(name) for name in rows)
    free = dict(sections.guarantee(replace(bundle, guarantee=PROMISE), POLICY).rows)
    assert free["classes that stand in the way of settling a claim as another"] == "none"


def test_writing_twice_gives_the_same_bytes(compared: tuple[Contest, Verdict], card: Path, tmp_path: Path) -> None:
    again = model_card.write(Home(tmp_path), AS_OF, POLICY, *compared)
    assert again.with_suffix(".md").read_bytes() == card.with_suffix(".md").read_bytes()
    assert again.read_bytes() == card.read_bytes()


def test_the_first_champion_has_a_card_that_says_nobody_judged_it(small: Market) -> None:
    bundle = Shelf(small.home.bundles).get("champion")
    page = model_card.path_of(small.home, bundle.hash)
    text = page.with_suffix(".md").read_text()
    assert "no gate has judged it" in text and "## Verdict" not in text and "| champion before | none |" in text and bundle.hash in text
    assert re.findall(r"<h2>(.+?)</h2>", page.read_text()) == re.findall(r"^## (.+)$", text, re.MULTILINE)


def test_the_card_shows_the_model_beside_every_baseline_as_measured_in_training(small: Market) -> None:
    trained = Shelf(small.home.bundles).get("champion").trained
    rows = {row[0]: row[1:] for row in sections.baselines(trained).rows}
    assert list(rows) == ["touchstone", *BASELINES] and set(rows) == set(trained["compared"])
    assert rows["touchstone"][0] == f"{trained['metrics']['log_loss']:.3f}" and rows["prior"][2] == "0.500"
    # A bundle of an earlier version has no table, and its card no rows.
    assert not sections.baselines({}).rows
