"""Promotion over a home: the challenger has to win on claims later than both, and the sealed truth has no part in it."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from data_contracts import LABELS
from models.bundle import BundleError
from models.classifier import Hyperparameters
from models.gates import Gates
from models.policy import default_policy
from models.promotion import Verdict
from models.settings import TrainingSettings
from models.shelf import Shelf
from pipelines.lake import Lake
from pipelines.model_card import path_of
from pipelines.promote import promote, rollback
from pipelines.simulate.sealed import read_truth
from pipelines.train import train
from tests.pipelines.conftest import Market

FEWEST = Gates().fewest
MONTH = pd.Timedelta(days=30)
QUICK = TrainingSettings(hyperparameters=Hyperparameters(max_rounds=30, learning_rate=0.15))


def examine_everything(market: Market, lies: bool = False) -> None:
    """Label every claim the day after it was filed: by the truth, or valid as abusive and abusive as valid."""
    lake = Lake(market.home.root)
    claims, row = lake.read("claims"), lake.read("resolutions").head(1)
    labels = claims["claim_id"].map(read_truth(market.home.root).set_index("claim_id")["truth"])
    if lies:
        labels = labels.map(dict(zip(LABELS, LABELS[::-1], strict=True)))
    rows = pd.concat([row] * len(claims), ignore_index=True).assign(
        resolution_id=[f"X{i}" for i in range(len(claims))],
        **{name: claims[name].to_numpy() for name in ("claim_id", "customer_id", "seller_id", "product_id")},
        source="audit",
        outcome="paid",
        label=labels.astype("str").to_numpy(),
        propensity=1.0,
        paid_cents=0,
        resolved_at=claims["filed_at"].to_numpy(),
        known_at=(claims["filed_at"] + pd.Timedelta(days=1)).to_numpy(),
    )
    for batch in lake.batches("resolutions"):
        lake.append("resolutions", rows.iloc[:0], batch)
    lake.append("resolutions", rows.astype({"resolved_at": "datetime64[us, UTC]", "known_at": "datetime64[us, UTC]"}), "examined")


def without_large_claims(market: Market) -> None:
    """Cap every amount: a single large claim would outweigh all others of so small a market."""
    lake = Lake(market.home.root)
    claims = lake.read("claims")
    lake.append("claims", claims.assign(amount_cents=claims["amount_cents"].clip(upper=30_000)), "initial")


def rivals(market: Market, *, liar_first: bool) -> tuple[str, str]:
    """Train a champion and then a challenger half a year before the end, one of them on lies."""
    without_large_claims(market)
    Shelf(market.home.bundles).point("champion", None)
    names = []
    for lies in (liar_first, not liar_first):
        examine_everything(market, lies)
        names.append(train(market.home, market.simulation.end - 6 * MONTH, settings=QUICK, tracking=False).bundle)
    examine_everything(market)
    return names[0], names[1]


def judged(market: Market, limits: Gates | None = None) -> Verdict:
    return promote(market.home, market.simulation.end + MONTH, default_policy(), tracking=False, limits=limits)


def test_a_challenger_taught_by_the_truth_replaces_a_champion_taught_by_lies_unless_one_gate_refuses(market: Market) -> None:
    champion, challenger = rivals(market, liar_first=True)
    assert Shelf(market.home.bundles).aliases() == {"champion": champion, "challenger": challenger}
    refused = judged(market, Gates(larger=0.0, free_bytes=1))
    assert [gate.name for gate in refused.gates if not gate.passed] == ["size"]
    assert not refused.promote and "but size: " in refused.why
    assert Shelf(market.home.bundles).aliases() == {"champion": champion, "challenger": challenger}
    verdict = judged(market)
    assert verdict.promote and verdict.claims >= FEWEST and verdict.saving_cents.low > 0
    assert Shelf(market.home.bundles).aliases() == {"champion": challenger, "previous": champion}
    written = json.loads((market.home.runs / f"promote-{market.simulation.end + MONTH:%Y-%m-%d}.json").read_text())
    assert (written["promote"], written["why"]) == (True, verdict.why)
    assert (written["champion_bundle"], written["challenger_bundle"]) == (champion, challenger)
    assert [gate["passed"] for gate in written["gates"]] == [True] * 11
    text = path_of(market.home, challenger).with_suffix(".md").read_text()
    assert challenger in text and verdict.why[1:] in text
    assert all(gate.why in text for gate in verdict.gates)


def test_a_challenger_taught_by_lies_leaves_everything_where_it_was(market: Market) -> None:
    champion, challenger = rivals(market, liar_first=False)
    assert not judged(market).promote
    assert Shelf(market.home.bundles).aliases() == {"champion": champion, "challenger": challenger}
    assert not path_of(market.home, challenger).exists()


def test_going_back_restores_the_previous_champion_once_and_a_second_time_changes_nothing(market: Market) -> None:
    shelf = Shelf(market.home.bundles)
    old, new = shelf.aliases()["champion"], shelf.put(replace(shelf.get("champion"), trained={"as_of": "2025-01-01T00:00:00+00:00"}))
    shelf.move({"champion": new, "previous": old})
    assert rollback(market.home, tracking=False) == (new, old)
    assert shelf.aliases() == {"champion": old} and shelf.path(new).is_dir()
    assert json.loads((market.home.runs / f"rollback-{new[:12]}.json").read_text()) == {"withdrawn_bundle": new, "champion_bundle": old}
    with pytest.raises(BundleError, match="expected a previous champion to go back to, found none"):
        rollback(market.home, tracking=False)
    assert shelf.aliases() == {"champion": old}


def test_going_back_leaves_a_challenger_in_waiting(market: Market) -> None:
    shelf = Shelf(market.home.bundles)
    old = shelf.aliases()["champion"]
    shelf.move({"previous": old, "challenger": old})
    rollback(market.home, tracking=False)
    assert shelf.aliases() == {"champion": old, "challenger": old}


def test_a_previous_champion_that_was_altered_is_not_restored(market: Market) -> None:
    shelf = Shelf(market.home.bundles)
    old, new = shelf.aliases()["champion"], shelf.put(replace(shelf.get("champion"), trained={"as_of": "2025-01-01T00:00:00+00:00"}))
    shelf.move({"champion": new, "previous": old})
    (shelf.path(old) / "calibration.json").write_text("{}")
    with pytest.raises(BundleError, match="altered"):
        rollback(market.home, tracking=False)
    assert shelf.aliases() == {"champion": new, "previous": old}


def test_a_challenger_that_is_the_champion_is_never_promoted(market: Market) -> None:
    shelf = Shelf(market.home.bundles)
    shelf.point("challenger", shelf.aliases()["champion"])
    examine_everything(market)
    verdict = judged(market)
    assert not verdict.promote and verdict.claims >= FEWEST
    assert (verdict.saving_cents.low, verdict.saving_cents.high) == (0.0, 0.0)


def test_only_claims_filed_after_both_were_trained_and_labels_known_by_then_are_compared(market: Market) -> None:
    shelf, claims = Shelf(market.home.bundles), Lake(market.home.root).read("claims")
    shelf.point("challenger", shelf.aliases()["champion"])
    examine_everything(market)
    start, as_of = market.simulation.live_from, market.simulation.live_from + MONTH
    verdict = promote(market.home, as_of, default_policy(), tracking=False)
    filed = claims["filed_at"]
    assert verdict.claims == int(((filed >= start) & (filed + pd.Timedelta(days=1) < as_of)).sum())


def test_with_nobody_examined_since_nothing_is_promoted(market: Market) -> None:
    shelf = Shelf(market.home.bundles)
    shelf.point("challenger", shelf.aliases()["champion"])
    verdict = judged(market)
    assert not verdict.promote and verdict.why.startswith("only 0 labelled claims are later")


@pytest.mark.parametrize("alias", ["champion", "challenger"])
def test_without_both_models_there_is_nothing_to_compare(market: Market, alias: str) -> None:
    shelf = Shelf(market.home.bundles)
    shelf.point("challenger", shelf.aliases()["champion"])
    shelf.point(alias, None)
    with pytest.raises(BundleError, match=f"alias '{alias}'"):
        judged(market)


def test_a_promotion_that_died_before_the_shelf_was_moved_is_done_by_the_next(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    champion, challenger = rivals(market, liar_first=True)
    before = Shelf(market.home.bundles).aliases()

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Shelf, "move", dies)
        judged(market)
    assert Shelf(market.home.bundles).aliases() == before
    assert judged(market).promote
    assert Shelf(market.home.bundles).aliases() == {"champion": challenger, "previous": champion}
