"""The demo, run as a stranger runs it: every promised figure, nothing lost on the way, and a folder that is its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.matrix import build_matrix
from models.bundle import load
from models.policy import default_policy
from pipelines.demo import demo
from pipelines.home import Home
from pipelines.lake import Lake
from serving.store import Store
from tests.pipelines.conftest import CLAIMS, ORDERS, Played

PROMISED = (
    *("rows_read", "rows_accepted", "rows_quarantined", "auc_abusive", "ap_abusive", "ece"),
    *("cost_pay_everything", "cost_model", "cost_model_experts", "cost_perfect"),
    *("cases_open", "cases_resolved", "ledger_balance_cents", "seconds", "peak_rss_mb"),
)


def test_the_summary_holds_every_promised_figure_as_a_number(played: Played) -> None:
    for name in PROMISED:
        assert isinstance(played.summary[name], int | float), name
    for name in ("auc_abusive", "ap_abusive", "ece"):
        low, high = played.summary[f"{name}_interval"]
        assert 0 <= low <= high <= 1 and 0 <= played.summary[name] <= 1
    assert played.summary["seconds"] > 0 and played.summary["peak_rss_mb"] > 100


def test_every_row_read_is_accepted_or_quarantined(played: Played) -> None:
    found, lake = played.summary, Lake(played.market.home.root)
    assert found["rows_read"] == found["rows_accepted"] + found["rows_quarantined"] > ORDERS + CLAIMS
    tables = [name for name in lake.tables() if (played.market.home.root / "lake" / name / "initial.parquet").exists()]
    assert found["rows_accepted"] == sum(lake.count(name, "initial") for name in tables)
    assert (
        found["rows_quarantined"] == sum(len(lake.quarantined(name)) for name in tables) >= sum(played.market.simulation.planted.values())
    )


def test_every_live_claim_is_decided_and_every_decided_claim_is_open_or_resolved(played: Played) -> None:
    claims = Lake(played.market.home.root).read("claims")
    live = claims[claims["filed_at"] >= played.market.simulation.live_from]
    with Store(played.market.home.store_url) as store:
        decided = store.read("decisions")
    assert set(decided["claim_id"]) == set(live["claim_id"])
    assert played.summary["claims_decided"] == len(decided) == played.summary["cases_open"] + played.summary["cases_resolved"]
    assert played.summary["cases_resolved"] > 0.9 * len(decided)


def test_what_was_decided_live_is_what_a_rebuild_over_everything_known_later_decides(played: Played) -> None:
    home = played.market.home
    tables = Lake(home.root).tables()
    with Store(home.store_url) as store:
        decided = store.read("decisions").sort_values("claim_id", ignore_index=True)
    claims = tables["claims"].set_index("claim_id").loc[decided["claim_id"]].reset_index()
    rebuilt = load(home.bundles / decided["bundle"].iloc[0]).predict_proba(build_matrix(tables, claims))
    assert decided["bundle"].nunique() == 1
    np.testing.assert_array_equal(rebuilt, decided[["p_valid", "p_unsubstantiated", "p_abusive"]].to_numpy())


def test_the_ledger_balances_and_what_customers_kept_was_borne_by_somebody(played: Played) -> None:
    assert played.summary["ledger_balance_cents"] == 0
    borne = played.summary["borne_cents"]
    assert sum(borne.values()) - borne["expert_fees"] == played.summary["paid_cents"] > 0


def test_perfect_knowledge_loses_least(played: Played) -> None:
    ways = [played.summary[f"cost_{name}"] for name in ("pay_everything", "model", "model_experts")]
    assert 0 <= played.summary["cost_perfect"] <= min(ways)
    assert min(ways) < ways[0]


def test_what_was_learned_in_the_live_weeks_is_in_the_lake_and_was_trained_on(played: Played) -> None:
    lake = Lake(played.market.home.root)
    assert any(batch.startswith("resolve-") for batch in lake.batches("resolutions"))
    resolutions = lake.read("resolutions")
    assert resolutions.loc[resolutions["known_at"] > played.market.simulation.live_from, "label"].notna().any()
    assert len([path for path in played.market.home.bundles.iterdir() if path.is_dir()]) == 2


def test_the_closing_words_name_the_figures_and_the_places(played: Played) -> None:
    for name in ("rows_read", "rows_quarantined", "claims_decided", "cases_resolved"):
        assert f"{played.summary[name]:,}" in played.printed
    for way in ("pay everything", "model only", "model + experts", "perfect knowledge"):
        assert way in played.printed
    assert played.summary["verdict"] in played.printed
    assert "ledger balance" in played.printed and "0 cents" in played.printed
    for name in ("report", "data_docs"):
        assert played.summary[name] in played.printed and Path(played.summary[name]).is_file()
    assert played.summary["mlflow"] in played.printed and (played.market.home.root / "mlflow.db").is_file()


def test_a_folder_that_no_demo_made_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.txt").write_text("ten years of work")
    with pytest.raises(FileExistsError, match="move it away or choose another --home"):
        demo(Home(tmp_path), default_policy(), lambda *_: None, 1_000, 100)
    assert (tmp_path / "demo" / "thesis.txt").read_text() == "ten years of work"
