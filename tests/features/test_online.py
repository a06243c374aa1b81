"""The law of the online features: whenever and however a claim is read, its row is the row of the batch, to the last bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts import CONTRACTS
from features import page_rows
from features.catalog import CATALOG, Catalog
from features.entry import Entry
from features.facts import FeatureError
from features.matrix import build_matrix
from features.online import OnlineHistory
from features.online_rows import HashedFacts, Rows, code
from features.pages import MemoryPages
from features.spec import ALL, Aggregate, Computed, How, Ratio, Selection, Window
from tests.features.tables import random_tables
from tests.strategies import FEW, marketplaces

SOME = settings(FEW, max_examples=6)

Tables = dict[str, pd.DataFrame]


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let logs run over many pages, of just the customers that an entity has at most."""
    monkeypatch.setattr(page_rows, "PAGE_ROWS", 12)


def plain(claim: dict[str, Any]) -> dict[str, Any]:
    return {name: None if pd.isna(value) else value for name, value in claim.items()}


def known(tables: Tables, name: str) -> np.ndarray:
    return HashedFacts(tables, tables["claims"].head(0)).known(name)


def between(tables: Tables, begin: int, end: int) -> Tables:
    """Return what became known from one instant to, not including, another."""
    held = {name: known(tables, name) for name in tables}
    parts = {name: frame[(held[name] >= begin) & (held[name] < end)] for name, frame in tables.items()}
    return {name: frame for name, frame in parts.items() if len(frame)}


def must_equal(found: np.ndarray, expected: pd.DataFrame) -> None:
    index = expected.index
    pd.testing.assert_frame_equal(pd.DataFrame(found, index=index, columns=list(expected.columns)), expected, check_exact=True)


def replayed(history: OnlineHistory, tables: Tables, order: pd.DataFrame) -> Iterator[np.ndarray]:
    """Let time pass from claim to claim and read each just before it becomes history."""
    begin = np.iinfo(np.int64).min
    for filed, claims in order.groupby("filed_at", sort=True):
        history.append(between(tables, begin, filed.value // 1000))
        begin = filed.value // 1000
        for claim in claims.to_dict("records"):
            yield history.vector(plain(claim))


@SOME
@given(marketplaces(max_claims=15))
def test_every_claim_replayed_in_order_has_its_batch_row(tables: Tables) -> None:
    order = tables["claims"].sort_values(["filed_at", "claim_id"])
    found = list(replayed(OnlineHistory(MemoryPages()), tables, order))
    must_equal(np.array(found), build_matrix(tables, order))


@SOME
@given(marketplaces(max_claims=15, late=0.4))
def test_events_that_were_recorded_late_count_from_then(tables: Tables) -> None:
    order = tables["claims"].sort_values(["filed_at", "claim_id"])
    found = list(replayed(OnlineHistory(MemoryPages()), tables, order))
    must_equal(np.array(found), build_matrix(tables, order))


@SOME
@given(marketplaces(max_claims=15, late=0.2), st.integers(0, 10_000))
def test_any_claim_can_be_read_as_of_its_filing_long_after(tables: Tables, seed: int) -> None:
    history = OnlineHistory(MemoryPages())
    history.append(tables)
    order = tables["claims"].sample(frac=1.0, random_state=seed)
    must_equal(np.array([history.vector(plain(claim)) for claim in order.to_dict("records")]), build_matrix(tables, order))


@SOME
@given(marketplaces(max_claims=15), st.integers(0, 10_000))
def test_missing_identifiers_and_contents_are_missing_in_the_same_way(tables: Tables, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for table, columns in {"orders": ["customer_id", "device_id"], "claims": ["customer_id", "order_id", "phone_id", "narrative"]}.items():
        frame = tables[table]
        tables[table] = frame.assign(**{name: frame[name].where(rng.random(len(frame)) < 0.7) for name in columns})
    order = tables["claims"].sort_values(["filed_at", "claim_id"])
    must_equal(np.array(list(replayed(OnlineHistory(MemoryPages()), tables, order))), build_matrix(tables, order))


@SOME
@given(marketplaces(max_claims=12), st.integers(0, 10_000))
def test_what_arrives_late_is_admitted_and_the_batch_then_agrees_with_what_was_read(tables: Tables, seed: int) -> None:
    """Events arrive in another order than they happened; each claim is read when it arrives and then becomes history."""
    rng, history, kept = np.random.default_rng(seed), OnlineHistory(MemoryPages()), dict.fromkeys(tables, pd.DataFrame())
    arrivals = []
    for name, frame in tables.items():
        delay = rng.integers(0, 20, len(frame)) * (rng.random(len(frame)) < 0.3) * (name not in ("customers", "sellers", "products"))
        arrivals += [
            (at + pd.Timedelta(days=int(d)), name, i) for i, (at, d) in enumerate(zip(frame[CONTRACTS[name].known_at], delay, strict=True))
        ]
    found = {}
    for arrived in sorted({at for at, _, _ in arrivals}):
        now: dict[str, list[int]] = {}
        for _, name, row in (arrival for arrival in arrivals if arrival[0] == arrived):
            now.setdefault(name, []).append(row)
        batch = {name: tables[name].iloc[places] for name, places in now.items()}
        claims = batch.pop("claims", pd.DataFrame())
        for part in [batch, *({"claims": claims.iloc[[i]]} for i in range(len(claims)))]:
            if "claims" in part:
                claim = part["claims"].to_dict("records")[0]
                found[claim["claim_id"]] = history.vector(plain(claim))
            admitted = history.admit(part)
            history.append(admitted)
            for name, frame in admitted.items():
                kept[name] = pd.concat([kept[name], frame])
    order = tables["claims"].set_index("claim_id", drop=False).loc[list(found)]
    expected = build_matrix({name: frame for name, frame in kept.items() if len(frame)}, order.reset_index(drop=True))
    must_equal(np.array(list(found.values()))[:, [history.names.index(name) for name in expected]], expected)


@SOME
@given(marketplaces(max_claims=12, late=0.2), st.integers(0, 10_000), st.booleans())
def test_claims_that_are_read_and_then_appended_have_the_rows_that_a_batch_finds_later(tables: Tables, seed: int, in_groups: bool) -> None:
    rng = np.random.default_rng(seed)
    lost = {
        name: rng.random(len(tables["claims"])) < 0.15 for name in ("customer_id", "product_id", "device_id", "narrative", "photo_hash")
    }
    claims = tables["claims"].assign(**{name: tables["claims"][name].mask(where) for name, where in lost.items()})
    tables = {**tables, "claims": claims}
    history, kept, found = OnlineHistory(MemoryPages()), {name: [frame.head(0)] for name, frame in tables.items()}, {}
    for at in sorted({int(at) for name in tables for at in known(tables, name)}):
        part = between(tables, at, at + 1)
        filed = part.pop("claims", claims.head(0)).to_dict("records")
        for group in [filed] if in_groups else [[claim] for claim in filed]:
            reads = [history.read(plain(claim)) for claim in group]
            for claim, read, counts in zip(group, reads, history.append_reads(reads), strict=True):
                found[claim["claim_id"]] = read.vector
                late = {"recorded_at": pd.Timestamp(counts, unit="us", tz="UTC")} if counts > read.filed else {}
                kept["claims"].append(claims[claims.claim_id == claim["claim_id"]].assign(**late))
        admitted = history.admit(part)
        if admitted:
            history.append(admitted)
        for name, frame in admitted.items():
            kept[name].append(frame)
    order = claims.set_index("claim_id", drop=False).loc[list(found)].reset_index(drop=True)
    stored = {name: pd.concat(parts, ignore_index=True) for name, parts in kept.items()}
    expected = build_matrix({name: frame for name, frame in stored.items() if len(frame)}, order)
    must_equal(np.array(list(found.values()))[:, [history.names.index(name) for name in expected]], expected)


def test_stories_told_together_are_near_each_other_for_whoever_tells_them_next() -> None:
    story = " ".join(f"word{i}" for i in range(60))
    at = pd.Timestamp("2025-01-05", tz="UTC")

    def claim(number: int, after: int, ends: str) -> dict[str, Any]:
        own = {"claim_id": f"C{number}", "customer_id": f"A{number}", "photo_hash": None, "amount_cents": 900}
        return {**own, "narrative": f"{story} {ends}", "filed_at": at + pd.Timedelta(after, "s")}

    history = OnlineHistory(MemoryPages())
    history.append_read(history.read(claim(0, 0, "other") | {"narrative": "it broke in two"}))
    reads = [history.read(claim(number, 1, ends)) for number, ends in ((1, "here"), (2, "there"))]
    assert history.append_reads(reads) == [reads[0].filed, reads[0].filed + 1]
    next_one = history.vector(claim(3, 9, "there"))
    assert next_one[history.names.index("narrative_reuse_others")] == 2


class Counted(MemoryPages):
    """Pages that count how many are looked at."""

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "looked", [])

    def latest(self, keys: Any, before: Any) -> list[bytes | None]:
        found = super().latest(keys, before)
        self.looked.append(len(keys))  # type: ignore[attr-defined]
        return found

    def between(self, key: Any, after: int, before: int) -> list[bytes]:
        found = super().between(key, after, before)
        self.looked.append(len(found))  # type: ignore[attr-defined]
        return found


def test_a_claim_of_a_busy_seller_costs_no_more_look_ups_when_his_history_is_four_times_as_long() -> None:
    cost = {}
    for times in (20, 80):
        pages, n, begin = Counted(), 150 * times, pd.Timestamp("2020-01-01", tz="UTC")
        history = OnlineHistory(pages)
        orders = pd.DataFrame(
            {
                "order_id": [f"O{i}" for i in range(n)],
                "customer_id": [f"A{i}" for i in range(n)],
                "seller_id": "S",
                "product_id": "P",
                "amount_cents": 500,
                "ordered_at": begin + pd.to_timedelta(np.arange(n), "D"),
            }
        )
        claims = orders.iloc[::10].assign(claim_id=[f"C{i}" for i in range(n // 10)])
        claims = claims.assign(filed_at=claims.ordered_at + pd.Timedelta(hours=1)).drop(columns="ordered_at")
        history.append({"orders": orders, "claims": claims})
        pages.looked.clear()  # type: ignore[attr-defined]
        filed = begin + pd.Timedelta(days=n)
        read = history.read(
            {"claim_id": "C", "customer_id": "B", "seller_id": "S", "product_id": "P", "amount_cents": 700, "filed_at": filed}
        )
        history.append_read(read)
        cost[times] = sum(pages.looked)  # type: ignore[attr-defined]
        assert read.vector[history.names.index("orders_count_seller_all")] == n
    assert cost[80] <= cost[20] + 2  # a page more or less where windows begin


HOWS: tuple[How, ...] = ("count", "since_first", "since_last", "sum", "mean", "min", "max", "last", "first_seen", "distinct")
WINDOWS = (ALL, Window(30), Window(7, lag_days=7), Window(90, closed="neither"), Window(None, lag_days=3), Window(5, 1, "both"))


def every_aggregate() -> list[Aggregate]:
    numbers = {
        "claims": "amount_cents",
        "orders": "quantity",
        "returns": "refund_cents",
        "standing": "paid_cents",
        "recorded": "recorded_at",
    }
    codes = {"claims": "product_id", "orders": "device_id", "sightings": "payment_id", "standing": "device_id"}
    parts = []
    for source in ("claims", "orders", "sightings", "standing", "findings", "denials", "recorded"):
        for how in HOWS:
            column = (codes if how in ("first_seen", "distinct") else numbers).get(source) if how in HOWS[3:] else None
            if how in HOWS[3:] and column is None:
                continue
            on = source if column is None else f"{source}.{column}"
            parts += [Aggregate(on, by, how, over) for by in (("customer_id",), ("seller_id", "customer_id")) for over in WINDOWS]
    return parts


def declared(features: list[Any]) -> Catalog:
    return Catalog(tuple(Entry(f, f.name, "count", 0, "links", f.name) for f in features), {"recorded": Selection("claims", "filed_at")})


@SOME
@given(marketplaces(max_claims=12, late=0.3))
def test_every_aggregate_over_every_window_is_that_of_the_batch(tables: Tables) -> None:
    parts = every_aggregate()
    catalog = declared([*parts, Ratio(Ratio(parts[0], parts[1]), parts[2])])
    order = tables["claims"].sort_values(["filed_at", "claim_id"])
    found = np.array(list(replayed(OnlineHistory(MemoryPages(), catalog), tables, order)))
    expected = build_matrix(tables, order, catalog)
    must_equal(found[:, [catalog.names.index(name) for name in expected]], expected)


def test_a_few_rows_of_plain_values_are_appended_as_frames_are() -> None:
    tables = random_tables(5)
    cut = sorted(tables["claims"].filed_at)[20].value // 1000
    by_frames, by_rows = (OnlineHistory(MemoryPages()) for _ in range(2))
    for history in (by_frames, by_rows):
        history.append(between(tables, np.iinfo(np.int64).min, cut))
    for at in sorted({int(at) for name in tables for at in known(tables, name) if at >= cut}):
        part = between(tables, at, at + 1)
        by_frames.append(part)
        by_rows.append(Rows({n: {c: [plain({c: v})[c] for v in f[c].tolist()] for c in f} for n, f in part.items()}))
    for claim in tables["claims"].to_dict("records"):
        assert by_frames.vector(plain(claim)).tobytes() == by_rows.vector(plain(claim)).tobytes()


def test_a_delivery_may_be_reported_after_the_order() -> None:
    tables = random_tables(6)
    orders = tables["orders"]
    history = OnlineHistory(MemoryPages())
    history.append({**tables, "orders": orders.assign(delivered_at=pd.Series(pd.NaT, index=orders.index, dtype="datetime64[us, UTC]"))})
    delivered = orders.loc[orders.delivered_at.notna(), ["order_id", "delivered_at"]]
    history.append({"deliveries": delivered})
    claims = tables["claims"]
    must_equal(np.array([history.vector(plain(claim)) for claim in claims.to_dict("records")]), build_matrix(tables))
    with pytest.raises(FeatureError, match="expected orders that are known, found 1 that are not"):
        history.append({"deliveries": delivered.head(1).assign(order_id="nobody's")})


def test_an_event_that_comes_late_is_refused_until_it_is_admitted_and_nothing_is_written() -> None:
    tables = random_tables(7)
    pages = MemoryPages()
    history = OnlineHistory(pages)
    orders = tables["orders"].sort_values("ordered_at")
    history.append({"orders": orders.tail(30)})
    before = repr(pages._held)
    with pytest.raises(FeatureError, match=r"orders: expected rows known after .* found 30 that are not; give them the instant"):
        history.append({"orders": orders.head(30)})
    assert repr(pages._held) == before
    history.append(history.admit({"orders": orders.head(30)}))
    assert history.watermark() == orders.ordered_at.iloc[-1].value // 1000 + 1


def test_features_that_are_functions_are_refused_by_name() -> None:
    def narrative_letters(facts: Any) -> np.ndarray:
        return np.zeros(len(facts.probes))

    own = Entry(Computed("narrative_letters", (), narrative_letters), "letters", "count", 0, "claim_form", "letters")
    with pytest.raises(FeatureError, match="found narrative_letters computed by functions"):
        OnlineHistory(MemoryPages(), Catalog((*CATALOG.entries, own)))


def test_sources_whose_events_come_before_they_are_known_are_refused() -> None:
    with pytest.raises(FeatureError, match=r"found 'arrivals' on orders.delivered_at; leave it to the batch"):
        OnlineHistory(MemoryPages(), Catalog(CATALOG.entries, {"arrivals": Selection("orders", "delivered_at")}))


def test_pages_laid_out_for_another_catalogue_are_refused() -> None:
    pages, tables = MemoryPages(), random_tables(8)
    OnlineHistory(pages).append(tables)
    with pytest.raises(FeatureError, match="the catalogue has changed: fill an empty store from the tables"):
        OnlineHistory(pages, CATALOG.without("links")).watermark()


def test_a_row_is_shaped_as_the_matrix_is() -> None:
    tables = random_tables(9)
    history = OnlineHistory(MemoryPages())
    history.append(tables)
    claim = tables["claims"].iloc[[3]]
    pd.testing.assert_frame_equal(history.row(plain(claim.to_dict("records")[0])), build_matrix(tables, claim), check_exact=True)


def test_an_empty_history_knows_nothing_and_a_claim_without_columns_only_what_it_says() -> None:
    history = OnlineHistory(MemoryPages())
    found = dict(zip(history.names, history.vector({"claim_id": "C1", "filed_at": pd.Timestamp("2025-01-01", tz="UTC")}), strict=True))
    assert found["claim_hour"] == 0.0 and np.isnan(found["claims_count_customer_all"]) and np.isnan(found["order_amount"])


def test_codes_are_those_of_every_release() -> None:
    assert code("C1") == 8270327145316094462  # a store filled by one release is read by the next
