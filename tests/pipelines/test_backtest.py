"""A backtest's figures are those of its decisions and labels; its page stands alone; the truth has a section of its own or none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_contracts import LABELS
from models.costs import AUTOMATIC, cost_matrix
from models.judgement import MEASURES
from models.policy import default_policy
from models.rules import Rules
from pipelines.backtest import PAID, backtest
from pipelines.backtested import Backtest
from pipelines.evaluate import true_classes
from pipelines.history import History, history_of_file, history_of_home
from pipelines.home import Home
from pipelines.ingest import ingest
from pipelines.replay import OURS
from tests.console import touchstone
from tests.pipelines.conftest import Market
from tests.pipelines.test_report import Page
from tests.pipelines.test_train import QUICK

POLICY = default_policy()
START, END = pd.Timestamp("2025-03-01", tz="UTC"), pd.Timestamp("2025-03-15", tz="UTC")


RULES = """
version = "1"
[[rule]]
id = "large"
owner = "desk"
since = 2030-01-01
description = "An expert looks at every claim that is not small."
when = "claim_amount_log > 6"
effect = "desk"
[[rule]]
id = "never"
owner = "desk"
since = 2020-01-01
description = "Nobody claims so much."
when = "claim_amount_log > 1000"
effect = "investigate"
"""


@pytest.fixture(scope="module")
def history(small: Market) -> History:
    return history_of_home(small.home, POLICY)


@pytest.fixture(scope="module")
def found(small: Market, history: History, tmp_path_factory: pytest.TempPathFactory) -> tuple[Backtest, Path, Home]:
    home = Home(tmp_path_factory.mktemp("backtest"))
    how = {"settings": QUICK, "truth": true_classes(small.home), "rules": Rules.parse(RULES, list(history.matrix.columns)), "draws": 20}
    return *backtest(home, history, START, END, POLICY, "weekly", **how), home


def test_the_money_is_the_sum_over_labelled_claims(history: History, found: tuple[Backtest, Path, Home]) -> None:
    result, _, _ = found
    known = history.settled()
    known = known[known["weight"] > 0]
    rows = history.claims.assign(insured=history.insured).merge(known, on="claim_id")
    rows = rows[(rows["filed_at"] >= START) & (rows["filed_at"] < END)]
    table = cost_matrix(POLICY, rows["amount_cents"].to_numpy(), rows["insured"].to_numpy())
    classes = [LABELS.index(label) for label in rows["label"]]
    paid = table[np.arange(len(rows)), AUTOMATIC.index("PAY"), classes]
    perfect = table[np.arange(len(rows)), :, classes].min(axis=1)
    ours = result.labels.ways[OURS]
    assert result.labels.claims == len(rows) > 0
    assert ours["pay_cents"].estimate == pytest.approx(np.average(paid, weights=rows["weight"]))
    assert ours["perfect_cents"].estimate == pytest.approx(np.average(perfect, weights=rows["weight"]))
    assert result.labels.ways[PAID]["cost_cents"].estimate == pytest.approx(ours["pay_cents"].estimate)
    assert ours["perfect_cents"].estimate <= ours["cost_cents"].estimate < ours["pay_cents"].estimate


def test_folds_add_up_and_everything_is_in_the_manifest(found: tuple[Backtest, Path, Home]) -> None:
    result, _, home = found
    manifest = json.loads((home.runs / "backtest-2025-03-01-2025-03-15.json").read_text())
    assert sum(fold["claims"] for fold in manifest["folds"]) == manifest["claims"] == result.claims == result.truth.claims
    assert sum(fold["decided"]["rows"] for fold in manifest["folds"]) == manifest["labels"]["claims"]
    assert len(manifest["labels"]["by_fold"]) == len(manifest["folds"]) == 2
    assert set(manifest["labels"]["ways"]) == {OURS, PAID, "prior", "single rule", "logistic regression"}
    assert set(manifest["labels"]["ways"][OURS]) == {*MEASURES, "saved_cents"}
    assert manifest["labels"]["ways"][PAID]["auc_abusive"]["estimate"] is None
    assert list(manifest["labels"]["promises"]) == ["2025-03"] == list(manifest["truth"]["promises"])
    assert all(0 <= threshold <= 1 for fold in manifest["folds"] for threshold in fold["sets"]) and len(manifest["prices"]) > 20
    assert result.summary()["truth"]["cost_cents"] == manifest["truth"]["ways"][OURS]["cost_cents"]


def test_the_page_needs_nothing_else_and_marks_the_truth(found: tuple[Backtest, Path, Home]) -> None:
    page = Page(found[1].read_text())
    assert page.headings[:2] == ["Ways of deciding the same claims", "Our model, fold by fold"]
    hidden = [heading for heading in page.headings if "hidden truth" in heading]
    assert hidden == page.headings[-4:]
    outside = [a for _, attrs in page.tags for a in (attrs.get("src"), attrs.get("href")) if a and not a.startswith("data:")]
    assert not outside and all(attrs.get("alt") for tag, attrs in page.tags if tag == "img")
    assert page.tables[0][1][0] == OURS


def test_rules_are_judged_by_themselves_as_if_in_force_and_change_no_decision(
    history: History, found: tuple[Backtest, Path, Home], tmp_path: Path
) -> None:
    result, page, _ = found
    table = result.rules.set_index("rule")
    claims = history.claims[(history.claims["filed_at"] >= START) & (history.claims["filed_at"] < END)]
    large = (history.matrix.loc[claims["claim_id"], "claim_amount_log"] > 6).sum()
    assert table.loc["large", "hits"] == large > 0 == table.loc["never", "hits"]
    assert table.loc["never", "saving_cents"] == 0.0 and result.manifest()["rules"][1]["precision"] is None
    assert "What rules beside the model would have done" in page.read_text()
    without = backtest(Home(tmp_path), history, START, END, POLICY, "weekly", settings=QUICK, draws=20)[0]
    assert without.rules is None and without.manifest()["labels"] == result.manifest()["labels"]


def test_without_a_truth_there_is_no_word_of_it_and_a_seed_repeats_itself(history: History, tmp_path: Path) -> None:
    twice = [
        backtest(Home(tmp_path / name), history, START, END, POLICY, "never", blocks="weeks", settings=QUICK, draws=10) for name in "ab"
    ]
    assert "hidden truth" not in twice[0][1].read_text() and twice[0][0].truth is None
    assert twice[0][0].manifest() == twice[1][0].manifest() and twice[0][1].read_bytes() == twice[1][1].read_bytes()
    assert twice[0][0].labels.blocks <= 3
    with pytest.raises(ValueError, match="expected one of components, weeks, found 'days'"):
        backtest(Home(tmp_path), history, START, END, POLICY, blocks="days")


MAPPING = """
name = "plain"
absent = ["order_id", "customer_id", "seller_id", "product_id", "channel", "incident_at", "narrative", "photo_count", "photo_hash",
  "has_receipt", "has_dated_photo", "has_medical_record", "device_id", "address_id", "payment_id", "phone_id"]
[fields.claim_id]
source = "number"
[fields.kind]
constant = "property"
[fields.filed_at]
source = "date"
format = "%Y-%m-%d"
[fields.amount_cents]
source = "amount"
unit = "dollars"
optional = true
[label]
source = "fraud"
values = { 0 = "valid", 1 = "abusive" }
delay_days = 30
how = "investigation"
[extras]
risk = "numeric"
"""


def test_real_claims_without_customers_sellers_or_some_amounts_are_replayed_by_the_command(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    risk, days = rng.normal(size=900), np.sort(rng.integers(0, 360, 900))
    rows = {
        "number": [f"N{i}" for i in range(900)],
        "date": (pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D")).strftime("%Y-%m-%d"),
    }
    frame = pd.DataFrame(rows).assign(
        amount=np.where(rng.random(900) < 0.02, np.nan, 400), fraud=(risk + rng.normal(size=900) > 1.5).astype(int), risk=risk
    )
    file, mapping = tmp_path / "claims.csv", tmp_path / "plain.toml"
    frame.to_csv(file, index=False)
    mapping.write_text(MAPPING)
    home = tmp_path / "home"
    where = ("--file", str(file), "--mapping", str(mapping), "--home", str(home), "--summary", str(tmp_path / "s.json"))
    ran = touchstone("backtest", "--from", "2024-11-01", "--to", "2024-12-01", "--blocks", "weeks", *where)
    assert ran.code == 0, ran.err
    unpriced = int(frame["amount"].isna().sum())
    inside = frame["date"].between("2024-11-01", "2024-11-30") & frame["amount"].notna()
    summary = json.loads((tmp_path / "s.json").read_text())
    assert summary["claims_decided"] == summary["claims_judged"] == int(inside.sum()) and "truth" not in summary
    assert f"{unpriced} claims without an amount are left out" in (home / "reports" / "backtest-2024-11-01-2024-12-01.html").read_text()
    assert history_of_file(ingest(Home(home), file, mapping)).unpriced == unpriced


def test_a_wrong_call_of_the_command_ends_with_code_2(small: Market) -> None:
    stretch, home = ("--from", "2025-03-01", "--to", "2025-03-02"), ("--home", str(small.home.root))
    assert touchstone("backtest", *stretch, "--file", "x.csv", *home).code == 2
    assert touchstone("backtest", *stretch, "--challenger", "oracle", *home).code == 2
    assert touchstone("backtest", *stretch, "--retrain", "daily", *home).code == 2
