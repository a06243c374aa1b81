"""The log as a page: whole, checked, and keeping back what other pages keep back."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from models.quality_checks import Checks, draw
from serving.console import look_audit
from serving.instants import micros
from serving.ties import Tie, TieKind, keep
from tests.serving.console.houses import House

KINDS = r"<td>(decisions?|case|console|event|filled)</td>"


def test_the_log_is_shown_whole_in_pages_and_its_chain_followed(shown: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_audit, "PAGE", 20)
    aude = shown.visitor("aude")
    seqs = [row["seq"] for row in shown.rows("audit_log")]
    found: list[int] = []
    older = ""
    while True:
        page = aude.get(f"/audit?kind={older}").text
        found += [int(number) for number in re.findall(r'<th scope="row" class="n">(\d+)</th>', page)]
        more = re.search(r"before=(\d+)", page)
        if more is None:
            break
        older = f"&before={more[1]}"
    assert found == sorted(seqs, reverse=True) and len(found) > 2 * 20 and "entries hold" in page.lower()
    entry = shown.rows("audit_log")[-1]
    one = aude.get(f"/audit?subject={entry['subject']}&kind={entry['kind']}").text
    assert set(re.findall(KINDS, one)) == {entry["kind"]} and entry["subject"] in one


def test_a_decision_that_was_entered_with_others_is_found_by_its_claim_and_told_alone(shown: House) -> None:
    aude = shown.visitor("aude")
    entered = {row["subject"] for row in shown.rows("audit_log")}
    mine, other = [row for row in shown.rows("decisions") if row["claim_id"] not in entered][:2]
    page = aude.get(f"/audit?subject={mine['claim_id']}").text
    assert re.findall(KINDS, page) == ["decisions"] and f"<dd>{mine['policy']}</dd>" in page and other["claim_id"] not in page
    assert "<dt>sha256</dt>" in aude.get("/audit?kind=decisions").text and "<dt>sha256</dt>" not in page
    assert re.findall(KINDS, aude.get("/audit?subject=nobody").text) == []


def test_a_long_chain_is_followed_when_somebody_asks_for_it(shown: House, monkeypatch: pytest.MonkeyPatch) -> None:
    entries, entered = len(shown.rows("audit_log")), sum(row["decisions"] for row in shown.rows("audit_attachments"))
    aude = shown.visitor("aude")
    for bound, follows in ((entries + entered, True), (entries + entered - 1, False)):
        monkeypatch.setattr(look_audit, "AT_ONCE", bound)
        assert ("entries hold" in aude.get("/audit").text.lower()) is follows
    assert "entries hold" in aude.get("/audit?verify=1").text.lower()


def test_a_broken_chain_is_told_loudly(house: House) -> None:
    with house.store.write() as tx:
        tx.exec_driver_sql("DROP TRIGGER audit_log_no_update")
        tx.exec_driver_sql("UPDATE audit_log SET body = X'00' WHERE seq = 5")
    page = house.visitor("aude").get("/audit").text
    assert 'role="alert"' in page and "broken" in page


def test_the_log_keeps_back_what_a_page_would(house: House) -> None:
    rows = house.rows("cases")
    drawn = draw(Checks(), pd.Series([row["claim_id"] for row in rows])).hidden
    blind, plain = (next(row for row, hidden in zip(rows, drawn, strict=True) if hidden == wanted) for wanted in (True, False))
    aude = house.visitor("aude")
    assert "hidden until the case is answered" in aude.get(f"/audit?subject={blind['claim_id']}").text
    assert "hidden until" not in aude.get(f"/audit?subject={plain['claim_id']}").text
    with house.store.write() as tx:
        keep(tx, Tie("aude", TieKind.SELLER, plain["seller_id"]), micros(house.now))
    page = aude.get(f"/audit?subject={plain['claim_id']}").text
    assert "a conflict of interest" in page and "p_abusive" not in page
