"""The list of features: complete, consistent, and equal to its golden file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from features.catalog import CATALOG, Catalog
from features.entry import Entry
from features.spec import ALL, Aggregate, Direct, Ratio, Selection, SpecError, Window

GOLDEN = Path(__file__).parents[2] / "features" / "catalog.json"
REWRITE = (
    'python -c "import json; from features.catalog import CATALOG; print(json.dumps(CATALOG.compile(), indent=1, ensure_ascii=False))"'
)


def test_the_golden_file_is_the_compiled_catalogue() -> None:
    assert json.loads(GOLDEN.read_text()) == CATALOG.compile(), f"review the change, then write features/catalog.json anew: {REWRITE}"


def test_every_entry_explains_itself() -> None:
    for entry in CATALOG:
        assert entry.meaning and entry.reason and len(entry.reason) < 80, entry.name
        assert entry.name.replace("_", "").isalnum() and entry.name == entry.name.lower(), entry.name


def test_the_hash_changes_with_any_entry_and_with_their_order() -> None:
    first, *rest = CATALOG.entries
    other = Catalog((replace(first, direction=1 if first.direction != 1 else -1), *rest))
    turned = Catalog((*rest, first))
    assert len({CATALOG.hash, other.hash, turned.hash}) == 3
    assert Catalog(CATALOG.entries).hash == CATALOG.hash


def test_leaving_groups_out_removes_exactly_their_entries_and_keeps_the_order() -> None:
    left = CATALOG.without("links", "duplicates")
    assert left.names == tuple(e.name for e in CATALOG if e.group not in ("links", "duplicates"))
    assert 60 < len(left) < len(CATALOG)
    with pytest.raises(SpecError, match=r"expected one of amount, .* found linkz"):
        CATALOG.without("linkz")


def test_no_window_may_see_the_instant_of_filing() -> None:
    entry = replace(
        CATALOG["claims_count_customer_30d"], feature=Aggregate("claims", ("customer_id",), "count", Window(30, closed="right"))
    )
    with pytest.raises(SpecError, match="expected a window strictly before filing"):
        Catalog((entry,))
    assert Catalog((entry,), counts_itself=True).names == ("claims_count_customer_30d_right",)
    nested = replace(entry, feature=Ratio(CATALOG["claims_count_customer_30d"].feature, entry.feature))
    with pytest.raises(SpecError, match="expected a window strictly before filing"):
        Catalog((nested,))


def test_a_source_of_its_own_is_part_of_a_catalogue_and_of_its_hash() -> None:
    phoned = Entry(Aggregate("phoned", ("customer_id",), "count", ALL), "calls", "count", 0, "customer_history", "calls")
    with pytest.raises(SpecError, match=r"phoned_count_customer_all: expected a source of orders, returns, .*; found 'phoned'"):
        Catalog((phoned,))
    by_phone, by_app = (Catalog((phoned,), {"phoned": Selection("claims", "filed_at", "channel", (way,))}) for way in ("phone", "app"))
    assert by_phone.hash != by_app.hash and by_phone.without("links").sources == by_phone.sources
    assert by_phone.compile()["sources"]["phoned"]["values"] == ["phone"]
    with pytest.raises(SpecError, match="expected new names of sources, found orders"):
        Catalog((phoned,), {"orders": Selection("orders", "ordered_at")})


def test_a_name_occurs_once() -> None:
    entry = CATALOG["claims_count_customer_30d"]
    with pytest.raises(SpecError, match="every name once"):
        Catalog((entry, replace(entry, feature=Direct(entry.name, "claim", ()))))
    assert Aggregate("claims", ("customer_id",), "count", ALL).name in CATALOG.names
