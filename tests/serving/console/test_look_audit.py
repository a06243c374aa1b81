"""The log as a page: whole, checked, and keeping back what other pages keep back."""

from __future__ import annotations

import re

import pandas as pd

from models.quality_checks import Checks, draw
from serving.console.look_audit import PAGE as ENTRIES
from serving.instants import micros
from serving.ties import Tie, TieKind, keep
from tests.serving.console.houses import House


def test_the_log_is_shown_whole_in_pages_and_its_chain_followed(shown: House) -> None:
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
    assert found == sorted(seqs, reverse=True) and len(found) > ENTRIES and "entries hold" in page.lower()
    claim_id = shown.rows("cases")[0]["claim_id"]
    one = aude.get(f"/audit?subject={claim_id}&kind=decision").text
    assert set(re.findall(r"<td>(decision|case|console|event|filled)</td>", one)) == {"decision"}


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
